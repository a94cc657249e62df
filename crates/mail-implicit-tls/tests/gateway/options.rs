//! Options: ways that a protocol lacks are refused, and secrets are not printed.

use mail_implicit_tls::{
    gateway::{
        AfterLogin, ClientAddress, Event, ExternalLogin, GatewayOptions, MasterUser, Mechanism,
        OptionsError,
    },
    service::Protocol,
};

use crate::script::{advertisement, options};

#[test]
fn refuses_an_address_that_the_protocol_cannot_carry() {
    use {
        ClientAddress as Address,
        Protocol::{Imap, Pop, Submission},
    };
    for (address, protocols) in [
        (Address::None, &[Imap, Pop, Submission][..]),
        (Address::ProxyV2, &[Imap, Pop, Submission]),
        (Address::Xclient, &[Pop, Submission]),
        (Address::ImapId, &[Imap]),
    ] {
        for protocol in [Imap, Pop, Submission] {
            let made = GatewayOptions::try_new(protocol, address);
            match protocols.contains(&protocol) {
                true => assert_eq!(made.map(|it| it.address()), Ok(address)),
                false => assert_eq!(made.err(), Some(OptionsError::Address(address, protocol))),
            }
        }
    }
}

#[test]
fn keeps_what_was_set() {
    let status = advertisement();
    let options = options(Protocol::Imap)
        .with_advertisement(status.clone())
        .with_after_login(AfterLogin::Parsed)
        .with_name("mx.example.org")
        .allow_utf8_before_login();
    assert_eq!(options.advertisement(), Some(&status));
    assert_eq!(options.after_login(), AfterLogin::Parsed);
    assert_eq!(
        (options.name(), options.protocol()),
        ("mx.example.org", Protocol::Imap)
    );
    assert!(options.allows_utf8() && matches!(options.external(), ExternalLogin::Unavailable));
}

#[test]
fn refuses_credentials_that_plain_cannot_carry() {
    let made = |user: &str, password: &str| MasterUser::try_new(user, password.to_owned()).err();
    let (longest, long) = ("x".repeat(255), "x".repeat(256));
    assert_eq!(made(&longest, &longest), None);
    for (user, password) in [
        ("", "x"),
        ("x", ""),
        ("a\0b", "x"),
        ("x", "a\0b"),
        (&long, "x"),
        ("x", &long),
    ] {
        assert_eq!(made(user, password), Some(OptionsError::Credentials));
    }
}

#[test]
fn prints_no_password() {
    let master = MasterUser::try_new("master", "hunter2".to_owned()).unwrap();
    let options = options(Protocol::Pop).with_external(ExternalLogin::Plain(master));
    let printed = format!("{options:?}");
    assert!(
        printed.contains("master") && !printed.contains("hunter2"),
        "{printed}"
    );
}

#[test]
fn names_mechanisms_without_octets_of_a_peer() {
    assert_eq!(
        Mechanism::parse("scram-sha-256-plus").map(|it| it.is_plus()),
        Some(true)
    );
    for name in [
        "",
        "A B",
        "A\r\n",
        "ABCDEFGHIJKLMNOPQRSTU",
        "\u{c4}",
        "A\u{1b}",
    ] {
        assert_eq!(Mechanism::parse(name), None, "{name:?}");
    }
    let event = Event::LoginFailed {
        mechanism: Mechanism::PASSWORD,
    };
    assert_eq!(
        format!("{event:?}"),
        "LoginFailed { mechanism: Mechanism(\"password\") }"
    );
}
