//! A value of `Authentication-Results` or `ARC-Authentication-Results`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    conformance_authres_tls::oracle::header(data).unwrap();
});
