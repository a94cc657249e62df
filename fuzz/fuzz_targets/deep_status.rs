//! A `deep-status`, and lines of POP and SMTP that have one.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    conformance_deep_latch::oracle::grammar::status(data).unwrap();
});
