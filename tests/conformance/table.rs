//! What came of it, by language and scenario.

use std::{
    collections::BTreeMap,
    env,
    fmt::{self, Write as _},
    fs,
    path::Path,
    sync::Arc,
};

use super::{Language, scenario::Scenario};

/// The column of casts in which programs are in different languages.
const TOGETHER: &str = "together";

/// A cell for each scenario and language, and one for the languages together. A cell that was not played is a failure.
pub(super) struct Table {
    columns: Vec<&'static str>,
    cells: BTreeMap<(String, &'static str), Cell>,
    failures: Vec<String>,
}

#[derive(Debug, Default)]
struct Cell {
    casts: usize,
    passed: usize,
}

impl Table {
    /// An empty one, with a cell for everything that is to be played.
    pub(super) fn of(languages: &[Language], plays: &[(Arc<Scenario>, Vec<Language>)]) -> Self {
        let mut columns: Vec<_> = languages.iter().map(|language| language.name).collect();
        if languages.len() > 1 {
            columns.push(TOGETHER);
        }
        let mut cells: BTreeMap<_, Cell> = BTreeMap::new();
        for (scenario, cast) in plays {
            cells.entry((scenario.name.clone(), column(cast))).or_default().casts += 1;
        }
        Self { columns, cells, failures: Vec::new() }
    }

    pub(super) fn note(&mut self, scenario: &Scenario, cast: &[Language], played: Result<(), String>) {
        let cell = self.cells.get_mut(&(scenario.name.clone(), column(cast))).expect("it was to be played");
        match played {
            Ok(()) => cell.passed += 1,
            Err(error) => {
                let cast: Vec<_> =
                    scenario.programs.iter().zip(cast).map(|(role, l)| format!("{role}: {l}")).collect();
                self.failures.push(format!("{} ({})\n    {error}", scenario.name, cast.join(", ")));
            }
        }
    }

    /// Prints it; where the other languages played too, also into target/conformance.txt.
    #[expect(clippy::print_stdout, reason = "it is for whoever runs the test")]
    pub(super) fn publish(&self) {
        println!("{self}");
        if self.columns.len() > 1 {
            let target = env::var_os("CARGO_TARGET_DIR")
                .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"), Into::into);
            fs::create_dir_all(&target).expect("it can be made");
            fs::write(target.join("conformance.txt"), self.to_string()).expect("writable");
        }
    }

    pub(super) fn assert_whole(&self) {
        assert!(!self.cells.is_empty(), "no scenario was played");
        let failures = self.failures.join("\n\n");
        assert!(self.failures.is_empty(), "{} failed:\n\n{failures}\n", self.failures.len());
        let missing: Vec<_> = self.cells.iter().filter(|(_, cell)| cell.passed < cell.casts).collect();
        assert!(missing.is_empty(), "not played: {missing:?}");
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names: Vec<_> = self.cells.keys().map(|(name, _)| name).collect();
        names.dedup();
        let width = names.iter().map(|name| name.len()).max().unwrap_or(0);
        let mut lines = format!("{:width$}", "");
        for column in &self.columns {
            write!(lines, "  {column}")?;
        }
        for name in names {
            write!(lines, "\n{name:width$}")?;
            for column in &self.columns {
                let cell = self.cells.get(&(name.clone(), *column));
                let shown = match cell {
                    // One program is never in two languages.
                    None => "-".to_owned(),
                    Some(Cell { casts, passed }) if passed < casts => "FAIL".to_owned(),
                    Some(Cell { casts: 1, .. }) => "ok".to_owned(),
                    Some(Cell { casts, .. }) => format!("ok {casts}"),
                };
                write!(lines, "  {shown:column_width$}", column_width = column.len())?;
            }
        }
        f.write_str(&lines.lines().map(str::trim_end).collect::<Vec<_>>().join("\n"))
    }
}

fn column(cast: &[Language]) -> &'static str {
    let first = cast[0].name;
    if cast.iter().all(|language| language.name == first) { first } else { TOGETHER }
}
