use std::process::ExitCode;

use anyhow::Context as _;
use sessiond_client::{Session, SessionName, User};

use super::{
    Context,
    failure::Failure,
    possession::Inherited,
    render::{revision_object, session_text, user_object, user_text},
};
use crate::exit::Exit;

/// Say who is logged in to a session
///
/// For sessions from strings and files that do not tell: without the user some libraries take a session for one that nobody
/// is logged in to, and log in anew. What is kept of the same user and not mentioned here stays. Under `sessiond hold` this
/// works by the hold of that command, else by a hold of its own, for a moment.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  sessiond set-user alice --id 868231286072
  sessiond set-user alice --id 868231286072 --bot --username alice_bot
  sessiond set-user alice --id 868231286072 --bot false --force")]
pub(crate) struct SetUser {
    /// The session's name
    name: SessionName,
    /// The user's id
    #[arg(long, value_parser = clap::value_parser!(i64).range(1..))]
    id: i64,
    /// Whether the user is a bot; alone it says so
    #[arg(long, value_name = "true|false", num_args = 0..=1, default_missing_value = "true")]
    bot: Option<bool>,
    /// The user's username
    #[arg(long)]
    username: Option<String>,
    /// The data center that the user is at home in. Default: the session's
    #[arg(long, value_name = "N")]
    dc: Option<i32>,
    /// Correct a user with another id; keys and state stay, for they are of whoever is really logged in
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    inherited: Inherited,
}

impl SetUser {
    pub(super) async fn run(self, context: &Context) -> anyhow::Result<ExitCode> {
        let name = &self.name;
        let set = self.inherited.with(context, name, async |held| {
            let there = held.load().await.with_context(|| name.to_string())?.session;
            let change = self.change(there)?;
            let revision = held.merge(&change).await.with_context(|| name.to_string())?;
            let user = held.load().await.with_context(|| name.to_string())?.session.and_then(|s| s.user);
            Ok((user, revision))
        });
        let (user, revision) = set.await?;
        context.output.result(
            || {
                let mut object = revision_object(name, revision);
                object["user"] = user.as_ref().map(user_object).into();
                object
            },
            || {
                let user = user.as_ref().map(user_text).unwrap_or_default();
                format!("{name} is user {user}, at revision {revision}")
            },
        )?;
        Ok(ExitCode::SUCCESS)
    }

    /// What is added to what is there.
    fn change(&self, there: Option<Session>) -> Result<Session, Failure> {
        let Self { name, id, bot, username, dc, force, inherited: _ } = self;
        let Some(there) = there else {
            let message = format!("there is no session {name}; `sessiond ls` lists those that there are");
            return Err(Failure::new(Exit::NoInput, message));
        };
        let dc = dc.unwrap_or(there.home_dc_id());
        if there.dc(dc).is_none_or(|dc| !dc.auth.is_present()) {
            let message = format!(
                "{name} has no key of data center {dc}, so nobody is logged in there: say with --dc which it is"
            );
            return Err(Failure::new(Exit::Data, message));
        }
        let username = username.as_deref().map(|name| name.trim_start_matches('@').to_owned());
        let user = Some(User { id: *id, dc, bot: *bot, username });
        match &there.user {
            Some(other) if other.id != *id && !force => {
                let what = session_text(&there);
                let message = format!("{name} is another's ({what}): correct that with --force");
                Err(Failure::new(Exit::CannotCreate, message))
            }
            // A merge forgets the keys and the state of another user, unless they are mentioned.
            Some(other) if other.id != *id => Ok(Session { user, home_dc: None, ..there }),
            _ => Ok(Session { user, ..Session::default() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::SetUser;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        command: SetUser,
    }

    #[test]
    fn bot_alone_says_that_the_user_is_one() {
        let bot = |args: &[&str]| {
            let line = [&["sessiond", "alice", "--id", "5"], args].concat();
            Cli::try_parse_from(line).map(|cli| cli.command.bot).ok()
        };
        assert_eq!(bot(&[]), Some(None));
        assert_eq!(bot(&["--bot"]), Some(Some(true)));
        assert_eq!(bot(&["--bot", "--username", "alice"]), Some(Some(true)));
        assert_eq!(bot(&["--bot", "false"]), Some(Some(false)));
        assert_eq!(bot(&["--bot", "perhaps"]), None);
    }

    #[test]
    fn an_id_is_positive() {
        for id in ["0", "-5", "x"] {
            assert!(Cli::try_parse_from(["sessiond", "alice", "--id", id]).is_err(), "{id}");
        }
    }
}
