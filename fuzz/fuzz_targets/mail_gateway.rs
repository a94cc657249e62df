//! A client's octets through a gateway to a backend.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    conformance_mail_implicit_tls::oracle::gateway_octets(data).unwrap();
});
