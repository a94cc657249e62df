//! A proxy that ends TLS, draft-newman-email-deep-02 section 7.1, `tls` and example 3: it tells the server the
//! cipher suite of the client's connection, and lets no client tell another.

use alloc::{string::String, vec::Vec};
use core::fmt;

use crate::{
    cipher::TlsCipher,
    error::{ErrorKind, ParseError},
    imap::MAX_ID_PAIRS,
    imap_server::IdCommand,
    smtp::{MAX_CLIENT_COMMAND_BYTES, parse_client},
};

const TLS: &str = "tls";

/// What becomes of a `tls` that comes in already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum InboundTls {
    /// It is taken out: it is the client's word for its own security.
    #[default]
    Remove,
    /// The command is refused.
    Refuse,
    /// It is kept, and none is added: it is from another proxy of ours, which the client is connected to.
    Trust,
}

/// A command for the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forwarded {
    /// The command, byte for byte as it came but for `tls`. A literal in it waits for the server's
    /// continuation request as the client's did.
    pub command: Vec<u8>,
    /// A `tls` came in, and was taken out.
    pub removed: bool,
}

/// Why a command is not forwarded. The proxy answers it itself: BAD in IMAP, 501 in SMTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForwardError {
    /// It cannot be read: a server that reads it otherwise could find a `tls` in it.
    Unreadable(ParseError),
    /// A `tls` came in, and is refused.
    Inbound,
    /// There is no room for `tls`: the command is at its limit.
    Full,
    /// Without `tls`, CLIENT has no parameter left. It can be answered with 250.
    NothingLeft,
}

impl fmt::Display for ForwardError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(error) => error.fmt(f),
            Self::Inbound => f.write_str("tls: from a client"),
            Self::Full => f.write_str("tls: no room for it"),
            Self::NothingLeft => f.write_str("deep-cmd: nothing is left without tls"),
        }
    }
}

impl core::error::Error for ForwardError {}

impl From<ParseError> for ForwardError {
    fn from(error: ParseError) -> Self {
        Self::Unreadable(error)
    }
}

/// Brings an ID command (RFC 2971) from a client to the server: with the `tls` of this cipher suite at its
/// end, or without one if the client's connection is in clear.
///
/// ```
/// # use deep_latch::{IdCommand, InboundTls, TlsCipher, forward_id};
/// let command = IdCommand::parse(b"a001 ID (\"name\" \"Demo Mail\" \"tls\" \"a_lie\")\r\n")?;
/// let cipher = TlsCipher::parse("TLS_RSA_WITH_AES_128_CBC_SHA")?;
/// let command = command.ok_or("another command")?;
/// let forwarded = forward_id(&command, Some(&cipher), InboundTls::Remove)?;
/// let expected = b"a001 ID (\"name\" \"Demo Mail\" \"tls\" \"TLS_RSA_WITH_AES_128_CBC_SHA\")\r\n";
/// assert_eq!(forwarded.command, expected);
/// assert!(forwarded.removed);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// When it is not forwarded.
pub fn forward_id(
    command: &IdCommand<'_>,
    tls: Option<&TlsCipher<'_>>,
    inbound: InboundTls,
) -> Result<Forwarded, ForwardError> {
    let parameters = command.parameters()?;
    let list = command.list();
    let mut pairs: Vec<&[u8]> = Vec::new();
    let (mut removed, mut kept) = (false, false);
    for (pair, (field, _)) in pairs_of(list).zip(parameters.pairs()) {
        match (field.eq_ignore_ascii_case(TLS), inbound) {
            (true, InboundTls::Refuse) => return Err(ForwardError::Inbound),
            (true, InboundTls::Remove) => removed = true,
            (is_tls, _) => {
                kept |= is_tls;
                pairs.push(pair);
            }
        }
    }
    let added = tls.filter(|_| !kept).map(TlsCipher::as_str);
    let mut forwarded = Vec::new();
    forwarded.extend_from_slice(command.start());
    if !removed && added.is_none() {
        forwarded.extend_from_slice(list);
    } else if pairs.is_empty() && added.is_none() {
        forwarded.extend_from_slice(b"NIL");
    } else {
        if pairs.len() >= MAX_ID_PAIRS && added.is_some() {
            return Err(ForwardError::Full);
        }
        let mut before: &[u8] = b"(";
        for pair in pairs {
            forwarded.extend_from_slice(before);
            forwarded.extend_from_slice(pair);
            before = b" ";
        }
        if let Some(cipher) = added {
            forwarded.extend_from_slice(before);
            for part in ["\"tls\" \"", cipher, "\""] {
                forwarded.extend_from_slice(part.as_bytes());
            }
        }
        forwarded.push(b')');
    }
    forwarded.extend_from_slice(b"\r\n");
    let command = forwarded;
    Ok(Forwarded { command, removed })
}

