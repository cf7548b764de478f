use std::path::Path;

use plotters::{
    coord::{
        Shift,
        ranged1d::{Ranged, ValueFormatter},
    },
    prelude::{
        BLACK, Cartesian2d, ChartBuilder, ChartContext, Color as _, DrawingArea, IntoDrawingArea as _,
        IntoLogRange as _, LineSeries, PathElement, RGBColor, SVGBackend, SeriesLabelPosition, WHITE,
    },
};

use crate::figure::Figure;

/// Size of a plot.
const SIZE: (u32, u32) = (720, 420);

/// Ends of a logarithmic axis lie so far beyond what is drawn.
const MARGIN: f64 = 1.3;

/// The same of a linear axis.
const ROOM: f64 = 1.1;

/// Colours that people tell apart who see few of them, and on white and on paper.
const COLOURS: [RGBColor; 4] =
    [RGBColor(0, 114, 178), RGBColor(213, 94, 0), RGBColor(0, 158, 115), RGBColor(117, 112, 179)];

/// A plot: lines over an axis of numbers.
struct Plot {
    file: &'static str,
    title: &'static str,
    x: &'static str,
    y: &'static str,
    axes: Axes,
    lines: Vec<Line>,
}

/// How a plot's axes go.
enum Axes {
    /// From one to many: rates and latencies.
    Logarithmic,
    /// From nothing: what grows in proportion shows as a straight line.
    Linear,
}

/// A plot that is being drawn.
type Chart<'a, 'b, X, Y> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<X, Y>>;

/// One line: its name, and its points from left to right.
struct Line {
    name: String,
    points: Vec<(f64, f64)>,
}

/// Draws everything that there are figures for.
pub(super) fn draw(figures: &[Figure], folder: &Path) -> anyhow::Result<()> {
    for plot in [rates(figures), latencies(figures), watching(figures), memory(figures)] {
        if plot.lines.iter().any(|line| line.points.len() > 1) {
            plot.draw(folder)?;
        }
    }
    Ok(())
}

/// The systems that are compared, as figures and people name them.
const SYSTEMS: [(&str, &str); 3] = [
    ("sessiond", "sessiond Advance"),
    ("etcd", "etcd put, one node"),
    ("redis", "Redis SET and PUBLISH, appendfsync always"),
];

fn rates(figures: &[Figure]) -> Plot {
    let lines =
        SYSTEMS.map(|(system, name)| line(figures, name, &format!("peers.{system}."), |figure| figure.rate));
    Plot {
        file: "rate.svg",
        title: "Durable writes a second",
        x: "clients",
        y: "writes/s",
        axes: Axes::Logarithmic,
        lines: lines.into(),
    }
}

fn latencies(figures: &[Figure]) -> Plot {
    let late = |system: &str, what: &str, of: fn(&Figure) -> Option<f64>| {
        line(figures, what, &format!("peers.{system}."), of)
    };
    let p50 = |figure: &Figure| figure.latency.map(|latency| latency.p50);
    let p99 = |figure: &Figure| figure.latency.map(|latency| latency.p99);
    let lines = vec![
        late("sessiond", "sessiond p50", p50),
        late("sessiond", "sessiond p99", p99),
        late("etcd", "etcd p50", p50),
        late("etcd", "etcd p99", p99),
    ];
    Plot {
        file: "latency.svg",
        title: "Latency of a durable write",
        x: "clients",
        y: "us",
        axes: Axes::Logarithmic,
        lines,
    }
}

fn watching(figures: &[Figure]) -> Plot {
    let of = |figure: &Figure, name: &str| {
        let latency = figure.latency.filter(|_| figure.name.ends_with(".last"))?;
        let points = vec![(50.0, latency.p50), (99.0, latency.p99), (99.9, latency.p999)];
        // So that the rare are not crowded at the right end: one in how many is later.
        let points = points.into_iter().map(|(percent, late)| (100.0 / (100.0 - percent), late / 1_000.0));
        Some(Line { name: name.to_owned(), points: points.collect() })
    };
    let scenes = [
        ("watch.1.last", "1 watcher, 1,000 changes/s"),
        ("watch.100.last", "100 watchers, 10,000 changes/s"),
        ("watch.1000.last", "1,000 watchers, 500 changes/s"),
    ];
    let figure = |name: &str| figures.iter().find(|figure| figure.name == name);
    let lines = scenes.iter().filter_map(|(name, what)| of(figure(name)?, what)).collect();
    Plot {
        file: "watch.svg",
        title: "From a change's scheduled time to the last watcher",
        x: "one change in so many is later",
        y: "ms",
        axes: Axes::Logarithmic,
        lines,
    }
}

