//! The suites of `deep-latch`'s server side: a proxy's `tls`, a relay's reply, and the field of a delivery
//! status notification.

use deep_latch::{
    Cause, CertificateFault, Event, Facilities, ForwardError, HandshakeFault, Host, IdCommand,
    InboundTls, LatchRecord, LatchSession, Outcome as Latch, RelayReply, ReplyTo, SecurityDetail,
    SecurityTag, TlsCipher, add_security_latch, forward_client, forward_id, security_latch_of,
};
use serde::Deserialize;
use serde_json::json;

use crate::suite::{Input, MalformedCase, Outcome, Ran, Suite, malformed, violated};

/// The suites.
pub(crate) const SUITES: &[Suite] = &[
    suite("deep-latch/proxy", proxy),
    suite("deep-latch/relay", relay),
    suite("deep-latch/delivery-status", delivery_status),
];

const fn suite(name: &'static str, run: fn(Input) -> Ran) -> Suite {
    Suite {
        name,
        run,
        import: None,
    }
}

fn tags(names: &[String]) -> Result<Vec<SecurityTag<'_>>, MalformedCase> {
    names
        .iter()
        .map(|name| SecurityTag::parse(name).map_err(malformed))
        .collect()
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Protocol {
    Imap,
    Smtp,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Inbound {
    #[default]
    Remove,
    Refuse,
    Trust,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProxyInput {
    protocol: Protocol,
    text: String,
    tls: Option<String>,
    #[serde(default)]
    inbound: Inbound,
}

fn proxy(input: Input) -> Ran {
    let ProxyInput {
        protocol,
        text,
        tls,
        inbound,
    } = input.parse()?;
    let tls = tls
        .as_deref()
        .map(TlsCipher::parse)
        .transpose()
        .map_err(malformed)?;
    let inbound = match inbound {
        Inbound::Remove => InboundTls::Remove,
        Inbound::Refuse => InboundTls::Refuse,
        Inbound::Trust => InboundTls::Trust,
    };
    let forwarded = match protocol {
        Protocol::Imap => {
            let line = format!("{text}\r\n");
            let command = IdCommand::parse(line.as_bytes()).map_err(malformed)?;
            let command = command.ok_or_else(|| malformed("another command than ID"))?;
            forward_id(&command, tls.as_ref(), inbound).map(|mut forwarded| {
                let end = forwarded.command.len().saturating_sub(2);
                forwarded.command.truncate(end);
                forwarded
            })
        }
        Protocol::Smtp => forward_client(text.as_bytes(), tls.as_ref(), inbound),
    };
    Ok(match forwarded {
        Ok(forwarded) => {
            let text = String::from_utf8(forwarded.command).map_err(violated)?;
            Outcome::Accept(json!({"text": text, "removed": forwarded.removed}))
        }
        Err(ForwardError::Unreadable(error)) => {
            Outcome::reject(error.kind().name(), error.field(), error.offset())
        }
        Err(error) => Outcome::Accept(json!({"refused": match error {
            ForwardError::Inbound => "inbound",
            ForwardError::Full => "full",
            _ => "nothing-left",
        }})),
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RelayInput {
    host: String,
    tags: Vec<String>,
    #[serde(default)]
    lasting: bool,
    #[serde(default)]
    transaction: bool,
    #[serde(default)]
    detail: u16,
    fault: Option<RelayFault>,
}

/// What failed, where no latch did.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum RelayFault {
    Chain,
    Identity,
    Dane,
    Transport,
}

fn relay(input: Input) -> Ran {
    let RelayInput {
        host,
        tags: names,
        lasting,
        transaction,
        detail,
        fault,
    } = input.parse()?;
    let host = Host::try_new(&host).map_err(malformed)?;
    let latched = tags(&names)?.into_iter().map(SecurityTag::into_owned);
    let record = LatchRecord::preset(host.clone(), latched);
    let (mut session, step) = LatchSession::begin(record, Facilities::new());
    let event = match fault {
        None => Event::NoTls,
        Some(RelayFault::Chain) => certificate(CertificateFault::Chain),
        Some(RelayFault::Identity) => certificate(CertificateFault::Identity),
        Some(RelayFault::Dane) => certificate(CertificateFault::Dane),
        Some(RelayFault::Transport) => Event::HandshakeFailed(HandshakeFault::Transport),
    };
    let outcome = match step.outcome {
        Latch::Continue | Latch::StartTls => session.step(event).outcome,
        outcome => outcome,
    };
    let cause = match lasting {
        true => Cause::Lasting,
        false => Cause::Administrative,
    };
    let to = match transaction {
        true => ReplyTo::Transaction,
        false => ReplyTo::Recipient,
    };
    let detail = match SecurityDetail::try_new(detail) {
        Ok(detail) => detail,
        Err(error) => return Ok(Outcome::reject(error.kind().name(), error.field(), 0)),
    };
    let reply = match outcome {
        Latch::Refuse(failure) => RelayReply::new(&failure, cause, to, detail),
        Latch::RefuseCertificate(failure) => {
            RelayReply::of_certificate(&failure, cause, to, detail)
        }
        Latch::Over => RelayReply::of_transport(&host, cause, to),
        Latch::Continue | Latch::StartTls => return Err(malformed("not refused").into()),
    };
    Ok(Outcome::Accept(
        json!({"reply": reply.to_string(), "status": reply.status()}),
    ))
}

const fn certificate(fault: CertificateFault) -> Event<'static> {
    Event::HandshakeFailed(HandshakeFault::Certificate(fault))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BlockInput {
    text: String,
    add: Option<Vec<String>>,
}

fn delivery_status(input: Input) -> Ran {
    let BlockInput { text, add } = input.parse()?;
    let block = text.as_bytes();
    let done = match add {
        Some(names) => add_security_latch(block, &tags(&names)?)
            .map(|block| json!({"text": String::from_utf8_lossy(&block)})),
        None => security_latch_of(block).map(|found| {
            let found =
                found.map(|tags| tags.iter().map(SecurityTag::to_string).collect::<Vec<_>>());
            json!({"tags": found})
        }),
    };
    Ok(match done {
        Ok(value) => Outcome::Accept(value),
        Err(error) => Outcome::reject(error.kind().name(), error.field(), error.offset()),
    })
}
