//! The findings about an account, as values, as JSON, and as an exit code.

use std::{fmt, net::SocketAddr};

use mail_implicit_tls::{
    account::{AccountSetup, Server},
    client::{Connection, Connector},
    deep::LatchedFailure,
    dns::{Dnssec, host::HostFailure},
    failure::{Action, Cause, Failure, Stage},
    name::DomainName,
    privacy::{Indication, PrivacyLevel},
    received::CipherSuite,
    service::Protocol,
    setup::{
        Candidate, Offer, Offers,
        autoconfig::https::{FetchError, FetchFailure},
        check::{Checked, CheckedOffers, Outcome},
    },
    verdict::Verdict,
};
use serde_json::{Value, json};

use crate::latches::{HostLatches, Latches};

/// The findings about an account.
pub(crate) struct Report {
    pub(crate) domain: String,
    pub(crate) parts: Vec<Part>,
    /// `true` if the servers were looked up or read from a file, so that reading and submitting mail are both needed.
    looked_up: bool,
    /// The resolver, if a lookup failed.
    pub(crate) asked: Option<Asked>,
}

/// The resolver that was asked.
#[derive(Clone, Copy)]
pub(crate) struct Asked {
    pub(crate) server: SocketAddr,
    /// `true` if the file of the system names it.
    pub(crate) is_of_system: bool,
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.server)?;
        match self.is_of_system {
            true => f.write_str(", the first resolver of /etc/resolv.conf"),
            false => Ok(()),
        }
    }
}

/// The findings about one protocol.
pub(crate) struct Part {
    pub(crate) protocol: Protocol,
    /// The reason why there are no servers.
    pub(crate) none: Option<String>,
    /// `true` if the lookup, or the fetch of the file, failed.
    pub(crate) unknown: bool,
    pub(crate) attempts: Vec<Attempt>,
}

/// The attempt to connect to one server.
pub(crate) struct Attempt {
    pub(crate) protocol: Protocol,
    pub(crate) server: String,
    pub(crate) warnings: Vec<String>,
    pub(crate) result: AttemptResult,
    /// `true` if a lookup for the server failed.
    lookup_failed: bool,
    /// The candidate that was found in the DNS.
    candidate: Option<Candidate>,
}

pub(crate) enum AttemptResult {
    Ready(Box<Facts>),
    Failed {
        reason: String,
        actions: Vec<String>,
    },
    NotTried(String),
}

pub(crate) struct Facts {
    pub(crate) indication: Indication,
    pub(crate) verdict: Option<Verdict>,
    pub(crate) tls: Option<String>,
    pub(crate) mechanisms: Vec<String>,
    /// The latches, unless they are not known.
    pub(crate) latches: Option<HostLatches>,
}

/// The description of a version and a cipher suite.
fn tls(version: Option<impl ToString>, suite: Option<u16>) -> Option<String> {
    let suite = CipherSuite::from_number(suite?);
    Some(format!("{} {}", version?.to_string(), suite.as_str()))
}

fn failed(failure: &Failure) -> AttemptResult {
    AttemptResult::Failed {
        reason: failure.cause().to_string(),
        actions: actions(&failure.actions()),
    }
}

fn latches_failed(failure: &LatchedFailure) -> AttemptResult {
    match failure {
        LatchedFailure::Connection(failure) => failed(failure),
        other => AttemptResult::Failed {
            reason: other.to_string(),
            actions: actions(&other.actions()),
        },
    }
}

/// Returns `true` if the resolver may be the cause.
const fn is_of_lookup(cause: &Cause) -> bool {
    matches!(
        cause,
        Cause::Lookup(HostFailure::Address(_) | HostFailure::Tlsa(_))
            | Cause::Timeout(Stage::Lookup)
    )
}

fn actions(actions: &[Action]) -> Vec<String> {
    let action = |action: &Action| match action {
        Action::WorkOffline => "work offline".to_owned(),
        Action::TryAgainLater => "try again later".to_owned(),
        Action::OpenStatusPage(page) => format!("open {}", page.as_str()),
        _ => "see the provider's documentation".to_owned(),
    };
    actions.iter().map(action).collect()
}

