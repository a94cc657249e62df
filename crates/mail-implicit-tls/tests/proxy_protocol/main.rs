//! Headers of the PROXY protocol.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests"
)]

mod opening;
mod read;
mod write;

use mail_implicit_tls::gateway::proxy_protocol::{Addresses, Header};

/// The begin of a header of version 2.
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

fn addresses(source: &str, destination: &str) -> Addresses {
    Addresses::new(
        source.parse().expect("address"),
        destination.parse().expect("address"),
    )
}

/// Returns a header of version 2 with a block.
fn v2(command: u8, family: u8, block: &[u8]) -> Vec<u8> {
    let length = u16::try_from(block.len()).expect("a short block");
    [SIGNATURE, &[command, family], &length.to_be_bytes(), block].concat()
}

/// Kind, field and offset of an error.
type Refused = (&'static str, &'static str, usize);

/// Reads a header, in whole and octet by octet: the result is the same, and known no later than the whole.
fn read(octets: &[u8]) -> Result<Option<(Header, usize)>, Refused> {
    let told = |octets| {
        Header::read(octets).map_err(|error| (error.kind().name(), error.field(), error.offset()))
    };
    let whole = told(octets);
    for end in 0..octets.len() {
        match told(&octets[..end]) {
            Ok(None) => {}
            early => {
                assert_eq!(early, whole, "after {end} octets");
                break;
            }
        }
    }
    whole
}
