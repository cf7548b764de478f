//! `sessiond completions`

use super::{PROGRAM, run::Ran};
use crate::harness::{Daemon, within};

pub(super) const COMMANDS: [&str; 24] = [
    "serve",
    "import",
    "inspect",
    "ls",
    "show",
    "peers",
    "attrs",
    "watch",
    "hold",
    "run",
    "advance",
    "set-user",
    "rm",
    "export",
    "mirror",
    "audit",
    "seal",
    "end-hold",
    "info",
    "top",
    "demo",
    "policy",
    "certs",
    "completions",
];

#[tokio::test]
async fn a_shell_completes_every_command_and_nothing_hidden() {
    // None of this needs a daemon that runs.
    let daemon = Daemon::builder().prepare();
    for shell in ["bash", "zsh", "fish"] {
        let script = Ran::of(&mut daemon.command(&["completions", shell])).await.text();
        let names: Vec<_> = script.split(|c: char| !c.is_ascii_alphanumeric() && c != '-').collect();
        for command in COMMANDS {
            assert!(names.contains(&command), "{shell}: {command}");
        }
        for option in ["hand-over-delay", "deadline", "channel"] {
            assert!(script.contains(option), "{shell}: {option}");
        }
        for hidden in ["exec-held", "demo-worker", "demo-watcher", "held-name"] {
            assert!(!script.contains(hidden), "{shell}: {hidden}");
        }
    }
}

#[tokio::test]
async fn bash_understands_its_script() {
    let daemon = Daemon::builder().prepare();
    let script = r#"eval "$("$0" completions bash)"
        COMP_WORDS=(sessiond end) COMP_CWORD=1
        _sessiond sessiond end sessiond
        echo "${COMPREPLY[@]}""#;
    let mut command = tokio::process::Command::new("bash");
    command.args(["--norc", "-c", script, PROGRAM]).current_dir(daemon.home());
    let output = within(command.output()).await.expect("bash is there");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "end-hold\n", "{output:?}");
}
