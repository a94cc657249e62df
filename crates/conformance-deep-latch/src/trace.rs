//! The suite of `deep-latch`'s latch machine: traces of connections (draft-newman-email-deep-02 sections 5.1
//! to 5.4).

use conformance::{Input, MalformedCase, Outcome, Ran, Suite, malformed};
use deep_latch::{
    DeepStatus, Facilities, Host, LatchRecord, LatchSession, SecurityTag, TlsFacts,
    facility::{Achievement, Authentication, DaneIdentity, OnTlsaMismatch},
    facts::{
        CertificateUsage, ChainVerdict, DaneVerdict, IdentityVerdict, Login, ProtocolVersion,
        SessionFacts,
    },
    failure::{Action, CertificateFault, HandshakeFault, Stage},
    latch::{Basis, Event, Outcome as Answer, Reason, Step, Transition},
};
use serde::Deserialize;
use serde_json::{Value, json};

/// The suites.
pub(crate) const SUITES: &[Suite] = &[Suite {
    name: "deep-latch/latch",
    run: latch,
    import: None,
    is_right: None,
}];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Trace {
    host: String,
    latched: Vec<String>,
    status: Option<String>,
    events: Vec<EventName>,
    #[serde(default)]
    dane_identity: DaneIdentityName,
    #[serde(default)]
    on_tlsa_mismatch: OnTlsaMismatchName,
    #[serde(default)]
    after_login: Vec<String>,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum DaneIdentityName {
    #[default]
    AsPkix,
    Rfc7671,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum OnTlsaMismatchName {
    #[default]
    Refuse,
    GoOn,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum FaultName {
    Transport,
    Server,
    Negotiation,
    Chain,
    Identity,
    Dane,
    Local,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum EventName {
    NoTls,
    HandshakeFailed(FaultName),
    Handshake(Facts),
    Status(String),
    NoStatus,
    LoggedIn(LoginName),
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum LoginName {
    Done,
    ScramPlus,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Facts {
    version: String,
    strength_bits: Option<u16>,
    chain: ChainName,
    identity: IdentityName,
    dane: DaneName,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum ChainName {
    NotChecked,
    Trusted,
    Refused,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum IdentityName {
    NotChecked,
    Matches,
    Differs,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum DaneName {
    Usage(u8),
    Verdict(NoMatch),
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum NoMatch {
    NotChecked,
    NoRecords,
    Differs,
}

fn latch(input: Input) -> Ran {
    let trace: Trace = input.parse()?;
    let tag = |name: &String| {
        let tag = SecurityTag::parse(name).map_err(malformed)?;
        Ok::<_, MalformedCase>(tag.into_owned())
    };
    let tags = |names: &[String]| names.iter().map(tag).collect::<Result<Vec<_>, _>>();
    let mut facilities = Facilities::new().with_dane_identity(match trace.dane_identity {
        DaneIdentityName::AsPkix => DaneIdentity::AsPkix,
        DaneIdentityName::Rfc7671 => DaneIdentity::Rfc7671,
    });
    facilities = facilities.on_tlsa_mismatch(match trace.on_tlsa_mismatch {
        OnTlsaMismatchName::Refuse => OnTlsaMismatch::Refuse,
        OnTlsaMismatchName::GoOn => OnTlsaMismatch::GoOn,
    });
    for tag in tags(&trace.after_login)? {
        facilities.add(tag, bound).map_err(malformed)?;
    }
    let host = Host::try_new(&trace.host).map_err(malformed)?;
    let record = record(host, tags(&trace.latched)?, trace.status.as_deref())?;
    let (steps, record) = match LatchSession::try_new(record.clone(), facilities) {
        Ok(mut session) => {
            let begun = json!({"outcome": answer(&session.outcome()), "transitions": []});
            let mut steps = vec![begun];
            for event in &trace.events {
                steps.push(step(&happen(&mut session, event)?));
            }
            (steps, session.record().clone())
        }
        // There is no connection, and so none of the events.
        Err(failure) => {
            let refused = Transition::Refused(failure.stage(), failure.tags().to_vec());
            let outcome = answer(&Answer::Refuse(failure));
            let begun = json!({"outcome": outcome, "transitions": [transition(&refused)]});
            (vec![begun], record)
        }
    };
    let record = json!({
        "latched": record.latched().map(SecurityTag::as_str).collect::<Vec<_>>(),
        "status": record.status().map(DeepStatus::as_str),
    });
    Ok(Outcome::Accept(json!({"steps": steps, "record": record})))
}

/// A tag of the case's `after_login`: a login with channel binding achieves it.
fn bound(facts: &SessionFacts) -> Achievement {
    match facts.login {
        None => Achievement::AfterLogin,
        Some(Login::Done) => Achievement::NotAchieved,
        Some(Login::ScramPlus) => Achievement::Achieved,
    }
}

/// A record with a status: a session without facilities of its own records it.
fn record(
    host: Host,
    latched: Vec<SecurityTag<'static>>,
    status: Option<&str>,
) -> Result<LatchRecord, MalformedCase> {
    let mut record = LatchRecord::preset(host.clone(), latched);
    if let Some(status) = status {
        let status = DeepStatus::parse(status).map_err(malformed)?;
        let session = LatchSession::try_new(LatchRecord::new(host), Facilities::new());
        let mut session = session.map_err(malformed)?;
        let facts = TlsFacts {
            version: ProtocolVersion::TLS1_0,
            strength_bits: None,
            chain: ChainVerdict::NotChecked,
            identity: IdentityVerdict::NotChecked,
            dane: DaneVerdict::NotChecked,
        };
        let _ = session.step(Event::Handshake(facts));
        let _ = session.step(Event::LoggedIn(Login::ScramPlus));
        let _ = session.step(Event::Status(&status));
        record.merge(session.record());
    }
    Ok(record)
}

fn happen(session: &mut LatchSession, event: &EventName) -> Result<Step, MalformedCase> {
    Ok(match event {
        EventName::NoTls => session.step(Event::NoTls),
        EventName::HandshakeFailed(name) => {
            session.step(Event::HandshakeFailed(handshake_fault(*name)))
        }
        EventName::Handshake(facts) => session.step(Event::Handshake(tls_facts(facts)?)),
        EventName::Status(text) => {
            let status = DeepStatus::parse(text).map_err(malformed)?;
            session.step(Event::Status(&status))
        }
        EventName::NoStatus => session.step(Event::NoStatus),
        EventName::LoggedIn(login) => session.step(Event::LoggedIn(match login {
            LoginName::Done => Login::Done,
            LoginName::ScramPlus => Login::ScramPlus,
        })),
    })
}

const fn handshake_fault(name: FaultName) -> HandshakeFault {
    match name {
        FaultName::Transport => HandshakeFault::Transport,
        FaultName::Server => HandshakeFault::Server,
        FaultName::Negotiation => HandshakeFault::Negotiation,
        FaultName::Chain => HandshakeFault::Certificate(CertificateFault::Chain),
        FaultName::Identity => HandshakeFault::Certificate(CertificateFault::Identity),
        FaultName::Dane => HandshakeFault::Certificate(CertificateFault::Dane),
        FaultName::Local => HandshakeFault::Local,
    }
}

const fn certificate_fault(fault: CertificateFault) -> &'static str {
    match fault {
        CertificateFault::Chain => "chain",
        CertificateFault::Identity => "identity",
        CertificateFault::Dane => "dane",
    }
}

const fn fault(fault: HandshakeFault) -> &'static str {
    match fault {
        HandshakeFault::Transport => "transport",
        HandshakeFault::Server => "server",
        HandshakeFault::Negotiation => "negotiation",
        HandshakeFault::Certificate(fault) => certificate_fault(fault),
        HandshakeFault::Local => "local",
    }
}

fn tls_facts(facts: &Facts) -> Result<TlsFacts, MalformedCase> {
    let version = match facts.version.as_str() {
        "SSLv3" => 0x0300,
        "TLSv1.0" => 0x0301,
        "TLSv1.1" => 0x0302,
        "TLSv1.2" => 0x0303,
        "TLSv1.3" => 0x0304,
        "DTLSv1.2" => 0xfefd,
        other => return Err(malformed(format!("version {other}"))),
    };
    Ok(TlsFacts {
        version: ProtocolVersion(version),
        strength_bits: facts.strength_bits,
        chain: match facts.chain {
            ChainName::NotChecked => ChainVerdict::NotChecked,
            ChainName::Trusted => ChainVerdict::Trusted,
            ChainName::Refused => ChainVerdict::Refused,
        },
        identity: match facts.identity {
            IdentityName::NotChecked => IdentityVerdict::NotChecked,
            IdentityName::Matches => IdentityVerdict::Matches,
            IdentityName::Differs => IdentityVerdict::Differs,
        },
        dane: match facts.dane {
            DaneName::Verdict(NoMatch::NotChecked) => DaneVerdict::NotChecked,
            DaneName::Verdict(NoMatch::NoRecords) => DaneVerdict::NoRecords,
            DaneName::Verdict(NoMatch::Differs) => DaneVerdict::Differs,
            DaneName::Usage(usage) => DaneVerdict::Matches(match usage {
                0 => CertificateUsage::PkixTa,
                1 => CertificateUsage::PkixEe,
                2 => CertificateUsage::DaneTa,
                3 => CertificateUsage::DaneEe,
                other => return Err(malformed(format!("usage {other}"))),
            }),
        },
    })
}

fn step(step: &Step) -> Value {
    let transitions: Vec<_> = step.transitions.iter().map(transition).collect();
    json!({"outcome": answer(&step.outcome), "transitions": transitions})
}

fn names(tags: &[SecurityTag<'static>]) -> Vec<String> {
    tags.iter().map(SecurityTag::to_string).collect()
}

fn answer(answer: &Answer) -> Value {
    match answer {
        Answer::Continue => json!("continue"),
        Answer::StartTls => json!("start-tls"),
        Answer::Over => json!("over"),
        Answer::RefuseCertificate(failure) => json!({"refuse_certificate": {
            "fault": certificate_fault(failure.fault()),
            "url": offered(failure.actions()),
        }}),
        Answer::Refuse(failure) => {
            json!({"refuse": {
                "tags": names(failure.tags()),
                "stage": stage(failure.stage()),
                "may_report": failure.may_report(),
                "url": offered(failure.actions()),
            }})
        }
    }
}

/// The URL that a failure offers.
fn offered(actions: Vec<Action>) -> Option<String> {
    actions.into_iter().find_map(|action| match action {
        Action::OpenStatusPage(url) => Some(url.to_string()),
        Action::WorkOffline | Action::TryAgainLater => None,
    })
}

const fn stage(stage: Stage) -> &'static str {
    match stage {
        Stage::Connecting => "connecting",
        Stage::NoTls => "no-tls",
        Stage::HandshakeFailed => "handshake-failed",
        Stage::Handshake => "handshake",
        Stage::Login => "login",
    }
}

const fn reason(reason: Reason) -> &'static str {
    match reason {
        Reason::InClear => "in-clear",
        Reason::ServerNotAuthenticated => "server-not-authenticated",
        Reason::NotAchieved => "not-achieved",
        Reason::Unknown => "unknown",
        Reason::Refused => "refused",
        _ => "another",
    }
}

fn transition(transition: &Transition) -> Value {
    match transition {
        Transition::Latched(tag, basis) => {
            let by = match basis {
                Basis::Negotiated => "negotiated",
                Basis::Authenticated(Authentication::Pkix) => "pkix",
                Basis::Authenticated(Authentication::Dane) => "dane",
                Basis::Authenticated(Authentication::ScramPlus) => "scram-plus",
            };
            json!({"latched": tag.as_str(), "by": by})
        }
        Transition::NotLatched(tag, why) => {
            json!({"not_latched": tag.as_str(), "reason": reason(*why)})
        }
        Transition::Recorded(status) => json!({"recorded": status.as_str()}),
        Transition::NotRecorded(why) => json!({"not_recorded": reason(*why)}),
        Transition::Withdrawn => json!("withdrawn"),
        Transition::Refused(at, tags) => json!({"refused": names(tags), "stage": stage(*at)}),
        Transition::CertificateRefused(why) => {
            json!({"certificate_refused": certificate_fault(*why)})
        }
        Transition::HandshakeFailed(why) => json!({"handshake_failed": fault(*why)}),
        Transition::NotNegotiated(tags) => json!({"not_negotiated": names(tags)}),
    }
}
