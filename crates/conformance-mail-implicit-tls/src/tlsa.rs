//! The suite `mail-implicit-tls/tlsa`: TLSA records against the certificates of a server.

use std::{sync::Arc, time::Duration};

use conformance::{Input, Outcome, Ran, malformed, octets::from_hex, violated};
use mail_implicit_tls::{
    account::{AccountId, AccountSetup, Host, Server},
    dane::{DaneRules, TlsaJudge},
    dns::{Tlsa, host::TlsaRecords},
    name::DomainName,
    service::Service,
    verdict::{CertificateUsage, DaneNotUsed, DaneVerdict, RecordFinding, RecordProblem},
    verifier::{ServerVerifier, Trust},
};
use rustls::pki_types::{CertificateDer, UnixTime};
use serde::Deserialize;
use serde_json::{Value, json};

use super::oracle;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    rules: DaneRules,
    host: DomainName,
    base: DomainName,
    roots: Vec<String>,
    chain: Vec<String>,
    records: Vec<(u8, u8, u8, String)>,
    time: u64,
}

pub(super) fn tlsa(input: Input) -> Ran {
    let case: Case = input.parse()?;
    let der = |list: &[String]| -> Result<Vec<CertificateDer<'static>>, _> {
        let list = list.iter().map(|it| from_hex(it).map(CertificateDer::from));
        list.collect::<Result<_, conformance::MalformedCase>>()
    };
    let (chain, roots) = (der(&case.chain)?, der(&case.roots)?);
    let records: Result<Vec<_>, _> = case
        .records
        .into_iter()
        .map(|(usage, selector, matching_type, association)| {
            Ok(Tlsa {
                usage,
                selector,
                matching_type,
                association: from_hex(association)?,
            })
        })
        .collect::<Result<_, conformance::MalformedCase>>();
    let records = records?;
    let mut trust = Trust::none();
    for root in roots {
        trust.add(root).map_err(malformed)?;
    }
    let id = AccountId::try_new("alice@example.org").map_err(malformed)?;
    let server = Server::new(Service::IMAPS, Host::Name(case.host));
    let account = AccountSetup::new(id).server(server.clone()).dane(true);
    let account = account.build().map_err(malformed)?;
    let provider = rustls::crypto::ring::default_provider();
    let verifier = ServerVerifier::new(&account, &server, Arc::new(trust), &provider);
    let [own, others @ ..] = chain.as_slice() else {
        return Err(malformed("no certificate").into());
    };
    let now = UnixTime::since_unix_epoch(Duration::from_secs(case.time));
    let given = TlsaRecords::Records {
        base: case.base,
        records: records.clone(),
    };
    let verifier = verifier.with_dane(Arc::new(TlsaJudge::new(given, case.rules)));
    let verdict = verifier.judge(own, others, now);
    oracle::tlsa(&verifier, own, others, now, &records).map_err(violated)?;
    Ok(Outcome::Accept(json!({
        "dane": written(&verdict.dane),
        "accepted": verifier.accepts(&verdict),
    })))
}

fn written(verdict: &DaneVerdict) -> Value {
    match verdict {
        DaneVerdict::Matches {
            usage,
            covers_identity,
        } => json!({
            "usage": match usage {
                CertificateUsage::PkixTa => 0,
                CertificateUsage::PkixEe => 1,
                CertificateUsage::DaneTa => 2,
                CertificateUsage::DaneEe => 3,
            },
            "covers_identity": covers_identity,
        }),
        DaneVerdict::Differs(findings) => json!({"differs": all(findings)}),
        DaneVerdict::NotUsed(DaneNotUsed::Unusable(findings)) => {
            json!({"unusable": all(findings)})
        }
        DaneVerdict::NotUsed(_) => json!("not-used"),
    }
}

fn all(findings: &[RecordFinding]) -> Vec<Value> {
    let written = findings.iter().map(|it| {
        let problem = match it.problem {
            RecordProblem::Usage => "usage",
            RecordProblem::Selector => "selector",
            RecordProblem::MatchingType => "matching-type",
            RecordProblem::DigestLength => "digest-length",
            RecordProblem::Malformed => "malformed",
            RecordProblem::WeakerDigest => "weaker-digest",
            RecordProblem::NoMatch => "no-match",
            RecordProblem::Path(_) => "path",
            RecordProblem::Identity => "identity",
            _ => "unknown",
        };
        json!([it.usage, it.selector, it.matching_type, problem])
    });
    written.collect()
}
