//! The dialogue of a client before login.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    conformance_mail_implicit_tls::oracle::client_octets(data).unwrap();
});
