//! The SMTP-Security-Latch field, and the `tls` clause of Received.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    conformance_deep_latch::oracle::grammar::security_latch(data).unwrap();
});
