//! A token consumer, and redirects to token providers.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    conformance::oracle::tokenbind_http::redirect(data).unwrap();
});
