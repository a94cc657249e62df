//! Headers that are read.

use mail_implicit_tls::{
    gateway::proxy_protocol::{ClientCertificate, Header, MAX_V2_BYTES, Ssl},
    name::DomainName,
};

use super::{Refused, SIGNATURE, addresses, read, v2};

/// 192.0.2.1:4660 to 192.0.2.2:993
const IPV4: &[u8] = &[192, 0, 2, 1, 192, 0, 2, 2, 0x12, 0x34, 0x03, 0xe1];

#[test]
fn reads_the_longest_line_of_version_1_and_no_longer_one() {
    let most = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
    let line = format!("PROXY TCP6 {most} {most} 65535 65535\r\n");
    let source = format!("[{most}]:65535");
    let header = Header {
        addresses: Some(addresses(&source, &source)),
        ..Header::default()
    };
    assert_eq!(read(line.as_bytes()), Ok(Some((header, 104))));

    let unknown = |length: usize| format!("PROXY UNKNOWN {}\r\n", "x".repeat(length - 16));
    let longest = Ok(Some((Header::local(), 107)));
    assert_eq!(read(unknown(107).as_bytes()), longest);
    let too_long = Err(("too-long", "line", 107));
    assert_eq!(read(unknown(108).as_bytes()), too_long);
    assert_eq!(
        read("x".repeat(200).as_bytes()),
        Err(("missing", "header", 0))
    );
    assert_eq!(read(unknown(109).as_bytes()), too_long);
}

#[test]
fn refuses_lines_that_are_not_of_version_1() {
    let cases: [(&str, &str, usize); 22] = [
        ("PROXY  TCP4 1.2.3.4 1.2.3.5 1 2\r\n", "protocol", 6),
        ("PROXY TCP5 1.2.3.4 1.2.3.5 1 2\r\n", "protocol", 6),
        ("PROXY tcp4 1.2.3.4 1.2.3.5 1 2\r\n", "protocol", 6),
        ("PROXY UNKNOWNX\r\n", "protocol", 6),
        ("PROXY \r\n", "protocol", 6),
        ("PROXY TCP4\r\n", "source address", 11),
        ("PROXY TCP4 ::1 1.2.3.5 1 2\r\n", "source address", 11),
        ("PROXY TCP6 1.2.3.4 ::1 1 2\r\n", "source address", 11),
        ("PROXY TCP4 1.2.3.04 1.2.3.5 1 2\r\n", "source address", 11),
        ("PROXY TCP4 1.2.3 1.2.3.5 1 2\r\n", "source address", 11),
        (
            "PROXY TCP4 1.2.3.4  1.2.3.5 1 2\r\n",
            "destination address",
            19,
        ),
        ("PROXY TCP4 1.2.3.4 x 1 2\r\n", "destination address", 19),
        ("PROXY TCP4 1.2.3.4 1.2.3.5 01 2\r\n", "source port", 27),
        ("PROXY TCP4 1.2.3.4 1.2.3.5 +1 2\r\n", "source port", 27),
        ("PROXY TCP4 1.2.3.4 1.2.3.5 65536 2\r\n", "source port", 27),
        ("PROXY TCP4 1.2.3.4 1.2.3.5 1\r\n", "destination port", 29),
        ("PROXY TCP4 1.2.3.4 1.2.3.5 1 \r\n", "destination port", 29),
        ("PROXY TCP4 1.2.3.4 1.2.3.5 1 2 \r\n", "line", 30),
        ("PROXY TCP4 1.2.3.4 1.2.3.5 1 2 3\r\n", "line", 30),
        ("PROXY TCP4 1.2.3.4 1.2.3.5 1 2\n", "line", 30),
        ("PROXY TCP4 1.2.3.4 1.2.3.5 1 2\rx", "line", 30),
        ("PROXY TCP4 1.2.3.4 1.2.3.5 1 2\r\r\n", "line", 30),
    ];
    for (line, field, offset) in cases {
        assert_eq!(
            read(line.as_bytes()),
            Err(("syntax", field, offset)),
            "{line:?}"
        );
    }
    let zero = read(b"PROXY TCP4 1.2.3.4 1.2.3.5 0 0\r\nEHLO");
    let header = Header {
        addresses: Some(addresses("1.2.3.4:0", "1.2.3.5:0")),
        ..Header::default()
    };
    assert_eq!(zero, Ok(Some((header, 32))));
}

