//! The CLIENT command of SMTP.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    conformance::oracle::deep_latch::smtp_client(data).unwrap();
});
