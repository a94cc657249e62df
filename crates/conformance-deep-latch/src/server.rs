//! The suites of `deep-latch`'s server side: commands of IMAP, a proxy's `tls`, a relay's reply, and the field of a delivery
//! status notification.

use conformance::{
    Input, MalformedCase, Outcome, Ran, Suite, malformed, octets::from_hex, violated,
};
use deep_latch::{
    Facilities, Host, LatchRecord, LatchSession, SecurityTag, TlsCipher,
    dsn::{DeliveryStatusBlock, SecurityLatchField},
    failure::{CertificateFault, HandshakeFault},
    imap::{CommandReader, IdCommand, MAX_ID_COMMAND_BYTES, Received},
    latch::{Event, Outcome as Latch},
    proxy::{ForwardError, Forwarded, ImapProxy, InboundTls},
    relay::{Cause, RelayReply, ReplyTo, SecurityDetail},
    smtp::ClientCommand,
};
use serde::Deserialize;
use serde_json::json;

/// The suites.
pub(crate) const SUITES: &[Suite] = &[
    suite("deep-latch/imap-commands", imap_commands),
    suite("deep-latch/imap-proxy", imap_proxy),
    suite("deep-latch/proxy", proxy),
    suite("deep-latch/relay", relay),
    suite("deep-latch/delivery-status", delivery_status),
];

