//! The CLIENT command of SMTP.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    conformance_deep_latch::oracle::grammar::smtp_client(data).unwrap();
});
