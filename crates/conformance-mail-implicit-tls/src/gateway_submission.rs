//! The suite `mail-implicit-tls/gateway-submission`: sessions of Submission through a gateway, whole and octet by octet.

use conformance::{Input, MalformedCase, Outcome, Ran, malformed, violated};
use deep_latch::{ClientReport, MailProtocol, SecurityTag};
use mail_implicit_tls::{
    gateway::{
        BackendFailure, BareLineFeeds, ClientAddress, ClientFacts, Event, ExternalLogin,
        GatewayErrorKind, GatewayOptions, GatewaySession, MasterUser, Side, SubmissionGateway,
    },
    name::DomainName,
    service::{Protocol, Service},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{advertisement::advertisement, oracle::client_facts};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    #[serde(default)]
    options: Options,
    script: Vec<(Turn, String)>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Turn {
    Client,
    Backend,
    /// The backend is not available.
    Failed,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Options {
    address: Address,
    received: bool,
    deep: Option<String>,
    identity: Option<String>,
    external: Login,
    upgraded: bool,
    bare_line_feeds: LineFeeds,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Address {
    #[default]
    Proxy,
    Xclient,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum LineFeeds {
    #[default]
    Refuse,
    Normalize,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Login {
    #[default]
    Unavailable,
    External,
    Plain,
}

impl Options {
    fn facts(&self) -> ClientFacts {
        let mut facts = client_facts(Service::SUBMISSIONS);
        facts.record.client.clone_from(&self.identity);
        if self.upgraded {
            facts.record.service = Service::SUBMISSION_STARTTLS;
        }
        facts
    }

    fn options(&self) -> Result<GatewayOptions, MalformedCase> {
        let wrong = |error: &dyn std::fmt::Display| malformed(error.to_string());
        let address = match self.address {
            Address::Proxy => ClientAddress::ProxyV2,
            Address::Xclient => ClientAddress::Xclient,
        };
        let options = GatewayOptions::try_new(Protocol::Submission, address);
        let mut options = options.map_err(|it| wrong(&it))?;
        options = options.with_name("gw.example.org");
        if let LineFeeds::Normalize = self.bare_line_feeds {
            options = options.with_bare_line_feeds(BareLineFeeds::Normalize);
        }
        if self.received {
            let by = DomainName::parse("gw.example.org").map_err(|it| wrong(&it))?;
            options = options.with_received(by, || 1_404_208_800);
        }
        if let Some(line) = &self.deep {
            let status = line.strip_prefix("DEEP ");
            let status = status.ok_or_else(|| malformed("deep: DEEP expected"))?;
            let advertisement = advertisement(status, &[MailProtocol::Smtp]).map_err(malformed)?;
            options = options.with_advertisement(advertisement);
        }
        let external = match self.external {
            Login::Unavailable => ExternalLogin::Unavailable,
            Login::External => ExternalLogin::External,
            Login::Plain => {
                let user = MasterUser::try_new("master", "secret".to_owned());
                ExternalLogin::Plain(user.map_err(|it| wrong(&it))?)
            }
        };
        Ok(options.with_external(external))
    }
}

/// A session that was played.
#[derive(PartialEq)]
struct Played {
    turns: Vec<[String; 2]>,
    events: Vec<Value>,
    end: Value,
}

fn play(case: &Case, piece: usize) -> Result<Played, MalformedCase> {
    let mut session = SubmissionGateway::new(&case.options.facts(), &case.options.options()?);
    let mut turns = Vec::new();
    let mut end = None;
    for (turn, text) in &case.script {
        let octets: Option<Vec<u8>> = text.chars().map(|it| u8::try_from(it).ok()).collect();
        let octets = octets.ok_or_else(|| malformed("script: an octet expected"))?;
        let (mut client, mut backend) = (Vec::new(), Vec::new());
        for part in octets.chunks(piece) {
            let done = match turn {
                Turn::Client => session.client_sent(part),
                Turn::Backend => session.backend_sent(part),
                Turn::Failed => Ok(()),
            };
            if let Err(error) = done {
                end.get_or_insert(json!([error.side().to_string(), kind(error.kind())]));
            }
            client.extend(session.take_for_client());
            backend.extend(session.take_for_backend());
        }
        if matches!(turn, Turn::Failed) {
            session.backend_failed(BackendFailure::Closed);
            client.extend(session.take_for_client());
        }
        turns.push([client, backend].map(text_of));
    }
    let events = std::iter::from_fn(|| session.next_event());
    let events = events.map(|it| written(&it)).collect();
    let end = end.unwrap_or_else(|| json!(if session.is_over() { "over" } else { "open" }));
    Ok(Played { turns, events, end })
}

fn text_of(octets: Vec<u8>) -> String {
    octets.into_iter().map(char::from).collect()
}

const fn kind(kind: GatewayErrorKind) -> &'static str {
    match kind {
        GatewayErrorKind::Octet => "octet",
        GatewayErrorKind::Syntax => "syntax",
        GatewayErrorKind::TooLong => "too-long",
        GatewayErrorKind::Unexpected => "unexpected",
        _ => "unknown",
    }
}

fn written(event: &Event) -> Value {
    match event {
        Event::LoggedIn { mechanism } => json!(["logged-in", mechanism.as_str()]),
        Event::LoginFailed { mechanism } => json!(["login-failed", mechanism.as_str()]),
        Event::Report(report) => json!(["report", report_of(report)]),
        Event::Refused(refusal) => json!(["refused", refusal.name()]),
        Event::Normalized => json!("normalized"),
        Event::Closed => json!("closed"),
        _ => json!("unknown"),
    }
}

fn report_of(report: &ClientReport) -> Value {
    let tags = |tags: &[SecurityTag<'_>]| -> Vec<String> {
        tags.iter().map(|tag| tag.to_string()).collect()
    };
    json!({
        "name": report.name,
        "version": report.version,
        "latch": tags(&report.latch),
        "latch_fail": tags(&report.latch_fail),
        "security_tags": tags(&report.security_tags),
        "tls": report.tls.as_ref().map(|it| it.as_str()),
    })
}

pub(super) fn gateway_submission(input: Input) -> Ran {
    let case: Case = input.parse()?;
    let whole = play(&case, usize::MAX)?;
    let parts = play(&case, 1)?;
    // A reply that was not asked for is found in a whole turn before the commands that wait, and in parts after them.
    let by_backend = whole.end[0] == Side::Backend.to_string();
    if parts != whole && !by_backend {
        return Err(violated(format!(
            "octet by octet: {:?} {:?} {}",
            parts.turns, parts.events, parts.end
        )));
    }
    Ok(Outcome::Accept(json!({
        "turns": whole.turns,
        "events": whole.events,
        "end": whole.end,
    })))
}
