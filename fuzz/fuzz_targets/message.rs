//! `TokenBindingMessage` under each profile.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    for profile in tokenbind_wire::EncodingProfile::ALL {
        conformance_tokenbind_wire::oracle::message(bytes, profile).unwrap();
    }
});
