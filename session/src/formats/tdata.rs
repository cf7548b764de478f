//! The `tdata` directory of Telegram Desktop: every account's user, home data center and keys of all data centers. It is only
//! read.
//!
//! `key_datas` has a key, which opens the files of all accounts, locked itself with a passcode or with none, and the list of
//! accounts. Each account has a file and, beside it, a directory with what Telegram said of data centers. The layouts are
//! those of `storage/storage_domain.cpp`, `storage/storage_account.cpp` and `main/main_account.cpp`; that of `key_datas` with a
//! passcode changed in 7.3.

mod account;
mod config;
mod file;
mod key_file;
mod lock;

use md5::{Digest as _, Md5};

use super::{FormatError, Imported, folder::Folder};
use key_file::KeyFile;

/// The file's name without the `s`, `0` or `1` at its end.
const KEY_FILE: &str = "key_data";

/// Whether a directory is one, or has one in it.
pub(super) fn is_this(folder: &Folder<'_>) -> bool {
    root(folder).is_some()
}

/// What is in a directory: each account that somebody is logged in to.
pub(super) fn read(folder: &Folder<'_>, passcode: Option<&str>) -> Result<Vec<Imported>, FormatError> {
    let root = root(folder).ok_or_else(|| FormatError::Unknown("it has no file key_datas".into()))?;
    let KeyFile { key, accounts } = KeyFile::read(&file::read(&root, KEY_FILE)?, passcode)?;
    let mut read: Vec<Imported> = Vec::new();
    let mut refused: Vec<(u32, FormatError)> = Vec::new();
    let several = accounts.len() > 1;
    for index in accounts {
        match account::read(&root, &file_name(index), &key) {
            Ok(imported) => {
                read.push(Imported { account: several.then(|| (index + 1).to_string()), ..imported });
            }
            Err(error) => refused.push((index, error)),
        }
    }
    let Some(first) = read.first_mut() else {
        let nobody = || FormatError::Unknown("its file key_datas tells no account".into());
        return Err(refused.into_iter().next().map_or_else(nobody, |(_, error)| error));
    };
    for (index, error) in refused {
        first.left_behind.push(format!("account {}, which cannot be read: {error}", index + 1));
    }
    Ok(read)
}

fn root<'a>(folder: &Folder<'a>) -> Option<Folder<'a>> {
    [folder.clone(), folder.within("tdata")].into_iter().find(|folder| file::is_there(folder, KEY_FILE))
}

/// The name of an account's file: half an MD5 of `data`, `data#2`, ..., its bytes' digits swapped.
fn file_name(index: u32) -> String {
    let name = if index == 0 { "data".into() } else { format!("data#{}", u64::from(index) + 1) };
    Md5::digest(name).iter().take(8).map(|byte| format!("{:02X}", byte.rotate_left(4))).collect()
}

#[cfg(test)]
mod tests;
