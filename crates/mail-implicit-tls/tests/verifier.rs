//! The verifier of rustls: chains, names under the constraints of a path, revocation, pins, DANE's place, sessions.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests"
)]

use std::{
    sync::{
        Arc, LazyLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use mail_implicit_tls::{
    account::{Account, AccountId, AccountSetup, Host, HostSource, LowPrivacy, Server},
    identity::{Disregarded, PresentedIdentity, ReferenceIdentity, Rules},
    name::DomainName,
    service::Service,
    verdict::{
        CertificateUsage, ChainProblem, ChainVerdict, DaneNotUsed, DaneVerdict, IdentityVerdict,
        PinVerdict, Verdict,
    },
    verifier::{
        DaneJudge, DaneJudgement, Revocation, RevocationDepth, ServerCertificates, ServerVerifier,
        Trust, TrustError, client_config, server_name, verdict_of,
    },
};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer,
    CustomExtension, DistinguishedName, DnType, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa,
    KeyIdMethod, KeyPair, KeyUsagePurpose, NameConstraints, RevokedCertParams, SerialNumber,
    date_time_ymd,
};
use rustls::{
    ClientConfig, ClientConnection, HandshakeKind, ServerConfig, ServerConnection,
    client::danger::ServerCertVerifier,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivatePkcs8KeyDer, UnixTime},
};

/// 2026-06-01
const NOW: u64 = 1_780_272_000;

type Issuer = CertifiedIssuer<'static, KeyPair>;

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn key() -> KeyPair {
    KeyPair::generate().unwrap()
}

fn at(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn root() -> Issuer {
    CertifiedIssuer::self_signed(authority("Root"), key()).unwrap()
}

static ROOT: LazyLock<Issuer> = LazyLock::new(root);

fn intermediate(params: CertificateParams) -> Issuer {
    CertifiedIssuer::signed_by(params, key(), &*ROOT).unwrap()
}

fn constrained(name: &str, permitted: &str) -> Issuer {
    let mut params = authority(name);
    params.name_constraints = Some(NameConstraints {
        permitted_subtrees: vec![GeneralSubtree::DnsName(permitted.into())],
        excluded_subtrees: Vec::new(),
    });
    intermediate(params)
}

fn named(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().copied().map(str::to_owned).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name = DistinguishedName::new();
    params
}

/// A certificate whose only name is an SRV-ID.
fn srv(name: &str) -> CertificateParams {
    let text = [&[0x16, u8::try_from(name.len()).unwrap()], name.as_bytes()].concat();
    let explicit = [&[0xa0, u8::try_from(text.len()).unwrap()], &text[..]].concat();
    let oid = [0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x08, 0x07];
    let other = [&oid[..], &explicit].concat();
    let name = [&[0xa0, u8::try_from(other.len()).unwrap()], &other[..]].concat();
    let names = [&[0x30, u8::try_from(name.len()).unwrap()], &name[..]].concat();
    let mut params = named(&[]);
    params.custom_extensions = vec![CustomExtension::from_oid_content(&[2, 5, 29, 17], names)];
    params
}

fn common(name: &str) -> CertificateParams {
    let mut params = named(&[]);
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn issued(params: &CertificateParams, issuer: &Issuer) -> CertificateDer<'static> {
    params.signed_by(&key(), issuer).unwrap().der().clone()
}

fn trust() -> Arc<Trust> {
    Arc::new(Trust::in_certificates([ROOT.der().clone()]).unwrap())
}

fn domain() -> DomainName {
    DomainName::parse("example.org").unwrap()
}

fn imaps() -> Server {
    Server::new(Service::IMAPS, Host::parse("imap.example.org").unwrap())
}

fn setup(id: &str) -> AccountSetup {
    AccountSetup::new(AccountId::try_new(id).unwrap()).domain(domain())
}

fn account(rules: Rules, source: HostSource) -> Account {
    let setup = setup("alice").rules(rules);
    setup.server(imaps().with_source(source)).build().unwrap()
}

fn verifier(account: &Account) -> ServerVerifier {
    ServerVerifier::new(account, &account.servers()[0], trust(), &provider())
}

/// An account whose host the user typed.
fn typed() -> ServerVerifier {
    verifier(&account(Rules::Rfc7817, HostSource::User))
}

fn judge(end_entity: &CertificateDer<'_>, others: &[&Issuer]) -> Verdict {
    let others: Vec<_> = others.iter().map(|it| it.der().clone()).collect();
    typed().judge(end_entity, &others, at(NOW))
}

fn is_named(verdict: &Verdict) -> bool {
    matches!(verdict.identity, IdentityVerdict::Matches { .. })
}

fn problems(verdict: &Verdict) -> &[ChainProblem] {
    match &verdict.chain {
        ChainVerdict::Refused(problems) => problems,
        ChainVerdict::Trusted | ChainVerdict::NotChecked => &[],
    }
}

#[test]
fn judges_chain_and_names_apart() {
    let (ours, other) = (named(&["imap.example.org"]), named(&["imap.example.net"]));
    let stranger = CertifiedIssuer::self_signed(authority("Stranger"), key()).unwrap();
    let verdict = judge(&issued(&ours, &ROOT), &[]);
    assert_eq!(verdict.chain, ChainVerdict::Trusted);
    assert!(is_named(&verdict) && verdict.is_verified());
    let verdict = judge(&issued(&other, &ROOT), &[]);
    assert_eq!(verdict.chain, ChainVerdict::Trusted);
    assert!(!is_named(&verdict) && !verdict.is_verified());
    let verdict = judge(&issued(&ours, &stranger), &[&stranger]);
    assert_eq!(problems(&verdict), [ChainProblem::UnknownIssuer]);
    assert!(is_named(&verdict) && !verdict.is_verified());
}

#[test]
fn reports_issuer_and_name_together() {
    let stranger = CertifiedIssuer::self_signed(authority("Stranger"), key()).unwrap();
    let certificate = issued(&named(&["imap.example.net"]), &stranger);
    assert_eq!(
        judge(&certificate, &[&stranger]).to_string(),
        "chain: the certificate was issued by an unknown authority; identity: expected DNS-ID imap.example.org but the \
         certificate has DNS-ID imap.example.net; DANE: not used, not requested"
    );
}

fn dated(from: i32, until: i32) -> CertificateParams {
    let mut params = named(&["imap.example.net"]);
    params.not_before = date_time_ymd(from, 1, 1);
    params.not_after = date_time_ymd(until, 1, 1);
    params
}

/// 2025-01-01 and 2027-01-01.
const NEW_YEARS: [Duration; 2] = [
    Duration::from_secs(1_735_689_600),
    Duration::from_secs(1_798_761_600),
];

#[test]
fn reports_date_and_name_together() {
    let verdict = judge(&issued(&dated(2020, 2025), &ROOT), &[]);
    let [not_after, not_before] = NEW_YEARS;
    assert_eq!(problems(&verdict), [ChainProblem::Expired { not_after }]);
    assert!(matches!(verdict.identity, IdentityVerdict::Differs(_)));
    let verdict = judge(&issued(&dated(2027, 2028), &ROOT), &[]);
    assert_eq!(
        problems(&verdict),
        [ChainProblem::NotYetValid { not_before }]
    );
    let stranger = CertifiedIssuer::self_signed(authority("Stranger"), key()).unwrap();
    let verdict = judge(&issued(&dated(2020, 2025), &stranger), &[&stranger]);
    assert!(problems(&verdict).contains(&ChainProblem::Expired { not_after }));
}

#[test]
fn reports_dates_of_authorities() {
    let mut params = authority("Old");
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2025, 1, 1);
    let old = intermediate(params);
    let verdict = judge(&issued(&named(&["imap.example.org"]), &old), &[&old]);
    assert_eq!(problems(&verdict), [ChainProblem::IssuerDates]);
}

