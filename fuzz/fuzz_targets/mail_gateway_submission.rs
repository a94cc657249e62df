//! Sessions of Submission through a gateway.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    conformance_mail_implicit_tls::oracle::submission_octets(data).unwrap();
});
