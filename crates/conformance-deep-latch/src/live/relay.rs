//! An SMTP relay whose next host lacks what was latched, section 7.4: its reply, and its notification (RFC 3464),
//! read by mail-parser and by Python's email.

use std::{borrow::Cow, path::Path, process::Stdio, sync::Arc};

use conformance::outcome::{Checked, Failure, passed, same};
use conformance::{Live, python as interpreter};
use deep_latch::{
    LatchRecord, MailProtocol, SecurityTag,
    client::TlsStart,
    connection::RunError,
    dsn::{DeliveryStatusBlock, SecurityLatchField},
    facts::DaneVerdict,
    failure::LatchFailure,
    relay::{Cause, RelayReply, ReplyTo, SecurityDetail},
    store::LatchStore,
};
use mail_builder::{
    MessageBuilder,
    headers::content_type::ContentType,
    mime::{BodyPart, MimePart},
};
use mail_parser::{MessageParser, MimeHeaders};
use rustls::pki_types::CertificateDer;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    process::Command,
};

use super::{
    server::{Server, Tls},
    world::{Certificate, HOST, Machine, Versions, World},
};

const FROM: &str = "a@example.org";
const TO: &str = "b@example.com";

/// The property that the next host lacks.
#[derive(Clone, Copy)]
enum Lacks {
    StartTls,
    Certificate,
}

/// Tries to reach the next host, of which tls12 and tls-cert are latched.
async fn next_host(world: &World, lacks: Lacks) -> Checked<LatchFailure> {
    let mut relay = Machine::new(world)?;
    relay.tls = TlsStart::StartTls;
    let latched = [SecurityTag::TLS12, SecurityTag::TLS_CERT];
    let record = LatchRecord::preset(relay.host.clone(), latched);
    relay.store.merge(&relay.account, &record).await?;
    let tls = match lacks {
        Lacks::StartTls => Tls::None,
        Lacks::Certificate => Tls::OnCommand(world.acceptor(Certificate::Expired, Versions::All)?),
    };
    let (tcp, served) = Server::new(MailProtocol::Smtp, tls, None).listen().await?;
    let outcome = relay.connect(MailProtocol::Smtp, tcp).await?.outcome;
    served.await??;
    match outcome {
        Err(RunError::Refused { failure, .. }) => Ok(failure),
        other => Err(Failure::new(format!("{other:?} instead of a refusal"))),
    }
}

/// One conversation of a client with the relay, which asks the next host before it answers RCPT.
async fn submit(
    world: &World,
    lacks: Lacks,
    cause: Cause,
) -> Checked<(String, RelayReply, LatchFailure)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let relay = async {
        let (stream, _) = listener.accept().await?;
        let mut stream = BufReader::new(stream);
        stream.write_all(b"220 relay.example.org\r\n").await?;
        let mut refused = None;
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).await?;
            let answer = match line.split(' ').next() {
                Some("RCPT") => {
                    let failure = next_host(world, lacks).await?;
                    let detail = SecurityDetail::OTHER;
                    let reply = RelayReply::new(&failure, cause, ReplyTo::Recipient, detail);
                    let text = reply.to_string();
                    refused = Some((reply, failure));
                    text
                }
                Some("QUIT\r\n") => {
                    stream.write_all(b"221 bye\r\n").await?;
                    return refused.ok_or_else(|| Failure::new("no RCPT"));
                }
                _ => "250 2.0.0 OK\r\n".to_owned(),
            };
            stream.write_all(answer.as_bytes()).await?;
        }
    };
    let client = async {
        let mut stream = BufReader::new(TcpStream::connect(address).await?);
        let mut answers = Vec::new();
        for say in [
            "",
            "EHLO client.example.org\r\n",
            "MAIL FROM:<a@example.org>\r\n",
            "RCPT TO:<b@example.com>\r\n",
            "QUIT\r\n",
        ] {
            stream.write_all(say.as_bytes()).await?;
            let mut line = String::new();
            stream.read_line(&mut line).await?;
            answers.push(line);
        }
        answers
            .into_iter()
            .nth(3)
            .ok_or_else(|| Failure::new("no answer"))
    };
    let ((reply, failure), answer) = tokio::try_join!(relay, client)?;
    Ok((answer, reply, failure))
}

/// The fields of the recipient before ours.
fn recipient(reply: &RelayReply) -> String {
    format!(
        "Final-Recipient: rfc822; {TO}\r\nAction: failed\r\nStatus: {}\r\n\
         Remote-MTA: dns; {HOST}\r\nX-Kept:  as \t it\r\n  is \r\n",
        reply.status()
    )
}

