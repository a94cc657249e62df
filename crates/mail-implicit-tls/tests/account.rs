//! Accounts, levels, pins and indications: draft-newman-email-deep-02 section 3.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests")]

use mail_implicit_tls::{
    account::{
        Account, AccountErrorKind, AccountId, AccountSetup, Host, HostSource, LowPrivacy, Profile,
        Server, WarningKind,
    },
    failure::{Action, Cause, Failure, StatusPage},
    identity::{PresentedIdentity, ReferenceIdentity, Rules},
    name::DomainName,
    pin::{Fingerprint, MAX_PINS},
    privacy::{Indication, PrivacyLevel, ProtocolVersion},
    service::Service,
    verdict::{
        CertificateUsage, ChainProblem, ChainVerdict, DaneVerdict, IdentityVerdict, PinVerdict,
        RecordFinding, RecordProblem, Verdict,
    },
};

const IGNORE: LowPrivacy = LowPrivacy {
    ignore_certificate: true,
    clear_text_fallback: false,
};

fn id(text: &str) -> AccountId {
    AccountId::try_new(text).unwrap()
}

fn name(text: &str) -> DomainName {
    DomainName::parse(text).unwrap()
}

fn imaps() -> Server {
    Server::new(Service::IMAPS, Host::parse("imap.example.org").unwrap())
}

fn setup() -> AccountSetup {
    AccountSetup::new(id("alice"))
}

fn error(setup: AccountSetup) -> (AccountErrorKind, Option<usize>) {
    let error = setup.build().unwrap_err();
    (error.kind(), error.server())
}

fn matches() -> IdentityVerdict {
    IdentityVerdict::Matches {
        reference: ReferenceIdentity::Dns(name("imap.example.org")),
        presented: PresentedIdentity::Dns(b"imap.example.org"[..].into()),
    }
}

/// All combinations of chain, name, DANE and pin.
fn verdicts() -> Vec<Verdict> {
    let unknown = ChainVerdict::Refused(vec![ChainProblem::UnknownIssuer]);
    let chains = [ChainVerdict::NotChecked, ChainVerdict::Trusted, unknown];
    let differs = IdentityVerdict::Differs(Box::default());
    let identities = [IdentityVerdict::NotChecked, matches(), differs];
    let mut danes = vec![DaneVerdict::default()];
    for usage in [
        CertificateUsage::PkixTa,
        CertificateUsage::PkixEe,
        CertificateUsage::DaneTa,
        CertificateUsage::DaneEe,
    ] {
        for covers_identity in [false, true] {
            danes.push(DaneVerdict::Matches {
                usage,
                covers_identity,
            });
        }
    }
    danes.push(DaneVerdict::Differs(vec![RecordFinding {
        usage: 3,
        selector: 1,
        matching_type: 1,
        problem: RecordProblem::NoMatch,
    }]));
    let pins = [
        PinVerdict::NotPinned,
        PinVerdict::Matches,
        PinVerdict::Differs,
    ];
    let mut verdicts = Vec::new();
    for chain in &chains {
        for identity in &identities {
            for dane in &danes {
                for pin in pins {
                    verdicts.push(Verdict {
                        chain: chain.clone(),
                        identity: identity.clone(),
                        dane: dane.clone(),
                        pin,
                    });
                }
            }
        }
    }
    verdicts
}

/// Section 3.1 in other words than the crate's.
fn is_verified(verdict: &Verdict) -> bool {
    let named = verdict.identity == matches();
    let pkix = named && verdict.chain == ChainVerdict::Trusted;
    match &verdict.dane {
        DaneVerdict::Matches {
            usage: CertificateUsage::DaneTa,
            ..
        } => named,
        DaneVerdict::Matches {
            usage: CertificateUsage::DaneEe,
            covers_identity,
        } => named || *covers_identity,
        DaneVerdict::Differs(_) => false,
        _ => pkix,
    }
}

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
fn offers_acceptable_actions_only() {
    let cause = Cause::NotVerified(Box::default());
    let failure = Failure::new(Service::IMAPS, "imap.example.org", cause);
    assert_eq!(
        failure.actions(),
        [Action::WorkOffline, Action::TryAgainLater]
    );
    let page = StatusPage::parse("https://status.example.org/").unwrap();
    let open = Action::OpenStatusPage(page.clone());
    let actions = failure.with_status_page(page).actions();
    assert_eq!(actions, [Action::WorkOffline, Action::TryAgainLater, open]);
}

