//! The records a connection begins with.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    conformance::oracle::tokenbind_http::client_hello(data).unwrap();
});
