#![no_main]

use sessiond_session::formats::Format;

/// The values of a session, and a peer.
const NAMES: [&str; 5] = ["a%3AauthKey", "a%3AdcId", "a%3Aport", "a%3AserverAddress", "a%3A7000000001"];

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    sessiond_fuzz::directory(Format::GramJsStore, &NAMES, bytes, <[u8]>::to_vec);
});
