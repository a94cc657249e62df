//! A value with results of the `tls` method, and the values of its properties.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    conformance_authres_tls::oracle::method::any(data).unwrap();
});
