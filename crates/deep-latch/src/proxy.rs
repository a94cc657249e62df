//! Proxies that end TLS, draft-newman-email-deep-02 section 7.1, `tls` and example 3: a proxy reports the cipher suite of
//! the client's connection to the server, and prevents clients from reporting another.

mod front;
mod imap;
mod responses;
mod sasl;

use alloc::{format, string::String, vec::Vec};
use core::fmt;

pub use self::{
    front::{
        FrontRules, MAX_FRONT_COMMANDS, MAX_FRONT_LITERAL_BYTES, MAX_FRONT_REFUSALS, MapExternal,
        MappedLogin, ProxyEvent, ProxyRefusal, ProxySide,
    },
    imap::{ImapProxy, MAX_PROXY_COMMAND_BYTES, MAX_PROXY_LITERAL_BYTES},
    responses::MAX_PROXY_RESPONSE_BYTES,
    sasl::{MAX_SASL_LINE_BYTES, is_initial_response, is_sasl_response},
};

use crate::{
    cipher::TlsCipher,
    error::{ErrorKind, ParseError},
    imap::{
        IdCommand, MAX_ID_PAIRS,
        string::{StringForm, write_string},
    },
    report::ClientReport,
    smtp::{ClientCommand, MAX_CLIENT_COMMAND_BYTES},
};

const TLS: &str = "tls";

/// The treatment of a `tls` in a client's command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum InboundTls {
    /// The field is removed: a client cannot be trusted about its own security.
    #[default]
    Remove,
    /// The command is refused.
    Refuse,
    /// The field is kept, and no other is added: it is from another proxy of the same operator, which the client is
    /// connected to.
    Trust,
}

/// A command for the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forwarded {
    /// The command. Apart from `tls` and the form of literals it is byte for byte the client's.
    pub command: Vec<u8>,
    /// `true` if a `tls` of the client was removed.
    pub removed: bool,
    /// The places at which the server's continuation requests are expected.
    waits: Vec<usize>,
}

impl Forwarded {
    /// Returns the ID command (RFC 2971) for the server: the client's command with `tls`, the cipher suite of the
    /// client's connection, as its last field, or without `tls` if that connection is in clear.
    ///
    /// A field that has `tls` as a word among others, or with spaces, tabs or line breaks around it, is treated as the
    /// client's `tls`: a server may trim the field, and a log shows it as `tls`. Values are not checked.
    ///
    /// Literals become quoted strings, or literals that wait for the server's continuation request (see
    /// [`parts`](Self::parts)), so that the server need not support LITERAL+.
    ///
    /// This is one command of a connection. A proxy also has to know which octets of the client the server reads as a
    /// command, and that depends on the server's answers: [`ImapProxy`] does that.
    ///
    /// ```
    /// # use deep_latch::{TlsCipher, imap::IdCommand, proxy::{Forwarded, InboundTls}};
    /// let command = IdCommand::parse(b"a001 ID (\"name\" \"Demo Mail\" \"tls\" \"a_lie\")\r\n")?;
    /// let cipher = TlsCipher::parse("TLS_RSA_WITH_AES_128_CBC_SHA")?;
    /// let command = command.ok_or("another command")?;
    /// let forwarded = Forwarded::of_id(&command, Some(&cipher), InboundTls::Remove)?;
    /// let expected = b"a001 ID (\"name\" \"Demo Mail\" \"tls\" \"TLS_RSA_WITH_AES_128_CBC_SHA\")\r\n";
    /// assert_eq!(forwarded.command, expected);
    /// assert!(forwarded.removed);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Returns [`ForwardError::Unreadable`] for a malformed list, [`ForwardError::Inbound`] for a `tls` of the client
    /// that `inbound` refuses, and [`ForwardError::Full`] if the list has no room for `tls`.
    pub fn of_id(
        command: &IdCommand<'_>,
        tls: Option<&TlsCipher<'_>>,
        inbound: InboundTls,
    ) -> Result<Self, ForwardError> {
        let added = tls.map(|cipher| (TLS, cipher.as_str()));
        Self::of_id_with(command, added.as_slice(), inbound, may_pass_for_tls)
    }

    /// Returns the ID command for the server, in the same way as [`of_id`](Self::of_id), with all of `added` as last fields.
    /// `inbound` applies to the client's fields that `is_reserved` names.
    pub(crate) fn of_id_with(
        command: &IdCommand<'_>,
        added: &[(&str, &str)],
        inbound: InboundTls,
        is_reserved: fn(&str) -> bool,
    ) -> Result<Self, ForwardError> {
        let parameters = command.parameters()?;
        let (mut removed, mut count) = (false, 0_usize);
        let mut left = added.to_vec();
        let mut list = List::default();
        for ((field, value), written) in parameters.pairs().zip(parameters.written()) {
            match (is_reserved(field), inbound) {
                (true, InboundTls::Refuse) => return Err(ForwardError::Inbound),
                (true, InboundTls::Remove) => removed = true,
                _ => {
                    left.retain(|(added, _)| !field.eq_ignore_ascii_case(added));
                    count = count.saturating_add(1);
                    list.pair(field, value, written);
                }
            }
        }
        if count.saturating_add(left.len()) > MAX_ID_PAIRS {
            return Err(ForwardError::Full);
        }
        for (field, value) in &left {
            list.pair(field, Some(value), [None, None]);
        }
        let start = command.start();
        let mut forwarded = start.to_vec();
        let mut waits = Vec::new();
        if removed || !left.is_empty() || list.rewritten {
            let before = |wait: usize| wait.saturating_add(start.len());
            waits.extend(list.waits.iter().copied().map(before));
            forwarded.extend_from_slice(list.finish().as_bytes());
        } else {
            forwarded.extend_from_slice(command.list());
        }
        forwarded.extend_from_slice(b"\r\n");
        Ok(Self {
            command: forwarded,
            removed,
            waits,
        })
    }

