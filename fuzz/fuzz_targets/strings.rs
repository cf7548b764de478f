#![no_main]

use sessiond_session::formats::Medium;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sessiond_fuzz::each(Medium::Text, bytes));
