//! A Received field, read, and with the clauses added.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    conformance_mail_implicit_tls::oracle::received(data).unwrap();
});
