//! Begins of connections, with a header of the PROXY protocol or without.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    conformance_mail_implicit_tls::oracle::proxy_protocol(data).unwrap();
});