/// The notification of a message that could not be delivered.
fn notification(reply: &RelayReply, failure: &LatchFailure) -> Checked<Vec<u8>> {
    let field = SecurityLatchField::try_new(failure.tags())?;
    let recipient = recipient(reply);
    let recipient = DeliveryStatusBlock::new(recipient.as_bytes()).with_security_latch(&field)?;
    let message = b"Reporting-MTA: dns; relay.example.org\r\nArrival-Date: Mon, 24 Nov 2014 00:00:00 +0000\r\n\r\n";
    let fields = [message, &recipient[..]].concat();
    let text = format!("Your message to {TO} could not be delivered: {failure}.\r\n");
    let status = MimePart::new(
        "message/delivery-status",
        BodyPart::Binary(Cow::Owned(fields)),
    );
    let original = b"From: a@example.org\r\nSubject: s\r\n".to_vec();
    let original = MimePart::new(
        "text/rfc822-headers",
        BodyPart::Binary(Cow::Owned(original)),
    );
    let report = ContentType::new("multipart/report").attribute("report-type", "delivery-status");
    let body = MimePart::new(
        report,
        vec![
            MimePart::new("text/plain", text),
            status.transfer_encoding("7bit"),
            original.transfer_encoding("7bit"),
        ],
    );
    let built = MessageBuilder::new()
        .from("postmaster@relay.example.org")
        .to(FROM)
        .subject("Undelivered mail")
        .date(1_416_787_200_i64)
        .message_id("1@relay.example.org")
        .header(
            "Auto-Submitted",
            mail_builder::headers::raw::Raw::new("auto-replied"),
        )
        .body(body)
        .write_to_vec();
    built.map_err(|error| Failure::new(format!("{error:?}")))
}

/// The blocks of the notification's message/delivery-status, read by mail-parser.
fn status_of(notification: &[u8]) -> Checked<Vec<u8>> {
    let message = MessageParser::new().parse(notification);
    let message = message.ok_or_else(|| Failure::new("no message"))?;
    let is_status =
        |part: &&mail_parser::MessagePart<'_>| part.is_content_type("message", "delivery-status");
    let part = message.parts.iter().find(is_status);
    let part = part.ok_or_else(|| Failure::new("no message/delivery-status"))?;
    Ok(part.contents().to_vec())
}

pub(super) async fn refuses() -> Checked {
    let world = World::new()?;
    let both = &[SecurityTag::TLS_CERT, SecurityTag::TLS12][..];
    let text = "Message Transport Failed due to missing required security: mail.example.com";
    for (lacks, cause, tags, expected) in [
        (
            Lacks::Certificate,
            Cause::Administrative,
            &both[..1],
            format!("450 4.7.0 {text} tls-cert\r\n"),
        ),
        (
            Lacks::StartTls,
            Cause::Lasting,
            both,
            format!("550 5.7.0 {text} tls-cert tls12\r\n"),
        ),
    ] {
        let (answer, reply, failure) = submit(&world, lacks, cause).await?;
        same("the answer to RCPT", answer, expected)?;
        same("tags", failure.tags(), tags)?;
        let notification = notification(&reply, &failure)?;
        let status = status_of(&notification)?;
        let blocks: Vec<_> = DeliveryStatusBlock::of_body(&status).collect();
        let [message, of_recipient] = blocks.as_slice() else {
            return Err(Failure::new(format!("{} blocks", blocks.len())));
        };
        same("of the message", message.security_latch()?, None)?;
        let field = of_recipient.security_latch()?;
        let found = field.as_ref().map(SecurityLatchField::tags);
        same("of the recipient", found, Some(tags))?;
        let before = recipient(&reply);
        same(
            "the others",
            of_recipient.as_bytes().starts_with(before.as_bytes()),
            true,
        )?;
    }
    passed("450 and 550; SMTP-Security-Latch is written into the notification, and read from it")
}

