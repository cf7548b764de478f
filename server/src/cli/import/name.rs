use sessiond_client::SessionName;

use super::super::{failure::Failure, render::printable, source::Origin};
use crate::exit::Exit;

/// What the sessions of one place are called: this, and each account's number or name behind it where there are several.
#[derive(Debug)]
pub(super) struct Base(String);

impl Base {
    /// The name that was given, else the file's without its extension, or the directory's.
    pub(super) fn of(origin: &Origin, given: Option<SessionName>) -> Result<Self, Failure> {
        if let Some(name) = given {
            return Ok(Self(name.to_string()));
        }
        let Origin::Path(path) = origin else {
            let message = "what comes on the standard input has no name: give it one with --name";
            return Err(Failure::new(Exit::Usage, message));
        };
        // `.` and `..` are not what a directory is called.
        let whole = if path.is_dir() { path.canonicalize().ok() } else { None };
        let name = match &whole {
            Some(whole) => path.file_name().or_else(|| whole.file_name()),
            None => path.file_stem(),
        };
        Ok(Self(name.unwrap_or_default().to_string_lossy().into_owned()))
    }

    /// The name of the session, or of an account's.
    pub(super) fn name(&self, account: Option<&str>) -> Result<SessionName, Failure> {
        let name = match account {
            Some(account) => format!("{}-{}", self.0, account.replace(|c| !is_of_name(c), "_")),
            None => self.0.clone(),
        };
        name.parse().map_err(|error| {
            let message = format!("{}: {error}: give it a name with --name", printable(&name));
            Failure::new(Exit::Usage, message)
        })
    }
}

fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')
}

#[cfg(test)]
mod tests {
    use super::{Base, Origin};

    #[test]
    fn a_session_is_called_after_its_file_and_an_account_after_both() {
        let base = Base::of(&Origin::Path("x/alice.session".into()), None).expect("a name");
        assert_eq!(base.name(None).expect("a name").as_str(), "alice");
        assert_eq!(base.name(Some("Zoë 2")).expect("a name").as_str(), "alice-Zo__2");
        let base = Base::of(&Origin::Stdin, "bob".parse().ok()).expect("a name");
        assert_eq!(base.name(Some("1")).expect("a name").as_str(), "bob-1");
    }

    #[test]
    fn what_has_no_name_or_none_of_a_session_asks_for_one() {
        let error = Base::of(&Origin::Stdin, None).expect_err("no name").to_string();
        assert!(error.contains("--name"), "{error}");
        let base = Base::of(&Origin::Path("my bot.session".into()), None).expect("a name");
        let error = base.name(None).expect_err("no name").to_string();
        assert!(error.contains("my bot") && error.contains("--name"), "{error}");
    }
}
