//! A configuration file, read, and its offers.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    conformance_mail_implicit_tls::oracle::autoconfig(data).unwrap();
});