const fn suite(name: &'static str, run: fn(Input) -> Ran) -> Suite {
    Suite {
        name,
        run,
        import: None,
        is_right: None,
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

impl From<Inbound> for InboundTls {
    fn from(inbound: Inbound) -> Self {
        match inbound {
            Inbound::Remove => Self::Remove,
            Inbound::Refuse => Self::Refuse,
            Inbound::Trust => Self::Trust,
        }
    }
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
    let inbound = inbound.into();
    let forwarded = match protocol {
        Protocol::Imap => {
            let line = format!("{text}\r\n");
            match IdCommand::parse(line.as_bytes()) {
                Ok(Some(command)) => {
                    Forwarded::of_id(&command, tls.as_ref(), inbound).map(|mut forwarded| {
                        let end = forwarded.command.len().saturating_sub(2);
                        forwarded.command.truncate(end);
                        forwarded
                    })
                }
                Ok(None) => return Ok(Outcome::Accept(json!({"another": "command"}))),
                Err(error) => Err(error.into()),
            }
        }
        Protocol::Smtp => match ClientCommand::parse(text.as_bytes()) {
            Ok(Some(_)) => Forwarded::of_client(text.as_bytes(), tls.as_ref(), inbound),
            Ok(None) => return Ok(Outcome::Accept(json!({"another": "command"}))),
            Err(error) => Err(error.into()),
        },
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
struct DialogueInput {
    tls: Option<String>,
    #[serde(default)]
    inbound: Inbound,
    said: Vec<(Side, String)>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Side {
    Client,
    Server,
}

/// Returns what an IMAP proxy sends to both sides. The octets are given whole and one by one, and both must give the
/// same.
fn imap_proxy(input: Input) -> Ran {
    let DialogueInput { tls, inbound, said } = input.parse()?;
    let tls = tls
        .as_deref()
        .map(|tls| TlsCipher::parse(tls).map(TlsCipher::into_owned))
        .transpose()
        .map_err(malformed)?;
    let proxy = ImapProxy::new(tls, inbound.into());
    let whole = dialogue(proxy.clone(), &said, usize::MAX)?;
    let octets = dialogue(proxy, &said, 1)?;
    Ok(match whole == octets {
        true => whole,
        false => Outcome::Accept(json!({"octet-by-octet": format!("{octets:?}")})),
    })
}

fn dialogue(mut proxy: ImapProxy, said: &[(Side, String)], piece: usize) -> Ran {
    let mut sent = Vec::new();
    for (side, text) in said {
        for octets in text.as_bytes().chunks(piece.min(text.len()).max(1)) {
            let taken = match side {
                Side::Client => proxy.client_sent(octets),
                Side::Server => proxy.server_sent(octets),
            };
            if let Err(error) = taken {
                return Ok(Outcome::reject(
                    error.kind().name(),
                    error.field(),
                    error.offset(),
                ));
            }
        }
        let for_server = String::from_utf8(proxy.take_for_server()).map_err(malformed)?;
        let for_client = String::from_utf8(proxy.take_for_client()).map_err(malformed)?;
        sent.push(json!([for_server, for_client]));
    }
    Ok(Outcome::Accept(json!({"sent": sent})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CommandsInput {
    text: Option<String>,
    hex: Option<String>,
    max_literal: Option<usize>,
}

/// The commands that a reader finds, whether their octets come at once or one by one.
fn imap_commands(input: Input) -> Ran {
    let CommandsInput {
        text,
        hex,
        max_literal,
    } = input.parse()?;
    let octets = match (text, hex) {
        (Some(text), None) => text.into_bytes(),
        (None, Some(hex)) => from_hex(hex)?,
        _ => return Err(malformed("text or hex").into()),
    };
    let reader = match max_literal {
        Some(max_literal) => CommandReader::with_limits(MAX_ID_COMMAND_BYTES, max_literal),
        None => CommandReader::new(),
    };
    let whole = commands(reader.clone(), &octets, usize::MAX);
    let one_by_one = commands(reader, &octets, 1);
    Ok(match whole == one_by_one {
        true => Outcome::Accept(json!({"read": whole})),
        false => Outcome::Accept(json!({"read": whole, "octet-by-octet": one_by_one})),
    })
}

fn commands(mut reader: CommandReader, octets: &[u8], piece: usize) -> Vec<serde_json::Value> {
    let text = String::from_utf8_lossy;
    let mut read = Vec::new();
    for octets in octets.chunks(piece.min(octets.len()).max(1)) {
        reader.receive(octets);
        loop {
            match reader.next_command() {
                Ok(Received::Incomplete) => break,
                // The cut of the octets decides if more has arrived already.
                Ok(Received::Continue) => {}
                Ok(Received::Command(command)) => read.push(json!({"command": text(command)})),
                Ok(Received::Line(line)) => read.push(json!({"line": text(line)})),
                Err(error) => {
                    let (kind, field, at) = (error.kind().name(), error.field(), error.offset());
                    read.push(json!({"refused": [kind, field, at], "tag": reader.tag()}));
                    if kind == "limit" {
                        return read;
                    }
                }
            }
        }
    }
    read
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

/// The cause of a failure other than a latch.
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
    let event = match fault {
        None => Event::NoTls,
        Some(RelayFault::Chain) => certificate(CertificateFault::Chain),
        Some(RelayFault::Identity) => certificate(CertificateFault::Identity),
        Some(RelayFault::Dane) => certificate(CertificateFault::Dane),
        Some(RelayFault::Transport) => Event::HandshakeFailed(HandshakeFault::Transport),
    };
    let outcome = match LatchSession::try_new(record, Facilities::new()) {
        Ok(mut session) => session.step(event).outcome,
        Err(failure) => Latch::Refuse(failure),
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
    let block = DeliveryStatusBlock::new(text.as_bytes());
    let done = match add {
        Some(names) => {
            let field = match SecurityLatchField::try_new(tags(&names)?) {
                Ok(field) => field,
                // The field would have been written at the end.
                Err(error) => {
                    return Ok(Outcome::reject(
                        error.kind().name(),
                        error.field(),
                        text.len(),
                    ));
                }
            };
            let block = block.with_security_latch(&field);
            block.map(|block| json!({"text": String::from_utf8_lossy(&block)}))
        }
        None => block.security_latch().map(|found| {
            let names = |field: SecurityLatchField<'_>| {
                let tags = field.tags().iter().map(SecurityTag::to_string);
                tags.collect::<Vec<_>>()
            };
            json!({"tags": found.map(names)})
        }),
    };
    Ok(match done {
        Ok(value) => Outcome::Accept(value),
        Err(error) => Outcome::reject(error.kind().name(), error.field(), error.offset()),
    })
}
