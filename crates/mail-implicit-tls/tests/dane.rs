//! TLSA records against chains of certificates, and `openssl s_client` as an independent judge of the same.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::{slice, sync::Arc, time::Duration};

use mail_implicit_tls::{
    account::{Account, AccountId, AccountSetup, Host, HostSource, Server},
    dane::{DaneRules, MAX_ANCHORS, TlsaJudge},
    dns::{Tlsa, host::TlsaRecords},
    name::DomainName,
    service::Service,
    verdict::{
        CertificateUsage, ChainProblem, ChainVerdict, DaneNotUsed, DaneVerdict, IdentityVerdict,
        RecordFinding, RecordProblem, Verdict,
    },
    verifier::{ServerVerifier, Trust},
};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PublicKeyData, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, UnixTime};
use sha2::{Digest, Sha256, Sha512};

const HOST: &str = "imap.example.org";

/// 2026-06-01
const NOW: u64 = 1_780_272_000;

/// A certificate and its key.
struct Made {
    params: CertificateParams,
    key: KeyPair,
    der: CertificateDer<'static>,
}

impl Made {
    fn key_der(&self) -> Vec<u8> {
        self.key.subject_public_key_info()
    }
}

fn params(common_name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params
        .distinguished_name
        .push(DnType::CommonName, common_name);
    params.not_before = date_time_ymd(2026, 1, 1);
    params.not_after = date_time_ymd(2027, 1, 1);
    params
}

fn authority(name: &str, path_length: BasicConstraints) -> CertificateParams {
    let mut params = params(name);
    params.is_ca = IsCa::Ca(path_length);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn server(names: &[&str]) -> CertificateParams {
    let mut params = CertificateParams::new(
        names
            .iter()
            .map(|name| (*name).to_owned())
            .collect::<Vec<_>>(),
    )
    .unwrap();
    params.not_before = date_time_ymd(2026, 1, 1);
    params.not_after = date_time_ymd(2027, 1, 1);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params
}

fn self_signed(params: CertificateParams) -> Made {
    let key = KeyPair::generate().unwrap();
    let der = params.self_signed(&key).unwrap().der().clone();
    Made { params, key, der }
}

fn issued(params: CertificateParams, by: &Made) -> Made {
    let key = KeyPair::generate().unwrap();
    let issuer = Issuer::from_params(&by.params, &by.key);
    let der = params.signed_by(&key, &issuer).unwrap().der().clone();
    Made { params, key, der }
}

/// A root, an intermediate and a server's certificate for [`HOST`].
struct Chain {
    root: Made,
    intermediate: Made,
    leaf: Made,
}

impl Chain {
    fn new() -> Self {
        Self::of(server(&[HOST]))
    }

    fn of(leaf: CertificateParams) -> Self {
        let root = self_signed(authority("Test Root", BasicConstraints::Unconstrained));
        let intermediate = issued(
            authority("Test Intermediate", BasicConstraints::Unconstrained),
            &root,
        );
        let leaf = issued(leaf, &intermediate);
        Self {
            root,
            intermediate,
            leaf,
        }
    }

    /// The certificates that a server sends: with or without its root.
    fn sent(&self, with_root: bool) -> Vec<CertificateDer<'static>> {
        let mut sent = vec![self.leaf.der.clone(), self.intermediate.der.clone()];
        sent.extend(with_root.then(|| self.root.der.clone()));
        sent
    }
}

fn record(usage: u8, selector: u8, matching_type: u8, made: &Made) -> Tlsa {
    let selected = if selector == 0 {
        made.der.to_vec()
    } else {
        made.key_der()
    };
    let association = match matching_type {
        0 => selected,
        1 => Sha256::digest(selected).to_vec(),
        _ => Sha512::digest(selected).to_vec(),
    };
    Tlsa {
        usage,
        selector,
        matching_type,
        association,
    }
}

