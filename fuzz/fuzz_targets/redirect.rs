//! A token consumer, and redirects to token providers.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    conformance_tokenbind_http::oracle::redirect(data).unwrap();
});
