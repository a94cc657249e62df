//! The suite `mail-implicit-tls/setup`: what SRV records offer, and later changes.

use std::collections::BTreeMap;

use conformance::{Input, MalformedCase, Outcome, Ran, malformed, violated};
use mail_implicit_tls::{
    account::{AccountId, AccountSetup, Host, Server},
    dns::{Dnssec, Lookup, Next},
    name::DomainName,
    privacy::PrivacyLevel,
    service::Service,
    setup::{
        Candidate, Offer, Offers, RefusedRecord, SetupLookup, Source, Warning,
        recheck::{Change, changes},
    },
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::dns::{Given, answer, failure};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    domain: DomainName,
    level: PrivacyLevel,
    seed: u64,
    /// By SRV label. A label without an answer has none before the deadline.
    answers: BTreeMap<String, Given>,
    /// `true`: the user confirms each candidate.
    #[serde(default)]
    confirmed: bool,
    #[serde(default)]
    configured: Vec<(String, Host, u16)>,
}

pub(super) fn setup(input: Input) -> Ran {
    let case: Case = input.parse()?;
    let mut lookup = SetupLookup::new(case.domain.clone(), case.level, case.seed);
    let Next::Ask(questions) = lookup.next() else {
        return Err(violated("the lookup asks nothing"));
    };
    let mut answers = BTreeMap::new();
    for (label, given) in case.answers {
        let name = format!("{label}._tcp.{}", case.domain);
        answers.insert(name, answer(given)?);
    }
    for question in &questions {
        if let Some(answer) = answers.remove(question.name.as_str()) {
            lookup.answer(question, answer);
        }
    }
    if let Some(name) = answers.keys().next() {
        return Err(malformed(format!("{name} is not asked for")).into());
    }
    let offers = lookup.offers();
    if matches!(lookup.next(), Next::Done(done) if done != offers) {
        return Err(violated("the result differs from the offers"));
    }
    let configured: Vec<_> = case
        .configured
        .into_iter()
        .map(|(name, host, port)| Ok(Server::new(service(&name)?, host).with_port(port)))
        .collect::<Result<_, MalformedCase>>()?;
    let show = |offer: &Offer| shown(offer, case.confirmed);
    let Offers {
        imap,
        pop,
        submission,
    } = &offers;
    Ok(Outcome::Accept(json!({
        "imap": show(imap)?,
        "pop": show(pop)?,
        "submission": show(submission)?,
        "changes": changes(&configured, &offers).iter().map(change).collect::<Vec<_>>(),
    })))
}

fn service(name: &str) -> Result<Service, MalformedCase> {
    let known = [
        Service::IMAPS,
        Service::IMAP_STARTTLS,
        Service::IMAP_CLEAR,
        Service::POP3S,
        Service::POP3_STARTTLS,
        Service::POP3_CLEAR,
        Service::SUBMISSIONS,
        Service::SUBMISSION_STARTTLS,
        Service::SUBMISSION_CLEAR,
    ];
    let mut known = known.into_iter();
    known
        .find(|service| service.to_string() == name)
        .ok_or_else(|| malformed(format!("no service: {name}")))
}

fn shown(offer: &Offer, confirmed: bool) -> Result<Value, conformance::Stopped> {
    Ok(match offer {
        Offer::NotAdvertised(dnssec) => json!({"not_advertised": state(*dnssec)}),
        Offer::Unavailable(dnssec) => json!({"unavailable": state(*dnssec)}),
        Offer::Failed {
            service,
            failure: cause,
        } => json!({"failed": [service.to_string(), failure(*cause)]}),
        Offer::Candidates {
            candidates,
            clear,
            refused,
        } => {
            let all = |list: &[Candidate]| {
                let shown = list.iter().map(|it| candidate(it, confirmed));
                shown.collect::<Result<Vec<_>, _>>()
            };
            let refused = refused.iter().map(|(srv, reason)| {
                let record = json!([srv.priority, srv.weight, srv.port, srv.target.to_string()]);
                json!([record, refusal(*reason)])
            });
            json!({
                "candidates": all(candidates)?,
                "clear": all(clear)?,
                "refused": refused.collect::<Vec<_>>(),
            })
        }
    })
}

fn candidate(candidate: &Candidate, confirmed: bool) -> Result<Value, conformance::Stopped> {
    let Source::Srv(dnssec) = candidate.source() else {
        return Err(violated("a candidate that is not of SRV"));
    };
    let candidate = match confirmed {
        true => candidate.clone().confirmed_by_user(),
        false => candidate.clone(),
    };
    let server = candidate.to_server();
    let account = AccountId::try_new("someone").and_then(|id| {
        AccountSetup::new(id)
            .domain(candidate.domain().clone())
            .server(server.clone())
            .low(Default::default())
            .build()
    });
    let account = account.map_err(|error| violated(error.to_string()))?;
    let references = account.references(&server);
    Ok(json!({
        "service": candidate.service().to_string(),
        "host": candidate.host().as_str(),
        "port": candidate.port(),
        "dnssec": state(dnssec),
        "warnings": candidate.warnings().iter().map(warning).collect::<Vec<_>>(),
        "references": references.iter().map(ToString::to_string).collect::<Vec<_>>(),
    }))
}

fn state(dnssec: Dnssec) -> &'static str {
    match dnssec {
        Dnssec::Secure => "secure",
        Dnssec::Insecure => "insecure",
    }
}

fn warning(warning: &Warning) -> Value {
    match warning {
        Warning::NotAuthenticated => json!("not-authenticated"),
        Warning::ForeignHost { domain, host } => json!(["foreign-host", domain, host]),
        Warning::ClearText => json!("clear-text"),
        _ => json!("unknown"),
    }
}

fn refusal(reason: RefusedRecord) -> &'static str {
    match reason {
        RefusedRecord::RootBesideOthers => "root-beside-others",
        RefusedRecord::Target => "target",
        RefusedRecord::Port => "port",
        _ => "unknown",
    }
}

fn change(change: &Change) -> Value {
    let server = |it: &Server| json!([it.service.to_string(), it.host.to_string(), it.port]);
    let advertised =
        |it: &Candidate| json!([it.service().to_string(), it.host().as_str(), it.port()]);
    match change {
        Change::NotAdvertised {
            configured,
            advertised: other,
        } => json!(["not-advertised", server(configured), advertised(other)]),
        Change::Unavailable(configured) => json!(["unavailable", server(configured)]),
        Change::MorePrivate {
            configured,
            advertised: other,
        } => json!(["more-private", server(configured), advertised(other)]),
        _ => json!("unknown"),
    }
}
