//! Accounts as serialized configurations.

use mail_implicit_tls::{
    account::{Account, Configuration, HostSource},
    failure::StatusPage,
    identity::Rules,
    pin::Fingerprint,
    privacy::PrivacyLevel,
    verdict::PinVerdict,
};
use serde_json::{Value, json};

use crate::accounts::{IGNORE, imaps, name, setup};

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
