//! Texts that are written in all places of a value.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    conformance_authres_tls::oracle::write_any(data).unwrap();
});