/// A next host whose certificate is refused though only tls12 is latched, whose TLSA records contradict it, and
/// one that breaks the connection: each has a reply of its own, and none names a latch.
pub(super) async fn without_latch() -> Checked {
    let world = World::new()?;
    let (cause, to) = (Cause::Administrative, ReplyTo::Recipient);
    let text = "Message Transport Failed due to missing required security: mail.example.com";
    for (certificate, dane, expected) in [
        (
            Certificate::Expired,
            DaneVerdict::NoRecords,
            "the certificate is not trusted, or not valid now",
        ),
        (
            Certificate::AnotherName,
            DaneVerdict::NoRecords,
            "the certificate has another name",
        ),
        (
            Certificate::Good,
            DaneVerdict::Differs,
            "the TLSA records contradict the certificate",
        ),
    ] {
        let mut relay = Machine::new(&world)?;
        relay.tls = TlsStart::StartTls;
        relay.connector = relay
            .connector
            .dane(Arc::new(move |_: &[CertificateDer<'_>]| dane));
        let record = LatchRecord::preset(relay.host.clone(), [SecurityTag::TLS12]);
        relay.store.merge(&relay.account, &record).await?;
        let tls = Tls::OnCommand(world.acceptor(certificate, Versions::All)?);
        let (tcp, served) = Server::new(MailProtocol::Smtp, tls, None).listen().await?;
        let connected = relay.connect(MailProtocol::Smtp, tcp).await?;
        served.await??;
        let failure = connected.refused_certificate()?;
        let reply = RelayReply::of_certificate(failure, cause, to, SecurityDetail::OTHER);
        let expected = format!("450 4.7.0 {text}: {expected}\r\n");
        same("the reply", reply.to_string(), expected)?;
    }
    // The connection breaks during the handshake.
    let mut relay = Machine::new(&world)?;
    relay.tls = TlsStart::Implicit;
    let record = LatchRecord::preset(relay.host.clone(), [SecurityTag::TLS12]);
    relay.store.merge(&relay.account, &record).await?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let tcp = TcpStream::connect(listener.local_addr()?).await?;
    let (accepted, _) = listener.accept().await?;
    drop(accepted);
    match relay.connect(MailProtocol::Smtp, tcp).await?.outcome {
        Err(RunError::Io(_)) => {}
        other => return Err(Failure::new(format!("{other:?} instead of an I/O error"))),
    }
    let reply = RelayReply::of_transport(&relay.host, cause, to);
    let expected = "450 4.4.2 Message Transport Failed: no connection to mail.example.com\r\n";
    same("the reply", reply.to_string().as_str(), expected)?;
    passed("certificate, TLSA records and transport: a reply each, and no latch named")
}

/// Reads a notification: the fields of each block, in their order.
const SCRIPT: &str = "\
import email, email.policy, json, sys
message = email.message_from_bytes(sys.stdin.buffer.read(), policy=email.policy.SMTP)
assert message.get_content_type() == 'multipart/report', message.get_content_type()
assert message.get_param('report-type') == 'delivery-status'
status = next(part for part in message.walk() if part.get_content_type() == 'message/delivery-status')
blocks = [[[name, ' '.join(str(value).split())] for name, value in block.items()] for block in status.get_payload()]
print(json.dumps(blocks))
";

pub(super) async fn python(root: &Path) -> Checked {
    let python = match interpreter(root) {
        Ok(python) => python,
        Err(error) => return Ok(Live::Skipped(error.to_string())),
    };
    let world = World::new()?;
    let mut read = 0;
    for count in [1, 2, 64] {
        // Many tags, so that the field is folded.
        let tags: Vec<_> = (0..count)
            .map(|number| format!("x-{}-{number}", "t".repeat(number % 50)))
            .collect();
        let latched: Result<Vec<_>, _> = tags.iter().map(|tag| SecurityTag::parse(tag)).collect();
        let latched = latched?.into_iter().map(SecurityTag::into_owned);
        let record = LatchRecord::preset(deep_latch::Host::try_new(HOST)?, latched);
        let session = deep_latch::LatchSession::try_new(record, deep_latch::Facilities::new());
        let Err(failure) = session else {
            return Err(Failure::new("not refused"));
        };
        let detail = SecurityDetail::OTHER;
        let reply = RelayReply::new(&failure, Cause::Lasting, ReplyTo::Transaction, detail);
        let notification = notification(&reply, &failure)?;
        let mut process = Command::new(&python)
            .args(["-c", SCRIPT])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut input = process
            .stdin
            .take()
            .ok_or_else(|| Failure::new("no input"))?;
        input.write_all(&notification).await?;
        drop(input);
        let output = process.wait_with_output().await?;
        same("Python", output.status.success(), true)?;
        let blocks: Vec<Vec<(String, String)>> = serde_json::from_slice(&output.stdout)?;
        let [message, of_recipient] = blocks.as_slice() else {
            return Err(Failure::new(format!("{} blocks", blocks.len())));
        };
        same("of the message", message.len(), 2)?;
        let failed: Vec<_> = failure.tags().iter().map(SecurityTag::as_str).collect();
        let field = |name: &str, value: String| (name.to_owned(), value);
        let expected = [
            field("Final-Recipient", format!("rfc822; {TO}")),
            field("Action", "failed".to_owned()),
            field("Status", "5.7.0".to_owned()),
            field("Remote-MTA", format!("dns; {HOST}")),
            field("X-Kept", "as it is".to_owned()),
            field("SMTP-Security-Latch", failed.join(" ")),
        ];
        same("of the recipient", of_recipient.as_slice(), &expected[..])?;
        read += 1;
    }
    drop(world);
    passed(format!(
        "{read} notifications, with up to 64 tags in a folded field"
    ))
}
