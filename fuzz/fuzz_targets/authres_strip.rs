//! A message, and what a border removes from it.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    conformance_authres_tls::oracle::strip(data).unwrap();
});
