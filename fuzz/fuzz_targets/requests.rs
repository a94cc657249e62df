//! A connection and its requests.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    conformance::oracle::tokenbind_http::requests(data).unwrap();
});
