//! A proxy that ends TLS, draft-newman-email-deep-02 section 7.1, `tls` and example 3: it tells the server the
//! cipher suite of the client's connection, and lets no client tell another.

use alloc::{string::String, vec::Vec};
use core::fmt;

use crate::{
    cipher::TlsCipher,
    error::{ErrorKind, ParseError},
    imap::MAX_ID_PAIRS,
    imap_server::IdCommand,
    imap_string::{StringForm, write_string},
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
    /// The command. Apart from `tls` and the form of literals it is byte for byte the client's.
    pub command: Vec<u8>,
    /// A `tls` came in, and was taken out.
    pub removed: bool,
    /// Where the server's continuation requests come.
    waits: Vec<usize>,
}

impl Forwarded {
    /// The parts of the command. After each part but the last the server must have sent a continuation
    /// request (`+`) before the next is sent. If it answers the command instead, the rest is not sent.
    pub fn parts(&self) -> impl Iterator<Item = &[u8]> {
        let starts = core::iter::once(0).chain(self.waits.iter().copied());
        let ends = self.waits.iter().copied();
        let ends = ends.chain(core::iter::once(self.command.len()));
        let parts = starts.zip(ends);
        parts.filter_map(|(start, end)| self.command.get(start..end))
    }
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
/// A field that has `tls` as a word among others, or with spaces, tabs or line breaks around it, is the client's
/// `tls` too: a server may trim it, and a log shows it as `tls`. Values are not looked at.
///
/// Literals become quoted strings, or literals that wait for the server's continuation request (see
/// [`Forwarded::parts`]): whether the server has LITERAL+ makes no difference.
///
/// This is one command of a connection. A proxy also has to know which octets of the client the server will
/// take for a command, and that depends on the server's answers: [`ImapProxy`](crate::ImapProxy) does that.
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
    let (mut removed, mut kept, mut count) = (false, false, 0_usize);
    let mut list = List::default();
    for ((field, value), written) in parameters.pairs().zip(parameters.written()) {
        match (may_pass_for_tls(field), inbound) {
            (true, InboundTls::Refuse) => return Err(ForwardError::Inbound),
            (true, InboundTls::Remove) => removed = true,
            _ => {
                kept |= field.eq_ignore_ascii_case(TLS);
                count = count.saturating_add(1);
                list.pair(field, value, written);
            }
        }
    }
    let added = tls.filter(|_| !kept).map(TlsCipher::as_str);
    if let Some(cipher) = added {
        if count >= MAX_ID_PAIRS {
            return Err(ForwardError::Full);
        }
        list.pair(TLS, Some(cipher), [None, None]);
    }
    let start = command.start();
    let mut forwarded = start.to_vec();
    let mut waits = Vec::new();
    if removed || added.is_some() || list.rewritten {
        let before = |wait: usize| wait.saturating_add(start.len());
        waits.extend(list.waits.iter().copied().map(before));
        forwarded.extend_from_slice(list.finish().as_bytes());
    } else {
        forwarded.extend_from_slice(command.list());
    }
    forwarded.extend_from_slice(b"\r\n");
    Ok(Forwarded {
        command: forwarded,
        removed,
        waits,
    })
}

/// Returns `true` if a field of ID has `tls` as a word: `" tls"` and `"x, tls"` are other fields, but a server
/// that trims fields, or the reader of its log (`ID sent: x, tls=A_LIE`), takes them for it.
fn may_pass_for_tls(field: &str) -> bool {
    let word = |next: char| next.is_alphanumeric() || matches!(next, '-' | '_' | '.');
    let mut words = field.split(|next| !word(next));
    words.any(|word| word.eq_ignore_ascii_case(TLS))
}

/// `id_params_list`, as it is written for the server.
#[derive(Default)]
struct List {
    text: String,
    /// Where the octets of literals begin.
    waits: Vec<usize>,
    /// A string is not written as the client wrote it.
    rewritten: bool,
}

impl List {
    fn pair(&mut self, field: &str, value: Option<&str>, written: [Option<&str>; 2]) {
        self.text.push(if self.text.is_empty() { '(' } else { ' ' });
        let [field_written, value_written] = written;
        self.string(field, field_written);
        self.text.push(' ');
        self.string(value.unwrap_or_default(), value_written);
    }

    /// A literal becomes a quoted string where RFC 3501 has one for it. Where it does not, the literal is one
    /// that waits: a server without LITERAL+ would read the octets of another as commands.
    fn string(&mut self, text: &str, written: Option<&str>) {
        if let Some(written) = written {
            self.text.push_str(written);
            return;
        }
        self.rewritten = true;
        if write_string(&mut self.text, text, |next| next.is_ascii()) == Ok(StringForm::Literal) {
            self.waits.push(self.text.len().saturating_sub(text.len()));
        }
    }

    fn finish(mut self) -> String {
        if self.text.is_empty() {
            return String::from("NIL");
        }
        self.text.push(')');
        self.text
    }
}

/// Returns the line of a CLIENT command (section 7.3) as text, without the white space at its end; nothing when
/// the line, which comes without its CRLF, is another command's.
///
/// ```
/// # use deep_latch::client_line;
/// assert_eq!(client_line(b"client name=x "), Ok(Some("client name=x")));
/// assert_eq!(client_line(b"MAIL FROM:<a@example.com>"), Ok(None));
/// assert!(client_line(b"CLIENT\ttls=A_LIE").is_err());
/// assert!(client_line(b"NOOP\nCLIENT tls=A_LIE").is_err());
/// ```
///
/// # Errors
/// When the line is CLIENT but for other octets than letters and digits around the verb; or has CR, LF or NUL.
/// A proxy must not forward it: the server may read it otherwise.
pub fn client_line(line: &[u8]) -> Result<Option<&str>, ParseError> {
    const FIELD: &str = "deep-cmd";
    const VERB: &[u8] = b"CLIENT";
    let error = |kind, at| Err(ParseError::new(kind, FIELD, at));
    let special = |octet: &u8| matches!(octet, b'\r' | b'\n' | 0);
    if let Some(at) = line.iter().position(special) {
        return error(ErrorKind::Character, at);
    }
    let begins = line.iter().position(u8::is_ascii_alphanumeric);
    let (before, text) = line.split_at(begins.unwrap_or(line.len()));
    let word = |octet: &u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_' | b'.');
    let ends = text.iter().position(|octet| !word(octet));
    let (verb, behind) = text.split_at(ends.unwrap_or(text.len()));
    if !verb.eq_ignore_ascii_case(VERB) {
        return Ok(None);
    }
    if !before.is_empty() {
        return error(ErrorKind::Character, 0);
    }
    if !matches!(behind.first(), None | Some(b' ')) {
        return error(ErrorKind::Character, VERB.len());
    }
    match core::str::from_utf8(line) {
        Ok(line) => Ok(Some(line.trim_end_matches([' ', '\t']))),
        Err(error) => Err(ParseError::new(
            ErrorKind::Character,
            FIELD,
            error.valid_up_to(),
        )),
    }
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
    let Some(line) = client_line(line)? else {
        return Err(ParseError::new(ErrorKind::Expected, "deep-cmd", 0).into());
    };
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
    Ok(Forwarded {
        command: forwarded.into_bytes(),
        removed,
        waits: Vec::new(),
    })
}
