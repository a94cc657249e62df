//! A connection and its requests.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    conformance_tokenbind_http::oracle::requests(data).unwrap();
});