#[test]
fn reports_a_missing_intermediate() {
    let middle = intermediate(authority("Intermediate"));
    let certificate = issued(&named(&["imap.example.org"]), &middle);
    assert_eq!(judge(&certificate, &[&middle]).chain, ChainVerdict::Trusted);
    let expected = [
        ChainProblem::UnknownIssuer,
        ChainProblem::IntermediateMissing,
    ];
    assert_eq!(problems(&judge(&certificate, &[])), expected);
}

#[test]
fn reports_self_signed_certificates() {
    let certificate = named(&["imap.example.org"]).self_signed(&key()).unwrap();
    let expected = [ChainProblem::UnknownIssuer, ChainProblem::SelfSigned];
    assert_eq!(problems(&judge(certificate.der(), &[])), expected);
    let mut authority = authority("imap.example.org");
    authority.subject_alt_names = named(&["imap.example.org"]).subject_alt_names;
    let certificate = authority.self_signed(&key()).unwrap();
    let verdict = judge(certificate.der(), &[]);
    assert_eq!(
        problems(&verdict),
        [ChainProblem::IsAuthority, ChainProblem::SelfSigned]
    );
    assert!(is_named(&verdict));
}

/// A missing extended key usage permits all uses, `anyExtendedKeyUsage` does not stand for server authentication (as
/// webpki has it).
#[test]
fn demands_server_authentication_of_an_extended_key_usage() {
    let with = |purposes: &[ExtendedKeyUsagePurpose]| {
        let mut params = named(&["imap.example.org"]);
        params.extended_key_usages = purposes.to_vec();
        judge(&issued(&params, &ROOT), &[])
    };
    use ExtendedKeyUsagePurpose::{Any, ClientAuth, ServerAuth};
    assert_eq!(with(&[]).chain, ChainVerdict::Trusted);
    assert_eq!(with(&[ServerAuth]).chain, ChainVerdict::Trusted);
    assert_eq!(with(&[ClientAuth, ServerAuth]).chain, ChainVerdict::Trusted);
    assert_eq!(problems(&with(&[ClientAuth])), [ChainProblem::Purpose]);
    assert_eq!(problems(&with(&[Any])), [ChainProblem::Purpose]);
}

fn disregarded(verdict: &Verdict) -> Vec<Disregarded> {
    match &verdict.identity {
        IdentityVerdict::Differs(mismatch) => mismatch
            .disregarded
            .iter()
            .map(|(_, reason)| *reason)
            .collect(),
        IdentityVerdict::Matches { .. } | IdentityVerdict::NotChecked => Vec::new(),
    }
}

