//! The dialogue of a server before TLS.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    conformance_mail_implicit_tls::oracle::server_octets(data).unwrap();
});