fn memory(figures: &[Figure]) -> Plot {
    let amount = |figure: &Figure| figure.amount.map(|amount| amount.value);
    let lines = vec![line(figures, "known, nobody holds them", "many.memory.at.", amount)];
    Plot {
        file: "memory.svg",
        title: "Memory of the daemon",
        x: "sessions",
        y: "MB",
        axes: Axes::Linear,
        lines,
    }
}

/// The figures whose names begin so and end in a number, by that number.
fn line(figures: &[Figure], name: &str, prefix: &str, value: impl Fn(&Figure) -> Option<f64>) -> Line {
    let point = |figure: &Figure| Some((figure.name.strip_prefix(prefix)?.parse().ok()?, value(figure)?));
    let mut points: Vec<(f64, f64)> = figures.iter().filter_map(point).collect();
    points.sort_by(|one, other| one.0.total_cmp(&other.0));
    Line { name: name.to_owned(), points }
}

impl Plot {
    fn draw(&self, folder: &Path) -> anyhow::Result<()> {
        let file = folder.join(self.file);
        let area = SVGBackend::new(&file, SIZE).into_drawing_area();
        self.draw_on(&area)?;
        area.present()?;
        Ok(())
    }

    fn draw_on(&self, area: &DrawingArea<SVGBackend<'_>, Shift>) -> anyhow::Result<()> {
        area.fill(&WHITE)?;
        let points = || self.lines.iter().flat_map(|line| &line.points);
        let least = points().map(|point| point.0).fold(f64::INFINITY, f64::min);
        let most = points().map(|point| point.0).fold(0.0, f64::max);
        let highest = points().map(|point| point.1).fold(0.0, f64::max);
        let lowest = points().map(|point| point.1).fold(f64::INFINITY, f64::min);
        let mut chart = ChartBuilder::on(area);
        let chart = chart.caption(self.title, ("sans-serif", 20)).margin(12);
        let chart = chart.x_label_area_size(42).y_label_area_size(72);
        match self.axes {
            Axes::Logarithmic => {
                let (x, y) = (least / MARGIN..most * MARGIN, decade(lowest)..highest * MARGIN);
                self.draw_in(&mut chart.build_cartesian_2d(x.log_scale(), y.log_scale())?)
            }
            Axes::Linear => {
                let mut chart = chart.build_cartesian_2d(0.0..most * ROOM, 0.0..highest * ROOM)?;
                self.draw_in(&mut chart)
            }
        }
    }

    fn draw_in<'a, 'b: 'a, X, Y>(&self, chart: &mut Chart<'a, 'b, X, Y>) -> anyhow::Result<()>
    where
        X: Ranged<ValueType = f64> + ValueFormatter<f64>,
        Y: Ranged<ValueType = f64> + ValueFormatter<f64>,
    {
        chart
            .configure_mesh()
            .light_line_style(WHITE)
            .x_desc(self.x)
            .y_desc(self.y)
            .x_label_formatter(&|x| number(*x))
            .y_label_formatter(&|y| number(*y))
            .draw()?;
        for (line, colour) in self.lines.iter().zip(COLOURS).filter(|(line, _)| !line.points.is_empty()) {
            let style = colour.stroke_width(2);
            chart
                .draw_series(LineSeries::new(line.points.iter().copied(), style).point_size(3))?
                .label(&line.name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], style));
        }
        let mut labels = chart.configure_series_labels();
        labels.position(SeriesLabelPosition::UpperLeft);
        labels.border_style(BLACK.mix(0.3)).background_style(WHITE.mix(0.9)).draw()?;
        Ok(())
    }
}

/// The power of ten below a number: an axis that begins there has something written on it.
fn decade(number: f64) -> f64 {
    10_f64.powf(number.log10().floor())
}

/// A number of an axis.
fn number(value: f64) -> String {
    if value >= 1.0 || value == 0.0 { format!("{value:.0}") } else { format!("{value}") }
}