fn wrong(usage: u8, selector: u8, matching_type: u8) -> Tlsa {
    let length = if matching_type == 2 { 64 } else { 32 };
    Tlsa {
        usage,
        selector,
        matching_type,
        association: vec![0xab; length],
    }
}

fn account(source: HostSource) -> (Account, Server) {
    let server = Server::new(Service::IMAPS, Host::parse(HOST).unwrap()).with_source(source);
    let id = AccountId::try_new("someone").unwrap();
    (
        AccountSetup::new(id)
            .domain(DomainName::parse("example.com").unwrap())
            .server(server.clone())
            .build()
            .unwrap(),
        server,
    )
}

/// Judges certificates by records, under this trust anchor of the client, or another one.
fn judge_with(
    records: TlsaRecords,
    rules: DaneRules,
    sent: &[CertificateDer<'static>],
    anchor: Option<&Made>,
) -> (Verdict, bool) {
    judge_host(HostSource::User, records, rules, sent, anchor)
}

fn judge_host(
    source: HostSource,
    records: TlsaRecords,
    rules: DaneRules,
    sent: &[CertificateDer<'static>],
    anchor: Option<&Made>,
) -> (Verdict, bool) {
    let other = self_signed(authority("Other Root", BasicConstraints::Unconstrained));
    let trust = Trust::in_certificates([anchor.unwrap_or(&other).der.clone()]).unwrap();
    let (account, server) = account(source);
    let provider = rustls::crypto::ring::default_provider();
    let verifier = ServerVerifier::new(&account, &server, Arc::new(trust), &provider)
        .with_dane(Arc::new(TlsaJudge::new(records, rules)));
    let now = UnixTime::since_unix_epoch(Duration::from_secs(NOW));
    let verdict = verifier.judge(&sent[0], &sent[1..], now);
    let accepted = verifier.accepts(&verdict);
    (verdict, accepted)
}

fn secure(records: &[Tlsa]) -> TlsaRecords {
    TlsaRecords::Records {
        base: DomainName::parse(HOST).unwrap(),
        records: records.to_vec(),
    }
}

fn judge(records: &[Tlsa], rules: DaneRules, sent: &[CertificateDer<'static>]) -> DaneVerdict {
    judge_with(secure(records), rules, sent, None).0.dane
}

const fn matches(usage: CertificateUsage, covers_identity: bool) -> DaneVerdict {
    DaneVerdict::Matches {
        usage,
        covers_identity,
    }
}

fn differs(record: &Tlsa, problem: RecordProblem) -> DaneVerdict {
    DaneVerdict::Differs(vec![finding(record, problem)])
}

fn finding(record: &Tlsa, problem: RecordProblem) -> RecordFinding {
    let Tlsa {
        usage,
        selector,
        matching_type,
        ..
    } = *record;
    RecordFinding {
        usage,
        selector,
        matching_type,
        problem,
    }
}

const BOTH: [DaneRules; 2] = [DaneRules::Rfc6698, DaneRules::Rfc7671];

#[test]
fn accepts_the_servers_own_certificate_and_key() {
    let chain = Chain::new();
    for rules in BOTH {
        for selector in [0, 1] {
            for matching_type in [0, 1, 2] {
                let record = record(3, selector, matching_type, &chain.leaf);
                let (verdict, accepted) =
                    judge_with(secure(&[record]), rules, &chain.sent(false), None);
                let covers = rules == DaneRules::Rfc7671;
                assert_eq!(verdict.dane, matches(CertificateUsage::DaneEe, covers));
                assert!(matches!(verdict.chain, ChainVerdict::Refused(_)));
                assert!(accepted);
            }
        }
    }
}

#[test]
fn ignores_name_and_date_of_usage_3_under_rfc_7671_only() {
    let mut expired = server(&[HOST]);
    expired.not_after = date_time_ymd(2026, 2, 1);
    let mut authority = authority("Self-signed authority", BasicConstraints::Unconstrained);
    authority.subject_alt_names = server(&[HOST]).subject_alt_names;
    let other_name = self_signed(server(&["other.example"]));
    for (made, named) in [
        (self_signed(expired), true),
        (self_signed(authority), true),
        (other_name, false),
    ] {
        let record = record(3, 1, 1, &made);
        let sent = [made.der.clone()];
        let (verdict, accepted) = judge_with(
            secure(slice::from_ref(&record)),
            DaneRules::Rfc7671,
            &sent,
            None,
        );
        assert_eq!(verdict.dane, matches(CertificateUsage::DaneEe, true));
        assert!(accepted);
        let (verdict, accepted) = judge_with(
            secure(slice::from_ref(&record)),
            DaneRules::Rfc6698,
            &sent,
            None,
        );
        if named {
            assert_eq!(verdict.dane, matches(CertificateUsage::DaneEe, false));
        } else {
            assert_eq!(verdict.dane, differs(&record, RecordProblem::Identity));
        }
        assert_eq!(accepted, named);
    }
}

#[test]
fn refuses_what_no_record_names_though_pkix_trusts_it() {
    let chain = Chain::new();
    for rules in BOTH {
        for usage in 0..4 {
            let record = wrong(usage, 1, 1);
            let (verdict, accepted) = judge_with(
                secure(slice::from_ref(&record)),
                rules,
                &chain.sent(false),
                Some(&chain.root),
            );
            assert_eq!(verdict.chain, ChainVerdict::Trusted);
            assert_eq!(verdict.dane, differs(&record, RecordProblem::NoMatch));
            assert!(!accepted);
        }
    }
}

#[test]
fn accepts_any_one_record_that_matches() {
    let chain = Chain::new();
    let records = [wrong(3, 1, 1), record(2, 0, 1, &chain.root), wrong(2, 0, 1)];
    for rules in BOTH {
        assert_eq!(
            judge(&records, rules, &chain.sent(true)),
            matches(CertificateUsage::DaneTa, false)
        );
    }
}

#[test]
fn accepts_anchors_that_the_server_sends() {
    let chain = Chain::new();
    for rules in BOTH {
        for selector in [0, 1] {
            for matching_type in [0, 1, 2] {
                let root = record(2, selector, matching_type, &chain.root);
                assert_eq!(
                    judge(&[root], rules, &chain.sent(true)),
                    matches(CertificateUsage::DaneTa, false)
                );
                let intermediate = record(2, selector, matching_type, &chain.intermediate);
                assert_eq!(
                    judge(&[intermediate], rules, &chain.sent(false)),
                    matches(CertificateUsage::DaneTa, false)
                );
            }
        }
    }
}

#[test]
fn accepts_an_anchor_that_is_not_sent_only_from_the_record_itself() {
    let chain = Chain::new();
    for rules in BOTH {
        let hash = record(2, 0, 1, &chain.root);
        assert_eq!(
            judge(slice::from_ref(&hash), rules, &chain.sent(false)),
            differs(&hash, RecordProblem::NoMatch)
        );
        let full = record(2, 0, 0, &chain.root);
        assert_eq!(
            judge(&[full], rules, &chain.sent(false)),
            matches(CertificateUsage::DaneTa, false)
        );
    }
}

#[test]
fn refuses_a_path_to_an_anchor_that_pkix_would_refuse() {
    let mut expired = server(&[HOST]);
    expired.not_after = date_time_ymd(2026, 2, 1);
    let chain = Chain::of(expired);
    let anchor = record(2, 1, 1, &chain.intermediate);
    let DaneVerdict::Differs(findings) = judge(&[anchor], DaneRules::Rfc7671, &chain.sent(false))
    else {
        panic!("no match expected")
    };
    assert!(
        matches!(findings[0].problem, RecordProblem::Path(_)),
        "{findings:?}"
    );

    let chain = Chain::of(server(&["other.example"]));
    let anchor = record(2, 1, 1, &chain.intermediate);
    assert_eq!(
        judge(
            slice::from_ref(&anchor),
            DaneRules::Rfc7671,
            &chain.sent(false)
        ),
        differs(&anchor, RecordProblem::Identity)
    );
}

#[test]
fn refuses_an_anchor_that_is_no_authority() {
    let root = self_signed(authority("Test Root", BasicConstraints::Unconstrained));
    let no_authority = issued(params("No authority"), &root);
    let leaf = issued(server(&[HOST]), &no_authority);
    let sent = [leaf.der.clone(), no_authority.der.clone()];
    let anchor = record(2, 1, 1, &no_authority);
    assert_eq!(
        judge(slice::from_ref(&anchor), DaneRules::Rfc7671, &sent),
        differs(&anchor, RecordProblem::Path(ChainProblem::IsNotAuthority))
    );

    let mut without_signing = authority("No signing", BasicConstraints::Unconstrained);
    without_signing.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    let without_signing = issued(without_signing, &root);
    let leaf = issued(server(&[HOST]), &without_signing);
    let sent = [leaf.der.clone(), without_signing.der.clone()];
    let anchor = record(2, 1, 1, &without_signing);
    assert_eq!(
        judge(slice::from_ref(&anchor), DaneRules::Rfc7671, &sent),
        differs(&anchor, RecordProblem::Path(ChainProblem::IsNotAuthority))
    );
}

#[test]
fn refuses_an_anchor_whose_path_is_too_long_or_that_expired() {
    let root = self_signed(authority("Short Root", BasicConstraints::Constrained(0)));
    let intermediate = issued(
        authority("Test Intermediate", BasicConstraints::Unconstrained),
        &root,
    );
    let leaf = issued(server(&[HOST]), &intermediate);
    let sent = [leaf.der.clone(), intermediate.der.clone(), root.der.clone()];
    let anchor = record(2, 0, 1, &root);
    assert_eq!(
        judge(slice::from_ref(&anchor), DaneRules::Rfc7671, &sent),
        differs(&anchor, RecordProblem::Path(ChainProblem::PathLength))
    );
    let leaf = issued(server(&[HOST]), &root);
    let sent = [leaf.der.clone(), root.der.clone()];
    assert_eq!(
        judge(&[anchor], DaneRules::Rfc7671, &sent),
        matches(CertificateUsage::DaneTa, false)
    );

    let mut expired = authority("Expired Root", BasicConstraints::Unconstrained);
    expired.not_after = date_time_ymd(2026, 2, 1);
    let expired = self_signed(expired);
    let leaf = issued(server(&[HOST]), &expired);
    let anchor = record(2, 0, 1, &expired);
    assert_eq!(
        judge(
            slice::from_ref(&anchor),
            DaneRules::Rfc7671,
            &[leaf.der.clone(), expired.der.clone()]
        ),
        differs(&anchor, RecordProblem::Path(ChainProblem::IssuerDates))
    );
}

#[test]
fn refuses_the_servers_own_key_as_anchor() {
    let mut both = authority("Self-signed authority", BasicConstraints::Unconstrained);
    both.subject_alt_names = server(&[HOST]).subject_alt_names;
    let both = self_signed(both);
    let anchor = record(2, 1, 1, &both);
    assert_eq!(
        judge(
            slice::from_ref(&anchor),
            DaneRules::Rfc7671,
            slice::from_ref(&both.der)
        ),
        differs(&anchor, RecordProblem::NoMatch)
    );
}

#[test]
fn demands_pkix_beside_usages_0_and_1() {
    let chain = Chain::new();
    for rules in BOTH {
        for (usage, made) in [(0, &chain.intermediate), (1, &chain.leaf)] {
            let kind = if usage == 0 {
                CertificateUsage::PkixTa
            } else {
                CertificateUsage::PkixEe
            };
            let record = record(usage, 1, 1, made);
            let (verdict, accepted) = judge_with(
                secure(slice::from_ref(&record)),
                rules,
                &chain.sent(false),
                Some(&chain.root),
            );
            assert_eq!(verdict.dane, matches(kind, false));
            assert!(accepted);
            let (verdict, accepted) = judge_with(
                secure(slice::from_ref(&record)),
                rules,
                &chain.sent(false),
                None,
            );
            let DaneVerdict::Differs(findings) = verdict.dane else {
                panic!("no match expected")
            };
            assert_eq!(
                findings,
                [finding(
                    &record,
                    RecordProblem::Path(ChainProblem::UnknownIssuer)
                )]
            );
            assert!(!accepted);
        }
    }
}

#[test]
fn finds_the_clients_trust_anchor_for_usage_0() {
    let chain = Chain::new();
    for selector in [0, 1] {
        let record = record(0, selector, 1, &chain.root);
        for sends_root in [false, true] {
            let sent = chain.sent(sends_root);
            let (verdict, _) = judge_with(
                secure(slice::from_ref(&record)),
                DaneRules::Rfc6698,
                &sent,
                Some(&chain.root),
            );
            assert_eq!(verdict.dane, matches(CertificateUsage::PkixTa, false));
        }
    }
}

/// A record of the certificate does not match the key, and the reverse.
#[test]
fn compares_what_the_selector_selects() {
    let chain = Chain::new();
    for usage in 0..4 {
        let subject = match usage {
            0 => &chain.root,
            2 => &chain.intermediate,
            _ => &chain.leaf,
        };
        for selector in [0, 1] {
            let record = Tlsa {
                selector: 1 - selector,
                ..record(usage, selector, 1, subject)
            };
            let (verdict, _) = judge_with(
                secure(slice::from_ref(&record)),
                DaneRules::Rfc6698,
                &chain.sent(false),
                Some(&chain.root),
            );
            assert_eq!(verdict.dane, differs(&record, RecordProblem::NoMatch));
        }
    }
}

/// The client may know a trust anchor by another certificate than the server sends: name and key are what counts.
#[test]
fn accepts_another_certificate_of_the_trust_anchor_for_usage_0() {
    let chain = Chain::new();
    let with = |name: &str, key: &KeyPair| {
        let mut params = authority(name, BasicConstraints::Unconstrained);
        params.serial_number = Some(77_u64.into());
        params.self_signed(key).unwrap().der().clone()
    };
    let stranger = KeyPair::generate().unwrap();
    for (other, is_anchor) in [
        (with("Test Root", &chain.root.key), true),
        (with("Another Root", &chain.root.key), false),
        (with("Test Root", &stranger), false),
    ] {
        let record = Tlsa {
            association: Sha256::digest(&other).to_vec(),
            ..record(0, 0, 1, &chain.root)
        };
        let mut sent = chain.sent(false);
        sent.push(other);
        let (verdict, accepted) = judge_with(
            secure(slice::from_ref(&record)),
            DaneRules::Rfc6698,
            &sent,
            Some(&chain.root),
        );
        let right = match is_anchor {
            true => matches(CertificateUsage::PkixTa, false),
            false => differs(&record, RecordProblem::NoMatch),
        };
        assert_eq!((verdict.dane, accepted), (right, is_anchor));
    }
}

/// Each anchor costs the search for a path.
#[test]
fn tries_a_bounded_number_of_anchors() {
    let chain = Chain::new();
    let others: Vec<_> = (0..MAX_ANCHORS)
        .map(|_| self_signed(authority("Other", BasicConstraints::Unconstrained)))
        .collect();
    let sent = chain.sent(false);
    let with = |others: &[Made]| {
        let records = others.iter().chain([&chain.intermediate]);
        let records: Vec<_> = records.map(|made| record(2, 0, 0, made)).collect();
        judge(&records, DaneRules::Rfc7671, &sent)
    };
    let matched = matches(CertificateUsage::DaneTa, false);
    assert_eq!(with(&others[1..]), matched);
    let DaneVerdict::Differs(findings) = with(&others) else {
        panic!("more anchors than the limit were tried");
    };
    let problems: Vec<_> = findings.iter().map(|it| it.problem).collect();
    let unknown = RecordProblem::Path(ChainProblem::UnknownIssuer);
    let mut right = vec![unknown; MAX_ANCHORS];
    right.push(RecordProblem::Path(ChainProblem::TooLarge));
    assert_eq!(problems, right);
}

#[test]
fn ignores_records_that_are_unusable() {
    let chain = Chain::new();
    let cut = Tlsa {
        association: vec![1; 31],
        ..wrong(3, 1, 1)
    };
    let garbage = Tlsa {
        association: b"garbage".to_vec(),
        ..wrong(3, 0, 0)
    };
    let mut trailing = record(3, 1, 0, &chain.leaf);
    trailing.association.push(0);
    let unusable = [
        (wrong(255, 1, 1), RecordProblem::Usage),
        (wrong(3, 2, 1), RecordProblem::Selector),
        (wrong(3, 1, 3), RecordProblem::MatchingType),
        (cut, RecordProblem::DigestLength),
        (garbage, RecordProblem::Malformed),
        (trailing, RecordProblem::Malformed),
    ];
    let records: Vec<_> = unusable.iter().map(|(record, _)| record.clone()).collect();
    let findings = unusable
        .iter()
        .map(|(record, problem)| finding(record, *problem))
        .collect();
    let (verdict, accepted) = judge_with(
        secure(&records),
        DaneRules::Rfc6698,
        &chain.sent(false),
        Some(&chain.root),
    );
    assert_eq!(
        verdict.dane,
        DaneVerdict::NotUsed(DaneNotUsed::Unusable(findings))
    );
    assert!(accepted);
    let usable = records
        .iter()
        .cloned()
        .chain([record(3, 1, 1, &chain.leaf)])
        .collect::<Vec<_>>();
    assert_eq!(
        judge(&usable, DaneRules::Rfc6698, &chain.sent(false)),
        matches(CertificateUsage::DaneEe, false)
    );
    let wrong_too: Vec<_> = records.into_iter().chain([wrong(3, 1, 1)]).collect();
    assert!(matches!(
        judge(&wrong_too, DaneRules::Rfc6698, &chain.sent(false)),
        DaneVerdict::Differs(findings) if findings.len() == 7
    ));
}

#[test]
fn never_matches_the_digest_of_nothing() {
    let chain = Chain::new();
    for selector in [0, 1] {
        let nothing = Tlsa {
            usage: 3,
            selector,
            matching_type: 1,
            association: Sha256::digest([]).to_vec(),
        };
        assert_eq!(
            judge(
                slice::from_ref(&nothing),
                DaneRules::Rfc7671,
                &chain.sent(false)
            ),
            differs(&nothing, RecordProblem::NoMatch)
        );
    }
}

#[test]
fn prefers_the_strongest_digest_under_rfc_7671() {
    let chain = Chain::new();
    let [weak, strong] = [record(3, 1, 1, &chain.leaf), wrong(3, 1, 2)];
    let records = [weak.clone(), strong.clone()];
    assert_eq!(
        judge(&records, DaneRules::Rfc6698, &chain.sent(false)),
        matches(CertificateUsage::DaneEe, false)
    );
    assert_eq!(
        judge(&records, DaneRules::Rfc7671, &chain.sent(false)),
        DaneVerdict::Differs(vec![
            finding(&weak, RecordProblem::WeakerDigest),
            finding(&strong, RecordProblem::NoMatch)
        ])
    );
    // Another selector is another set, and the full data always counts.
    let other_set = [record(3, 0, 1, &chain.leaf), strong.clone()];
    assert_eq!(
        judge(&other_set, DaneRules::Rfc7671, &chain.sent(false)),
        matches(CertificateUsage::DaneEe, true)
    );
    let full = [record(3, 1, 0, &chain.leaf), strong];
    assert_eq!(
        judge(&full, DaneRules::Rfc7671, &chain.sent(false)),
        matches(CertificateUsage::DaneEe, true)
    );
}

#[test]
fn uses_no_records_that_were_not_looked_up_or_are_insecure() {
    let chain = Chain::new();
    for (records, reason) in [
        (TlsaRecords::NotRequested, DaneNotUsed::NotRequested),
        (TlsaRecords::AddressInsecure, DaneNotUsed::AddressInsecure),
        (TlsaRecords::None, DaneNotUsed::NoRecords),
        (TlsaRecords::Insecure, DaneNotUsed::RecordsInsecure),
    ] {
        for (anchor, trusted) in [(Some(&chain.root), true), (None, false)] {
            let (verdict, accepted) = judge_with(
                records.clone(),
                DaneRules::Rfc6698,
                &chain.sent(false),
                anchor,
            );
            assert_eq!(verdict.dane, DaneVerdict::NotUsed(reason.clone()));
            assert_eq!(accepted, trusted);
        }
    }
}

#[test]
fn accepts_the_base_domain_as_name() {
    let chain = Chain::of(server(&["target.example.net"]));
    let base = DomainName::parse("target.example.net").unwrap();
    let records = TlsaRecords::Records {
        base,
        records: vec![record(2, 1, 1, &chain.intermediate)],
    };
    let (verdict, accepted) = judge_with(records, DaneRules::Rfc7671, &chain.sent(false), None);
    assert_eq!(verdict.dane, matches(CertificateUsage::DaneTa, false));
    assert!(matches!(verdict.identity, IdentityVerdict::Matches { .. }));
    assert!(accepted);
}

/// Whoever forges an SRV record names a host with TLSA records of their own (RFC 7673 section 3.1).
#[test]
fn ignores_records_of_a_host_that_an_insecure_srv_record_names() {
    let chain = Chain::new();
    for rules in BOTH {
        for usage in 0..4 {
            let subject = match usage {
                0 | 2 => &chain.intermediate,
                _ => &chain.leaf,
            };
            let records = secure(&[record(usage, 1, 1, subject)]);
            let judged = |source| {
                let sent = chain.sent(false);
                judge_host(source, records.clone(), rules, &sent, Some(&chain.root))
            };
            let (verdict, accepted) = judged(HostSource::InsecureSrv);
            let reason = DaneNotUsed::SrvInsecure;
            assert_eq!(verdict.dane, DaneVerdict::NotUsed(reason));
            assert!(matches!(verdict.identity, IdentityVerdict::Differs(_)));
            assert!(!accepted, "{rules:?} {usage}");
            for source in [
                HostSource::SecureSrv,
                HostSource::ConfirmedSrv,
                HostSource::Autoconfig,
            ] {
                let (verdict, accepted) = judged(source);
                let is_used = matches!(verdict.dane, DaneVerdict::Matches { .. });
                assert_eq!((is_used, accepted), (true, true), "{source:?} {usage}");
            }
        }
    }
    // Records that contradict the certificate of the mail domain do not count either: PKIX alone decides.
    let chain = Chain::of(server(&["example.com"]));
    let (verdict, accepted) = judge_host(
        HostSource::InsecureSrv,
        secure(&[wrong(3, 1, 1)]),
        DaneRules::Rfc7671,
        &chain.sent(false),
        Some(&chain.root),
    );
    let reason = DaneNotUsed::SrvInsecure;
    assert_eq!(verdict.dane, DaneVerdict::NotUsed(reason));
    assert!(accepted);
}
