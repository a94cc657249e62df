//! Verdicts as deep-latch's facts.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests")]

use std::{sync::Arc, time::Duration};

use deep_latch::{
    Host as LatchHost,
    facts::{ChainVerdict as Chain, DaneVerdict as Dane, IdentityVerdict as Identity},
    verifier::{ServerJudge, ServerVerdicts},
};
use mail_implicit_tls::{
    account::{AccountId, AccountSetup, Host, HostSource, LowPrivacy, Server},
    deep::facts,
    identity::Rules,
    name::DomainName,
    received::CipherSuite,
    service::Service,
    verdict::{
        CertificateUsage, ChainVerdict, DaneNotUsed, DaneVerdict, IdentityVerdict, PinVerdict,
        Verdict,
    },
    verifier::{ServerVerifier, Trust},
};
use rustls::{
    crypto::ring,
    pki_types::{CertificateDer, UnixTime},
};
use test_support::pki::{Authority, Certificate};

fn now() -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(1_780_272_000))
}

#[test]
fn passes_each_verdict_on() {
    let verdict = |chain, dane, pin| Verdict {
        chain,
        identity: IdentityVerdict::Differs(Box::default()),
        dane,
        pin,
    };
    let dane = |dane| facts(&verdict(ChainVerdict::Trusted, dane, PinVerdict::NotPinned));
    let expected = ServerVerdicts {
        chain: Chain::Trusted,
        identity: Identity::Differs,
        dane: Dane::NotChecked,
    };
    assert_eq!(dane(DaneVerdict::default()), expected);
    let none = dane(DaneVerdict::NotUsed(DaneNotUsed::NoRecords));
    assert_eq!(none.dane, Dane::NoRecords);
    assert_eq!(dane(DaneVerdict::Differs(Vec::new())).dane, Dane::Differs);
    for (usage, theirs) in [
        (
            CertificateUsage::PkixTa,
            deep_latch::facts::CertificateUsage::PkixTa,
        ),
        (
            CertificateUsage::PkixEe,
            deep_latch::facts::CertificateUsage::PkixEe,
        ),
        (
            CertificateUsage::DaneTa,
            deep_latch::facts::CertificateUsage::DaneTa,
        ),
        (
            CertificateUsage::DaneEe,
            deep_latch::facts::CertificateUsage::DaneEe,
        ),
    ] {
        let matches = DaneVerdict::Matches {
            usage,
            covers_identity: true,
        };
        assert_eq!(dane(matches).dane, Dane::Matches(theirs));
    }
    let refused = ChainVerdict::Refused(Vec::new());
    let refused = facts(&verdict(
        refused,
        DaneVerdict::default(),
        PinVerdict::NotPinned,
    ));
    assert_eq!(refused.chain, Chain::Refused);
    assert_eq!(facts(&Verdict::default()), ServerVerdicts::default());
}

/// A pin latches neither tls-cert nor tls-dane-tlsa.
#[test]
fn refuses_the_chain_of_a_pinned_certificate() {
    for pin in [PinVerdict::Matches, PinVerdict::Differs] {
        let verdict = Verdict {
            chain: ChainVerdict::Trusted,
            dane: DaneVerdict::Matches {
                usage: CertificateUsage::DaneEe,
                covers_identity: true,
            },
            pin,
            ..Verdict::default()
        };
        let expected = ServerVerdicts {
            chain: Chain::Refused,
            identity: Identity::NotChecked,
            dane: Dane::NotChecked,
        };
        assert_eq!(facts(&verdict), expected);
    }
}

/// A certificate with a common name only, which rustls's own rules do not accept.
#[test]
fn judges_its_own_host_by_the_rules_of_the_account() {
    let root = Authority::new("Root");
    let certificate = Certificate::server(&[])
        .common_name("imap.example.org")
        .issue(&root)
        .certificate();
    let server = Server::new(Service::IMAPS, Host::parse("imap.example.org").unwrap());
    let account = AccountSetup::new(AccountId::try_new("alice").unwrap())
        .domain(DomainName::parse("example.org").unwrap())
        .rules(Rules::Rfc6125)
        .server(server.with_source(HostSource::SecureSrv))
        .build()
        .unwrap();
    let trust = Arc::new(Trust::in_certificates([root.certificate()]).unwrap());
    let provider = ring::default_provider();
    let verifier = ServerVerifier::new(&account, &account.servers()[0], trust, &provider);
    let judge = |host: &str| {
        let host = LatchHost::try_new(host).unwrap();
        ServerJudge::judge(&verifier, &host, &certificate, &[], now())
    };
    let trusted = ServerVerdicts {
        chain: Chain::Trusted,
        identity: Identity::Matches,
        dane: Dane::NotChecked,
    };
    assert_eq!(judge("imap.example.org"), trusted);
    assert_eq!(judge("IMAP.example.org"), trusted);
    assert_eq!(judge("smtp.example.org"), ServerVerdicts::default());
}

#[test]
fn judges_a_pinned_server_as_refused() {
    let certificate = CertificateDer::from(&b"pinned"[..]);
    let account = AccountSetup::new(AccountId::try_new("alice").unwrap())
        .low(LowPrivacy::default())
        .server(Server::new(
            Service::IMAPS,
            Host::parse("192.0.2.1").unwrap(),
        ))
        .pin(&certificate)
        .build()
        .unwrap();
    let provider = ring::default_provider();
    let trust = Arc::new(Trust::none());
    let verifier = ServerVerifier::new(&account, &account.servers()[0], trust, &provider);
    let judge = |host: &str| {
        let host = LatchHost::try_new(host).unwrap();
        ServerJudge::judge(&verifier, &host, &certificate, &[], now()).chain
    };
    assert_eq!(judge("192.0.2.1"), Chain::Refused);
    assert_eq!(judge("192.0.2.2"), Chain::NotChecked);
}

#[test]
fn reads_each_cipher_of_deep_latch() {
    for text in ["TLS_AES_128_GCM_SHA256", "0x1301"] {
        let cipher = deep_latch::TlsCipher::parse(text).unwrap();
        assert_eq!(CipherSuite::try_from(&cipher), CipherSuite::parse(text));
    }
}
