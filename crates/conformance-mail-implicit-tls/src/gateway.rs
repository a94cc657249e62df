//! The suites `mail-implicit-tls/gateway-imap` and `mail-implicit-tls/gateway-pop`: sessions through a gateway.

use conformance::{Input, MalformedCase, Outcome, Ran, malformed, violated};
use deep_latch::{ClientReport, MailProtocol, SecurityTag};
use mail_implicit_tls::{
    gateway::{
        AfterLogin, BackendFailure, ClientAddress, ClientFacts, Event, ExternalLogin, GatewayError,
        GatewayErrorKind, GatewayOptions, GatewaySession, ImapGateway, MasterUser, PopGateway,
    },
    service::{Protocol, Security, Service},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    advertisement::{EXAMPLE_3, advertisement},
    oracle,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    service: Option<String>,
    said: Vec<(Side, String)>,
    #[serde(default)]
    advertises: bool,
    #[serde(default)]
    address: Address,
    certificate: Option<String>,
    #[serde(default)]
    external: External,
    #[serde(default)]
    after_login: After,
    #[serde(default)]
    allow_utf8: bool,
}

#[derive(Clone, Copy, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Side {
    Client,
    Backend,
    Failed,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Address {
    #[default]
    None,
    ImapId,
    Xclient,
}

