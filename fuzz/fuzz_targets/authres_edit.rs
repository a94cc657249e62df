//! Results taken out of a value, and put into it.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    conformance_authres_tls::oracle::edit_any(data).unwrap();
});
