use std::{convert::Infallible, fmt, str::FromStr};

use anyhow::Context as _;
use sessiond_client::{HeldSession, SessionName, Token};
use zeroize::Zeroizing;

use super::{Context, failure::Failure};
use crate::exit::Exit;

/// Variable in which `hold` gives its token to the command that it runs, in hexadecimal.
pub(super) const TOKEN_VARIABLE: &str = "SESSIOND_TOKEN";
/// Variable in which `hold` says of which session that is.
pub(super) const NAME_VARIABLE: &str = "SESSIOND_NAME";

/// The hold that a command runs under, if `hold` runs it. Read by clap, like every setting; as flags they are not for use.
#[derive(Debug, clap::Args)]
pub(super) struct Inherited {
    #[arg(long, env = TOKEN_VARIABLE, hide = true, hide_env_values = true)]
    token: Option<Secret>,
    #[arg(long, env = NAME_VARIABLE, hide = true)]
    held_name: Option<String>,
}

/// A text that is not shown.
#[derive(Clone)]
pub(super) struct Secret(Zeroizing<String>);

impl Inherited {
    /// Works on a held session: by the token that this command was given for it, else by a hold of its own that lasts as
    /// long as the work.
    pub(super) async fn with<T>(
        &self,
        context: &Context,
        name: &SessionName,
        work: impl AsyncFnOnce(&HeldSession) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        if let Some(token) = self.token_of(name)? {
            return work(&context.client.with_token(name, token)?).await;
        }
        let hold = context.client.hold(name).label("sessiond").await.with_context(|| name.to_string())?;
        let result = work(&hold).await;
        // Where that fails, the end of this process does it.
        let _ = hold.release().await;
        result
    }

    fn token_of(&self, name: &SessionName) -> Result<Option<Token>, Failure> {
        let Some(token) = self.token.as_ref().filter(|_| self.held_name.as_deref() == Some(name.as_str()))
        else {
            return Ok(None);
        };
        let token = token.0.parse().map_err(|_| {
            let message = format!(
                "{TOKEN_VARIABLE} is not a token: run this under `sessiond hold {name}`, or unset it"
            );
            Failure::new(Exit::Usage, message)
        })?;
        Ok(Some(token))
    }
}

impl Secret {
    /// The text itself.
    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl FromStr for Secret {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(Zeroizing::new(text.to_owned())))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}