#[derive(Clone, Default, Deserialize)]
#[serde(untagged)]
enum External {
    #[default]
    Unavailable,
    Named(String),
    Plain(String, String),
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum After {
    #[default]
    Pipe,
    Parsed,
}

pub(super) fn imap(input: Input) -> Ran {
    run(Protocol::Imap, input)
}

pub(super) fn pop(input: Input) -> Ran {
    run(Protocol::Pop, input)
}

fn run(protocol: Protocol, input: Input) -> Ran {
    let case: Case = input.parse()?;
    let (facts, options) = (facts(protocol, &case)?, options(protocol, &case)?);
    let whole = played(&facts, &options, &case.said, usize::MAX)?;
    for piece in [1, 3] {
        let pieces = played(&facts, &options, &case.said, piece)?;
        if pieces != whole {
            return Err(violated(format!(
                "{whole}, but in pieces of {piece}: {pieces}"
            )));
        }
    }
    let client = case.said.iter().filter(|(side, _)| *side == Side::Client);
    let client: String = client.map(|(_, text)| text.as_str()).collect();
    oracle::session(protocol, case.advertises, &[], client.as_bytes()).map_err(violated)?;
    Ok(Outcome::Accept(whole))
}

fn facts(protocol: Protocol, case: &Case) -> Result<ClientFacts, MalformedCase> {
    let security = match case.service.as_deref() {
        None | Some("imaps" | "pop3s") => Security::Implicit,
        Some("imap" | "pop3") => Security::StartTls,
        Some(other) => return Err(malformed(format!("no service {other}"))),
    };
    let mut facts = oracle::client_facts(Service::new(protocol, security));
    facts.record.client.clone_from(&case.certificate);
    Ok(facts)
}

fn options(protocol: Protocol, case: &Case) -> Result<GatewayOptions, MalformedCase> {
    let address = match case.address {
        Address::None => ClientAddress::None,
        Address::ImapId => ClientAddress::ImapId,
        Address::Xclient => ClientAddress::Xclient,
    };
    let external = match &case.external {
        External::Unavailable => ExternalLogin::Unavailable,
        External::Named(name) if name == "external" => ExternalLogin::External,
        External::Named(other) => return Err(malformed(format!("no external {other}"))),
        External::Plain(user, password) => {
            let user = MasterUser::try_new(user, password.clone()).map_err(malformed)?;
            ExternalLogin::Plain(user)
        }
    };
    let mut options = GatewayOptions::try_new(protocol, address)
        .map_err(malformed)?
        .with_external(external)
        .with_after_login(match case.after_login {
            After::Pipe => AfterLogin::Pipe,
            After::Parsed => AfterLogin::Parsed,
        });
    if case.advertises {
        options = options.with_advertisement(
            advertisement(EXAMPLE_3, &[MailProtocol::Imap, MailProtocol::Pop])
                .map_err(malformed)?,
        );
    }
    if case.allow_utf8 {
        options = options.allow_utf8_before_login();
    }
    Ok(options)
}

/// Returns what each side receives, the events and the end.
fn played(
    facts: &ClientFacts,
    options: &GatewayOptions,
    said: &[(Side, String)],
    piece: usize,
) -> Result<Value, MalformedCase> {
    let mut session: Box<dyn GatewaySession> = match options.protocol() {
        Protocol::Imap => Box::new(ImapGateway::new(facts, options)),
        _ => Box::new(PopGateway::new(facts, options)),
    };
    let mut failed = None;
    let mut sent = Vec::new();
    for (side, text) in said {
        if *side == Side::Failed {
            session.backend_failed(failure(text)?);
        } else {
            for octets in text.as_bytes().chunks(piece.min(text.len()).max(1)) {
                let done = match side {
                    Side::Backend => session.backend_sent(octets),
                    _ => session.client_sent(octets),
                };
                failed = failed.or(done.err());
            }
        }
        let octets = [session.take_for_backend(), session.take_for_client()];
        let [backend, client] = octets.map(|octets| String::from_utf8(octets).map_err(malformed));
        sent.push(json!([backend?, client?]));
    }
    let events: Vec<_> = std::iter::from_fn(|| session.next_event())
        .map(|event| written(&event))
        .collect();
    let end = match failed {
        Some(error) => json!({"failed": failure_of(error)}),
        None if session.is_pipe() => json!("pipe"),
        None if session.is_over() => json!("over"),
        None => json!("open"),
    };
    Ok(json!({"sent": sent, "events": events, "end": end}))
}

fn failure(name: &str) -> Result<BackendFailure, MalformedCase> {
    use BackendFailure::{Busy, Closed, Stopping, Timeout, Tls, Unreachable};
    let all = [Unreachable, Tls, Timeout, Closed, Busy, Stopping];
    let failure = all.into_iter().find(|failure| failure.name() == name);
    failure.ok_or_else(|| malformed(format!("no failure {name}")))
}

fn failure_of(error: GatewayError) -> Value {
    let kind = match error.kind() {
        GatewayErrorKind::Octet => "octet",
        GatewayErrorKind::Syntax => "syntax",
        GatewayErrorKind::TooLong => "too-long",
        GatewayErrorKind::Unexpected => "unexpected",
        _ => "unknown",
    };
    json!([
        error.side().to_string(),
        kind,
        error.field(),
        error.offset()
    ])
}

fn written(event: &Event) -> Value {
    match event {
        Event::LoggedIn { mechanism } => json!(["logged-in", mechanism.as_str()]),
        Event::LoginFailed { mechanism } => json!(["login-failed", mechanism.as_str()]),
        Event::Refused(refusal) => json!(["refused", refusal.name()]),
        Event::Report(report) => json!(["report", report_of(report)]),
        Event::Closed => json!(["closed"]),
        _ => json!(["unknown"]),
    }
}

fn report_of(report: &ClientReport) -> Value {
    let mut written = Map::new();
    let tags = |tags: &[SecurityTag<'_>]| tags.iter().map(SecurityTag::to_string).collect();
    for (field, text) in [("name", &report.name), ("version", &report.version)] {
        if let Some(text) = text {
            written.insert(field.to_owned(), json!(text));
        }
    }
    for (field, list) in [
        ("latch", &report.latch),
        ("latch-fail", &report.latch_fail),
        ("security-tags", &report.security_tags),
    ] {
        let list: Vec<String> = tags(list);
        if !list.is_empty() {
            written.insert(field.to_owned(), json!(list));
        }
    }
    Value::Object(written)
}
