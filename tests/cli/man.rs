//! `sessiond man`, and the help of every command.

use std::{collections::BTreeSet, fs};

use super::{
    completions::COMMANDS,
    run::{Ran, text},
};
use crate::harness::Daemon;

#[tokio::test]
async fn every_command_has_a_man_page_and_nothing_hidden_has() {
    let daemon = Daemon::builder().prepare();
    let pages = daemon.home().join("made/pages");
    let ran = Ran::of(&mut daemon.command(&["man", text(&pages)])).await;
    assert_eq!(
        (ran.text(), fs::read_dir(&pages).expect("made").count()),
        (String::new(), COMMANDS.len() + 1)
    );
    let expected: BTreeSet<String> =
        COMMANDS.iter().map(|command| format!("sessiond-{command}.1")).chain(["sessiond.1".into()]).collect();
    let names = fs::read_dir(&pages).expect("made").map(|page| page.expect("readable").file_name());
    assert_eq!(names.map(|name| name.into_string().expect("text")).collect::<BTreeSet<_>>(), expected);
    for name in expected {
        let page = fs::read_to_string(pages.join(&name)).expect("written");
        assert!(page.contains(".SH EXAMPLES") && page.contains(".SH DESCRIPTION"), "{name}: {page}");
        for hidden in ["exec-held", "demo-worker", "held-name", "SESSIOND_TOKEN="] {
            assert!(!page.contains(hidden), "{name}: {hidden}");
        }
    }
}

#[tokio::test]
async fn every_command_helps_with_examples() {
    let daemon = Daemon::builder().prepare();
    for command in COMMANDS {
        let help = Ran::of(&mut daemon.command(&[command, "--help"])).await.text();
        let (_, examples) = help.split_once("Examples:\n").expect(command);
        assert!(examples.contains(&format!("sessiond {command}")), "{help}");
        assert!(!help.contains('\u{1b}'), "{help}");
    }
}