#[test]
fn describes_a_failure_in_one_line() {
    let verdict = Verdict {
        chain: ChainVerdict::Refused(vec![ChainProblem::UnknownIssuer, ChainProblem::SelfSigned]),
        ..Verdict::default()
    };
    let cause = Cause::NotVerified(Box::new(verdict));
    assert_eq!(
        Failure::new(Service::IMAPS, "imap.example.org", cause).to_string(),
        "imaps at imap.example.org: chain: the certificate was issued by an unknown authority, the certificate is \
         self-signed; identity: not checked; DANE: not used, not requested"
    );
}

#[test]
fn accepts_https_urls_as_status_pages() {
    let offset = |text: &str| StatusPage::parse(text).map_err(|error| error.offset());
    assert!(offset("HTTPS://status.example.org").is_ok());
    assert_eq!(offset("http://status.example.org/"), Err(0));
    assert_eq!(offset("https://"), Err(8));
    assert_eq!(offset("https:///x"), Err(8));
    assert_eq!(offset("https://a b"), Err(9));
    assert_eq!(offset("https://a\u{1b}[0m"), Err(9));
    assert_eq!(offset("https://\u{fc}.example"), Err(8));
    assert_eq!(offset(&format!("https://{}", "a".repeat(2041))), Err(2048));
    assert!(offset(&format!("https://{}", "a".repeat(2040))).is_ok());
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

#[test]
fn rejects_incomplete_accounts() {
    assert_eq!(error(setup()), (AccountErrorKind::NoServer, None));
    assert_eq!(
        error(setup().pin(b"certificate")),
        (AccountErrorKind::NoServer, None)
    );
    let twice = setup().server(imaps()).server(imaps());
    assert_eq!(error(twice), (AccountErrorKind::DuplicateServer, Some(1)));
    let port = setup().server(imaps().with_port(0));
    assert_eq!(error(port), (AccountErrorKind::Port, Some(0)));
    let found = setup().server(imaps().with_source(HostSource::SecureSrv));
    assert_eq!(error(found), (AccountErrorKind::SrvWithoutDomain, Some(0)));
    let ports = (1..=65).map(|port| imaps().with_port(port));
    let many = ports.fold(setup(), AccountSetup::server);
    assert_eq!(error(many), (AccountErrorKind::TooManyServers, None));
    for text in ["", "a\nb", &"a".repeat(257)] {
        assert_eq!(
            AccountId::try_new(text).unwrap_err().kind(),
            AccountErrorKind::Id
        );
    }
}

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

fn references(rules: Rules, source: HostSource, host: &str) -> Vec<String> {
    let server = Server::new(Service::IMAPS, Host::parse(host).unwrap()).with_source(source);
    let setup = setup()
        .domain(name("example.org"))
        .rules(rules)
        .server(server);
    let account = setup.build().unwrap();
    let references = account.references(&account.servers()[0]);
    references.iter().map(ToString::to_string).collect()
}

/// The names that count: the user's, the mail domain's if it was looked up by SRV, and the target's if DNSSEC secures
/// it or the user confirmed it.
#[test]
fn expects_names_of_trusted_sources_only() {
    let host = "DNS-ID imap.example.net";
    let domain = ["SRV-ID _imaps.example.org", "DNS-ID example.org"];
    let all = [host, domain[0], domain[1]];
    for rules in [Rules::Rfc7817, Rules::Rfc9525, Rules::Rfc6125] {
        let expected = |source| references(rules, source, "imap.example.net");
        assert_eq!(expected(HostSource::User), [host]);
        assert_eq!(expected(HostSource::SecureSrv), all);
        assert_eq!(expected(HostSource::ConfirmedSrv), all);
        assert_eq!(expected(HostSource::InsecureSrv), domain);
        assert_eq!(
            references(rules, HostSource::User, "192.0.2.1"),
            ["IP-ID 192.0.2.1"]
        );
        assert_eq!(
            references(rules, HostSource::User, "[2001:DB8::1]"),
            ["IP-ID 2001:db8::1"]
        );
        let same = references(rules, HostSource::SecureSrv, "example.org");
        assert_eq!(same, ["DNS-ID example.org", "SRV-ID _imaps.example.org"]);
    }
    let rfc3501 = |source| references(Rules::Rfc3501, source, "imap.example.net");
    assert_eq!(rfc3501(HostSource::SecureSrv), [host]);
    assert_eq!(rfc3501(HostSource::InsecureSrv), [""; 0]);
}

#[test]
fn rejects_hosts_that_are_neither_name_nor_address() {
    for text in [
        "[192.0.2.1",
        "fe80::1%eth0",
        "[imap.example.org]",
        "imap.example.org:993",
        "192.0.2.256",
    ] {
        assert!(Host::parse(text).is_err(), "{text}");
    }
    let address = Host::parse("[2001:db8::1]").unwrap();
    assert_eq!(address.to_string(), "2001:db8::1");
    let server = Server::new(Service::SUBMISSION_STARTTLS, address);
    assert_eq!(
        server.to_string(),
        "submission with STARTTLS at [2001:db8::1]:587"
    );
    assert_eq!(imaps().to_string(), "imaps at imap.example.org:993");
}

#[cfg(feature = "serde")]
mod serde {
    use mail_implicit_tls::account::Configuration;
    use serde_json::{Value, json};

    use super::*;

    fn configured(configuration: Value) -> Result<Account, String> {
        serde_json::from_value(configuration).map_err(|error| error.to_string())
    }

    fn minimal() -> Value {
        json!({
            "version": 1,
            "id": "alice",
            "servers": [{
                "service": {"protocol": "imap", "security": "implicit"},
                "host": "IMAP.Bücher.example.",
                "port": 993,
            }],
        })
    }

    fn with(path: &str, value: Value) -> Result<Account, String> {
        let mut configuration = minimal();
        let (parent, key) = path.rsplit_once('/').unwrap();
        configuration.pointer_mut(parent).unwrap()[key] = value;
        configured(configuration)
    }

    #[test]
    fn reads_a_configuration_without_level_as_high() {
        let account = configured(minimal()).unwrap();
        assert_eq!(account.level(), PrivacyLevel::High);
        assert_eq!(
            account.servers()[0].host.to_string(),
            "imap.xn--bcher-kva.example"
        );
        assert_eq!(account.servers()[0].source, HostSource::User);
    }

    #[test]
    fn writes_what_it_reads() {
        let account = setup()
            .low(IGNORE)
            .rules(Rules::Rfc6125)
            .domain(name("example.org"))
            .dane(true)
            .status_page(StatusPage::parse("https://status.example.org/").unwrap())
            .server(imaps().with_address([192, 0, 2, 1].into()))
            .pin(b"certificate")
            .server(
                imaps()
                    .with_port(1993)
                    .with_source(HostSource::ConfirmedSrv),
            )
            .build()
            .unwrap();
        let written = serde_json::to_value(&account).unwrap();
        let pin = json!({
            "account": "alice",
            "host": "imap.example.org",
            "sha256": Fingerprint::of(b"certificate").to_string(),
        });
        let service = json!({"protocol": "imap", "security": "implicit"});
        let expected = json!({
            "version": 1,
            "id": "alice",
            "domain": "example.org",
            "profile": "draft",
            "level": "low",
            "low": {"ignore_certificate": true, "clear_text_fallback": false},
            "rules": "rfc6125",
            "dane": true,
            "status_page": "https://status.example.org/",
            "servers": [
                {"service": service, "host": "imap.example.org", "port": 993, "source": "user",
                    "address": "192.0.2.1", "pins": [pin]},
                {"service": service, "host": "imap.example.org", "port": 1993, "source": "confirmed-srv",
                    "address": null, "pins": []},
            ],
        });
        assert_eq!(written, expected);
        assert_eq!(configured(written), Ok(account));
        assert_eq!(Configuration::VERSION, 1);
    }

    #[test]
    fn rejects_unknown_versions_and_fields() {
        let version = "account.version: 1 expected".to_owned();
        assert_eq!(with("/version", json!(2)), Err(version));
        for path in ["/colour", "/servers/0/colour", "/servers/0/service/colour"] {
            let error = with(path, json!(1)).unwrap_err();
            assert!(
                error.starts_with("unknown field `colour`"),
                "{path}: {error}"
            );
        }
        let error = with("/level", json!("medium")).unwrap_err();
        assert!(error.starts_with("unknown variant `medium`"), "{error}");
        let error = with("/low", json!({"ignore": true})).unwrap_err();
        assert!(error.starts_with("unknown field `ignore`"), "{error}");
    }

    #[test]
    fn checks_what_it_reads() {
        let clear = json!({"protocol": "imap", "security": "clear"});
        let error = with("/servers/0/service", clear);
        let expected = "account.servers[0].service: TLS expected at the high privacy level";
        assert_eq!(error, Err(expected.to_owned()));
        let pin = json!([{"account": "bob", "host": "imap.xn--bcher-kva.example", "sha256": "00".repeat(32)}]);
        let mut foreign = minimal();
        foreign["level"] = json!("low");
        foreign["servers"][0]["pins"] = pin;
        let expected = "account.servers[0].pins: pin belongs to another account or host";
        assert_eq!(configured(foreign), Err(expected.to_owned()));
        for (path, value, expected) in [
            (
                "/servers/0/host",
                json!("a_b"),
                "domain-name: label is not valid in a host name at byte 0",
            ),
            (
                "/id",
                json!(""),
                "account.id: 1 to 256 octets without control characters expected",
            ),
            (
                "/status_page",
                json!("http://x/"),
                "status-page: https URL expected at byte 0",
            ),
            (
                "/servers",
                json!([]),
                "account.servers: at least one server expected",
            ),
        ] {
            assert_eq!(with(path, value), Err(expected.to_owned()));
        }
    }

    /// A configuration can have the fingerprint of a certificate that setup would not pin.
    #[test]
    fn matches_no_certificate_above_the_limit() {
        let large = vec![0; 65_537];
        let judged = |certificate: &[u8]| {
            let mut pinned = minimal();
            pinned["level"] = json!("low");
            pinned["servers"][0]["pins"] = json!([{
                "account": "alice",
                "host": "imap.xn--bcher-kva.example",
                "sha256": Fingerprint::of(certificate).to_string(),
            }]);
            let account = configured(pinned).unwrap();
            mail_implicit_tls::pin::judge(account.servers()[0].pins(), certificate)
        };
        assert_eq!(judged(&large), PinVerdict::Differs);
        assert_eq!(judged(&large[1..]), PinVerdict::Matches);
    }

    #[test]
    fn rejects_fingerprints_of_another_form() {
        assert_eq!(
            Fingerprint::parse(&"aB".repeat(32)).unwrap().to_string(),
            "ab".repeat(32)
        );
        for text in ["", "zz", &"0".repeat(63), &"+1".repeat(32), &"é".repeat(32)] {
            assert!(Fingerprint::parse(text).is_err(), "{text}");
        }
    }
}