#[test]
fn refuses_what_is_no_header_at_its_first_octet() {
    let missing = Err(("missing", "header", 0));
    for octets in [
        &b"\x16\x03\x01"[..],
        b"EHLO x",
        b"\r\n\r\nQUIT",
        b"PROXX",
        b"proxy TCP4",
        b"\n",
    ] {
        assert_eq!(read(octets), missing);
    }
    assert_eq!(read(b"PROX"), Ok(None));
    assert_eq!(read(&SIGNATURE[..11]), Ok(None));
}

#[test]
fn takes_the_connections_own_addresses_for_local_unspec_and_unknown() {
    let own = |length| Ok(Some((Header::local(), length)));
    assert_eq!(read(&v2(0x20, 0x00, b"")), own(16));
    // The block is discarded, also if it is malformed.
    assert_eq!(read(&v2(0x20, 0x11, IPV4)), own(28));
    assert_eq!(read(&v2(0x20, 0xff, b"\x03\x00\x04")), own(19));
    assert_eq!(read(&v2(0x21, 0x00, b"anything")), own(24));
    assert_eq!(read(b"PROXY UNKNOWN\r\n"), own(15));
    assert_eq!(read(b"PROXY UNKNOWN ffff::1 x\r\n"), own(25));
    let socket = [&[0; 216][..], b"\x05\0\x02id"].concat();
    let header = Header {
        unique_id: Some(b"id".to_vec()),
        ..Header::default()
    };
    assert_eq!(read(&v2(0x21, 0x31, &socket)), Ok(Some((header, 237))));
}

#[test]
fn refuses_versions_commands_and_families_that_a_proxy_may_not_send() {
    for command in [0x00, 0x10, 0x11, 0x22, 0x2f, 0x31, 0xff] {
        let expected = Err(("not-supported", "ver_cmd", 12));
        assert_eq!(read(&v2(command, 0x11, IPV4)), expected, "{command:#x}");
    }
    for family in [0x01, 0x10, 0x12, 0x13, 0x20, 0x22, 0x30, 0x32, 0x41, 0xff] {
        let expected = Err(("not-supported", "fam", 13));
        assert_eq!(read(&v2(0x21, family, IPV4)), expected, "{family:#x}");
    }
}

#[test]
fn bounds_the_length_of_version_2() {
    let begin = |length: u16| [SIGNATURE, b"\x21\x11", &length.to_be_bytes()].concat();
    let too_long = Err(("too-long", "len", 14));
    assert_eq!(read(&begin(65_535)), too_long);
    let most = u16::try_from(MAX_V2_BYTES - 16).expect("a small limit");
    assert_eq!(read(&begin(most + 1)), too_long);
    assert_eq!(read(&begin(most)), Ok(None));
    let noop = [IPV4, b"\x04", &(most - 15).to_be_bytes(), &vec![0; 4065]].concat();
    let header = Header {
        addresses: Some(addresses("192.0.2.1:4660", "192.0.2.2:993")),
        ..Header::default()
    };
    assert_eq!(read(&v2(0x21, 0x11, &noop)), Ok(Some((header, 4096))));
}

#[test]
fn refuses_addresses_and_fields_that_do_not_fit() {
    let with = |fields: &[u8]| v2(0x21, 0x11, &[IPV4, fields].concat());
    let cases: [(Vec<u8>, Refused); 12] = [
        (v2(0x21, 0x11, &IPV4[..11]), ("truncated", "proxy_addr", 26)),
        (v2(0x21, 0x21, IPV4), ("truncated", "proxy_addr", 16)),
        (v2(0x21, 0x31, &[0; 215]), ("truncated", "proxy_addr", 16)),
        (with(b"\x04"), ("truncated", "pp2_tlv", 28)),
        (with(b"\x04\0\x02x"), ("truncated", "pp2_tlv", 31)),
        (with(b"\x20\0\x04abcd"), ("truncated", "verify", 32)),
        (
            with(b"\x20\0\x09\x01\0\0\0\0\x21\0\x02x"),
            ("truncated", "pp2_tlv", 39),
        ),
        (with(b"\x03\0\x03abc"), ("value", "PP2_TYPE_CRC32C", 31)),
        (with(b"\x02\0\x03a b"), ("value", "PP2_TYPE_AUTHORITY", 31)),
        (
            with(b"\x20\0\x09\x01\0\0\0\0\x21\0\x01\n"),
            ("value", "PP2_SUBTYPE_SSL_VERSION", 39),
        ),
        (
            with(b"\x05\0\x01a\x05\0\x01a"),
            ("duplicate", "PP2_TYPE_UNIQUE_ID", 35),
        ),
        (
            with(b"\x20\0\x0d\x01\0\0\0\0\x22\0\x01a\x22\0\x01a"),
            ("duplicate", "PP2_SUBTYPE_SSL_CN", 43),
        ),
    ];
    for (octets, expected) in cases {
        assert_eq!(read(&octets), Err(expected));
    }
    let id = |length: u8| with(&[b"\x05\0", &[length][..], &vec![b'x'; length.into()]].concat());
    assert_eq!(read(&id(129)), Err(("value", "PP2_TYPE_UNIQUE_ID", 31)));
    let read = read(&id(128)).expect("a header").expect("complete");
    assert_eq!(read.0.unique_id, Some(vec![b'x'; 128]));
}

