//! XCLIENT commands.

#![allow(clippy::expect_used, clippy::arithmetic_side_effects, reason = "tests")]

use mail_implicit_tls::{
    gateway::{
        SessionId,
        xclient::{Attribute, Offered, Xclient, XclientError},
    },
    name::DomainName,
};

const POSTFIX: &str = "XCLIENT NAME ADDR PROTO HELO REVERSE_NAME PORT LOGIN DESTADDR DESTPORT";

fn client() -> Xclient<'static> {
    Xclient {
        source: "192.0.2.7:51234".parse().expect("address"),
        destination: "[2001:db8::1]:465".parse().expect("address"),
        name: None,
        login: None,
        session: Some(SessionId(0xab)),
        tls: true,
    }
}

fn command(client: &Xclient<'_>, line: &str) -> Result<String, XclientError> {
    client.to_command(&Offered::parse(line).expect("XCLIENT"))
}

#[test]
fn writes_the_attributes_that_postfix_offers() {
    assert_eq!(
        command(&client(), POSTFIX).as_deref(),
        Ok(
            "XCLIENT NAME=[UNAVAILABLE] ADDR=192.0.2.7 PORT=51234 PROTO=ESMTP \
            DESTADDR=IPV6:2001:db8::1 DESTPORT=465"
        )
    );
}

#[test]
fn writes_the_attributes_that_dovecot_offers_with_spaces_between() {
    let dovecot = "XCLIENT ADDR PORT TTL TIMEOUT SESSION CLIENT-TRANSPORT";
    let session = "000000000000000000000000000000ab";
    assert_eq!(
        command(&client(), dovecot),
        Ok(format!(
            "XCLIENT ADDR=192.0.2.7 PORT=51234 SESSION={session} CLIENT-TRANSPORT=TLS"
        ))
    );
    let clear = Xclient {
        tls: false,
        session: None,
        ..client()
    };
    assert_eq!(
        command(&clear, dovecot).as_deref(),
        Ok("XCLIENT ADDR=192.0.2.7 PORT=51234 CLIENT-TRANSPORT=insecure")
    );
}

#[test]
fn writes_addresses_of_ipv6_with_a_prefix_and_mapped_ones_as_ipv4() {
    let of = |source: &str| {
        let client = Xclient {
            source: source.parse().expect("address"),
            ..client()
        };
        command(&client, "xclient addr")
    };
    assert_eq!(
        of("[2001:db8::7]:1").as_deref(),
        Ok("XCLIENT ADDR=IPV6:2001:db8::7")
    );
    assert_eq!(
        of("[::ffff:192.0.2.7]:1").as_deref(),
        Ok("XCLIENT ADDR=192.0.2.7")
    );
}

#[test]
fn encodes_the_name_of_a_user_as_xtext() {
    let login = |login: &'static str| command(&client().with_login(login), "XCLIENT ADDR LOGIN");
    let written = |text: &str| Ok(format!("XCLIENT ADDR=192.0.2.7 LOGIN={text}"));
    assert_eq!(login("alice@example.org"), written("alice@example.org"));
    assert_eq!(login("a b+c=d"), written("a+20b+2Bc+3Dd"));
    assert_eq!(
        login("\u{fc}\t\r\n\0\u{7f}"),
        written("+C3+BC+09+0D+0A+00+7F")
    );
    assert_eq!(login("!~"), written("!~"));
    for wrong in ["", "[UNAVAILABLE]", "[TEMPUNAVAIL]", "[x"] {
        assert_eq!(login(wrong), Err(XclientError::Login), "{wrong:?}");
    }
}

#[test]
fn names_the_client_only_if_its_name_is_known() {
    let name = DomainName::parse("client.example.org").expect("a name");
    let named = Xclient {
        name: Some(&name),
        ..client()
    };
    let line = command(&named, "XCLIENT ADDR NAME");
    assert_eq!(
        line.as_deref(),
        Ok("XCLIENT NAME=client.example.org ADDR=192.0.2.7")
    );
}

#[test]
fn refuses_to_write_what_the_backend_does_not_accept() {
    let offered = command(&client(), "XCLIENT NAME PORT");
    assert_eq!(offered, Err(XclientError::NotOffered(Attribute::Addr)));
    let offered = command(&client().with_login("alice"), "XCLIENT ADDR");
    assert_eq!(offered, Err(XclientError::NotOffered(Attribute::Login)));
    let longest = "x".repeat(510 - "XCLIENT ADDR=192.0.2.7 LOGIN=".len());
    let line = "XCLIENT ADDR LOGIN";
    let written = command(&client().with_login(&longest), line).map(|it| it.len());
    assert_eq!(written, Ok(510));
    let longer = longest + "x";
    let written = command(&client().with_login(&longer), line);
    assert_eq!(written, Err(XclientError::TooLong));
}

#[test]
fn reads_what_a_backend_offers_in_any_case() {
    let offered = Offered::parse("xclient name\taddr  PORT x").expect("XCLIENT");
    for attribute in [Attribute::Name, Attribute::Addr, Attribute::Port] {
        assert!(offered.has(attribute), "{attribute:?}");
    }
    assert!(!offered.has(Attribute::Login));
    for other in ["XCLIENTS ADDR", "XFORWARD ADDR", "", "AUTH XCLIENT"] {
        assert_eq!(Offered::parse(other), None, "{other:?}");
    }
}
