//! Every combination of verdicts, by what must hold whatever the table says.

#![allow(
    missing_docs,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "tests"
)]

mod support;

use authres_tls::{
    AuthenticationResults, Options, Policy, Session, TlsResInfo,
    facts::{
        CertificateFields, ChainVerdict, ClientCertificate, DaneVerdict, HostVerdict, LocalVerdict,
        PresentedCertificate, TlsSession,
    },
    policy::{Disclosure, FingerprintOf, Outweigh, TlsReport, rate_strength},
    tls::dn::DistinguishedName,
    tls::san::AltNames,
    tls::{CipherSuite, ProtocolVersion, Strength, TlsProperty, TlsResult, Verification},
};

use support::*;

#[test]
fn passes_only_with_voucher_and_host_and_without_refusal() {
    let mut passed = 0;
    each(|facts, report| {
        let (chain, host, dane, local, outweigh) = facts;
        if report.result != TlsResult::Pass {
            return;
        }
        passed += 1;
        assert_eq!(host, HostVerdict::Match, "{facts:?}");
        let vouched = chain == ChainVerdict::Trusted
            || dane == DaneVerdict::Match
            || local == LocalVerdict::Accepted;
        assert!(vouched, "{facts:?}");
        let against = [DaneVerdict::Mismatch, DaneVerdict::Unavailable];
        assert!(!against.contains(&dane), "{facts:?}");
        assert_ne!(local, LocalVerdict::Refused, "{facts:?}");
        let mut outweighed = vec![ChainVerdict::NotChecked, ChainVerdict::Trusted];
        if outweigh != Outweigh::Nothing {
            outweighed.extend([ChainVerdict::SelfSigned, ChainVerdict::UnknownIssuer]);
        }
        if outweigh == Outweigh::IssuerAndValidity {
            outweighed.extend([
                ChainVerdict::Expired,
                ChainVerdict::NotYetValid,
                ChainVerdict::WrongPurpose,
            ]);
        }
        assert!(outweighed.contains(&chain), "{facts:?}");
    });
    assert!(passed > 0);
}

#[test]
fn passes_never_because_of_unknown_fact() {
    each(|facts, report| {
        let (chain, host, dane, local, outweigh) = facts;
        if report.result == TlsResult::Pass {
            return;
        }
        // To forget a good word never makes it pass.
        let forgotten = [
            (
                chain == ChainVerdict::Trusted,
                (ChainVerdict::NotChecked, host, dane, local, outweigh),
            ),
            (
                host == HostVerdict::Match,
                (chain, HostVerdict::NotChecked, dane, local, outweigh),
            ),
            (
                dane == DaneVerdict::Match,
                (chain, host, DaneVerdict::NotChecked, local, outweigh),
            ),
            (
                local == LocalVerdict::Accepted,
                (chain, host, dane, LocalVerdict::NotChecked, outweigh),
            ),
        ];
        for (good, forgotten) in forgotten {
            let passes = self::report(forgotten).result == TlsResult::Pass;
            assert!(!good || !passes, "{facts:?}");
        }
    });
    let nothing = (
        ChainVerdict::NotChecked,
        HostVerdict::NotChecked,
        DaneVerdict::NotChecked,
        LocalVerdict::NotChecked,
        Outweigh::IssuerAndValidity,
    );
    let report = report(nothing);
    assert_eq!(report.result, TlsResult::PermError);
    assert_eq!(report.comment, Some("client certificate not checked"));
}

#[test]
fn keeps_pass_when_fact_becomes_better() {
    each(|facts, report| {
        let (chain, host, dane, local, outweigh) = facts;
        if report.result != TlsResult::Pass {
            return;
        }
        for better in [
            (ChainVerdict::Trusted, host, dane, local, outweigh),
            (chain, host, DaneVerdict::Match, local, outweigh),
            (chain, host, dane, LocalVerdict::Accepted, outweigh),
            (chain, host, dane, local, Outweigh::IssuerAndValidity),
        ] {
            let result = self::report(better).result;
            assert_eq!(result, TlsResult::Pass, "{facts:?} to {better:?}");
        }
    });
}

