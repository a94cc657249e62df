//! Texts that are written in all places of a value.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    conformance::oracle::authres_tls::write_any(data).unwrap();
});
