//! Feature `postfix`: the facts of a session in the `Received` field that Postfix adds
//! (`smtpd_tls_received_header = yes`).

use alloc::boxed::Box;
use core::net::IpAddr;

use nom::{
    Parser,
    branch::alt,
    bytes::complete::{tag, take_till1, take_while1},
    character::complete::digit1,
    combinator::opt,
    sequence::{preceded, terminated},
};

use super::{
    CertificateFields, ChainVerdict, ClientCertificate, PresentedCertificate, Session, TlsSession,
    common_name,
};
use crate::{
    slice,
    tls::{
        CipherSuite, ProtocolVersion, ValueError, ValueErrorKind as Kind,
        error::{ReadValue, ValueFailure, read_all},
    },
};

const RECEIVED: &str = "Received";
const TLS: &str = "(using";
const CLIENT: &str = "(Client CN";

#[cfg_attr(docsrs, doc(cfg(feature = "postfix")))]
impl Session {
    /// Reads the facts from a `Received` field that Postfix 2.2 to 3.10 wrote, folded or not: version, cipher
    /// suite, key length, and the client's certificate: requested, presented, and verified or not.
    ///
    /// `verified OK` is about the chain only: Postfix does not compare names with the client's
    /// certificate. So the host identity stays unchecked, and these facts alone never result in `pass`.
    /// If the field has no comment about TLS, the protocol after `with` decides whether TLS was used.
    ///
    /// Postfix replaces characters in the names it writes: `caf??.example` may be `café.example`, and
    /// `Foo (Bar)` may be `Foo (Bar`. Such a name is omitted. The issuer's name is its common name, or its
    /// organization if it has none; it is reported as `CN`.
    ///
    /// Any sender can forge a `Received` field: pass only the field that the local Postfix added.
    ///
    /// ```
    /// # use authres_tls::{Policy, Session, tls::TlsResult};
    /// let session = Session::from_postfix_received(
    ///     "from smtp.example.com (smtp.example.com [192.0.2.1])\r\n\
    ///      \t(using TLSv1.2 with cipher ECDHE-RSA-AES256-GCM-SHA384 (256/256 bits))\r\n\
    ///      \t(Client CN \"smtp.example.com\", Issuer \"Example CA\" (verified OK))\r\n\
    ///      \tby mx.example.net (Postfix) with ESMTPS id 22F5EA843D0",
    /// )?;
    /// let report = Policy::default().evaluate(&session);
    /// assert_eq!(report.result, TlsResult::PermError);
    /// assert_eq!(report.comment, Some("host identity not checked"));
    /// # Ok::<(), authres_tls::tls::ValueError>(())
    /// ```
    ///
    /// # Errors
    /// Returns an error if the field differs from the form that Postfix writes for a message received by
    /// SMTP: [`ValueErrorKind::Expected`](crate::tls::ValueErrorKind::Expected) with the part that was
    /// expected, or [`ValueErrorKind::Unclosed`](crate::tls::ValueErrorKind::Unclosed) for a comment.
    pub fn from_postfix_received(value: &str) -> Result<Self, ValueError> {
        Received::parse(value).map(|received| received.session)
    }
}

/// The content of a `Received` field that Postfix added: the client, the session, and the server.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Received<'v> {
    /// The name in HELO or EHLO.
    pub helo: &'v str,
    /// The name of the client's address in the DNS, if that name has the address.
    pub client_name: Option<&'v str>,
    /// The client's address.
    pub address: Option<IpAddr>,
    /// The client authenticated itself by SASL.
    pub is_authenticated: bool,
    /// The facts of the session.
    pub session: Session,
    /// The name of the server that added the field.
    pub by: &'v str,
}

impl<'v> Received<'v> {
    /// Parses the value of a field, folded or not, as [`Session::from_postfix_received`] describes.
    ///
    /// # Errors
    /// Returns the errors of [`Session::from_postfix_received`].
    pub fn parse(value: &'v str) -> Result<Self, ValueError> {
        read_all(value, RECEIVED, received)
    }
}

