//! Results taken out of a value, and put into it.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    conformance::oracle::authres_tls::edit_any(data).unwrap();
});
