//! The relay's side: replies, and the field of a delivery status notification.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    reason = "tests"
)]

use deep_latch::{
    EncodeErrorKind, Facilities, Host, LatchRecord, LatchSession, ParseError, SecurityTag,
    dsn::{DeliveryStatusBlock, SecurityLatchField},
    failure::{CertificateFault, HandshakeFault, LatchFailure, Stage},
    latch::{Event, Outcome},
    relay::{Cause, RelayReply, ReplyTo, SecurityDetail},
};
use proptest::prelude::*;

fn tags(text: &str) -> Vec<SecurityTag<'static>> {
    let tags = text.split_whitespace();
    tags.map(|tag| SecurityTag::parse(tag).unwrap().into_owned())
        .collect()
}

/// That of a host with these latches, all of which mean nothing here or are not there.
fn failure(host: &str, latched: &str) -> LatchFailure {
    let record = LatchRecord::preset(Host::try_new(host).unwrap(), tags(latched));
    let mut session = match LatchSession::try_new(record, Facilities::new()) {
        Ok(session) => session,
        Err(failure) => return failure,
    };
    match session.step(Event::NoTls).outcome {
        Outcome::Refuse(failure) => failure,
        outcome => panic!("{outcome:?}"),
    }
}

fn field(tags: &[SecurityTag<'_>]) -> SecurityLatchField<'static> {
    let tags = tags.iter().cloned().map(SecurityTag::into_owned);
    SecurityLatchField::try_new(tags.collect::<Vec<_>>()).unwrap()
}

fn with_field(block: &[u8], tags: &[SecurityTag<'_>]) -> Result<Vec<u8>, ParseError> {
    DeliveryStatusBlock::new(block).with_security_latch(&field(tags))
}

fn tags_of(block: &[u8]) -> Result<Option<Vec<SecurityTag<'_>>>, ParseError> {
    let field = DeliveryStatusBlock::new(block).security_latch()?;
    Ok(field.map(SecurityLatchField::into_tags))
}

fn error(error: ParseError) -> (&'static str, &'static str, usize) {
    (error.kind().name(), error.field(), error.offset())
}

#[test]
fn replies_with_the_codes_of_section_11_9_and_prefers_temporary_ones() {
    let failure = failure("mx.example.com", "tls12 tls-cert");
    assert_eq!(failure.stage(), Stage::NoTls);
    let other = SecurityDetail::OTHER;
    let later = SecurityDetail::try_new(31).unwrap();
    let text = "Message Transport Failed due to missing required security: mx.example.com tls-cert tls12\r\n";
    for (cause, to, detail, code, status) in [
        (
            Cause::Administrative,
            ReplyTo::Recipient,
            other,
            450,
            "4.7.0",
        ),
        (
            Cause::Administrative,
            ReplyTo::Transaction,
            other,
            454,
            "4.7.0",
        ),
        (Cause::Lasting, ReplyTo::Recipient, other, 550, "5.7.0"),
        (Cause::Lasting, ReplyTo::Transaction, later, 554, "5.7.31"),
    ] {
        let reply = RelayReply::new(&failure, cause, to, detail);
        assert_eq!((reply.code(), &*reply.status()), (code, status));
        assert_eq!(reply.to_string(), format!("{code} {status} {text}"));
    }
    assert_eq!(Cause::default(), Cause::Administrative);
    assert_eq!(SecurityDetail::default(), SecurityDetail::OTHER);
    assert_eq!(SecurityDetail::try_new(0), Ok(SecurityDetail::OTHER));
    assert!(SecurityDetail::try_new(999).is_ok());
    let error = SecurityDetail::try_new(1000).unwrap_err();
    assert_eq!(error.to_string(), "detail: more than 999");
}

#[test]
fn tells_a_certificate_and_a_transport_from_a_latch_that_failed() {
    let host = Host::try_new("mx.example.com").unwrap();
    let after = |latched: &str, fault| {
        let record = LatchRecord::preset(host.clone(), tags(latched));
        let mut session = LatchSession::try_new(record, Facilities::new()).unwrap();
        session.step(Event::HandshakeFailed(fault)).outcome
    };
    let (cause, to) = (Cause::Administrative, ReplyTo::Transaction);
    let expired = HandshakeFault::Certificate(CertificateFault::Chain);
    let Outcome::RefuseCertificate(failure) = after("tls10 tls12", expired) else {
        panic!("no failure of the certificate");
    };
    let reply = RelayReply::of_certificate(&failure, cause, to, SecurityDetail::OTHER);
    assert_eq!((reply.code(), &*reply.status()), (454, "4.7.0"));
    let text = "454 4.7.0 Message Transport Failed due to missing required security: mx.example.com: \
                the certificate is not trusted, or not valid now\r\n";
    assert_eq!(reply.to_string(), text);
    assert!(
        matches!(after("tls10 tls-cert", expired), Outcome::Refuse(failure)
        if failure.tags() == [SecurityTag::TLS_CERT])
    );
    let broken = HandshakeFault::Transport;
    assert_eq!(after("tls10 tls-cert", broken), Outcome::Over);
    for (cause, to, expected) in [
        (Cause::Administrative, ReplyTo::Recipient, "450 4.4.2"),
        (Cause::Administrative, ReplyTo::Transaction, "451 4.4.2"),
        (Cause::Lasting, ReplyTo::Recipient, "550 5.4.2"),
        (Cause::Lasting, ReplyTo::Transaction, "554 5.4.2"),
    ] {
        let reply = RelayReply::of_transport(&host, cause, to);
        assert_eq!(format!("{} {}", reply.code(), reply.status()), expected);
        let text = "Message Transport Failed: no connection to mx.example.com";
        assert_eq!(reply.to_string(), format!("{expected} {text}\r\n"));
    }
}

#[test]
fn splits_long_replies_into_lines_within_the_limit() {
    let label = "x".repeat(63);
    let host = format!("{label}.{label}.{label}.{}", "y".repeat(61));
    for count in 1..=64 {
        let latched: Vec<_> = (0..count)
            .map(|number| format!("{}{number:02}", "t".repeat(62)))
            .collect();
        let failure = failure(&host, &latched.join(" "));
        assert_eq!(failure.stage(), Stage::Connecting);
        let detail = SecurityDetail::try_new(999).unwrap();
        let reply = RelayReply::new(&failure, Cause::Lasting, ReplyTo::Transaction, detail);
        let text = reply.to_string();
        let mut words = Vec::new();
        let mut lines = text.split_inclusive("\r\n").peekable();
        while let Some(line) = lines.next() {
            assert!(line.len() <= 512, "{}", line.len());
            let separator = if lines.peek().is_some() { '-' } else { ' ' };
            let rest = line
                .strip_prefix(&format!("554{separator}5.7.999 "))
                .unwrap();
            words.extend(rest.trim_end().split(' ').map(str::to_owned));
        }
        let expected: Vec<_> = "Message Transport Failed due to missing required security:"
            .split(' ')
            .map(str::to_owned)
            .chain([host.clone()])
            .chain(latched)
            .collect();
        assert_eq!(words, expected);
    }
    // 512 octets are one line, and one more are two.
    let of = |length: usize| {
        let head =
            "554 5.7.999 Message Transport Failed due to missing required security: a.example";
        let mut latched = tags("")
            .into_iter()
            .map(|tag| tag.to_string())
            .collect::<Vec<_>>();
        let mut left = length - 2 - head.len();
        while left > 0 {
            let take = if left > 70 { 60 } else { left.min(64 + 1) };
            latched.push(format!("a{:02}{}", latched.len(), "t".repeat(take - 4)));
            left -= take;
        }
        let failure = failure("a.example", &latched.join(" "));
        let detail = SecurityDetail::try_new(999).unwrap();
        RelayReply::new(&failure, Cause::Lasting, ReplyTo::Transaction, detail).to_string()
    };
    assert_eq!((of(512).len(), of(512).lines().count()), (512, 1));
    assert_eq!(of(513).lines().count(), 2);
}

const BLOCK: &str = "Final-Recipient: rfc822; b@c.example\r\nAction: failed\r\nStatus: 5.7.0\r\n";

#[test]
fn writes_the_field_after_the_others_and_reads_it_back() {
    let latches = tags("tls12 tls-cert");
    let written = with_field(BLOCK.as_bytes(), &latches).unwrap();
    let expected = format!("{BLOCK}SMTP-Security-Latch: tls12 tls-cert\r\n");
    assert_eq!(String::from_utf8(written.clone()).unwrap(), expected);
    assert_eq!(tags_of(&written), Ok(Some(latches)));
    assert_eq!(tags_of(BLOCK.as_bytes()), Ok(None));
    // Other fields stay as they are, whatever they are.
    let odd = "X-Odd:\t a \r\n \x7f\r\nFINAL-recipient : rfc822;b@c.example\r\nX: \u{e9}\r\n";
    let written = with_field(odd.as_bytes(), &tags("x")).unwrap();
    assert_eq!(
        written,
        format!("{odd}SMTP-Security-Latch: x\r\n").as_bytes()
    );
}

#[test]
fn folds_a_field_of_many_tags_at_78() {
    let names: Vec<_> = (0..64)
        .map(|number| format!("{}{number:02}", "t".repeat(number)))
        .collect();
    let names: Vec<_> = names
        .iter()
        .filter(|name| name.len() <= 64 && name.starts_with('t'))
        .collect();
    let latches: Vec<_> = names
        .iter()
        .map(|name| SecurityTag::parse(name).unwrap())
        .collect();
    let written = with_field(BLOCK.as_bytes(), &latches).unwrap();
    let text = std::str::from_utf8(&written).unwrap();
    assert!(text.starts_with(BLOCK));
    assert!(text.lines().all(|line| line.len() <= 78));
    assert!(text.lines().count() > 20);
    assert_eq!(tags_of(&written), Ok(Some(latches)));
}

#[test]
fn adds_the_field_once_and_to_recipients_only() {
    let add = |block: &str, names: &str| {
        with_field(block.as_bytes(), &tags(names))
            .map(drop)
            .map_err(error)
    };
    let message = "Reporting-MTA: dns; mx.example\r\n";
    assert_eq!(
        add(message, "tls10"),
        Err(("expected", "Final-Recipient", 32))
    );
    assert_eq!(add("", "tls10"), Err(("expected", "Final-Recipient", 0)));
    let again = format!("{BLOCK}smtp-security-LATCH : tls10\r\n");
    assert_eq!(
        add(&again, "tls12"),
        Err(("duplicate", "SMTP-Security-Latch", BLOCK.len()))
    );
    let empty = SecurityLatchField::try_new([]).unwrap_err();
    assert_eq!(empty.kind(), EncodeErrorKind::Empty);
    assert_eq!(empty.field(), "smtp-security-latch");
    for (block, at) in [
        ("Final-Recipient: a\n", 18),
        ("Final-Recipient: a\r\n\r\n", 20),
        ("\r\nFinal-Recipient: a\r\n", 0),
        ("Final-Recipient: a\rb\r\n", 18),
        ("Final-Recipient: a\r\nAction: failed", 34),
        ("Final-Recipient: a\r\nAction: failed\r", 34),
    ] {
        assert_eq!(
            add(block, "tls10"),
            Err(("expected", "per-recipient-fields", at)),
            "{block:?}"
        );
        let read = tags_of(block.as_bytes()).map_err(error);
        assert_eq!(read, Err(("expected", "per-recipient-fields", at)));
    }
}

#[test]
fn rejects_malformed_security_latch_fields() {
    let read = |field: &str| {
        let block = format!("A: b\r\n{field}\r\nC: d\r\n");
        tags_of(block.as_bytes())
            .map(|tags| tags.map(|tags| tags.len()))
            .map_err(error)
    };
    assert_eq!(
        read("smtp-security-latch:\r\n\t(a (b))\r\n tls10\r\n tls12"),
        Ok(Some(2))
    );
    assert_eq!(read("X-SMTP-Security-Latch: !"), Ok(None));
    assert_eq!(read("SMTP-Security-Latch"), Ok(None));
    assert_eq!(
        read("SMTP-Security-Latch: "),
        Err(("empty", "security-tag", 27))
    );
    assert_eq!(
        read("SMTP-Security-Latch: tls10, tls12").map_err(|error| error.2),
        Err(32)
    );
    assert_eq!(
        read("SMTP-Security-Latch : tls10").map_err(|error| error.2),
        Err(6)
    );
    assert_eq!(
        read("SMTP-Security-Latch: a\r\nSMTP-Security-Latch: a"),
        Err(("duplicate", "SMTP-Security-Latch", 30))
    );
    let octets = b"SMTP-Security-Latch: \xff\r\n";
    assert_eq!(
        tags_of(octets).map_err(error),
        Err(("character", "SMTP-Security-Latch", 21))
    );
}

#[test]
fn splits_a_notification_into_blocks() {
    let blocks = |body: &'static str| -> Vec<&str> {
        DeliveryStatusBlock::of_body(body.as_bytes())
            .map(|block| std::str::from_utf8(block.as_bytes()).unwrap())
            .collect()
    };
    assert_eq!(blocks(""), [""; 0]);
    assert_eq!(blocks("\r\n\r\n"), [""; 0]);
    assert_eq!(blocks("A: b\r\n"), ["A: b\r\n"]);
    assert_eq!(
        blocks("\r\nA: b\r\nC: d\r\n\r\n\r\nE: f\r\n\r\nG: h"),
        ["A: b\r\nC: d\r\n", "E: f\r\n", "G: h"]
    );
}

proptest! {
    #[test]
    fn reads_the_field_that_was_written_into_a_block(
        before in prop::collection::vec("[A-Za-z-]{1,20}:[ -~]{0,60}(\r\n[ \t][!-~]{1,20}){0,2}", 0..4),
        latches in prop::collection::vec("[A-Za-z][A-Za-z0-9_-]{0,63}", 1..64),
    ) {
        let mut block = String::new();
        for field in before.iter().map(String::as_str).chain(["Final-Recipient: rfc822; a@b"]) {
            block += field;
            block += "\r\n";
        }
        let latches = tags(&latches.join(" "));
        let written = with_field(block.as_bytes(), &latches).unwrap();
        prop_assert!(written.starts_with(block.as_bytes()));
        prop_assert_eq!(tags_of(&written), Ok(Some(latches)));
    }
}
