//! The records a connection begins with.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    conformance_tokenbind_http::oracle::client_hello(data).unwrap();
});