/// webpki applies constraints to dNSName only: a chain with an SRV-ID that violates them is fine to it.
#[test]
fn rejects_srv_ids_that_violate_name_constraints() {
    let verifier = verifier(&account(Rules::Rfc7817, HostSource::SecureSrv));
    let judge = |issuer: &Issuer| {
        let certificate = issued(&srv("_imaps.example.org"), issuer);
        verifier.judge(&certificate, &[issuer.der().clone()], at(NOW))
    };
    assert!(judge(&intermediate(authority("Free"))).is_verified());
    assert!(judge(&constrained("Ours", "example.org")).is_verified());
    let verdict = judge(&constrained("Other", "example.net"));
    assert_eq!(verdict.chain, ChainVerdict::Trusted);
    assert_eq!(disregarded(&verdict), [Disregarded::NameConstraints]);
    assert!(!verdict.is_verified());
}

#[test]
fn rejects_common_names_that_violate_name_constraints() {
    let verifier = verifier(&account(Rules::Rfc6125, HostSource::User));
    let judge = |issuer: &Issuer| {
        let certificate = issued(&common("imap.example.org"), issuer);
        verifier.judge(&certificate, &[issuer.der().clone()], at(NOW))
    };
    assert!(judge(&intermediate(authority("Free"))).is_verified());
    assert!(judge(&constrained("Ours", "imap.example.org")).is_verified());
    let verdict = judge(&constrained("Other", "example.net"));
    assert_eq!(verdict.chain, ChainVerdict::Trusted);
    assert_eq!(disregarded(&verdict), [Disregarded::NameConstraints]);
}

/// Constraints of the trust anchor itself count too.
#[test]
fn applies_name_constraints_of_the_trust_anchor() {
    let mut params = authority("Constrained root");
    params.name_constraints = Some(NameConstraints {
        permitted_subtrees: vec![GeneralSubtree::DnsName("example.net".into())],
        excluded_subtrees: Vec::new(),
    });
    let root = CertifiedIssuer::self_signed(params, key()).unwrap();
    let trust = Arc::new(Trust::in_certificates([root.der().clone()]).unwrap());
    let account = account(Rules::Rfc6125, HostSource::SecureSrv);
    let verifier = ServerVerifier::new(&account, &account.servers()[0], trust, &provider());
    for params in [srv("_imaps.example.org"), common("imap.example.org")] {
        let verdict = verifier.judge(&issued(&params, &root), &[], at(NOW));
        assert_eq!(verdict.chain, ChainVerdict::Trusted);
        assert_eq!(disregarded(&verdict), [Disregarded::NameConstraints]);
    }
    let dns = issued(&named(&["imap.example.org"]), &root);
    let verdict = verifier.judge(&dns, &[], at(NOW));
    assert_eq!(problems(&verdict), [ChainProblem::NameConstraints]);
}

/// Two certificates of one authority, of which one is constrained: the path that permits the name counts, in either
/// order.
#[test]
fn finds_the_path_that_permits_a_name() {
    let key_of = |params: CertificateParams, key: KeyPair| {
        CertifiedIssuer::signed_by(params, key, &*ROOT).unwrap()
    };
    let shared = key();
    let pem = shared.serialize_der();
    let copy = || KeyPair::try_from(pem.as_slice()).unwrap();
    let free = key_of(authority("Cross"), shared);
    let mut params = authority("Cross");
    params.name_constraints = Some(NameConstraints {
        permitted_subtrees: vec![GeneralSubtree::DnsName("example.net".into())],
        excluded_subtrees: Vec::new(),
    });
    let narrow = key_of(params, copy());
    let certificate = issued(&srv("_imaps.example.org"), &free);
    let verifier = verifier(&account(Rules::Rfc7817, HostSource::SecureSrv));
    let (free, narrow) = (free.der().clone(), narrow.der().clone());
    for others in [[narrow.clone(), free.clone()], [free, narrow]] {
        assert!(verifier.judge(&certificate, &others, at(NOW)).is_verified());
    }
}

