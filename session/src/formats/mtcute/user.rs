use crate::{
    MAX_USERNAMES,
    formats::{
        FormatError,
        bytes::{Bytes, put_tl_bytes},
    },
};

/// The only version that there is.
const VERSION: i32 = 1;

const BOT: i32 = 1;
const USERNAMES: i32 = 2;
const PREMIUM: i32 = 4;

/// The user as mtcute has it under `current_user` (`highlevel/storage/service/current-user.ts`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct CurrentUser {
    pub(super) id: i64,
    pub(super) bot: bool,
    pub(super) premium: bool,
    pub(super) usernames: Vec<String>,
}

impl CurrentUser {
    /// Reads one. `None`: nobody is logged in, or it is of a version that mtcute takes for that.
    pub(super) fn read(raw: &[u8]) -> Result<Option<Self>, FormatError> {
        let mut bytes = Bytes::new(raw);
        if raw.is_empty() || bytes.i32_le()? != VERSION {
            return Ok(None);
        }
        let flags = bytes.i32_le()?;
        let before = bytes;
        let id = bytes.i64_le()?;
        if id <= 0 {
            return Err(before.wrong("begins a user's id that is not positive"));
        }
        let mut usernames = Vec::new();
        if flags & USERNAMES != 0 {
            let before = bytes;
            let count = bytes.u32_le()? as usize;
            if count > MAX_USERNAMES {
                return Err(
                    before.wrong(format!("begins {count} usernames, at most {MAX_USERNAMES} are kept"))
                );
            }
            for _ in 0..count {
                usernames.push(bytes.tl_text()?.to_owned());
            }
        }
        Ok(Some(Self { id, bot: flags & BOT != 0, premium: flags & PREMIUM != 0, usernames }))
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let flag = |is: bool, flag| if is { flag } else { 0 };
        let has_usernames = !self.usernames.is_empty();
        let flags = flag(self.bot, BOT) | flag(has_usernames, USERNAMES) | flag(self.premium, PREMIUM);
        let mut raw = VERSION.to_le_bytes().to_vec();
        raw.extend(flags.to_le_bytes());
        raw.extend(self.id.to_le_bytes());
        if has_usernames {
            raw.extend((self.usernames.len() as u32).to_le_bytes());
            for username in &self.usernames {
                put_tl_bytes(&mut raw, username.as_bytes());
            }
        }
        raw
    }
}