#[test]
fn returns_each_result_as_draft_defines_it() {
    let mut results = Vec::new();
    each(|facts, report| {
        let (chain, host, dane, local, outweigh) = facts;
        results.push(report.result);
        let vouched = dane == DaneVerdict::Match || local == LocalVerdict::Accepted;
        match report.result {
            TlsResult::None => panic!("not in clear: {facts:?}"),
            TlsResult::Pass => assert_eq!(report.comment, None, "{facts:?}"),
            TlsResult::InvalidHost => assert_eq!(host, HostVerdict::Mismatch, "{facts:?}"),
            TlsResult::SelfSigned => {
                assert_eq!(chain, ChainVerdict::SelfSigned, "{facts:?}");
                assert!(!vouched || outweigh == Outweigh::Nothing, "{facts:?}");
            }
            TlsResult::Fail => {
                let against = dane == DaneVerdict::Mismatch || local == LocalVerdict::Refused;
                let sound = [
                    ChainVerdict::NotChecked,
                    ChainVerdict::Trusted,
                    ChainVerdict::SelfSigned,
                    ChainVerdict::RevocationUnavailable,
                    ChainVerdict::Unavailable,
                ];
                assert!(against || !sound.contains(&chain), "{facts:?}");
                assert!(report.comment.is_some(), "{facts:?}");
            }
            TlsResult::TempError => {
                let later = [
                    ChainVerdict::RevocationUnavailable,
                    ChainVerdict::Unavailable,
                ];
                let later = dane == DaneVerdict::Unavailable || later.contains(&chain);
                assert!(later, "{facts:?}");
                assert!(report.comment.is_some(), "{facts:?}");
            }
            TlsResult::PermError => {
                let unchecked = chain == ChainVerdict::NotChecked && !vouched;
                assert!(unchecked || host == HostVerdict::NotChecked, "{facts:?}");
                assert!(report.comment.is_some(), "{facts:?}");
            }
        }
    });
    for result in TlsResult::ALL {
        let seen = results.contains(&result);
        assert_eq!(seen, result != TlsResult::None, "{result}");
    }
}

#[test]
fn fails_with_any_verdict_against_certificate() {
    each(|facts, report| {
        let (chain, _, dane, local, _) = facts;
        let against = [
            ChainVerdict::Revoked,
            ChainVerdict::BadSignature,
            ChainVerdict::Malformed,
            ChainVerdict::NotAccepted,
        ];
        if local == LocalVerdict::Refused
            || dane == DaneVerdict::Mismatch
            || against.contains(&chain)
        {
            assert_eq!(report.result, TlsResult::Fail, "{facts:?}");
        }
    });
}

#[test]
fn reports_no_verdict_for_unavailable_facts() {
    each(|facts, report| {
        let (chain, _, dane, local, _) = facts;
        let against = local == LocalVerdict::Refused || dane == DaneVerdict::Mismatch;
        let later = [
            ChainVerdict::RevocationUnavailable,
            ChainVerdict::Unavailable,
        ];
        if later.contains(&chain) && !against {
            assert_eq!(report.result, TlsResult::TempError, "{facts:?}");
        }
        if dane == DaneVerdict::Unavailable {
            let decided = [
                TlsResult::Pass,
                TlsResult::InvalidHost,
                TlsResult::PermError,
            ];
            assert!(!decided.contains(&report.result), "{facts:?}");
        }
    });
}