/// Returns the server's name in a `Received` field of any MTA: the word after `by`, outside comments.
#[must_use]
pub fn received_by(value: &str) -> Option<&str> {
    let mut rest = value.as_bytes();
    let mut before = None;
    loop {
        rest = rest.trim_ascii_start();
        if let [b'(', ..] = rest {
            rest = comment(rest).ok()?.0;
            continue;
        }
        let end = |octet: &u8| octet.is_ascii_whitespace() || matches!(octet, b'(' | b';');
        let length = rest.iter().position(end).unwrap_or(rest.len());
        let (word, left) = rest.split_at_checked(length)?;
        if word.is_empty() {
            return None;
        }
        rest = left;
        let follows = |keyword: &[u8]| {
            before.is_some_and(|before: &[u8]| before.eq_ignore_ascii_case(keyword))
        };
        if follows(b"by") {
            return core::str::from_utf8(word).ok();
        }
        // The word after `from` is the client's name, whatever it is.
        before = if follows(b"from") { None } else { Some(word) };
    }
}

fn is_space(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t' | b'\r' | b'\n')
}

fn spaces(input: &[u8]) -> ReadValue<'_> {
    take_while1(is_space).parse(input)
}

fn expected(field: &'static str, at: &[u8]) -> nom::Err<ValueFailure> {
    ValueFailure::new(Kind::Expected, field, at).error()
}

/// Reads this word and the white space after it.
fn keyword<'a>(input: &'a [u8], word: &'static str) -> ReadValue<'a> {
    terminated(tag(word.as_bytes()), spaces)
        .parse(input)
        .map_err(|_: nom::Err<ValueFailure>| expected(word, input))
}

/// Reads a word: a run of characters that are not white space. Postfix writes no parentheses in words.
fn word(input: &[u8]) -> ReadValue<'_> {
    take_till1(is_space).parse(input)
}

/// Reads a comment and returns the text inside. Parentheses nest; Postfix writes no backslash.
fn comment(input: &[u8]) -> ReadValue<'_> {
    let mut depth = 0_usize;
    for (place, octet) in input.iter().enumerate() {
        match octet {
            b'(' => depth = depth.saturating_add(1),
            b')' => depth = depth.saturating_sub(1),
            b'\\' => return Err(expected(RECEIVED, slice::from(input, place))),
            _ => {}
        }
        if depth == 0 {
            let inside = input.get(1..place);
            let rest = input.get(place.saturating_add(1)..);
            return match inside.zip(rest) {
                Some((inside, rest)) => Ok((rest, inside)),
                None => Err(expected("(", input)),
            };
        }
    }
    Err(ValueFailure::new(Kind::Unclosed, RECEIVED, input).error())
}

/// Reads `from EHLO (name [address]) (using …) (Client …) … by … with PROTOCOL …`
fn received(input: &[u8]) -> ReadValue<'_, Received<'_>> {
    let (rest, _) = opt(spaces).parse(input)?;
    let (rest, _) = keyword(rest, "from")?;
    let (rest, helo) = terminated(word, spaces).parse(rest)?;
    let (rest, from) = terminated(comment, spaces).parse(rest)?;
    let (client_name, address) = name_and_address(from);
    let mut is_authenticated = false;
    let mut session = None;
    let mut rest = rest;
    let mut first = true;
    while let [b'(', ..] = rest {
        let (left, inside) = comment(rest)?;
        is_authenticated |= inside.starts_with(b"Authenticated sender");
        if first && inside.starts_with(b"using ") {
            session = Some(using(inside).map_err(|_| expected(TLS, rest))?.1);
        } else if let Some(session) = session.as_mut().filter(|_| !first) {
            // The comment after it. Others follow.
            if session.client == ClientCertificate::Unknown {
                session.client = client(inside).ok_or_else(|| expected(CLIENT, rest))?;
            }
        }
        first = false;
        rest = spaces(left)?.0;
    }
    let (rest, _) = keyword(rest, "by")?;
    let (rest, by) = terminated(word, spaces).parse(rest)?;
    let (rest, _) = opt(terminated(comment, spaces)).parse(rest)?;
    let (at, _) = keyword(rest, "with")?;
    let (_, protocol) = word(at)?;
    let over_tls = matches!(
        protocol,
        b"SMTPS" | b"ESMTPS" | b"SMTPSA" | b"ESMTPSA" | b"UTF8SMTPS" | b"UTF8SMTPSA"
    );
    let clear = matches!(
        protocol,
        b"SMTP" | b"ESMTP" | b"SMTPA" | b"ESMTPA" | b"UTF8SMTP" | b"UTF8SMTPA"
    );
    let session = match session {
        Some(session) => Session::Tls(session),
        None if over_tls => Session::Tls(TlsSession::default()),
        None if clear => Session::Clear,
        None => return Err(expected("with", at)),
    };
    is_authenticated |= protocol.ends_with(b"A");
    let received = Received {
        helo: slice::text(helo),
        client_name,
        address,
        is_authenticated,
        session,
        by: slice::text(by),
    };
    Ok((&[], received))
}