/// Brings a CLIENT command (section 7.3), a line without its CRLF, from a client to the server, as
/// [`forward_id`] does with ID. White space at its end, which RFC 5321 section 4.1.1 tolerates, is taken off.
///
/// ```
/// # use deep_latch::{InboundTls, TlsCipher, forward_client};
/// let line = b"CLIENT name=demo_submit latch=tls10";
/// let cipher = TlsCipher::parse("0x002F")?;
/// let forwarded = forward_client(line, Some(&cipher), InboundTls::Remove)?;
/// assert_eq!(forwarded.command, b"CLIENT name=demo_submit latch=tls10 tls=0x002F");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// When it is not forwarded.
pub fn forward_client(
    line: &[u8],
    tls: Option<&TlsCipher<'_>>,
    inbound: InboundTls,
) -> Result<Forwarded, ForwardError> {
    let line = core::str::from_utf8(line)
        .map_err(|error| ParseError::new(ErrorKind::Character, "deep-cmd", error.valid_up_to()))?;
    let line = line.trim_end_matches([' ', '\t']);
    parse_client(line)?;
    let (mut removed, mut kept) = (false, false);
    let mut forwarded = String::new();
    let mut parameters = 0_usize;
    for (place, part) in line.split(' ').enumerate() {
        let keyword = part.split_once('=').map_or(part, |(keyword, _)| keyword);
        match (place > 0 && keyword.eq_ignore_ascii_case(TLS), inbound) {
            (true, InboundTls::Refuse) => return Err(ForwardError::Inbound),
            (true, InboundTls::Remove) => removed = true,
            (is_tls, _) => {
                kept |= is_tls;
                if place > 0 {
                    forwarded.push(' ');
                    parameters = parameters.saturating_add(1);
                }
                forwarded.push_str(part);
            }
        }
    }
    if let Some(cipher) = tls.filter(|_| !kept) {
        forwarded.extend([" tls=", cipher.as_str()]);
        parameters = parameters.saturating_add(1);
    }
    if parameters == 0 {
        return Err(ForwardError::NothingLeft);
    }
    if forwarded.len() > MAX_CLIENT_COMMAND_BYTES {
        return Err(ForwardError::Full);
    }
    let command = forwarded.into_bytes();
    Ok(Forwarded { command, removed })
}

/// The pairs of a list that `IdParameters` has read, byte for byte.
fn pairs_of(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    // NIL has none, as `()` has.
    let mut rest = list.strip_prefix(b"(").unwrap_or_default();
    core::iter::from_fn(move || {
        let field = string_length(rest)?;
        let value = rest.get(field.saturating_add(1)..)?;
        let length = match string_length(value) {
            Some(length) => length,
            None => "NIL".len(),
        };
        let length = field.saturating_add(1).saturating_add(length);
        let (pair, behind) = rest.split_at_checked(length)?;
        rest = behind.strip_prefix(b" ").unwrap_or(behind);
        Some(pair)
    })
}

/// How long the string is that `octets` begin with, with its quotes or its literal's braces.
fn string_length(octets: &[u8]) -> Option<usize> {
    match octets {
        [b'"', rest @ ..] => {
            let mut escaped = false;
            let end = rest.iter().position(|octet| {
                let ends = *octet == b'"' && !escaped;
                escaped = *octet == b'\\' && !escaped;
                ends
            })?;
            Some(end.saturating_add(2))
        }
        [b'{', rest @ ..] => {
            let end = rest.iter().position(|octet| *octet == b'}')?;
            let digits = rest.get(..end)?;
            let digits = digits.strip_suffix(b"+").unwrap_or(digits);
            let length: usize = core::str::from_utf8(digits).ok()?.parse().ok()?;
            // The braces, CRLF, and the octets.
            Some(end.saturating_add("{}\r\n".len()).saturating_add(length))
        }
        _ => None,
    }
}
