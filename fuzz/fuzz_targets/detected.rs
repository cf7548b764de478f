#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sessiond_fuzz::detected(bytes));
