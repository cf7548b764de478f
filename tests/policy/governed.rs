use std::{
    env, fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use rustix::process::Signal;
use tokio::process::Command;

use crate::harness::{Daemon, eventually, pts, within};

/// A daemon with a policy.
pub(super) struct Governed {
    pub(super) daemon: Daemon,
}

impl Governed {
    /// A daemon with this policy, which serves.
    pub(super) async fn start(policy: &str) -> Self {
        Self::start_on(Daemon::builder().prepare(), policy).await
    }

    /// The same, of a daemon that is not started yet.
    pub(super) async fn start_on(daemon: Daemon, policy: &str) -> Self {
        let mut governed = Self { daemon };
        governed.write(policy);
        let file = governed.file();
        governed.daemon.start_again_with(&format!("--policy={}", file.display())).await;
        governed
    }

    /// Makes a session, and then has this policy.
    pub(super) async fn with_session(self, name: &str, policy: &str) -> Self {
        self.reload(&rule("'*'", "'hold'")).await;
        let held = self.daemon.client().await.hold(name).await;
        held.advance(pts(1)).await;
        held.release().await;
        self.reload(policy).await;
        self
    }

    /// Another policy, from now on.
    pub(super) async fn reload(&self, policy: &str) {
        self.write(policy);
        self.ask_to_reload("the policy was read again").await;
    }

    /// Asks the daemon to read its policy again, and waits until it logs this.
    pub(super) async fn ask_to_reload(&self, expected: &str) {
        let count = |log: String| log.matches(expected).count();
        let before = count(self.daemon.log());
        self.daemon.signal(Signal::HUP);
        eventually(|| (count(self.daemon.log()) > before).then_some(())).await;
    }

    pub(super) fn write(&self, policy: &str) {
        fs::write(self.file(), policy).expect("written");
        fs::set_permissions(self.file(), fs::Permissions::from_mode(0o600)).expect("ours");
    }

    pub(super) fn file(&self) -> PathBuf {
        self.daemon.home().join("policy.toml")
    }

    /// The program at a path of its own, for a rule to be about.
    pub(super) fn program(&self, name: &str) -> PathBuf {
        let path = self.daemon.home().join(name);
        fs::copy(env!("CARGO_BIN_EXE_sessiond"), &path).expect("copied");
        path
    }

    /// Runs such a program to its end, and tells whether that went well, and what it said.
    pub(super) async fn run(&self, program: &Path, args: &[&str]) -> Result<String, String> {
        let mut command = Command::new(program);
        command.args(args).env("SESSIOND_SOCKET", self.daemon.socket());
        said(&mut command).await
    }
}

/// Runs a command to its end: what it printed, or what it complained of.
pub(super) async fn said(command: &mut Command) -> Result<String, String> {
    let output = within(command.kill_on_drop(true).output()).await.expect("started");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

/// A rule that is about this very program, run by this user.
pub(super) fn rule(sessions: &str, allow: &str) -> String {
    let program = env::current_exe().expect("known");
    format!(
        "[[rule]]\nuser = 'self'\nexecutable = '{}'\nsessions = {sessions}\nallow = {allow}\n",
        program.display()
    )
}

/// A rule that is about another program.
pub(super) fn rule_of(program: &Path, sessions: &str, allow: &str) -> String {
    format!(
        "[[rule]]\nuser = 'self'\nexecutable = '{}'\nsessions = {sessions}\nallow = {allow}\n",
        program.display()
    )
}
