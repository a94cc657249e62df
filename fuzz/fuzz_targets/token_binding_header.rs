//! A value of the header.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    conformance_tokenbind_http::oracle::header(data).unwrap();
});