/// Closes a connection and returns its facts.
async fn facts(connection: Connection, latches: Option<HostLatches>) -> AttemptResult {
    let facts = Facts {
        indication: connection.indication(),
        verdict: connection.verdict().cloned(),
        tls: tls(connection.version(), connection.cipher_suite()),
        mechanisms: connection.capabilities().mechanisms(),
        latches,
    };
    // The close alert of TLS.
    let _ = tokio::io::AsyncWriteExt::shutdown(&mut connection.into_stream()).await;
    AttemptResult::Ready(Box::new(facts))
}

impl Attempt {
    fn of_candidate(checked: &Checked) -> Self {
        let candidate = &checked.candidate;
        let failure = match &checked.outcome {
            Outcome::Failed(failure) => Some(failure),
            _ => None,
        };
        let lookup_failed = failure.is_some_and(|it| is_of_lookup(it.cause()));
        let result = match &checked.outcome {
            Outcome::Ready(facts) => AttemptResult::Ready(Box::new(Facts {
                indication: facts.indication,
                verdict: facts.verdict.clone(),
                tls: tls(facts.version, facts.cipher_suite),
                mechanisms: facts.capabilities.mechanisms(),
                latches: None,
            })),
            Outcome::Failed(failure) => failed(failure),
            Outcome::NotChecked(reason) => AttemptResult::NotTried(reason.to_string()),
            _ => AttemptResult::NotTried("not checked".to_owned()),
        };
        Self {
            protocol: candidate.service().protocol,
            server: format!(
                "{} {}:{}",
                candidate.service(),
                candidate.host(),
                candidate.port()
            ),
            warnings: candidate
                .warnings()
                .iter()
                .map(ToString::to_string)
                .collect(),
            result,
            lookup_failed,
            candidate: Some(candidate.clone()),
        }
    }

    /// Connects once more to a candidate that can be used, for its latches.
    pub(crate) async fn add_latches(
        &mut self,
        connector: &Connector,
        setup: &AccountSetup,
        latches: &Latches,
    ) {
        let (AttemptResult::Ready(_), Some(candidate)) = (&self.result, &self.candidate) else {
            return;
        };
        let server = candidate.to_server();
        let account = setup
            .clone()
            .domain(candidate.domain().clone())
            .server(server.clone())
            .build();
        let Ok(account) = account else { return };
        self.result = match latches.connect(connector, &account, &server).await {
            Ok((connection, latches)) => facts(connection, Some(latches)).await,
            Err(failure) => latches_failed(&failure),
        };
    }

    pub(crate) async fn of_server(
        server: &Server,
        connected: Result<(Connection, HostLatches), LatchedFailure>,
    ) -> Self {
        let lookup_failed = matches!(
            &connected,
            Err(LatchedFailure::Connection(failure)) if is_of_lookup(failure.cause())
        );
        let result = match connected {
            Err(failure) => latches_failed(&failure),
            Ok((connection, latches)) => facts(connection, Some(latches)).await,
        };
        Self {
            protocol: server.service.protocol,
            server: format!("{} {}:{}", server.service, server.host, server.port),
            warnings: Vec::new(),
            result,
            lookup_failed,
            candidate: None,
        }
    }

    fn is_private(&self) -> bool {
        match &self.result {
            AttemptResult::Ready(facts) => facts.indication.level() == Some(PrivacyLevel::High),
            AttemptResult::Failed { .. } | AttemptResult::NotTried(_) => false,
        }
    }

    fn to_json(&self) -> Value {
        let mut value = json!({ "server": self.server, "warnings": self.warnings });
        let result = match &self.result {
            AttemptResult::Ready(facts) => json!({
                "level": facts.indication.to_string(),
                "tls": facts.tls,
                "verdict": facts.verdict.as_ref().map(|verdict| json!({
                    "chain": verdict.chain.to_string(),
                    "identity": verdict.identity.to_string(),
                    "dane": verdict.dane.to_string(),
                })),
                "mechanisms": facts.mechanisms,
                "latches": facts.latches.as_ref().map(HostLatches::to_json),
            }),
            AttemptResult::Failed { reason, actions } => {
                json!({ "failure": reason, "actions": actions })
            }
            AttemptResult::NotTried(reason) => json!({ "not_tried": reason }),
        };
        if let (Some(value), Value::Object(result)) = (value.as_object_mut(), result) {
            value.extend(result);
        }
        value
    }
}

