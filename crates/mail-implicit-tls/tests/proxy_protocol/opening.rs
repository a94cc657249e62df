//! The begin of accepted connections.

use std::net::SocketAddr;

use mail_implicit_tls::gateway::proxy_protocol::{Header, Networks, Opened, Opening};

use super::{SIGNATURE, addresses, v2};

const PEER: &str = "10.1.2.3:4711";

fn begin(peer: &str, pieces: &[&[u8]]) -> Result<Opened, &'static str> {
    let networks = Networks::parse(["10.0.0.0/8", "2001:db8::/32"]).expect("networks");
    let mut opening = Opening::new(peer.parse().expect("address"), &networks);
    let mut opened = Ok(Opened::Incomplete);
    for piece in pieces {
        opened = opening.receive(piece).map_err(|error| error.kind().name());
    }
    opened
}

fn complete(client: &str, header: Option<Header>, rest: &[u8]) -> Result<Opened, &'static str> {
    Ok(Opened::Complete {
        client: client.parse::<SocketAddr>().expect("address"),
        header: header.map(Box::new),
        rest: rest.to_vec(),
    })
}

#[test]
fn refuses_the_header_of_a_peer_that_is_not_listed() {
    for peer in ["192.0.2.1:5", "[2001:db9::1]:5", "[::ffff:11.0.0.1]:5"] {
        let refused = Err("not-listed");
        assert_eq!(
            begin(peer, &[b"PROXY TCP4 1.2.3.4 1.2.3.5 1 2\r\n"]),
            refused
        );
        assert_eq!(begin(peer, &[b"PROXY "]), refused);
        assert_eq!(begin(peer, &[&v2(0x20, 0, b"")]), refused);
        assert_eq!(begin(peer, &[SIGNATURE]), refused);
        assert_eq!(begin(peer, &[b"PRO", b"XY "]), refused);
    }
}

#[test]
fn hands_over_what_a_peer_that_is_not_listed_sends() {
    let peer = "192.0.2.1:5";
    assert_eq!(
        begin(peer, &[b"\x16\x03\x01"]),
        complete(peer, None, b"\x16\x03\x01")
    );
    assert_eq!(begin(peer, &[b"P"]), Ok(Opened::Incomplete));
    assert_eq!(begin(peer, &[b"P", b"ASS"]), complete(peer, None, b"PASS"));
    assert_eq!(
        begin(peer, &[b"\r\n\r\n", b"x"]),
        complete(peer, None, b"\r\n\r\nx")
    );
    assert_eq!(begin(peer, &[b""]), Ok(Opened::Incomplete));
}

#[test]
fn refuses_a_listed_peer_without_header_at_once() {
    for peer in [PEER, "[::ffff:10.0.0.1]:5", "[2001:db8:1::1]:5"] {
        assert_eq!(begin(peer, &[b"\x16"]), Err("missing"));
        assert_eq!(begin(peer, &[b"EHLO x\r\n"]), Err("missing"));
        assert_eq!(begin(peer, &[b"PROXY "]), Ok(Opened::Incomplete));
    }
}

#[test]
fn takes_the_address_of_the_header_and_hands_over_what_follows() {
    let header = Header {
        addresses: Some(addresses("192.0.2.1:7", "192.0.2.2:993")),
        ..Header::default()
    };
    let line = b"PROXY TCP4 192.0.2.1 192.0.2.2 7 993\r\n\x16\x03";
    let expected = complete("192.0.2.1:7", Some(header), b"\x16\x03");
    assert_eq!(begin(PEER, &[line]), expected);
    let octets: Vec<_> = line[..line.len() - 2]
        .chunks(1)
        .chain([&b"\x16\x03"[..]])
        .collect();
    let (last, octets) = octets.split_last().expect("octets");
    let until = begin(PEER, octets);
    assert!(matches!(until, Ok(Opened::Complete { ref rest, .. }) if rest.is_empty()));
    assert_eq!(last, b"\x16\x03");
}

#[test]
fn takes_the_peers_own_address_for_a_local_header() {
    let local = v2(0x20, 0, b"");
    let expected = complete(PEER, Some(Header::local()), b"");
    assert_eq!(begin(PEER, &[&local]), expected);
    let mapped = "[::ffff:10.0.0.1]:5";
    let expected = complete("10.0.0.1:5", Some(Header::local()), b"x");
    assert_eq!(begin(mapped, &[b"PROXY UNKNOWN\r\nx"]), expected);
}

#[test]
fn reads_networks_without_bits_beyond_their_prefix() {
    let index = |texts: &[&str]| {
        Networks::parse(texts.iter().copied())
            .map(|it| it.is_empty())
            .map_err(|error| error.index())
    };
    assert_eq!(index(&[]), Ok(true));
    assert_eq!(index(&["10.0.0.0/8", "::1", "::/0"]), Ok(false));
    for wrong in [
        "10.0.0.1/8",
        "10.0.0.0/33",
        "10.0.0",
        "localhost",
        "",
        "::1/129",
        "10.0.0.0/08x",
    ] {
        assert_eq!(index(&["10.0.0.0/8", wrong]), Err(1), "{wrong:?}");
    }
    let one = Networks::parse(["::ffff:10.0.0.7"]).expect("an address");
    assert!(one.contains("10.0.0.7".parse().expect("address")));
    assert!(!one.contains("10.0.0.8".parse().expect("address")));
}
