//! Other users of the host: let in where a rule is about them, and nobody else.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use rustix::process::geteuid;
use tokio::process::Command;

use super::governed::{Governed, said};
use crate::harness::Daemon;

/// A user and a group without rights, on every system, and a group that nobody is in.
const NOBODY: u32 = 65_534;
const GROUP: u32 = 54_321;

/// A program that other users can run.
struct Others {
    governed: Governed,
    program: PathBuf,
}

impl Others {
    /// Nothing where only root can be somebody else, and this is not root.
    async fn start(policy: &str) -> Option<Self> {
        if !geteuid().is_root() {
            skip();
            return None;
        }
        let daemon = Daemon::builder().prepare();
        let passable = fs::Permissions::from_mode(0o711);
        fs::set_permissions(daemon.home(), passable).expect("ours");
        let governed = Governed::start_on(daemon, policy).await.with_session("alice", policy).await;
        let program = governed.program("worker");
        Some(Self { governed, program })
    }

    /// Asks for a session as somebody else.
    async fn load_as(&self, uid: u32, gid: u32, groups: &str) -> Result<String, String> {
        let mut command = Command::new("setpriv");
        command.args([format!("--reuid={uid}"), format!("--regid={gid}")]);
        if groups.is_empty() {
            command.arg("--clear-groups");
        } else {
            command.arg(format!("--groups={groups}"));
        }
        command
            .arg(&self.program)
            .args(["show", "alice"])
            .env("SESSIOND_SOCKET", self.governed.daemon.socket());
        said(&mut command).await
    }

    fn mode(&self) -> u32 {
        mode(&self.governed.daemon.socket())
    }
}

#[expect(clippy::print_stderr, reason = "the test runner shows it")]
fn skip() {
    eprintln!("skipped: only root can be another user");
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("there").permissions().mode() & 0o777
}

fn rule(who: &str) -> String {
    format!("[[rule]]\n{who}\nsessions = 'alice'\nallow = 'watch'\n")
}

#[tokio::test]
async fn another_user_is_let_in_by_uid_and_by_group_and_nobody_else_is() {
    let Some(others) = Others::start(&rule(&format!("user = {NOBODY}"))).await else { return };
    let shown = others.load_as(NOBODY, NOBODY, "").await;
    assert!(shown.is_ok(), "{shown:?}");
    let refused = others.load_as(NOBODY - 1, NOBODY, "").await.expect_err("nobody's");
    assert!(refused.contains("no rule of the daemon's policy is about this caller"), "{refused}");

    others.governed.reload(&rule(&format!("group = {GROUP}"))).await;
    assert!(others.load_as(NOBODY, GROUP, "").await.is_ok());
    assert!(others.load_as(NOBODY, NOBODY, &format!("{},{GROUP}", GROUP - 1)).await.is_ok());
    assert!(others.load_as(NOBODY, NOBODY, "").await.is_err());
    assert!(others.load_as(GROUP, NOBODY, &format!("{}", GROUP + 1)).await.is_err());

    others.governed.reload(&rule(&format!("user = {NOBODY}\ngroup = {GROUP}"))).await;
    assert!(others.load_as(NOBODY, NOBODY, &GROUP.to_string()).await.is_ok());
    assert!(others.load_as(NOBODY, NOBODY, "").await.is_err());
    assert!(others.load_as(NOBODY - 1, GROUP, "").await.is_err());

    others.governed.reload(&rule("user = '*'")).await;
    assert!(others.load_as(NOBODY, NOBODY, "").await.is_ok());
    assert!(others.load_as(NOBODY - 1, NOBODY - 1, "").await.is_ok());

    others.governed.reload(&rule(&format!("user = '*'\nexecutable = '{}'", others.program.display()))).await;
    assert!(others.load_as(NOBODY, NOBODY, "").await.is_ok());
    others.governed.reload(&rule("user = '*'\nexecutable = '/usr/bin/true'")).await;
    assert!(others.load_as(NOBODY, NOBODY, "").await.is_err());
}

#[tokio::test]
async fn the_socket_is_open_to_others_only_as_long_as_the_policy_may_be_about_them() {
    let Some(others) = Others::start(&rule("user = 'self'")).await else { return };
    let run = others.governed.daemon.socket().parent().expect("a directory").to_owned();
    assert_eq!((others.mode(), mode(&run)), (0o600, 0o700));
    let refused = others.load_as(NOBODY, NOBODY, "").await;
    assert!(refused.is_err(), "{refused:?}");
    others.governed.reload(&rule("user = '*'")).await;
    assert_eq!(others.mode(), 0o666);
    assert!(others.governed.daemon.log().contains("chmod o+x"), "the directory is not open");
    fs::set_permissions(&run, fs::Permissions::from_mode(0o711)).expect("ours");
    assert!(others.load_as(NOBODY, NOBODY, "").await.is_ok());
    others.governed.reload(&rule("user = 'self'")).await;
    assert_eq!(others.mode(), 0o600);
    assert!(others.load_as(NOBODY, NOBODY, "").await.is_err());
}

#[tokio::test]
async fn a_directory_that_is_made_for_others_they_can_pass_and_not_look_into() {
    let Some(others) = Others::start(&rule("user = '*'")).await else { return };
    let run = others.governed.daemon.socket().parent().expect("a directory").to_owned();
    assert_eq!((others.mode(), mode(&run)), (0o666, 0o711));
    assert_eq!(mode(&others.governed.daemon.dir()), 0o700, "where sessions are, nobody else goes");
}

#[tokio::test]
async fn root_and_the_daemons_user_have_no_more_than_the_rules_give() {
    let Some(others) = Others::start(&rule(&format!("user = {NOBODY}"))).await else { return };
    assert!(others.load_as(0, 0, "").await.is_err());
    others.governed.reload(&rule("user = 'root'")).await;
    assert!(others.load_as(0, 0, "").await.is_ok());
}
