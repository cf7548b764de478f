//! Held sessions whole: made of what a library keeps, and given as what a library reads.

use std::{fmt, future::IntoFuture, iter, sync::Arc};

use futures_util::{FutureExt as _, future::BoxFuture, stream};
use sessiond_proto::v1;
use sessiond_session::{
    Session,
    formats::{Files, Format},
};
use zeroize::Zeroizing;

use crate::{Error, HeldSession};

/// Bytes of a file in one message, of which the daemon takes 4 MiB.
const MESSAGE_BYTES: usize = 1 << 20;

/// An import that is sent when it is awaited, and gives what was found.
///
/// While no daemon answers it is tried again, until the client's deadline. Where an attempt was not answered, a
/// [`Error::RevisionMismatch`] may mean that it went through. What a session is left with that breaks off, the schema says at
/// `Import`; to send it again, with [`force`](Self::force), makes it whole.
///
/// Errors: [`Error::InvalidArgument`] where it is no session, [`Error::RevisionMismatch`] where there is a session already,
/// [`Error::Lost`] or [`Error::Fenced`] where it is not held any more, [`Error::LimitExceeded`], [`Error::Unavailable`] and
/// others.
#[must_use = "an import is sent when it is awaited"]
pub struct Import {
    held: HeldSession,
    files: Arc<Files>,
    first: v1::ImportRequest,
}

/// What a session was imported from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// The session's revision.
    pub revision: i64,
    /// What it was.
    pub format: Format,
    /// The version of its tables, where it has one.
    pub version: Option<i64>,
    /// Which account it was, where there were several.
    pub account: Option<String>,
    /// The session as it is now, without keys.
    pub session: Session,
    /// How many peers it has.
    pub peers: usize,
    /// How many attributes it has.
    pub attributes: usize,
    /// What was left behind and why; one sentence each, for people.
    pub left_behind: Vec<String>,
    /// What was taken for granted; one sentence each, for people.
    pub doubts: Vec<String>,
}

/// An export that is asked for when it is awaited, and gives the session as the format has it.
///
/// Errors: [`Error::InvalidArgument`] where the format does not hold all of the session, needs what the session lacks, or there
/// is no session; [`Error::Lost`] or [`Error::Fenced`] where it is not held any more, [`Error::LimitExceeded`],
/// [`Error::Unavailable`] and others.
#[must_use = "an export is asked for when it is awaited"]
#[derive(Debug)]
pub struct Export {
    held: HeldSession,
    request: v1::ExportRequest,
}

/// A session as a library reads it. Whoever has it has the account.
#[derive(Clone, PartialEq, Eq)]
pub struct Exported {
    /// The session's revision.
    pub revision: i64,
    /// What the format has no place for; one sentence each, for people.
    pub left_behind: Vec<String>,
    /// The files of a directory that is called as the session is; or the one file that the format is, under the empty path.
    pub files: Files,
}

/// Sessions come from other libraries, and go back to them.
///
/// ```no_run
/// # async fn example(hold: sessiond_client::Hold) -> Result<(), Box<dyn std::error::Error>> {
/// use sessiond_client::Format;
///
/// let imported = hold.import(std::fs::read("alice.session")?).await?;
/// println!("a {} with {} peers", imported.format, imported.peers);
/// for sentence in imported.left_behind.iter().chain(&imported.doubts) {
///     println!("{sentence}");
/// }
///
/// let exported = hold.export(Format::PyrogramString).api_id(12_345).lossy().await?;
/// let string = std::str::from_utf8(exported.bytes())?;
/// # Ok(())
/// # }
/// ```
impl HeldSession {
    /// Makes the session of a file's bytes, or of a session string. A file that a program has open may have its latest changes
    /// in another one beside it: `sessiond import` takes both.
    pub fn import(&self, bytes: impl Into<Vec<u8>>) -> Import {
        self.import_files([(String::new(), Zeroizing::new(bytes.into()))].into())
    }

    /// Makes the session of the files of a directory, by their paths below it.
    pub fn import_files(&self, files: Files) -> Import {
        let first = v1::ImportRequest {
            name: self.name().to_string(),
            token: self.token().to_wire(),
            ..v1::ImportRequest::default()
        };
        Import { held: self.clone(), files: Arc::new(files), first }
    }

    /// Gives the session, with its keys, as a library reads it.
    pub fn export(&self, format: Format) -> Export {
        let request = v1::ExportRequest {
            name: self.name().to_string(),
            token: self.token().to_wire(),
            format: format.name().to_owned(),
            ..v1::ExportRequest::default()
        };
        Export { held: self.clone(), request }
    }
}

impl Import {
    /// Takes it for this, whatever it looks like.
    pub fn format(mut self, format: Format) -> Self {
        self.first.format = format.name().to_owned();
        self
    }

    /// Replaces a session that is there, with its peers and attributes.
    pub fn force(mut self) -> Self {
        self.first.force = true;
        self
    }

