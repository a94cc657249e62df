//! The verdicts on certificates by records.

use std::{sync::Arc, time::Duration};

use mail_implicit_tls::{
    account::{Account, AccountId, AccountSetup, Host, HostSource, Server},
    dane::{DaneRules, TlsaJudge},
    dns::{Tlsa, host::TlsaRecords},
    name::DomainName,
    service::Service,
    verdict::{CertificateUsage, DaneVerdict, RecordFinding, RecordProblem, Verdict},
    verifier::{ServerVerifier, Trust},
};
use rustls::pki_types::{CertificateDer, UnixTime};
use test_support::pki::{Authority, Identity};

use crate::chain::HOST;

/// 2026-06-01
pub(crate) const NOW: u64 = 1_780_272_000;

pub(crate) const BOTH: [DaneRules; 2] = [DaneRules::Rfc6698, DaneRules::Rfc7671];

pub(crate) fn account(source: HostSource) -> (Account, Server) {
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
pub(crate) fn judge_with(
    records: TlsaRecords,
    rules: DaneRules,
    sent: &[CertificateDer<'static>],
    anchor: Option<&Identity>,
) -> (Verdict, bool) {
    judge_host(HostSource::User, records, rules, sent, anchor)
}

pub(crate) fn judge_host(
    source: HostSource,
    records: TlsaRecords,
    rules: DaneRules,
    sent: &[CertificateDer<'static>],
    anchor: Option<&Identity>,
) -> (Verdict, bool) {
    let other = Authority::new("Other Root").identity();
    let trust = Trust::in_certificates([anchor.unwrap_or(&other).certificate()]).unwrap();
    let (account, server) = account(source);
    let provider = rustls::crypto::ring::default_provider();
    let verifier = ServerVerifier::new(&account, &server, Arc::new(trust), &provider)
        .with_dane(Arc::new(TlsaJudge::new(records, rules)));
    let now = UnixTime::since_unix_epoch(Duration::from_secs(NOW));
    let verdict = verifier.judge(&sent[0], &sent[1..], now);
    let accepted = verifier.accepts(&verdict);
    (verdict, accepted)
}

pub(crate) fn secure(records: &[Tlsa]) -> TlsaRecords {
    TlsaRecords::Records {
        base: DomainName::parse(HOST).unwrap(),
        records: records.to_vec(),
    }
}

pub(crate) fn judge(
    records: &[Tlsa],
    rules: DaneRules,
    sent: &[CertificateDer<'static>],
) -> DaneVerdict {
    judge_with(secure(records), rules, sent, None).0.dane
}

pub(crate) const fn matches(usage: CertificateUsage, covers_identity: bool) -> DaneVerdict {
    DaneVerdict::Matches {
        usage,
        covers_identity,
    }
}

pub(crate) fn differs(record: &Tlsa, problem: RecordProblem) -> DaneVerdict {
    DaneVerdict::Differs(vec![finding(record, problem)])
}

pub(crate) fn finding(record: &Tlsa, problem: RecordProblem) -> RecordFinding {
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
