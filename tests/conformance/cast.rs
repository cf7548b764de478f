//! Which language plays which program.

use std::{
    env, fmt,
    path::{Path, PathBuf},
};

use tokio::process::Command;

use super::rust::PLAY;

/// The folder that `make clients` fills.
const CLIENTS: &str = "SESSIOND_TEST_CLIENTS";

/// Those of them that this machine cannot play, by the folders of their clients.
const WITHOUT: &str = "SESSIOND_TEST_WITHOUT";

/// The languages whose drivers are in that folder.
const INSTALLED: [&str; 4] = ["python", "python-aio", "typescript", "go"];

/// A language, and the driver of its client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Language {
    pub(crate) name: &'static str,
    /// `None`: this program.
    driver: Option<PathBuf>,
}

/// The languages that there are to play.
///
/// # Panics
/// One of them has no driver.
pub(crate) fn languages() -> Vec<Language> {
    let mut languages = vec![Language { name: "rust", driver: None }];
    if let Some(folder) = env::var_os(CLIENTS).filter(|folder| !folder.is_empty()) {
        let driver = |name| {
            let driver = Path::new(&folder).join(name).join("driver");
            assert!(driver.exists(), "{}: no driver here; `make clients` installs it", driver.display());
            Some(driver)
        };
        let without = env::var(WITHOUT).unwrap_or_default();
        let plays = |name: &&str| !without.split(' ').any(|client| name.split('-').next() == Some(client));
        let installed = INSTALLED.into_iter().filter(plays);
        languages.extend(installed.map(|name| Language { name, driver: driver(name) }));
    }
    languages
}

/// Who plays the programs of a scenario: each language alone, and where there are several programs, all of them together, so
/// that each has every role once. From one scenario to the next other languages meet.
pub(super) fn casts(languages: &[Language], programs: usize, scenario: usize) -> Vec<Vec<Language>> {
    let count = languages.len();
    let alone = languages.iter().map(|language| vec![language.clone(); programs]);
    let mixed = (0..count).map(|first| {
        let stride = if count > 1 { 1 + scenario % (count - 1) } else { 0 };
        (0..programs).map(|role| languages[(first + role * stride) % count].clone()).collect()
    });
    let several = programs > 1 && count > 1;
    alone.chain(mixed.filter(|_| several)).collect()
}

impl Language {
    /// What starts its driver.
    pub(crate) fn command(&self) -> Command {
        match &self.driver {
            Some(driver) => Command::new(driver),
            None => {
                // Also when the file has been built anew in the meantime.
                let mut command = Command::new("/proc/self/exe");
                command.args(["conformance::rust::plays_a_program", "--exact", "--nocapture"]).env(PLAY, "1");
                command
            }
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

#[test]
fn every_language_meets_every_other_in_every_role() {
    let names = ["rust", "python", "python-aio", "typescript", "go"];
    let languages = names.map(|name| Language { name, driver: None });
    let mut met: Vec<_> = (0..4).flat_map(|scenario| casts(&languages, 2, scenario)).collect();
    met.sort_by_key(|cast| cast.iter().map(|language| language.name).collect::<Vec<_>>());
    met.dedup();
    assert_eq!(met.len(), names.len() * names.len());
    let three = casts(&languages, 3, 1);
    assert!(three[5..].iter().all(|cast| cast[0] != cast[1] && cast[1] != cast[2]), "{three:?}");
    assert_eq!(casts(&languages[..1], 2, 3).len(), 1);
}
