//! Headers that are written.

use mail_implicit_tls::{
    gateway::{
        ClientFacts, SessionId,
        proxy_protocol::{Addresses, ClientCertificate, Header, Ssl},
    },
    name::DomainName,
    privacy::ProtocolVersion,
    server::ConnectionRecord,
    service::Service,
};

use super::{addresses, read};

fn facts() -> ClientFacts {
    let peer = "[::ffff:192.0.2.1]:4660".parse().expect("address");
    ClientFacts {
        record: ConnectionRecord {
            version: Some(ProtocolVersion::TLS1_3),
            cipher_suite: Some(0x1301),
            group: Some(29),
            server_name: DomainName::parse("imap.example.org").ok(),
            alpn: true,
            ..ConnectionRecord::new(Service::IMAPS, peer)
        },
        local: "192.0.2.2:993".parse().expect("address"),
        session: SessionId(7),
    }
}

#[test]
fn writes_the_facts_of_a_client() {
    let octets = Header::of_client(&facts()).to_vec().expect("a header");
    let expected = [
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x74\xc0\0\x02\x01\xc0\0\x02\x02\x12\x34\x03\xe1"
            .as_slice(),
        b"\x02\0\x10imap.example.org",
        b"\x05\0\x2000000000000000000000000000000007",
        b"\x20\0\x28\x01\0\0\0\x01\x21\0\x07TLSv1.3\x23\0\x16TLS_AES_128_GCM_SHA256",
        b"\x03\0\x04",
    ]
    .concat();
    assert_eq!(octets.get(..expected.len()), Some(expected.as_slice()));
    assert_eq!(octets.len(), expected.len() + 4);
    let read = read(&octets).expect("a header");
    assert_eq!(read, Some((Header::of_client(&facts()), octets.len())));
}

#[test]
fn passes_on_the_identity_of_a_certificate_as_common_name() {
    let mut facts = facts();
    facts.record.client = Some("alice@example.org".to_owned());
    for resumed in [false, true] {
        facts.record.resumed = resumed;
        let header = Header::of_client(&facts);
        let certificate = ClientCertificate {
            common_name: Some("alice@example.org".to_owned()),
            on_connection: !resumed,
            is_verified: true,
        };
        let ssl = header.ssl.clone().expect("TLS");
        assert_eq!(ssl.certificate, Some(certificate));
        let octets = header.to_vec().expect("a header");
        let flags = if resumed {
            b"\x05\0\0\0\0"
        } else {
            b"\x07\0\0\0\0"
        };
        assert!(
            octets.windows(5).any(|it| it == flags),
            "{}",
            octets.escape_ascii()
        );
        assert_eq!(read(&octets), Ok(Some((header, octets.len()))));
    }
}

#[test]
fn writes_addresses_of_two_families_as_those_of_ipv6() {
    let mixed = Header {
        addresses: Some(Addresses {
            source: "192.0.2.1:4660".parse().expect("address"),
            destination: "[2001:db8::2]:993".parse().expect("address"),
        }),
        ..Header::default()
    };
    let octets = mixed.to_vec().expect("a header");
    assert_eq!(octets.get(13), Some(&0x21));
    assert_eq!(read(&octets), Ok(Some((mixed, octets.len()))));
    let mapped = Header {
        addresses: Some(Addresses {
            source: "[::ffff:192.0.2.1]:1".parse().expect("address"),
            destination: "[::ffff:192.0.2.2]:2".parse().expect("address"),
        }),
        ..Header::default()
    };
    assert_eq!(mapped.to_vec().expect("a header").get(13), Some(&0x11));
}

#[test]
fn refuses_values_that_the_protocol_cannot_carry() {
    let with = |unique_id: usize, cipher: &str| {
        let header = Header {
            addresses: Some(addresses("192.0.2.1:1", "192.0.2.2:2")),
            unique_id: Some(vec![b'x'; unique_id]),
            ssl: Some(Ssl {
                version: Some("TLSv1.2".to_owned()),
                cipher: Some(cipher.to_owned()),
                certificate: None,
            }),
            ..Header::default()
        };
        header.to_vec().map(drop).map_err(|error| error.field())
    };
    assert_eq!(with(128, &"x".repeat(320)), Ok(()));
    assert_eq!(with(129, "x"), Err("PP2_TYPE_UNIQUE_ID"));
    assert_eq!(with(1, &"x".repeat(321)), Err("PP2_SUBTYPE_SSL_CIPHER"));
    assert_eq!(with(1, "a\nb"), Err("PP2_SUBTYPE_SSL_CIPHER"));
}