#[test]
fn writes_voucher_as_cert_verif() {
    each(|facts, report| {
        let (chain, _, dane, local, _) = facts;
        let verif = value(report, TlsProperty::CertVerif);
        match report.result {
            TlsResult::Pass | TlsResult::InvalidHost => assert!(verif.is_some(), "{facts:?}"),
            TlsResult::PermError => {
                let host_only = report.comment == Some("host identity not checked");
                assert_eq!(verif.is_some(), host_only, "{facts:?}");
            }
            _ => assert_eq!(verif, None, "{facts:?}"),
        }
        match verif {
            Some("CA") => assert_eq!(chain, ChainVerdict::Trusted, "{facts:?}"),
            Some("DANE") => {
                assert_eq!(dane, DaneVerdict::Match, "{facts:?}");
                assert_ne!(chain, ChainVerdict::Trusted, "{facts:?}");
            }
            Some("LOCAL") => {
                assert_eq!(local, LocalVerdict::Accepted, "{facts:?}");
                assert_ne!(dane, DaneVerdict::Match, "{facts:?}");
                assert_ne!(chain, ChainVerdict::Trusted, "{facts:?}");
            }
            other => assert_eq!(other, None, "{facts:?}"),
        }
    });
    let names = Verification::ALL.map(Verification::name);
    assert_eq!(names, ["CA", "DANE", "LOCAL"]);
}

/// By the simplest of all writers.
fn field(report: &TlsReport) -> String {
    let mut field = format!("mx.example.net; tls={}", report.result);
    if let Some(comment) = report.comment {
        field.push_str(&format!(" ({comment})"));
    }
    for (property, value) in &report.properties {
        let value = value.replace('\\', "\\\\").replace('"', "\\\"");
        field.push_str(&format!(" {property}=\"{value}\""));
    }
    field
}

#[test]
fn reads_every_report_back_without_lint() {
    each(|facts, report| {
        let field = field(report);
        let header = AuthenticationResults::parse(field.as_bytes(), &Options::strict()).unwrap();
        let tls = TlsResInfo::all(&header).next().unwrap().unwrap();
        assert_eq!(tls.result(), Some(report.result), "{facts:?}");
        assert_eq!(tls.diagnostics().next(), None, "{field}");
        assert_eq!(TlsResInfo::lint_all(&header).next(), None, "{field}");
        let names: Vec<_> = report.properties.iter().map(|(it, _)| *it).collect();
        assert!(names.is_sorted_by(|a, b| a < b), "{facts:?}");
    });
}

#[test]
fn reports_no_certificate_and_no_pass_without_certificate() {
    for (client, comment) in [
        (ClientCertificate::Unknown, "client certificate not known"),
        (
            ClientCertificate::NotRequested,
            "client certificate not requested",
        ),
        (
            ClientCertificate::NotPresented,
            "no client certificate presented",
        ),
    ] {
        let report = Policy::default().evaluate(&over_tls(client));
        let properties = vec![
            (TlsProperty::TlsV, "TLS1.3".into()),
            (TlsProperty::KeyCiphersuite, "TLS_AES_128_GCM_SHA256".into()),
            (TlsProperty::KeyLength, "128".into()),
            (TlsProperty::KeyStrength, "high".into()),
        ];
        let expected = TlsReport {
            result: TlsResult::PermError,
            comment: Some(comment),
            properties,
        };
        assert_eq!(report, expected);
    }
}

#[test]
fn returns_none_in_clear_and_for_cipher_without_encryption() {
    let none = |comment| TlsReport {
        result: TlsResult::None,
        comment,
        properties: Vec::new(),
    };
    let report = Policy::default().evaluate(&Session::Clear);
    assert_eq!(report, none(None));
    for suite in [
        "TLS_RSA_WITH_NULL_SHA256",
        "TLS_SHA256_SHA256",
        "TLS_NULL_WITH_NULL_NULL",
    ] {
        let trusted = PresentedCertificate {
            fields: fields("smtp.example.com"),
            chain: ChainVerdict::Trusted,
            host: HostVerdict::Match,
            ..PresentedCertificate::default()
        };
        let session = Session::Tls(TlsSession {
            cipher_suite: CipherSuite::from_description(suite),
            client: trusted.into(),
            ..TlsSession::default()
        });
        let report = Policy::default().evaluate(&session);
        assert_eq!(report, none(Some("cipher without encryption")), "{suite}");
    }
}

