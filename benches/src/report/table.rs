use std::io::{self, Write};

use super::Results;
use crate::{catalogue::MEASUREMENTS, figure::Figure};

/// Says what can be measured.
pub(crate) fn list(out: &mut impl Write) -> anyhow::Result<()> {
    for measurement in MEASUREMENTS {
        writeln!(out, "{:<8}  {}", measurement.name, measurement.what)?;
    }
    Ok(())
}

/// A figure on one line.
pub(crate) fn line(figure: &Figure) -> String {
    let [name, rate, p50, p99, p999, max] = cells(figure);
    let values = [("", rate), ("p50 ", p50), ("p99 ", p99), ("p99.9 ", p999), ("max ", max)];
    let values: Vec<_> = values
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(what, value)| format!("{what}{value}"))
        .collect();
    format!("{name}: {}", values.join(", "))
}

/// The table for the terminal: the figures, then the bars.
pub(super) fn write(results: &Results, out: &mut impl Write) -> io::Result<()> {
    let Results { machine, date, command, bars, figures, skipped } = results;
    writeln!(out, "\n{command}, {date}\n{machine}\n")?;
    let head = ["", "rate or amount", "p50", "p99", "p99.9", "worst"].map(str::to_owned);
    aligned(out, std::iter::once(head).chain(figures.iter().map(cells)).collect())?;
    for why in skipped {
        writeln!(out, "skipped: {why}")?;
    }
    if bars.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    let head = ["bar", "", "measured", "beside it", ""].map(str::to_owned);
    let bars = bars.iter().map(|bar| {
        let met = if bar.met { "met" } else { "NOT met" };
        [bar.what, bar.bar, &bar.measured, &bar.floor, met].map(str::to_owned)
    });
    aligned(out, std::iter::once(head).chain(bars).collect())
}

/// A figure's name and values, as people read them.
pub(super) fn cells(figure: &Figure) -> [String; 6] {
    let Figure { name: _, what, rate, latency, amount, note: _ } = figure;
    let first = match (rate, amount) {
        (Some(rate), _) => format!("{}/s", grouped(*rate)),
        (None, Some(amount)) => format!("{:.2} {}", amount.value, amount.unit),
        (None, None) => String::new(),
    };
    let late = |micros: Option<f64>| micros.map(time).unwrap_or_default();
    [
        what.clone(),
        first,
        late(latency.map(|latency| latency.p50)),
        late(latency.map(|latency| latency.p99)),
        late(latency.map(|latency| latency.p999)),
        late(latency.map(|latency| latency.max)),
    ]
}

/// Microseconds, in the unit that reads best.
fn time(micros: f64) -> String {
    match micros {
        under if under < 1_000.0 => format!("{micros:.0} us"),
        under if under < 100_000.0 => format!("{:.2} ms", micros / 1_000.0),
        _ => format!("{:.0} ms", micros / 1_000.0),
    }
}

/// A whole number, its thousands set apart.
fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Rows as columns: the first to the left, numbers to the right.
fn aligned<const N: usize>(out: &mut impl Write, rows: Vec<[String; N]>) -> io::Result<()> {
    let mut widths = [0; N];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    for row in rows {
        let cells = row.iter().zip(widths).enumerate();
        let cells = cells.map(|(at, (cell, width))| match (at, N) {
            // The bars' columns are words.
            (0, _) | (_, 5) => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        writeln!(out, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{grouped, time};

    #[test]
    fn numbers_read_well() {
        assert_eq!(grouped(1_234_567.0), "1,234,567");
        assert_eq!(grouped(999.4), "999");
        assert_eq!(time(87.4), "87 us");
        assert_eq!(time(1_234.0), "1.23 ms");
        assert_eq!(time(123_456.0), "123 ms");
    }
}
