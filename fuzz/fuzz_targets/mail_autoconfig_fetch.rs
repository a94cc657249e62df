//! A fetch of a configuration file: responses, redirects and bodies.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    conformance_mail_implicit_tls::oracle::autoconfig_fetch(data).unwrap();
});
