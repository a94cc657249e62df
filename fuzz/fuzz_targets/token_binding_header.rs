//! A value of the header.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    conformance::oracle::tokenbind_http::header(data).unwrap();
});
