//! An IMAP proxy between any client and servers of all kinds.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    conformance::oracle::deep_latch_proxy::any(data).unwrap();
});
