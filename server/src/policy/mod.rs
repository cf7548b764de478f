//! Who may do what: the rules of a file, or, without one, the user that runs the daemon and root everything.

mod keys;
mod permission;
mod rule;

#[cfg(test)]
mod tests;

use std::{
    fs::File,
    io::{self, Read as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::{
        Arc, PoisonError, RwLock, RwLockReadGuard,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use sessiond_proto::SessionName;

pub(crate) use self::permission::{Denied, Permission};
use self::rule::Rule;
use crate::{
    caller::{Caller, Local, Origin},
    exit::Exit,
    pattern::Visible,
    principal,
    toml_file::Fault,
};

/// What callers may do. Clones share it, also when it is read again.
#[derive(Debug, Clone)]
pub(crate) struct Policy(Arc<Inner>);

/// A policy that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The file cannot be read.
    #[error("the policy file {}", file.display())]
    Unreadable { file: PathBuf, source: io::Error },
    /// Whoever can write it can do everything.
    #[error("other users can write the policy file {0}: `chmod go-w {0}`", file.display())]
    Writable { file: PathBuf },
    /// It says something that means nothing.
    #[error("{}:{fault}", file.display())]
    Invalid { file: PathBuf, fault: Fault },
}

#[derive(Debug)]
struct Inner {
    file: Option<PathBuf>,
    rules: RwLock<Rules>,
    /// How many times it was read again.
    version: AtomicU64,
}

#[derive(Debug)]
enum Rules {
    /// There is no file: this user, and root.
    OwnUser(u32),
    Listed(Vec<Rule>),
}

impl Policy {
    /// The policy of a file, or without one.
    ///
    /// # Errors
    /// Where the file cannot be used.
    pub(crate) fn open(file: Option<PathBuf>) -> Result<Self, Error> {
        let rules = match &file {
            Some(file) => Rules::Listed(read(file)?),
            None => Rules::OwnUser(principal::own_uid()),
        };
        Ok(Self(Arc::new(Inner { file, rules: RwLock::new(rules), version: AtomicU64::new(0) })))
    }

    /// Reads its file again, and answers how many rules it has now. `None`: there is no file.
    ///
    /// # Errors
    /// Where the file cannot be used. Then everything stays as it was.
    pub(crate) fn read_again(&self) -> Result<Option<usize>, Error> {
        let Some(file) = &self.0.file else { return Ok(None) };
        let rules = read(file)?;
        let count = rules.len();
        *self.0.rules.write().unwrap_or_else(PoisonError::into_inner) = Rules::Listed(rules);
        self.0.version.fetch_add(1, Relaxed);
        Ok(Some(count))
    }

    /// Counts how often it was read again: as long as it is the same, so is what was permitted.
    pub(crate) fn version(&self) -> u64 {
        self.0.version.load(Relaxed)
    }

    /// Whether there may be users of this host, beside root and the daemon's own, who may do something.
    pub(crate) fn is_for_others(&self) -> bool {
        match &*self.rules() {
            Rules::OwnUser(_) => false,
            Rules::Listed(rules) => rules.iter().any(Rule::is_for_others),
        }
    }

    /// Whether a caller may do anything at all.
    pub(crate) fn admits(&self, caller: &Caller) -> Result<(), Denied> {
        match &*self.rules() {
            Rules::OwnUser(own) => is_own(caller, *own),
            Rules::Listed(rules) if rules.iter().any(|rule| rule.is_about(caller)) => Ok(()),
            Rules::Listed(_) => Err(Denied::Stranger),
        }
    }

    /// Whether a caller may do something with a session that it does not hold.
    pub(crate) fn permit(
        &self,
        caller: &Caller,
        permission: Permission,
        name: &SessionName,
    ) -> Result<(), Denied> {
        match &*self.rules() {
            Rules::OwnUser(own) => is_own(caller, *own),
            Rules::Listed(rules) => {
                let mut covering = covering(rules, caller, permission, name);
                let given = covering.any(|rule| !rule.is_labelled());
                if given { Ok(()) } else { Err(Denied::Session { permission, session: name.clone() }) }
            }
        }
    }

    /// Whether a caller may do something with a session that it holds, or wants to hold. `label` tells what the hold is called,
    /// and is asked only where that matters; `None`: whatever it is.
    pub(crate) fn permit_labelled(
        &self,
        caller: &Caller,
        permission: Permission,
        name: &SessionName,
        label: impl FnOnce() -> Option<String>,
    ) -> Result<(), Denied> {
        match &*self.rules() {
            Rules::OwnUser(own) => is_own(caller, *own),
            Rules::Listed(rules) => {
                let covering = || covering(rules, caller, permission, name);
                let by_label = |label: String| covering().any(|rule| rule.covers_label(&label));
                let given = covering().any(|rule| !rule.is_labelled())
                    || (covering().next().is_some() && label().is_none_or(by_label));
                if given { Ok(()) } else { Err(Denied::Session { permission, session: name.clone() }) }
            }
        }
    }

    /// The sessions that a caller may do something with, without holding them.
    ///
    /// # Errors
    /// Where there can be none.
    pub(crate) fn permitted(&self, caller: &Caller, permission: Permission) -> Result<Visible, Denied> {
        match &*self.rules() {
            Rules::OwnUser(own) => is_own(caller, *own).map(|()| Visible::All),
            Rules::Listed(rules) => {
                let mut giving = giving(rules, caller, permission).peekable();
                if giving.peek().is_none() {
                    return Err(Denied::Any(permission));
                }
                Ok(giving.flat_map(Rule::sessions).collect())
            }
        }
    }

    fn rules(&self) -> RwLockReadGuard<'_, Rules> {
        // They are replaced whole.
        self.0.rules.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Error {
    /// The code to exit with.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Unreadable { .. } => Exit::NoInput,
            Self::Writable { .. } => Exit::Permission,
            Self::Invalid { .. } => Exit::Config,
        }
    }
}

/// How many rules a file has.
///
/// # Errors
/// Where it cannot be used.
pub(crate) fn check(file: &Path) -> Result<usize, Error> {
    read(file).map(|rules| rules.len())
}

fn read(file: &Path) -> Result<Vec<Rule>, Error> {
    let unreadable = |source| Error::Unreadable { file: file.to_owned(), source };
    let mut open = File::open(file).map_err(unreadable)?;
    let mode = open.metadata().map_err(unreadable)?.permissions().mode();
    if mode & 0o022 != 0 {
        return Err(Error::Writable { file: file.to_owned() });
    }
    let mut text = String::new();
    open.read_to_string(&mut text).map_err(unreadable)?;
    rule::parse(&text).map_err(|fault| Error::Invalid { file: file.to_owned(), fault })
}

/// Where there is no file.
fn is_own(caller: &Caller, own: u32) -> Result<(), Denied> {
    match &caller.origin {
        Origin::Local(Local { uid, .. }) if *uid == own || *uid == 0 => Ok(()),
        _ => Err(Denied::OtherUser),
    }
}

/// The rules that give a caller a permission.
fn giving<'a>(
    rules: &'a [Rule],
    caller: &'a Caller,
    permission: Permission,
) -> impl Iterator<Item = &'a Rule> {
    rules.iter().filter(move |rule| rule.gives(permission) && rule.is_about(caller))
}

/// Those of them that are about a session.
fn covering<'a>(
    rules: &'a [Rule],
    caller: &'a Caller,
    permission: Permission,
    name: &'a SessionName,
) -> impl Iterator<Item = &'a Rule> {
    giving(rules, caller, permission).filter(|rule| rule.covers(name.as_str()))
}
