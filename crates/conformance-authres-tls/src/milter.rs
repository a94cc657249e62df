//! The suite `authres-tls/milter`: the replies of the filter to what an MTA sends.

use std::sync::Arc;

use authres_tls::{
    AuthservId, Border,
    border::{HostName, HostSource, Network, Task},
    facts::milter::Mta,
    milter::{DecodeError, Event, MilterSession, MilterSettings, OnFailure, Outcome as Ended},
};
use conformance::{Input, MalformedCase, Outcome, Ran, malformed, octets::from_hex, violated};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::oracle;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MilterInput {
    received: String,
    authserv_id: String,
    #[serde(default)]
    own: Vec<String>,
    subdomains: Option<bool>,
    task: Option<String>,
    authenticated: Option<String>,
    #[serde(default)]
    trusted_networks: Vec<String>,
    host: Option<String>,
    #[serde(default)]
    local_names: Vec<String>,
    mta: Option<String>,
    on_failure: Option<String>,
    max_packet: Option<usize>,
    max_header: Option<usize>,
}

pub(crate) fn milter(input: Input) -> Ran {
    let case: MilterInput = input.parse()?;
    let received = from_hex(&case.received)?;
    let settings = Arc::new(settings(&case)?);
    oracle::milter_session(&settings, &received).map_err(violated)?;
    let mut session = MilterSession::new(settings);
    let mut sent = Vec::new();
    if let Err(error) = session.receive(&received, &mut sent) {
        let error: DecodeError = error;
        return Ok(Outcome::reject(
            error.kind().name(),
            error.field(),
            error.offset(),
        ));
    }
    let events = std::iter::from_fn(|| session.next_event());
    let events: Vec<_> = events.map(|event| described(&event)).collect();
    Ok(Outcome::Accept(
        json!({"sent": hex::encode(sent), "events": events}),
    ))
}

fn settings(case: &MilterInput) -> Result<MilterSettings, MalformedCase> {
    let mut border = Border::try_new(&case.authserv_id).map_err(malformed)?;
    for own in &case.own {
        border = border.with_own_id(AuthservId::try_new(own).map_err(malformed)?);
    }
    border.strip.subdomains = case.subdomains.unwrap_or(border.strip.subdomains);
    if let Some(name) = &case.task {
        border.task = task(name)?;
    }
    if let Some(name) = &case.authenticated {
        border.authenticated = task(name)?;
    }
    for network in &case.trusted_networks {
        let network: Network = network.parse().map_err(malformed)?;
        border.trusted_networks.push(network);
    }
    border.host = match case.host.as_deref() {
        None | Some("unchecked") => HostSource::Unchecked,
        Some("helo") => HostSource::Helo,
        Some("reverse-dns") => HostSource::ReverseDns,
        Some(other) => return Err(unknown(other)),
    };
    for name in &case.local_names {
        let name = HostName::try_new(name).map_err(malformed)?;
        border.local_names.push(name);
    }
    let mut settings = MilterSettings::new(border);
    settings.mta = match case.mta.as_deref() {
        None => None,
        Some("postfix") => Some(Mta::Postfix),
        Some("sendmail") => Some(Mta::Sendmail),
        Some(other) => return Err(unknown(other)),
    };
    settings.on_failure = match case.on_failure.as_deref() {
        None | Some("tempfail") => OnFailure::TemporaryFailure,
        Some("accept") => OnFailure::Accept,
        Some(other) => return Err(unknown(other)),
    };
    settings.max_packet = case.max_packet.unwrap_or(settings.max_packet);
    settings.max_header = case.max_header.unwrap_or(settings.max_header);
    Ok(settings)
}

fn task(name: &str) -> Result<Task, MalformedCase> {
    Ok(match name {
        "strip-and-add" => Task::StripAndAdd,
        "strip" => Task::Strip,
        "add" => Task::Add,
        "nothing" => Task::Nothing,
        other => return Err(unknown(other)),
    })
}

fn unknown(other: &str) -> MalformedCase {
    malformed(format!("no such thing as {other}"))
}

fn described(event: &Event) -> Value {
    match event {
        Event::Negotiated(version) => json!({"negotiated": version}),
        Event::Message(message) => {
            let outcome = match message.outcome {
                Ended::Added(result) => result.name().to_owned(),
                Ended::NotAdded => "not-added".to_owned(),
                Ended::Unchanged => "unchanged".to_owned(),
                Ended::Failed(failure) => format!("failed:{}", failure.name()),
            };
            let removed = message.removed.iter().map(|it| it.reason.name());
            let removed: Vec<_> = removed.collect();
            json!({"message": {"queue_id": message.queue_id, "outcome": outcome, "removed": removed}})
        }
        Event::Aborted => json!({"aborted": true}),
        other => json!({"other": format!("{other:?}")}),
    }
}
