//! The octets that an MTA sends to the milter, after a negotiation of options or from the first octet.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    conformance_authres_tls::oracle::milter(data).unwrap();
});