fn crl(
    issuer: &Issuer,
    revoked: &[u64],
    until: i32,
    point: Option<&str>,
) -> rcgen::CertificateRevocationList {
    let revoked = revoked.iter().map(|serial| RevokedCertParams {
        serial_number: SerialNumber::from(*serial),
        revocation_time: date_time_ymd(2026, 1, 2),
        reason_code: None,
        invalidity_date: None,
    });
    let point = point.map(|uri| rcgen::CrlIssuingDistributionPoint {
        distribution_point: rcgen::CrlDistributionPoint {
            uris: vec![uri.to_owned()],
        },
        scope: None,
    });
    let params = CertificateRevocationListParams {
        this_update: date_time_ymd(2026, 1, 1),
        next_update: date_time_ymd(until, 2, 1),
        crl_number: SerialNumber::from(1),
        issuing_distribution_point: point,
        revoked_certs: revoked.collect(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    params.signed_by(issuer).unwrap()
}

fn serial(serial: u64, point: Option<&str>) -> CertificateParams {
    let mut params = named(&["imap.example.org"]);
    params.serial_number = Some(SerialNumber::from(serial));
    let points = point.map(|uri| rcgen::CrlDistributionPoint {
        uris: vec![uri.to_owned()],
    });
    params.crl_distribution_points = points.into_iter().collect();
    params
}

fn with_revocation(
    lists: &[rcgen::CertificateRevocationList],
    policy: Revocation,
    certificate: &CertificateParams,
) -> Verdict {
    let trust = Trust::in_certificates([ROOT.der().clone()]).unwrap();
    let lists = lists.iter().map(|list| list.der().clone());
    let trust = Arc::new(trust.with_revocation(lists, policy).unwrap());
    let account = account(Rules::Rfc7817, HostSource::User);
    let verifier = ServerVerifier::new(&account, &account.servers()[0], trust, &provider());
    verifier.judge(&issued(certificate, &ROOT), &[], at(NOW))
}

#[test]
fn follows_the_policy_of_revocation() {
    let strict = Revocation::default();
    let lax = Revocation {
        depth: RevocationDepth::EndEntity,
        allow_unknown: true,
        allow_expired: true,
    };
    let list = || crl(&ROOT, &[7], 2027, None);
    let revoked = with_revocation(&[list()], strict, &serial(7, None));
    assert_eq!(problems(&revoked), [ChainProblem::Revoked]);
    let revoked = with_revocation(&[list()], lax, &serial(7, None));
    assert_eq!(problems(&revoked), [ChainProblem::Revoked]);
    let good = with_revocation(&[list()], strict, &serial(8, None));
    assert!(good.is_verified());
    let stranger = CertifiedIssuer::self_signed(authority("Stranger"), key()).unwrap();
    let other = || crl(&stranger, &[7], 2027, None);
    let unknown = with_revocation(&[other()], strict, &serial(7, None));
    assert_eq!(problems(&unknown), [ChainProblem::RevocationUnknown]);
    assert!(with_revocation(&[other()], lax, &serial(7, None)).is_verified());
    let old = || crl(&ROOT, &[], 2026, None);
    let expired = with_revocation(&[old()], strict, &serial(8, None));
    assert_eq!(problems(&expired), [ChainProblem::RevocationListExpired]);
    assert!(with_revocation(&[old()], lax, &serial(8, None)).is_verified());
    assert!(with_revocation(&[], strict, &serial(7, None)).is_verified());
}

/// RUSTSEC-2026-0049: the list of the second distribution point is found.
#[test]
fn finds_the_list_of_a_distribution_point() {
    let (first, second) = ("http://crl.example/1", "http://crl.example/2");
    let lists = [
        crl(&ROOT, &[], 2027, Some(first)),
        crl(&ROOT, &[7], 2027, Some(second)),
    ];
    let verdict = with_revocation(&lists, Revocation::default(), &serial(7, Some(second)));
    assert_eq!(problems(&verdict), [ChainProblem::Revoked]);
    let verdict = with_revocation(&lists, Revocation::default(), &serial(7, Some(first)));
    assert!(verdict.is_verified());
}

/// Finds the list by both points in the certificate: the list's is the second, or the second URI of one point.
#[test]
fn finds_the_list_of_the_second_distribution_point() {
    let (first, second) = ("http://crl.example/1", "http://crl.example/2");
    let point = |uris: &[&str]| rcgen::CrlDistributionPoint {
        uris: uris.iter().map(|uri| (*uri).to_owned()).collect(),
    };
    for points in [
        vec![point(&[first]), point(&[second])],
        vec![point(&[first, second])],
    ] {
        let lists = |revoked: &[u64]| [crl(&ROOT, revoked, 2027, Some(second))];
        let mut certificate = serial(7, None);
        certificate.crl_distribution_points = points;
        let verdict = with_revocation(&lists(&[7]), Revocation::default(), &certificate);
        assert_eq!(problems(&verdict), [ChainProblem::Revoked]);
        let verdict = with_revocation(&lists(&[8]), Revocation::default(), &certificate);
        assert_eq!(verdict.chain, ChainVerdict::Trusted);
    }
}

/// RUSTSEC-2026-0104: a list for some reasons, whose flags are an empty bit string, is refused and nothing else.
#[test]
fn rejects_a_list_whose_reasons_are_an_empty_bit_string() {
    let params = CertificateRevocationListParams {
        this_update: date_time_ymd(2026, 1, 1),
        next_update: date_time_ymd(2027, 1, 1),
        crl_number: SerialNumber::from(1),
        issuing_distribution_point: Some(rcgen::CrlIssuingDistributionPoint {
            distribution_point: rcgen::CrlDistributionPoint {
                uris: vec!["http://crl.example/1".to_owned()],
            },
            scope: Some(rcgen::CrlScope::UserCertsOnly),
        }),
        revoked_certs: Vec::new(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    let list = params.signed_by(&*ROOT).unwrap().der().to_vec();
    let parse = |octets: Vec<u8>| {
        let trust = Trust::none().with_revocation([octets.into()], Revocation::default());
        trust.map(|_| ()).map_err(|error| error.to_string())
    };
    assert_eq!(parse(list.clone()), Ok(()));
    // onlyContainsUserCerts in place of which onlySomeReasons comes.
    let scope = [0x81, 1, 0xff];
    let places: Vec<_> = list
        .windows(3)
        .enumerate()
        .filter(|(_, octets)| *octets == scope)
        .map(|(place, _)| place)
        .collect();
    let [place] = places[..] else {
        panic!("{places:?}");
    };
    for reasons in [[0x83, 1, 0], [0x83, 1, 1], [0x83, 1, 8], [0x83, 0, 0]] {
        let mut list = list.clone();
        list[place..place + 3].copy_from_slice(&reasons);
        assert_eq!(parse(list), Err(TrustError::RevocationList.to_string()));
    }
}

/// The status of an authority counts, too, unless the policy says that it does not.
#[test]
fn checks_the_status_of_authorities_by_policy() {
    let mut params = authority("Intermediate");
    params.serial_number = Some(SerialNumber::from(5));
    let issuer = intermediate(params);
    let certificate = issued(&serial(7, None), &issuer);
    let judged = |lists: &[&rcgen::CertificateRevocationList], policy| {
        let trust = Trust::in_certificates([ROOT.der().clone()]).unwrap();
        let lists = lists.iter().map(|list| list.der().clone());
        let trust = Arc::new(trust.with_revocation(lists, policy).unwrap());
        let account = account(Rules::Rfc7817, HostSource::User);
        let verifier = ServerVerifier::new(&account, &account.servers()[0], trust, &provider());
        let others = [issuer.der().clone()];
        verifier.judge(&certificate, &others, at(NOW)).chain
    };
    let (own, of_root) = (crl(&issuer, &[], 2027, None), crl(&ROOT, &[5], 2027, None));
    let chain = Revocation::default();
    let end_entity = Revocation {
        depth: RevocationDepth::EndEntity,
        ..chain
    };
    let refused = |problem| ChainVerdict::Refused(vec![problem]);
    let unknown = refused(ChainProblem::RevocationUnknown);
    assert_eq!(judged(&[&own], chain), unknown);
    assert_eq!(judged(&[&own], end_entity), ChainVerdict::Trusted);
    let revoked = refused(ChainProblem::Revoked);
    assert_eq!(judged(&[&own, &of_root], chain), revoked);
    assert_eq!(judged(&[&own, &of_root], end_entity), ChainVerdict::Trusted);
}

#[test]
fn rejects_trust_in_what_cannot_be_read() {
    let garbage = CertificateDer::from(vec![0x30, 0x03, 1, 2, 3]);
    assert_eq!(
        Trust::in_certificates([garbage]).unwrap_err(),
        TrustError::Anchor
    );
    assert_eq!(trust().len(), 1);
    let lists = [vec![0x30, 0x03, 0x03, 0x01, 0x00].into()];
    let trust = Trust::none().with_revocation(lists, Revocation::default());
    assert_eq!(trust.unwrap_err(), TrustError::RevocationList);
    assert!(Trust::none().is_empty());
}

fn pinned(id: &str, certificate: &[u8]) -> Account {
    let setup = setup(id).low(LowPrivacy::default()).server(imaps());
    setup.pin(certificate).build().unwrap()
}

/// The kind of certificate that local bridges make: self-signed, CA:TRUE.
#[test]
fn accepts_a_pinned_authority_and_nothing_else() {
    let bridge = authority("Bridge")
        .self_signed(&key())
        .unwrap()
        .der()
        .clone();
    let account = pinned("alice", &bridge);
    let verifier = verifier(&account);
    let verdict = verifier.judge(&bridge, &[], at(NOW));
    let expected = Verdict {
        pin: PinVerdict::Matches,
        ..Verdict::default()
    };
    assert_eq!(verdict, expected);
    assert!(verifier.accepts(&verdict) && !verdict.is_verified());
    let renewed = issued(&named(&["imap.example.org"]), &ROOT);
    let verdict = verifier.judge(&renewed, &[], at(NOW));
    assert_eq!(verdict.pin, PinVerdict::Differs);
    assert!(!verifier.accepts(&verdict));
}

#[test]
fn accepts_a_pin_of_its_own_account_only() {
    let bridge = authority("Bridge")
        .self_signed(&key())
        .unwrap()
        .der()
        .clone();
    let bob = setup("bob")
        .low(LowPrivacy::default())
        .server(imaps())
        .build()
        .unwrap();
    let verdict = verifier(&bob).judge(&bridge, &[], at(NOW));
    assert!(!verifier(&bob).accepts(&verdict));
    assert_eq!(verdict.pin, PinVerdict::NotPinned);
}

/// A server with this certificate, and its key.
fn server(chain: Vec<CertificateDer<'static>>, key: &KeyPair) -> Arc<ServerConfig> {
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    let config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key.into())
        .unwrap();
    Arc::new(config)
}

fn good_server() -> Arc<ServerConfig> {
    let key = key();
    let certificate = named(&["imap.example.org"])
        .signed_by(&key, &*ROOT)
        .unwrap();
    server(vec![certificate.der().clone()], &key)
}

/// Runs a handshake, and what follows it, and returns the client's connection.
fn handshake(
    client: &Arc<ClientConfig>,
    server: &Arc<ServerConfig>,
) -> Result<ClientConnection, rustls::Error> {
    let name = server_name(&imaps()).unwrap();
    let mut client = ClientConnection::new(client.clone(), name)?;
    let mut server = ServerConnection::new(server.clone())?;
    loop {
        let mut moved = 0;
        let mut flight = Vec::new();
        while client.wants_write() {
            moved += client.write_tls(&mut flight).unwrap();
        }
        let mut flight = flight.as_slice();
        while !flight.is_empty() {
            server.read_tls(&mut flight).unwrap();
            // The client's error is the one that counts.
            let _ = server.process_new_packets();
        }
        let mut flight = Vec::new();
        while server.wants_write() {
            moved += server.write_tls(&mut flight).unwrap();
        }
        let mut flight = flight.as_slice();
        while !flight.is_empty() {
            client.read_tls(&mut flight).unwrap();
            client.process_new_packets()?;
        }
        if moved == 0 {
            return Ok(client);
        }
    }
}

fn config(verifier: Arc<ServerVerifier>) -> Arc<ClientConfig> {
    Arc::new(client_config(provider(), verifier).unwrap())
}

#[test]
fn ends_the_handshake_with_a_server_that_is_not_verified() {
    let key = key();
    let certificate = named(&["imap.example.net"])
        .signed_by(&key, &*ROOT)
        .unwrap();
    let server = server(vec![certificate.der().clone()], &key);
    let verifier = Arc::new(typed());
    let error = handshake(&config(verifier.clone()), &server).unwrap_err();
    let now = UnixTime::now();
    let expected = verifier.judge(certificate.der(), &[], now);
    assert_eq!(verdict_of(&error), Some(&expected));
    assert!(!expected.is_verified());
    assert_eq!(verdict_of(&rustls::Error::DecryptError), None);
    let client = handshake(&config(verifier), &good_server()).unwrap();
    assert!(!client.is_handshaking());
}

#[test]
fn resumes_sessions_of_the_same_account() {
    let (config, server) = (config(Arc::new(typed())), good_server());
    let kinds = [(), (), ()].map(|()| handshake(&config, &server).unwrap().handshake_kind());
    let expected = [
        HandshakeKind::Full,
        HandshakeKind::Resumed,
        HandshakeKind::Resumed,
    ];
    assert_eq!(kinds, expected.map(Some));
}

/// Even if two accounts share one store of sessions.
#[test]
fn resumes_no_session_of_another_account() {
    let (alice, server) = (config(Arc::new(typed())), good_server());
    assert!(handshake(&alice, &server).is_ok());
    let bob = setup("bob").server(imaps()).build().unwrap();
    let mut shared = (*alice).clone();
    shared
        .dangerous()
        .set_certificate_verifier(Arc::new(verifier(&bob)));
    let client = handshake(&Arc::new(shared), &server).unwrap();
    assert_eq!(client.handshake_kind(), Some(HandshakeKind::Full));
}

/// rustls does not verify a resumed session; its certificates are judged as of now.
#[test]
fn judges_a_resumed_session_anew() {
    let verifier = Arc::new(typed());
    let config = config(verifier.clone());
    let key = key();
    let mut params = named(&["imap.example.org"]);
    params.not_after = date_time_ymd(2100, 1, 1);
    let certificate = params.signed_by(&key, &*ROOT).unwrap();
    let server = server(vec![certificate.der().clone()], &key);
    handshake(&config, &server).unwrap();
    let client = handshake(&config, &server).unwrap();
    assert_eq!(client.handshake_kind(), Some(HandshakeKind::Resumed));
    let [end_entity, others @ ..] = client.peer_certificates().unwrap() else {
        panic!("no certificate");
    };
    let judge = |year: u64| verifier.judge(end_entity, others, at((year - 1970) * 31_556_952));
    assert!(verifier.accepts(&judge(2099)));
    let later = judge(2101);
    assert!(!verifier.accepts(&later));
    let not_after = Duration::from_secs(4_102_444_800);
    assert_eq!(problems(&later), [ChainProblem::Expired { not_after }]);
}

/// The engine cannot verify the signature of a server with a certificate of version 1.
#[test]
fn rejects_a_pinned_certificate_of_version_1_with_its_reason() {
    let certificate = CertificateDer::from(&include_bytes!("data/x509-v1.der")[..]);
    let key: &[u8] = include_bytes!("data/x509-v1-key.der");
    let account = pinned("alice", &certificate);
    let verifier = Arc::new(verifier(&account));
    let verdict = verifier.judge(&certificate, &[], at(NOW));
    assert!(verifier.accepts(&verdict));
    let key = KeyPair::try_from(key).unwrap();
    let resolver = rustls::sign::CertifiedKey::new(
        vec![certificate.into_owned()],
        provider()
            .key_provider
            .load_private_key(PrivatePkcs8KeyDer::from(key.serialize_der()).into())
            .unwrap(),
    );
    let server = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(resolver)));
    let error = handshake(&config(verifier), &Arc::new(server)).unwrap_err();
    let verdict = verdict_of(&error).unwrap();
    assert_eq!(problems(verdict), [ChainProblem::Version]);
}

#[test]
fn connects_with_a_pinned_authority() {
    let key = key();
    let bridge = authority("Bridge").self_signed(&key).unwrap().der().clone();
    let server = server(vec![bridge.clone()], &key);
    let alice = config(Arc::new(verifier(&pinned("alice", &bridge))));
    assert!(handshake(&alice, &server).is_ok());
    let other = pinned("alice", b"another certificate");
    let error = handshake(&config(Arc::new(verifier(&other))), &server).unwrap_err();
    assert_eq!(verdict_of(&error).unwrap().pin, PinVerdict::Differs);
}

/// Section 3.2: a pin of one account does not validate connections of another, nor to another host, whatever server a
/// caller gives.
#[test]
fn accepts_no_pin_of_another_account_or_host() {
    let bridge = authority("Bridge").self_signed(&key()).unwrap();
    let certificate = bridge.der().clone();
    let alice = pinned("alice", &certificate);
    let own = alice.servers()[0].clone();
    let bob = setup("bob").low(LowPrivacy::default()).server(imaps());
    let bob = bob.build().unwrap();
    let mut moved = own.clone();
    moved.host = Host::parse("imap.example.net").unwrap();
    for (account, server, accepted) in [
        (&alice, &own, true),
        (&bob, &own, false),
        (&alice, &moved, false),
    ] {
        let verifier = ServerVerifier::new(account, server, trust(), &provider());
        let verdict = verifier.judge(&certificate, &[], at(NOW));
        let expected = match accepted {
            true => PinVerdict::Matches,
            false => PinVerdict::Differs,
        };
        assert_eq!(verdict.pin, expected);
        assert_eq!(verifier.accepts(&verdict), accepted);
    }
}

#[derive(Debug)]
struct Dane(DaneVerdict);

impl DaneJudge for Dane {
    fn judge(&self, _: &ServerCertificates<'_>, _: &Verdict) -> DaneJudgement {
        self.0.clone().into()
    }
}

/// DANE's verdict falls within the handshake, in both directions.
#[test]
fn asks_dane_within_the_handshake() {
    let key = key();
    let bridge = authority("Bridge").self_signed(&key).unwrap().der().clone();
    let strange = server(vec![bridge], &key);
    let by = |verdict| config(Arc::new(typed().with_dane(Arc::new(Dane(verdict)))));
    let without = config(Arc::new(typed()));
    assert!(handshake(&without, &strange).is_err());
    let matches = DaneVerdict::Matches {
        usage: CertificateUsage::DaneEe,
        covers_identity: true,
    };
    assert!(handshake(&by(matches), &strange).is_ok());
    let good = good_server();
    let error = handshake(&by(DaneVerdict::Differs(Vec::new())), &good).unwrap_err();
    let verdict = verdict_of(&error).unwrap();
    assert_eq!(verdict.chain, ChainVerdict::Trusted);
    assert_eq!(verdict.dane, DaneVerdict::Differs(Vec::new()));
    assert!(handshake(&without, &good).is_ok());
}

/// Counts how often it is asked.
#[derive(Debug, Default)]
struct Counting(AtomicUsize);

impl Counting {
    fn asked(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl DaneJudge for Counting {
    fn judge(&self, _: &ServerCertificates<'_>, _: &Verdict) -> DaneJudgement {
        self.0.fetch_add(1, Ordering::Relaxed);
        DaneVerdict::NotUsed(DaneNotUsed::NoRecords).into()
    }
}

/// A connection asks for the verdict after its handshake. It is computed again if anything that it depends on is another.
#[test]
fn judges_once_for_the_handshake_and_the_connection() {
    let [good, other] = [(), ()].map(|()| issued(&named(&["imap.example.org"]), &ROOT));
    let root = [ROOT.der().clone()];
    let judge = Arc::new(Counting::default());
    let verifier = typed().with_dane(judge.clone());
    let name = server_name(&imaps()).unwrap();
    let shaken = verifier.verify_server_cert(&good, &[], &name, &[], at(NOW));
    assert!(shaken.is_ok());
    let verdict = verifier.judge(&good, &[], at(NOW));
    assert!(verdict.is_verified());
    assert_eq!(judge.asked(), 1);
    let old = at(NOW + 3_000 * 31_556_952);
    for (certificate, others, now, accepted) in [
        (&other, &[][..], at(NOW), true),
        (&good, &root, at(NOW), true),
        (&good, &[], at(NOW + 1), true),
        (&good, &[], old, false),
    ] {
        let before = judge.asked();
        let again = verifier.judge(certificate, others, now);
        assert_eq!(judge.asked(), before + 1);
        assert_eq!(again.is_verified(), accepted);
    }
    // The verdict of one verifier is not another's.
    let records = Arc::new(Counting::default());
    let other_records = verifier.with_dane(records.clone());
    assert_eq!(other_records.judge(&good, &[], at(NOW)), verdict);
    assert_eq!(records.asked(), 1);
}

/// Verifies under a private authority, which PKIX does not know.
#[derive(Debug)]
struct Private(CertificateDer<'static>, Vec<ReferenceIdentity>);

impl DaneJudge for Private {
    fn judge(&self, server: &ServerCertificates<'_>, pkix: &Verdict) -> DaneJudgement {
        assert_eq!(problems(pkix), [ChainProblem::UnknownIssuer]);
        assert_eq!(server.pkix_path(), None);
        let mut trust = rustls::RootCertStore::empty();
        trust.add(self.0.clone()).unwrap();
        let (chain, identity) = server.verify_under(&trust.roots, &self.1);
        assert_eq!(chain, ChainVerdict::Trusted);
        assert_eq!(server.names_match(&self.1), identity);
        let usage = CertificateUsage::DaneTa;
        let verdict = DaneVerdict::Matches {
            usage,
            covers_identity: false,
        };
        DaneJudgement {
            verdict,
            identity: Some(identity),
        }
    }
}

#[test]
fn verifies_under_anchors_of_dane_with_further_names() {
    let private = CertifiedIssuer::self_signed(authority("Private"), key()).unwrap();
    let certificate = issued(&named(&["target.example.org"]), &private);
    let others = [private.der().clone()];
    let verifier = typed();
    let also = |names: Vec<ReferenceIdentity>| {
        let judge = Private(private.der().clone(), names);
        let verifier = verifier.with_dane(Arc::new(judge));
        verifier.judge(&certificate, &others, at(NOW)).is_verified()
    };
    let base = DomainName::parse("target.example.org").unwrap();
    assert!(!also(Vec::new()));
    assert!(also(vec![ReferenceIdentity::Dns(base)]));
}

#[derive(Debug)]
struct Path(Vec<CertificateDer<'static>>);

impl DaneJudge for Path {
    fn judge(&self, server: &ServerCertificates<'_>, _: &Verdict) -> DaneJudgement {
        let path = server.pkix_path().unwrap();
        let path: Vec<_> = path
            .intermediates
            .into_iter()
            .chain(path.anchor_certificates)
            .collect();
        assert_eq!(path, self.0);
        DaneVerdict::default().into()
    }
}

#[test]
fn gives_dane_the_path_that_pkix_verified() {
    let middle = intermediate(authority("Intermediate"));
    let unused = intermediate(authority("Unused"));
    let certificate = issued(&named(&["imap.example.org"]), &middle);
    let path = vec![middle.der().clone(), ROOT.der().clone()];
    let verifier = typed().with_dane(Arc::new(Path(path)));
    let others = [unused.der().clone(), middle.der().clone()];
    assert!(verifier.judge(&certificate, &others, at(NOW)).is_verified());
}

#[test]
fn names_the_server_for_sni() {
    let name = server_name(&imaps()).unwrap();
    assert_eq!(name.to_str(), "imap.example.org");
    let address = Server::new(Service::IMAPS, Host::parse("192.0.2.1").unwrap());
    assert!(matches!(
        server_name(&address).unwrap(),
        rustls::pki_types::ServerName::IpAddress(_)
    ));
}

#[test]
fn reads_certificates_that_are_none() {
    for octets in [
        &[][..],
        &[0x30],
        &[0x30, 0x00],
        b"-----BEGIN CERTIFICATE-----",
    ] {
        let certificate = CertificateDer::from(octets);
        let verdict = typed().judge(&certificate, std::slice::from_ref(&certificate), at(NOW));
        assert_eq!(problems(&verdict), [ChainProblem::Malformed]);
        let IdentityVerdict::Differs(mismatch) = verdict.identity else {
            panic!("a name matches");
        };
        assert!(mismatch.unreadable);
    }
}

#[test]
fn judges_adversarial_chains_in_bounded_time() {
    let begun = std::time::Instant::now();
    let certificate = issued(&named(&["imap.example.org"]), &ROOT);
    // Certificates of one name: each could be the issuer of each.
    let others: Vec<_> = (0..100)
        .map(|_| intermediate(authority("Root")).der().clone())
        .collect();
    let stranger = CertifiedIssuer::self_signed(authority("Root"), key()).unwrap();
    let forged = issued(&named(&["imap.example.org"]), &stranger);
    let made = begun.elapsed();
    assert_eq!(
        typed().judge(&certificate, &others, at(NOW)).chain,
        ChainVerdict::Trusted
    );
    assert!(!typed().judge(&forged, &others, at(NOW)).is_verified());
    let more = [others.as_slice(), std::slice::from_ref(&certificate)].concat();
    assert_eq!(
        problems(&typed().judge(&certificate, &more, at(NOW))),
        [ChainProblem::TooLarge]
    );
    let names: Vec<_> = (0..1_000)
        .map(|n| format!("host-{n}.example.net"))
        .collect();
    let names: Vec<_> = names
        .iter()
        .map(String::as_str)
        .chain(["imap.example.org"])
        .collect();
    assert!(judge(&issued(&named(&names), &ROOT), &[]).is_verified());
    let IdentityVerdict::Differs(mismatch) =
        judge(&issued(&named(&names[..1_000]), &ROOT), &[]).identity
    else {
        panic!("a name matches");
    };
    assert_eq!((mismatch.presented.len(), mismatch.omitted), (100, 900));
    let mut large = named(&["imap.example.org"]);
    let padding = vec![0; 62_000];
    large.custom_extensions = vec![CustomExtension::from_oid_content(&[1, 2, 3, 4], padding)];
    assert!(judge(&issued(&large, &ROOT), &[]).is_verified());
    let judged = begun.elapsed() - made;
    assert!(judged < Duration::from_secs(5), "{judged:?}");
    assert_eq!(
        PresentedIdentity::Dns(b"x"[..].into()).to_string(),
        "DNS-ID x"
    );
}