    /// Opens a directory of Telegram Desktop that is locked.
    pub fn passcode(mut self, passcode: impl Into<String>) -> Self {
        self.first.passcode = passcode.into();
        self
    }

    /// Takes this account, where there are several.
    pub fn account(mut self, account: impl Into<String>) -> Self {
        self.first.account = account.into();
        self
    }

    async fn send(self) -> Result<Imported, Error> {
        let Self { held, files, first } = self;
        let call = || {
            let last = v1::ImportRequest { last: true, ..v1::ImportRequest::default() };
            let messages = iter::once(first.clone()).chain(messages(Arc::clone(&files))).chain([last]);
            let mut admin = held.client().admin();
            async move { admin.import(stream::iter(messages)).await }
        };
        held.call(held.client().deadline(), call).await?.try_into()
    }
}

impl Export {
    /// Leaves behind what the format has no place for. Without it that is refused.
    pub fn lossy(mut self) -> Self {
        self.request.lossy = true;
        self
    }

    /// The API id of the program that will use it, where the format needs it and the session does not have it.
    pub fn api_id(mut self, api_id: i32) -> Self {
        self.request.api_id = Some(api_id);
        self
    }

    /// The id of the user who is logged in, where the format needs it and the session does not have it.
    pub fn user_id(mut self, user_id: i64) -> Self {
        self.request.user_id = Some(user_id);
        self
    }

    /// Whether that user is a bot, where the format needs it and the session does not have it.
    pub fn bot(mut self, bot: bool) -> Self {
        self.request.bot = Some(bot);
        self
    }

    async fn receive(self) -> Result<Exported, Error> {
        let Self { held, request } = self;
        let call = || {
            let (request, mut admin) = (request.clone(), held.client().admin());
            async move { admin.export(request).await }
        };
        let mut messages = held.call(held.client().deadline(), call).await?;
        let mut exported = Exported { revision: 0, left_behind: Vec::new(), files: Files::new() };
        let mut current = String::new();
        loop {
            let message = match messages.message().await {
                Ok(Some(message)) => message,
                Ok(None) => return Ok(exported),
                Err(status) => return Err(held.lost_by(status.into()).await),
            };
            let v1::ExportResponse { revision, left_behind, file, data } = message;
            let data = Zeroizing::new(data);
            if revision != 0 {
                exported.revision = revision;
                exported.left_behind = left_behind;
                continue;
            }
            if !file.is_empty() {
                current = file;
            }
            exported.files.entry(current.clone()).or_default().extend_from_slice(&data);
        }
    }
}

impl Exported {
    /// The bytes of a format that is one file or a string. Of a directory: none.
    pub fn bytes(&self) -> &[u8] {
        self.files.get("").map_or(&[], |bytes| bytes.as_slice())
    }
}

impl IntoFuture for Import {
    type Output = Result<Imported, Error>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        self.send().boxed()
    }
}

impl IntoFuture for Export {
    type Output = Result<Exported, Error>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        self.receive().boxed()
    }
}

impl fmt::Debug for Import {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Import").field("first", &self.first).finish_non_exhaustive()
    }
}

impl fmt::Debug for Exported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exported")
            .field("revision", &self.revision)
            .field("left_behind", &self.left_behind)
            .finish_non_exhaustive()
    }
}

impl TryFrom<v1::ImportResponse> for Imported {
    type Error = Error;

    fn try_from(response: v1::ImportResponse) -> Result<Self, Error> {
        let v1::ImportResponse {
            revision,
            format,
            format_version: version,
            account,
            session,
            peer_count,
            attribute_count,
            left_behind,
            doubts,
        } = response;
        let count = |count: i32| usize::try_from(count).unwrap_or(0);
        Ok(Self {
            revision,
            format: format.parse().map_err(|error| Error::Unexpected(format!("{error}")))?,
            version,
            account: Some(account).filter(|account| !account.is_empty()),
            session: session.unwrap_or_default().try_into().map_err(Error::unreadable)?,
            peers: count(peer_count),
            attributes: count(attribute_count),
            left_behind,
            doubts,
        })
    }
}

/// The messages between the first and the last. Each has a copy of what it carries, made when it is sent.
fn messages(files: Arc<Files>) -> impl Iterator<Item = v1::ImportRequest> + Send + 'static {
    let paths: Vec<String> = files.keys().cloned().collect();
    paths.into_iter().flat_map(move |path| {
        let files = Arc::clone(&files);
        let length = files[&path].len();
        // A file that is empty has one message, too.
        (0..length.max(1)).step_by(MESSAGE_BYTES).map(move |begin| {
            let end = length.min(begin + MESSAGE_BYTES);
            v1::ImportRequest {
                file: if begin == 0 { path.clone() } else { String::new() },
                data: files[&path][begin..end].to_vec(),
                ..v1::ImportRequest::default()
            }
        })
    })
}
