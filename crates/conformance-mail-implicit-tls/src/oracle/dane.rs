//! TLSA records against certificates.

use std::sync::Arc;

use conformance::oracle::Broken;
use mail_implicit_tls::{
    account::{AccountId, AccountSetup, Host, Server},
    dane::{DaneRules, TlsaJudge},
    dns::{Tlsa, host::TlsaRecords},
    name::DomainName,
    service::Service,
    verdict::{CertificateUsage, ChainVerdict, DaneNotUsed, DaneVerdict, IdentityVerdict, Verdict},
    verifier::{ServerVerifier, Trust},
};
use ring::digest::{SHA256, SHA512, digest};
use rustls::pki_types::{CertificateDer, UnixTime};

fn judge(
    verifier: &ServerVerifier,
    own: &CertificateDer<'_>,
    others: &[CertificateDer<'_>],
    now: UnixTime,
    records: &[Tlsa],
    rules: DaneRules,
) -> Verdict {
    let base = DomainName::parse("base.example.org").expect("a constant name");
    let records = TlsaRecords::Records {
        base,
        records: records.to_vec(),
    };
    let judge = TlsaJudge::new(records, rules);
    let verifier = verifier.with_dane(Arc::new(judge));
    verifier.judge(own, others, now)
}

/// The kind of a verdict: whether it matches, and whether records count at all.
#[derive(Debug, PartialEq)]
enum Kind {
    Unusable,
    Matches,
    Differs,
}

fn kind(verdict: &Verdict) -> Kind {
    match verdict.dane {
        DaneVerdict::NotUsed(_) => Kind::Unusable,
        DaneVerdict::Matches { .. } => Kind::Matches,
        DaneVerdict::Differs(_) => Kind::Differs,
    }
}

/// Checks the verdict of TLSA records about certificates of any octets.
///
/// - The verdict does not depend on the order of the records, nor on records that are unusable, nor on a record given
///   twice.
/// - A match is one of a record that is there. Usages 0 and 1 match only what PKIX verifies, all usages but 3 only a
///   server whose name matches.
/// - If no two records differ in their matching type alone, RFC 7671 accepts what RFC 6698 accepts.
/// - A match or the absence of one is what the account accepts or not, unless nothing is usable.
///
/// # Errors
/// Returns the invariant that was broken.
pub fn tlsa(
    verifier: &ServerVerifier,
    own: &CertificateDer<'_>,
    others: &[CertificateDer<'_>],
    now: UnixTime,
    records: &[Tlsa],
) -> Result<(), Broken> {
    let mut kinds = Vec::new();
    for rules in [DaneRules::Rfc6698, DaneRules::Rfc7671] {
        let judged = |records: &[Tlsa]| judge(verifier, own, others, now, records, rules);
        let verdict = judged(records);
        let reversed: Vec<_> = records.iter().rev().cloned().collect();
        let mut more = records.to_vec();
        more.extend_from_slice(records);
        more.push(Tlsa {
            usage: 255,
            selector: 0,
            matching_type: 0,
            association: Vec::new(),
        });
        for (changed, what) in [(reversed, "reversed"), (more, "with more")] {
            let changed = judged(&changed);
            if kind(&changed) != kind(&verdict) {
                return Err(format!("{rules:?} {what}: {changed}; before: {verdict}"));
            }
        }
        consistent(records, &verdict, rules)?;
        if verifier.accepts(&verdict) != verdict.is_verified() {
            return Err(format!("accepted or not: {verdict}"));
        }
        kinds.push(kind(&verdict));
    }
    let set = |record: &Tlsa| (record.usage, record.selector);
    let mixed = records.iter().any(|one| {
        records
            .iter()
            .any(|other| set(one) == set(other) && one.matching_type != other.matching_type)
    });
    match kinds.as_slice() {
        [Kind::Matches, rfc7671] if !mixed && *rfc7671 != Kind::Matches => {
            Err(format!("RFC 6698 accepts, RFC 7671: {rfc7671:?}"))
        }
        _ => Ok(()),
    }
}

fn consistent(records: &[Tlsa], verdict: &Verdict, rules: DaneRules) -> Result<(), Broken> {
    let wrong = || Err(format!("{rules:?}: {verdict}"));
    match &verdict.dane {
        DaneVerdict::Matches {
            usage,
            covers_identity,
        } => {
            let number = match usage {
                CertificateUsage::PkixTa => 0,
                CertificateUsage::PkixEe => 1,
                CertificateUsage::DaneTa => 2,
                CertificateUsage::DaneEe => 3,
            };
            let pkix = number > 1 || verdict.chain == ChainVerdict::Trusted;
            let named = matches!(verdict.identity, IdentityVerdict::Matches { .. });
            let covers = number == 3 && rules == DaneRules::Rfc7671;
            let exists = records.iter().any(|record| record.usage == number);
            if !exists || !pkix || *covers_identity != covers || !named && !covers {
                return wrong();
            }
        }
        DaneVerdict::Differs(findings) | DaneVerdict::NotUsed(DaneNotUsed::Unusable(findings)) => {
            if findings.len() != records.len() {
                return wrong();
            }
        }
        DaneVerdict::NotUsed(_) => return wrong(),
    }
    Ok(())
}

/// Checks records about one certificate of any octets: three octets for the fields, one for the data, and the
/// certificate, which is an anchor of the client too if it can be one.
///
/// # Errors
/// Returns the invariant that was broken.
pub fn tlsa_octets(data: &[u8]) -> Result<(), Broken> {
    let [usage, selector, matching_type, form, certificate @ ..] = data else {
        return Ok(());
    };
    let association = match form % 4 {
        0 => certificate.to_vec(),
        1 => digest(&SHA256, certificate).as_ref().to_vec(),
        2 => digest(&SHA512, certificate).as_ref().to_vec(),
        _ => certificate.iter().take(32).copied().collect(),
    };
    let record = |usage, selector, matching_type, association| Tlsa {
        usage,
        selector,
        matching_type,
        association,
    };
    let mut records = vec![record(*usage, *selector, *matching_type, association)];
    if form & 0x10 != 0 {
        records.push(record(usage ^ 1, *selector, 0, certificate.to_vec()));
    }
    let mut trust = Trust::none();
    if form & 0x20 != 0 {
        // A record that cannot be an anchor is unusable.
        let _refused = trust.add(CertificateDer::from(certificate));
    }
    let host = Host::parse("imap.example.org").map_err(|error| error.to_string())?;
    let server = Server::new(Service::IMAPS, host);
    let id = AccountId::try_new("alice").map_err(|error| error.to_string())?;
    let account = AccountSetup::new(id).server(server.clone()).dane(true);
    let account = account.build().map_err(|error| error.to_string())?;
    let provider = rustls::crypto::ring::default_provider();
    let verifier = ServerVerifier::new(&account, &server, Arc::new(trust), &provider);
    let own = CertificateDer::from(certificate);
    let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(1_800_000_000));
    let others = match form & 0x40 {
        0 => Vec::new(),
        _ => vec![own.clone()],
    };
    tlsa(&verifier, &own, &others, now, &records)
}
