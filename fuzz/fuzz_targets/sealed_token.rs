//! Sealed tokens as text and as octets under a right MAC, and cookies: the first byte chooses.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    conformance_tokenbind_http::oracle::sealed_token_input(data).unwrap();
});
