use super::{Results, table::cells};

/// The same tables for a document.
pub(super) fn table(results: &Results) -> String {
    let Results { machine, date, command, bars, figures, skipped } = results;
    let mut text = format!("`{command}`, {date}, on {machine}.\n\n");
    if !bars.is_empty() {
        text += "| bar | | measured | beside it, in the same run | |\n|---|---|---|---|---|\n";
        for bar in bars {
            let met = if bar.met { "met" } else { "**not met**" };
            text += &row(&[bar.what, bar.bar, &bar.measured, &bar.floor, met]);
        }
        text += "\n";
    }
    text += "| what | rate or amount | p50 | p99 | p99.9 | worst |\n|---|--:|--:|--:|--:|--:|\n";
    for figure in figures {
        let cells = cells(figure);
        text += &row(&cells.each_ref().map(String::as_str));
    }
    // Once each, however many figures it is said of.
    let mut notes: Vec<(&str, &str)> = Vec::new();
    for figure in figures.iter().filter(|figure| !figure.note.is_empty()) {
        if !notes.iter().any(|(_, note)| *note == figure.note) {
            notes.push((&figure.what, &figure.note));
        }
    }
    text += "\n";
    for (what, note) in notes {
        text += &format!("* {what}: {note}.\n");
    }
    for why in skipped {
        text += &format!("* Left out: {why}.\n");
    }
    text
}

fn row(cells: &[&str]) -> String {
    format!("| {} |\n", cells.join(" | "))
}