/// A header up to the value of its checksum.
const WITH_CHECKSUM: &[u8] =
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x13\xc0\0\x02\x01\xc0\0\x02\x02\x12\x34\x03\xe1\x03\0\x04";

#[test]
fn verifies_the_checksum() {
    let sum = crc32c(&[WITH_CHECKSUM, &[0; 4]].concat()).to_be_bytes();
    let right = [WITH_CHECKSUM, &sum].concat();
    let header = Header {
        addresses: Some(addresses("192.0.2.1:4660", "192.0.2.2:993")),
        ..Header::default()
    };
    assert_eq!(read(&right), Ok(Some((header, 35))));
    for at in [16, 23, 27, 31, 34] {
        let mut wrong = right.clone();
        wrong[at] ^= 1;
        let expected = Err(("checksum", "PP2_TYPE_CRC32C", 31));
        assert_eq!(read(&wrong), expected, "octet {at}");
    }
    let twice = [IPV4, b"\x03\0\x04abcd\x03\0\x04abcd"].concat();
    let expected = Err(("duplicate", "PP2_TYPE_CRC32C", 38));
    assert_eq!(read(&v2(0x21, 0x11, &twice)), expected);
}

/// CRC-32C bit by bit (RFC 9260 appendix A).
fn crc32c(octets: &[u8]) -> u32 {
    let sum = octets.iter().fold(!0_u32, |sum, octet| {
        (0..8).fold(sum ^ u32::from(*octet), |sum, _| {
            (sum >> 1) ^ (0x82f6_3b78 * (sum & 1))
        })
    });
    !sum
}

#[test]
fn reads_the_fields_of_version_2_and_skips_others() {
    let ssl =
        b"\x20\0\x24\x03\0\0\0\0\x21\0\x07TLSv1.3\x22\0\x05alice\x99\0\x01x\x23\0\x04AES1\x24\0\0";
    let fields = [
        IPV4,
        b"\x01\0\x02h2",
        b"\x02\0\x10Imap.EXAMPLE.org",
        b"\x05\0\x03\0\x01\x02",
        ssl,
        b"\xea\0\x01z",
    ]
    .concat();
    let mut fields = fields;
    let at = fields
        .windows(3)
        .position(|it| it == b"\x20\0\x24")
        .expect("the field");
    fields[at + 2] = u8::try_from(ssl.len() - 3).expect("short");
    let (header, _) = read(&v2(0x21, 0x11, &fields))
        .expect("a header")
        .expect("complete");
    let expected = Header {
        addresses: Some(addresses("192.0.2.1:4660", "192.0.2.2:993")),
        authority: DomainName::parse("imap.example.org").ok(),
        unique_id: Some(vec![0, 1, 2]),
        ssl: Some(Ssl {
            version: Some("TLSv1.3".to_owned()),
            cipher: Some("AES1".to_owned()),
            certificate: Some(ClientCertificate {
                common_name: Some("alice".to_owned()),
                on_connection: true,
                is_verified: true,
            }),
        }),
    };
    assert_eq!(header, expected);
    // Without the flag of TLS the rest of the field does not count.
    let clear = [IPV4, b"\x20\0\x0d\x06\0\0\0\0\x21\0\x05TLSv1"].concat();
    let (header, _) = read(&v2(0x21, 0x11, &clear))
        .expect("a header")
        .expect("complete");
    assert_eq!(header.ssl, Some(Ssl::default()));
}

#[test]
fn returns_mapped_addresses_as_those_of_ipv4() {
    let mapped = |last| [&[0; 10][..], &[0xff, 0xff, 192, 0, 2, last]].concat();
    let block = [mapped(1), mapped(2), vec![0x12, 0x34, 0x03, 0xe1]].concat();
    let header = Header {
        addresses: Some(addresses("192.0.2.1:4660", "192.0.2.2:993")),
        ..Header::default()
    };
    assert_eq!(read(&v2(0x21, 0x21, &block)), Ok(Some((header, 52))));
}