impl Report {
    pub(crate) fn of_offers(
        domain: &DomainName,
        offers: &Offers,
        checked: &CheckedOffers,
        asked: Asked,
    ) -> Self {
        let part = |protocol| {
            let (none, unknown) = match offers.of(protocol) {
                Offer::NotAdvertised(dnssec) => (Some(absent("not advertised", *dnssec)), false),
                Offer::Unavailable(dnssec) => (Some(absent("not available", *dnssec)), false),
                Offer::Failed { service, failure } => (
                    Some(format!(
                        "lookup of {} failed: {failure}",
                        service.srv_label()
                    )),
                    true,
                ),
                Offer::Candidates {
                    candidates, clear, ..
                } if candidates.is_empty() && clear.is_empty() => {
                    (Some("no record can be used".to_owned()), false)
                }
                Offer::Candidates { .. } => (None, false),
            };
            let attempts = checked
                .of(protocol)
                .iter()
                .map(Attempt::of_candidate)
                .collect();
            Part {
                protocol,
                none,
                unknown,
                attempts,
            }
        };
        let parts: Vec<_> = [Protocol::Imap, Protocol::Pop, Protocol::Submission]
            .map(part)
            .into();
        let fails = |part: &Part| part.unknown || part.attempts.iter().any(|it| it.lookup_failed);
        let asked = parts.iter().any(fails).then_some(asked);
        Self {
            domain: domain.to_string(),
            parts,
            looked_up: true,
            asked,
        }
    }

    /// Returns the findings about a domain whose configuration file could not be fetched.
    pub(crate) fn without_file(domain: &DomainName, error: &FetchError, asked: Asked) -> Self {
        let part = |protocol| Part {
            protocol,
            none: Some(error.to_string()),
            unknown: !error.is_absent(),
            attempts: Vec::new(),
        };
        let is_of_lookup = error.failures.iter().any(|(_, failure)| {
            matches!(failure, FetchFailure::Connection(cause) if is_of_lookup(cause))
        });
        let parts = [Protocol::Imap, Protocol::Pop, Protocol::Submission]
            .map(part)
            .into();
        Self {
            domain: domain.to_string(),
            parts,
            looked_up: true,
            asked: is_of_lookup.then_some(asked),
        }
    }

    pub(crate) fn of_servers(domain: &DomainName, attempts: Vec<Attempt>, asked: Asked) -> Self {
        let part = |attempt: Attempt| Part {
            protocol: attempt.protocol,
            none: None,
            unknown: false,
            attempts: vec![attempt],
        };
        let fails = attempts.iter().any(|it| it.lookup_failed);
        let parts = attempts.into_iter().map(part).collect();
        Self {
            domain: domain.to_string(),
            parts,
            looked_up: false,
            asked: fails.then_some(asked),
        }
    }

    pub(crate) fn attempts_mut(&mut self) -> impl Iterator<Item = &mut Attempt> {
        self.parts.iter_mut().flat_map(|part| &mut part.attempts)
    }

    /// Returns the exit code that the README describes.
    pub(crate) fn exit_code(&self) -> u8 {
        let private = |part: &Part| part.attempts.iter().any(Attempt::is_private);
        if !self.looked_up {
            return if self.parts.iter().all(private) { 0 } else { 1 };
        }
        let has = |submission: bool| {
            let mut parts = self.parts.iter();
            parts.any(|part| (part.protocol == Protocol::Submission) == submission && private(part))
        };
        match has(false) && has(true) {
            true => 0,
            false if self.parts.iter().any(|part| part.unknown) => 3,
            false => 1,
        }
    }

    pub(crate) fn to_json(&self) -> Value {
        let part = |part: &Part| {
            json!({
                "protocol": name(part.protocol),
                "none": part.none,
                "servers": part.attempts.iter().map(Attempt::to_json).collect::<Vec<_>>(),
            })
        };
        json!({
            "domain": self.domain,
            "private": self.exit_code() == 0,
            "resolver": self.asked.map(|asked| asked.server.to_string()),
            "protocols": self.parts.iter().map(part).collect::<Vec<_>>(),
        })
    }
}

pub(crate) const fn name(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Imap => "IMAP",
        Protocol::Pop => "POP",
        Protocol::Submission => "Submission",
    }
}

fn absent(what: &str, dnssec: Dnssec) -> String {
    format!("{what} ({dnssec})")
}
