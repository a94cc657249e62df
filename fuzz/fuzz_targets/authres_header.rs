//! A value of `Authentication-Results` or `ARC-Authentication-Results`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    conformance::oracle::authres_tls::header(data).unwrap();
});
