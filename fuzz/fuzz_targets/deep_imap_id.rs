//! The parameters of IMAP ID, and what they say as a server's and as a client's.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    conformance_deep_latch::oracle::grammar::imap_id(data).unwrap();
});
