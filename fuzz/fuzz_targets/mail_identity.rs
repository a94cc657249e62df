//! The names of a certificate, beside webpki.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    conformance_mail_implicit_tls::oracle::identity(data).unwrap();
});