/// The properties that tell of a certificate.
fn disclosed(disclosure: Disclosure) -> Vec<(&'static str, String)> {
    let trusted = PresentedCertificate {
        fields: fields("smtp.example.com"),
        chain: ChainVerdict::Trusted,
        host: HostVerdict::Match,
        ..PresentedCertificate::default()
    };
    let policy = Policy {
        disclosure,
        strength: |_| None,
        ..Policy::default()
    };
    let report = policy.evaluate(&over_tls(trusted.into()));
    let of_certificate =
        |it: TlsProperty| it.ptype() == "cert" || it == TlsProperty::KeyFingerprint;
    let properties = report.properties.into_iter();
    properties
        .filter(|(property, _)| of_certificate(*property))
        .map(|(property, value)| (property.name(), value))
        .collect()
}

#[test]
fn writes_only_disclosed_properties() {
    let key = ["02"; 32].join(":");
    let certificate = ["01"; 32].join(":");
    let all = [
        ("cert.client", "CN=smtp.example.com"),
        ("cert.server", "CN=mx.example.net"),
        ("cert.clientalt", "DNS:smtp.example.com"),
        ("cert.serveralt", "DNS:mx.example.net"),
        ("cert.clientissuer", "CN=CA of smtp.example.com"),
        ("cert.serverissuer", "CN=CA of mx.example.net"),
        ("cert.verif", "CA"),
        ("key.fingerprint", certificate.as_str()),
    ]
    .map(|(name, value)| (name, value.to_owned()));
    let everything = Disclosure {
        server: true,
        fingerprint: Some(FingerprintOf::Certificate),
        ..Disclosure::CLIENT
    };
    assert_eq!(disclosed(everything), all);
    let only = |names: &[&str]| -> Vec<_> {
        let all = all.iter().cloned();
        all.filter(|(name, _)| names.contains(name)).collect()
    };
    let mut client = only(&[
        "cert.client",
        "cert.clientalt",
        "cert.clientissuer",
        "cert.verif",
    ]);
    client.push(("key.fingerprint", key));
    assert_eq!(disclosed(Disclosure::default()), client);
    let subject = only(&["cert.client", "cert.verif"]);
    assert_eq!(disclosed(Disclosure::SUBJECT), subject);
    assert_eq!(disclosed(Disclosure::NOTHING), only(&["cert.verif"]));
}

#[test]
fn rates_strength_only_by_known_facts() {
    let suites = [
        None,
        Some("TLS_RSA_WITH_RC4_128_SHA"),
        Some("TLS_RSA_WITH_AES_128_CBC_SHA"),
        Some("TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA"),
        Some("TLS_RSA_WITH_AES_128_GCM_SHA256"),
        Some("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"),
        Some("TLS_AES_128_GCM_SHA256"),
    ];
    let (low, medium) = (Some(Strength::Low), Some(Strength::Medium));
    let versions = [None].into_iter().chain(ProtocolVersion::ALL.map(Some));
    for version in versions {
        for key_bits in [None, Some(127), Some(128)] {
            let rated = suites.map(|suite| {
                rate_strength(&TlsSession {
                    version,
                    key_bits,
                    cipher_suite: suite.and_then(CipherSuite::from_description),
                    ..TlsSession::default()
                })
            });
            let expected = match version {
                _ if key_bits == Some(127) => [low; 7],
                None => [None, low, None, None, None, None, None],
                Some(ProtocolVersion::Ssl2_0 | ProtocolVersion::Ssl3_0) => [low; 7],
                Some(version) => {
                    let modern = version >= ProtocolVersion::Tls1_2;
                    let best = if modern { Some(Strength::High) } else { medium };
                    [None, low, medium, medium, medium, best, best]
                }
            };
            assert_eq!(rated, expected, "{version:?} {key_bits:?}");
        }
    }
}
