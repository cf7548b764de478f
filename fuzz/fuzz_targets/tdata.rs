#![no_main]

use md5::{Digest as _, Md5};
use sessiond_session::formats::Format;

/// The key, an account, and what was said of data centers.
const NAMES: [&str; 3] = ["key_datas", "D877F783D5D3EF8Cs", "D877F783D5D3EF8C/configs"];

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sessiond_fuzz::directory(Format::Tdata, &NAMES, bytes, signed));

/// A file of Telegram Desktop with these contents. Without its digest none would be looked into.
fn signed(contents: &[u8]) -> Vec<u8> {
    let (magic, version) = (b"TDF$", 7_003_000_u32.to_le_bytes());
    let length = u32::try_from(contents.len()).expect("short").to_le_bytes();
    let digest = Md5::new()
        .chain_update(contents)
        .chain_update(length)
        .chain_update(version)
        .chain_update(magic)
        .finalize();
    [magic.as_slice(), &version, contents, &digest].concat()
}
