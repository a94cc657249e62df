//! Pins of certificates (section 3.2).

use mail_implicit_tls::{
    account::{AccountErrorKind, AccountSetup, Host, LowPrivacy, Server, WarningKind},
    pin::{Fingerprint, MAX_PINS},
    service::Service,
    verdict::PinVerdict,
};

use crate::accounts::{error, id, imaps, name, setup};

#[test]
fn pins_a_certificate_during_account_setup() {
    let account = setup()
        .low(LowPrivacy::default())
        .server(imaps())
        .pin(b"certificate")
        .pin(b"the other machine's")
        .build()
        .unwrap();
    let pins = account.servers()[0].pins();
    let fingerprints: Vec<_> = pins.iter().map(|pin| pin.fingerprint()).collect();
    let expected = [&b"certificate"[..], b"the other machine's"].map(Fingerprint::of);
    assert_eq!(fingerprints, expected);
    let judge = |certificate: &[u8]| mail_implicit_tls::pin::judge(pins, certificate);
    assert_eq!(judge(b"the other machine's"), PinVerdict::Matches);
    assert_eq!(judge(b"renewed"), PinVerdict::Differs);
    assert_eq!(judge(&[0; 65_537]), PinVerdict::Differs);
    assert_eq!(
        mail_implicit_tls::pin::judge(&[], b"certificate"),
        PinVerdict::NotPinned
    );
    let kinds: Vec<_> = account.warnings().iter().map(|it| it.kind).collect();
    assert_eq!(kinds, [WarningKind::Pinned]);
}

#[test]
fn rejects_pins_at_the_high_level() {
    let pinned = setup().server(imaps()).pin(b"certificate");
    assert_eq!(error(pinned), (AccountErrorKind::PinWithHigh, Some(0)));
}

#[test]
fn rejects_pins_that_cannot_count() {
    let low = || setup().low(LowPrivacy::default());
    let clear = Server::new(Service::POP3_CLEAR, Host::parse("pop.example.org").unwrap());
    let expected = (AccountErrorKind::PinWithoutTls, Some(0));
    assert_eq!(error(low().server(clear).pin(b"certificate")), expected);
    let expected = (AccountErrorKind::PinnedCertificate, Some(0));
    assert_eq!(error(low().server(imaps()).pin(b"")), expected);
    assert_eq!(error(low().server(imaps()).pin(&[0; 65_537])), expected);
    let pins = (0..=MAX_PINS).fold(low().server(imaps()), |it, n| {
        it.pin(&[1, n.try_into().unwrap()])
    });
    assert_eq!(error(pins), (AccountErrorKind::TooManyPins, Some(0)));
}

#[test]
fn rejects_pins_of_servers_that_an_account_has_already() {
    let account = setup()
        .low(LowPrivacy::default())
        .server(imaps())
        .build()
        .unwrap();
    let again = account
        .clone()
        .reconfigure()
        .without(Service::IMAPS)
        .server(imaps());
    let expected = (AccountErrorKind::PinOfExistingServer, Some(0));
    assert_eq!(error(again.pin(b"certificate")), expected);
    let other = imaps().with_port(1993);
    let changed = account
        .reconfigure()
        .server(other)
        .pin(b"certificate")
        .build()
        .unwrap();
    assert_eq!(changed.servers()[1].pins().len(), 1);
    let kept = changed
        .reconfigure()
        .domain(name("example.org"))
        .build()
        .unwrap();
    assert_eq!(kept.servers()[1].pins().len(), 1);
}

#[test]
fn rejects_pins_of_another_account() {
    let low = |text| AccountSetup::new(id(text)).low(LowPrivacy::default());
    let alice = low("alice")
        .server(imaps())
        .pin(b"certificate")
        .build()
        .unwrap();
    let server = alice.servers()[0].clone();
    let bob = low("bob").server(server.clone());
    assert_eq!(error(bob), (AccountErrorKind::PinOfAnother, Some(0)));
    let mut elsewhere = server;
    elsewhere.host = Host::parse("imap.example.net").unwrap();
    let alice = low("alice").server(elsewhere);
    assert_eq!(error(alice), (AccountErrorKind::PinOfAnother, Some(0)));
}
