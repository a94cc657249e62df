//! Section 5: the first byte chooses the connection, the rest is the message.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    conformance_tokenbind_wire::oracle::section_5(data).unwrap();
});