    /// Returns the CLIENT command (section 7.3) for the server, from a line without its CRLF, in the same way as
    /// [`of_id`](Self::of_id). White space at its end, which RFC 5321 section 4.1.1 tolerates, is removed.
    ///
    /// ```
    /// # use deep_latch::{TlsCipher, proxy::{Forwarded, InboundTls}};
    /// let line = b"CLIENT name=demo_submit latch=tls10";
    /// let cipher = TlsCipher::parse("0x002F")?;
    /// let forwarded = Forwarded::of_client(line, Some(&cipher), InboundTls::Remove)?;
    /// assert_eq!(forwarded.command, b"CLIENT name=demo_submit latch=tls10 tls=0x002F");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Returns [`ForwardError::Unreadable`] for a malformed command, [`ForwardError::Inbound`] for a `tls` of the client
    /// that `inbound` refuses, [`ForwardError::Full`] if the line has no room for `tls`, and
    /// [`ForwardError::NothingLeft`] if `tls` was the only parameter.
    pub fn of_client(
        line: &[u8],
        tls: Option<&TlsCipher<'_>>,
        inbound: InboundTls,
    ) -> Result<Self, ForwardError> {
        let Some(command) = ClientCommand::parse(line)? else {
            return Err(ParseError::new(ErrorKind::Expected, "deep-cmd", 0).into());
        };
        let line = command.as_str();
        ClientReport::parse_client_command(line)?;
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
        Ok(Self {
            command: forwarded.into_bytes(),
            removed,
            waits: Vec::new(),
        })
    }

    /// Returns the parts of the command. Each part but the first is sent only after the server has sent a continuation
    /// request (`+`). If the server answers the command instead, the rest is not sent.
    pub fn parts(&self) -> impl Iterator<Item = &[u8]> {
        let starts = core::iter::once(0).chain(self.waits.iter().copied());
        let ends = self.waits.iter().copied();
        let ends = ends.chain(core::iter::once(self.command.len()));
        let parts = starts.zip(ends);
        parts.filter_map(|(start, end)| self.command.get(start..end))
    }
}

/// The reason why a command is not forwarded. The proxy answers the command itself: BAD in IMAP, 501 in SMTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ForwardError {
    /// The command is malformed: a server could find a `tls` in it.
    Unreadable(ParseError),
    /// The command has a `tls` of the client, which is refused.
    Inbound,
    /// The command has no room for `tls`: it is at its limit.
    Full,
    /// CLIENT has no other parameter than the removed `tls`. The proxy can answer 250.
    NothingLeft,
}

impl fmt::Display for ForwardError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(error) => error.fmt(f),
            Self::Inbound => f.write_str("tls: a client must not send this field"),
            Self::Full => f.write_str("tls: no room for the field"),
            Self::NothingLeft => f.write_str("deep-cmd: no parameter but tls"),
        }
    }
}

impl core::error::Error for ForwardError {}

impl From<ParseError> for ForwardError {
    fn from(error: ParseError) -> Self {
        Self::Unreadable(error)
    }
}

/// Returns `true` if a field of ID has `tls` as a word: `" tls"` and `"x, tls"` are other fields, but a server that trims
/// fields, or a reader of its log (`ID sent: x, tls=A_LIE`), takes them for `tls`.
fn may_pass_for_tls(field: &str) -> bool {
    let word = |next: char| next.is_alphanumeric() || matches!(next, '-' | '_' | '.');
    let mut words = field.split(|next| !word(next));
    words.any(|word| word.eq_ignore_ascii_case(TLS))
}

/// Prefixes of the fields by which proxies report a client's address and session. Dovecot and others read them.
const ADDRESS_PREFIXES: &[&str] = &[
    "x-connected-",
    "x-forward-",
    "x-originating-",
    "x-proxy-",
    "x-session-",
];

/// Returns `true` if a server may read a field of ID as `tls`, or as one by which a proxy reports the client's address.
pub(crate) fn is_of_proxies(field: &str) -> bool {
    let is_part = |next: char| next.is_alphanumeric() || matches!(next, '-' | '_' | '.');
    let words = field.split(|next| !is_part(next));
    let is_address = |word: &str| {
        let word = word.to_ascii_lowercase();
        ADDRESS_PREFIXES
            .iter()
            .any(|prefix| word.starts_with(prefix))
    };
    may_pass_for_tls(field) || words.into_iter().any(is_address)
}

/// Returns an ID command of the proxy itself, without literals.
pub(crate) fn own_id(tag: &str, fields: &[(&str, &str)]) -> String {
    let mut list = List::default();
    for (field, value) in fields {
        list.pair(field, Some(value), [None, None]);
    }
    format!("{tag} ID {}\r\n", list.finish())
}

/// `id_params_list` in the form for the server.
#[derive(Default)]
struct List {
    text: String,
    /// The places at which the octets of literals begin.
    waits: Vec<usize>,
    /// `true` if a string is not written as the client wrote it.
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

    /// Writes a string. A literal becomes a quoted string if RFC 3501 has one for it, and otherwise a literal that waits:
    /// a server without LITERAL+ would read the octets of a literal that does not wait as commands.
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
