//! Privacy levels and indications (draft-newman-email-deep-02 sections 3.1, 3.3 and 3.4).

use mail_implicit_tls::{
    account::{AccountErrorKind, Host, LowPrivacy, Profile, Server, WarningKind},
    identity::Rules,
    privacy::{Indication, PrivacyLevel, ProtocolVersion},
    service::Service,
    verdict::{ChainVerdict, DaneVerdict, PinVerdict, Verdict},
};

use crate::accounts::{IGNORE, error, imaps, is_verified, matches, setup, verdicts};

#[test]
fn begins_with_the_high_level() {
    let account = setup().server(imaps()).build().unwrap();
    assert_eq!(account.level(), PrivacyLevel::High);
    assert_eq!(account.profile(), Profile::Draft);
    assert_eq!(account.rules(), Rules::Rfc7817);
    assert_eq!(account.low(), LowPrivacy::default());
    assert_eq!(PrivacyLevel::default(), PrivacyLevel::High);
    assert!(account.warnings().is_empty());
}

#[test]
fn orders_the_levels() {
    assert!(PrivacyLevel::Low < PrivacyLevel::High);
    assert!(Indication::clear().level().is_none());
}

#[test]
fn accepts_at_the_high_level_what_is_verified_only() {
    let account = setup().server(imaps()).build().unwrap();
    for verdict in verdicts() {
        let expected = is_verified(&verdict) && verdict.pin == PinVerdict::NotPinned;
        assert_eq!(account.accepts(&verdict), expected, "{verdict}");
        assert_eq!(verdict.is_verified(), expected, "{verdict}");
    }
    let verified = verdicts()
        .iter()
        .filter(|verdict| account.accepts(verdict))
        .count();
    assert_eq!(verified, 23);
}

#[test]
fn ignores_certificate_failures_at_the_low_level_if_the_account_says_so() {
    let strict = setup()
        .low(LowPrivacy::default())
        .server(imaps())
        .build()
        .unwrap();
    let lax = setup().low(IGNORE).server(imaps()).build().unwrap();
    for verdict in verdicts() {
        let contradicted = matches!(verdict.dane, DaneVerdict::Differs(_));
        let (strictly, laxly) = match verdict.pin {
            PinVerdict::Differs => (false, false),
            PinVerdict::Matches => (!contradicted, !contradicted),
            PinVerdict::NotPinned => (is_verified(&verdict), !contradicted),
        };
        assert_eq!(strict.accepts(&verdict), strictly, "{verdict}");
        assert_eq!(lax.accepts(&verdict), laxly, "{verdict}");
    }
}

#[test]
fn shows_the_least_private_connection() {
    let verified = Verdict {
        chain: ChainVerdict::Trusted,
        identity: matches(),
        ..Verdict::default()
    };
    let high = Indication::of_tls(&verified, ProtocolVersion::TLS1_3);
    let low = Indication::of_tls(&Verdict::default(), ProtocolVersion::TLS1_3);
    let clear = Indication::clear();
    assert_eq!(high.level(), Some(PrivacyLevel::High));
    assert_eq!(low.level(), Some(PrivacyLevel::Low));
    assert_eq!(Indication::of_all([high, high]), Some(high));
    assert_eq!(Indication::of_all([high, low]), Some(low));
    assert_eq!(Indication::of_all([low, clear, high]), Some(clear));
    assert_eq!(Indication::of_all([]), None);
    assert_eq!(
        [high, low, clear].map(|it| it.to_string()),
        ["high", "low", "not private"]
    );
}

#[test]
fn shows_no_less_than_the_level_of_an_accepted_connection() {
    let account = setup().server(imaps()).build().unwrap();
    for verdict in verdicts()
        .into_iter()
        .filter(|verdict| account.accepts(verdict))
    {
        let shown = Indication::of_tls(&verdict, ProtocolVersion::TLS1_2);
        assert_eq!(shown.level(), Some(PrivacyLevel::High), "{verdict}");
    }
}

#[test]
fn shows_low_for_an_unverified_certificate_and_for_ssl() {
    for verdict in verdicts() {
        let high = Indication::of_tls(&verdict, ProtocolVersion::TLS1_0).level();
        let expected = is_verified(&verdict) && verdict.pin == PinVerdict::NotPinned;
        assert_eq!(high == Some(PrivacyLevel::High), expected, "{verdict}");
        let ssl = Indication::of_tls(&verdict, ProtocolVersion::SSL3).level();
        assert_eq!(ssl, Some(PrivacyLevel::Low), "{verdict}");
    }
}

#[test]
fn shows_low_for_a_pinned_certificate() {
    for pin in [PinVerdict::Matches, PinVerdict::Differs] {
        let verdict = Verdict {
            chain: ChainVerdict::Trusted,
            identity: matches(),
            pin,
            ..Verdict::default()
        };
        let shown = Indication::of_tls(&verdict, ProtocolVersion::TLS1_3);
        assert_eq!(shown.level(), Some(PrivacyLevel::Low));
    }
}

#[test]
fn rejects_services_without_tls_at_the_high_level() {
    let clear = Server::new(
        Service::IMAP_CLEAR,
        Host::parse("imap.example.org").unwrap(),
    );
    let expected = (AccountErrorKind::ClearTextWithHigh, Some(1));
    assert_eq!(
        error(setup().server(imaps()).server(clear.clone())),
        expected
    );
    let account = setup()
        .low(LowPrivacy::default())
        .server(clear)
        .build()
        .unwrap();
    let warnings: Vec<_> = account
        .warnings()
        .iter()
        .map(|it| (it.server, it.kind))
        .collect();
    assert_eq!(warnings, [(0, WarningKind::ClearText)]);
}

#[test]
fn permits_the_high_level_only_under_rfc_8314() {
    let setup = || setup().profile(Profile::Rfc8314).server(imaps());
    assert!(setup().build().is_ok());
    let expected = (AccountErrorKind::LevelOfProfile, None);
    assert_eq!(error(setup().low(LowPrivacy::default())), expected);
}