/// Reads `NAME [ADDRESS]`. The name is `unknown` if the DNS does not confirm it.
fn name_and_address(comment: &[u8]) -> (Option<&str>, Option<IpAddr>) {
    let parts = slice::text(comment).strip_suffix(']');
    let Some((name, address)) = parts.and_then(|parts| parts.rsplit_once(" [")) else {
        return (None, None);
    };
    let address = address.strip_prefix("IPv6:").unwrap_or(address);
    let name = Some(name).filter(|name| *name != "unknown" && !name.is_empty());
    (name, address.parse().ok())
}

/// Reads `using VERSION with cipher NAME (BITS/BITS bits)`, and since Postfix 3.4 the algorithms of the key
/// exchange and the signatures.
fn using(input: &[u8]) -> ReadValue<'_, TlsSession> {
    let text = slice::text;
    let (rest, version) = preceded(tag(&b"using "[..]), word).parse(input)?;
    let (rest, suite) = preceded(tag(&b" with cipher "[..]), word).parse(rest)?;
    let (rest, bits) = preceded(tag(&b" ("[..]), digit1).parse(rest)?;
    let all_bits = opt(preceded(tag(&b"/"[..]), digit1));
    let (rest, _) = (all_bits, tag(&b" bits)"[..])).parse(rest)?;
    if !rest.is_empty() {
        let fields = alt((
            tag(&b"key-exchange "[..]),
            tag(&b"server-signature "[..]),
            tag(&b"client-signature "[..]),
        ));
        preceded(spaces, fields).parse(rest)?;
    }
    let session = TlsSession {
        version: ProtocolVersion::from_spelling(text(version)),
        cipher_suite: CipherSuite::from_openssl_name(text(suite)),
        key_bits: text(bits).parse().ok(),
        ..TlsSession::default()
    };
    Ok((&[], session))
}

/// Returns `true` if Postfix wrote the name as the certificate has it. It writes `?` for each octet that is not
/// printable ASCII, for a backslash and for a `)` without a `(`, and adds a `)` at the end for each `(` that
/// has none. Whoever folded the field later may have added white space with the line break.
fn is_as_in_certificate(name: &str) -> bool {
    let printable = name.bytes().all(|octet| matches!(octet, b' '..=b'~'));
    printable && !name.contains('?') && !name.ends_with(')')
}

/// Reads `Client CN "…", Issuer "…" (verified OK)`, or the statement that there was no certificate.
fn client(inside: &[u8]) -> Option<ClientCertificate> {
    const BETWEEN: &str = "\", Issuer \"";
    let text = slice::text(inside);
    match text {
        "No client certificate requested" => return Some(ClientCertificate::NotRequested),
        "Client did not present a certificate" => return Some(ClientCertificate::NotPresented),
        _ => {}
    }
    let Some(names) = text.strip_prefix("Client CN \"") else {
        return Some(ClientCertificate::Unknown);
    };
    // Postfix quotes the names, but escapes no quotes in them. Its verdict is the last part.
    let (names, chain) = if let Some(names) = names.strip_suffix("\" (verified OK)") {
        (names, ChainVerdict::Trusted)
    } else if let Some(names) = names.strip_suffix("\" (not verified)") {
        (names, ChainVerdict::NotAccepted)
    } else {
        return None;
    };
    let mut fields = CertificateFields::default();
    // Names that can be split in more than one way are omitted.
    if let Some((subject, issuer)) = names.split_once(BETWEEN)
        && names.rsplit_once(BETWEEN) == Some((subject, issuer))
    {
        let name = |name: &str| common_name(name).filter(|_| is_as_in_certificate(name));
        fields.subject = name(subject);
        fields.issuer = name(issuer);
    }
    Some(ClientCertificate::Presented(Box::new(
        PresentedCertificate {
            fields,
            chain,
            ..PresentedCertificate::default()
        },
    )))
}
