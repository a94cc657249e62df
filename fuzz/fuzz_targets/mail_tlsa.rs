//! TLSA records against a certificate.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    conformance_mail_implicit_tls::oracle::tlsa_octets(data).unwrap();
});
