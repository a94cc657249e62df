//! Invariants of the IMAP proxy of `deep-latch` for any octets of a client and any behaviour of a server: the server
//! finds no `tls` but the proxy's, however it reads what is forwarded.
//!
//! The first byte of the input chooses the cipher suite, the others up to the first 0xff what the server does
//! with each command and each literal; the client's octets follow.

use conformance::oracle::{Broken, Choices};
use deep_latch::{
    TlsCipher,
    imap::{CommandReader, Received},
    proxy::{ImapProxy, InboundTls},
};

/// The octet that ends the choices.
pub const SEPARATOR: u8 = 0xff;

const OURS: &str = "TLS_OURS";

/// The server finds no `tls` of the client, takes every octet for what the proxy took it for, and all that
/// however the client's octets are cut.
///
/// # Errors
/// Returns the invariant that was broken.
pub fn any(data: &[u8]) -> Result<(), Broken> {
    let Some((&first, data)) = data.split_first() else {
        return Ok(());
    };
    let mut parts = data.splitn(2, |octet| *octet == SEPARATOR);
    let choices = parts.next().unwrap_or_default();
    let client = parts.next().unwrap_or_default();
    let tls = (first & 1 == 0).then_some(OURS);
    let whole = connection(tls, choices, client, usize::MAX)?;
    for piece in [1, 7] {
        let pieces = connection(tls, choices, client, piece)?;
        if pieces != whole {
            return Err(format!("{whole:?}, but in pieces of {piece}: {pieces:?}"));
        }
    }
    for command in &whole.0 {
        same_for_the_reader(command)?;
    }
    Ok(())
}

/// The commands that the server received, and `true` if the proxy closed the connection.
type Heard = (Vec<Vec<u8>>, bool);

fn connection(
    tls: Option<&'static str>,
    choices: &[u8],
    client: &[u8],
    piece: usize,
) -> Result<Heard, Broken> {
    let cipher = tls.map(TlsCipher::parse).transpose();
    let cipher = cipher.map_err(|error| error.to_string())?;
    let mut proxy = ImapProxy::new(cipher, InboundTls::Remove);
    let mut server = Server {
        choices: Choices::new(choices),
        tls,
        ..Server::default()
    };
    for octets in client.chunks(piece.min(client.len()).max(1)) {
        let mut sent = proxy.client_sent(octets);
        loop {
            server.hear(&proxy.take_for_server())?;
            let said = std::mem::take(&mut server.said);
            if sent.is_err() {
                return Ok((server.heard, true));
            }
            if said.is_empty() {
                break;
            }
            sent = proxy.server_sent(&said);
        }
    }
    Ok((server.heard, false))
}

/// A command that was forwarded is one command for the crate's own reader too.
fn same_for_the_reader(command: &[u8]) -> Result<(), Broken> {
    let mut reader = CommandReader::with_limits(usize::MAX, usize::MAX);
    reader.receive(command);
    loop {
        match reader.next_command() {
            Ok(Received::Continue) => {}
            Ok(Received::Command(read)) if read == command => return Ok(()),
            other => return Err(format!("{}: {other:?}", command.escape_ascii())),
        }
    }
}

/// A server that takes every line for a command, and every `{n}` at the end of one for a literal, wherever it
/// is, if it chooses to read it.
#[derive(Default)]
struct Server<'a> {
    choices: Choices<'a>,
    tls: Option<&'static str>,
    input: Vec<u8>,
    /// The command as far as it came, and how much of a literal is to come.
    command: Vec<u8>,
    literal: usize,
    /// `true` if the server asked for a line.
    asked: bool,
    said: Vec<u8>,
    heard: Vec<Vec<u8>>,
}

impl Server<'_> {
    fn hear(&mut self, octets: &[u8]) -> Result<(), Broken> {
        self.input.extend_from_slice(octets);
        loop {
            if self.literal > 0 {
                let length = self.literal.min(self.input.len());
                self.command.extend(self.input.drain(..length));
                self.literal -= length;
                if self.literal > 0 {
                    return Ok(());
                }
            }
            // Some servers end a line with any of these.
            let end = self
                .input
                .iter()
                .position(|octet| b"\r\n\0".contains(octet));
            let Some(end) = end else {
                return Ok(());
            };
            if self.input.get(end..end + 2) != Some(b"\r\n") {
                let input = self.input.escape_ascii();
                return Err(format!("CR, LF or NUL was forwarded: {input}"));
            }
            let line: Vec<u8> = self.input.drain(..end + 2).take(end).collect();
            self.line(&line)?;
        }
    }

    fn line(&mut self, line: &[u8]) -> Result<(), Broken> {
        let shown = || line.escape_ascii().to_string();
        let begins = self.command.is_empty();
        if std::mem::take(&mut self.asked) {
            let fits = |octet: &u8| octet.is_ascii_alphanumeric() || b"+/=".contains(octet);
            if line != b"*" && !line.iter().all(fits) {
                return Err(format!(
                    "a command where an answer to the server was expected: {}",
                    shown()
                ));
            }
            self.answer();
            return Ok(());
        }
        self.command.extend_from_slice(line);
        self.command.extend_from_slice(b"\r\n");
        if let Some(length) = announced(line) {
            let length = length.ok_or_else(|| format!("it does not wait: {}", shown()))?;
            if begins {
                self.no_lie(line, false)?;
            }
            if self.choices.choose() % 4 == 3 {
                // The server reads the following octets as commands.
                self.say_tagged("BAD no literal");
            } else {
                self.literal = length;
                self.said.extend_from_slice(b"+ ready\r\n");
            }
            return Ok(());
        }
        let command = self.command.clone();
        self.no_lie(&command, true)?;
        self.heard.push(command);
        self.answer();
        Ok(())
    }

    /// Answers, or asks for a line where the command is one that has them.
    fn answer(&mut self) {
        let name = String::from_utf8_lossy(&self.command).to_ascii_uppercase();
        let name = name.split([' ', '\r']).nth(1).unwrap_or_default();
        let asks = ["AUTHENTICATE", "IDLE"].contains(&name);
        match self.choices.choose() % 4 {
            0 | 1 if asks => {
                self.asked = true;
                self.said.extend_from_slice(b"+ \r\n");
            }
            3 => self.say_tagged("NO"),
            _ => self.say_tagged("OK done {3}"),
        }
    }

    fn say_tagged(&mut self, text: &str) {
        let tag = self.command.split(|octet| *octet == b' ').next();
        self.said
            .extend_from_slice(b"* 1 FETCH (BODY[] {8}\r\na OK NO\r\n)\r\n");
        self.said.extend_from_slice(tag.unwrap_or_default());
        self.said
            .extend_from_slice(format!(" {text}\r\n").as_bytes());
        self.command.clear();
    }

    /// An ID command, read as leniently as any server reads it, has no `tls` but the proxy's; a command as it
    /// is forwarded is one that a strict reader reads.
    fn no_lie(&self, command: &[u8], whole: bool) -> Result<(), Broken> {
        let shown = || command.escape_ascii().to_string();
        let space = |octet: &u8| octet.is_ascii_whitespace() || *octet == 0;
        let mut words = command.split(space).filter(|word| !word.is_empty());
        let (_, name) = (words.next(), words.next().unwrap_or_default());
        let id = name
            .get(..2)
            .is_some_and(|two| two.eq_ignore_ascii_case(b"ID"));
        let atom = |octet: &u8| octet.is_ascii_graphic() && !b"(){%*\"\\]".contains(octet);
        // `ID.` is another command.
        let is_id = id && !name.get(2).is_some_and(atom);
        if !is_id {
            return Ok(());
        }
        if !whole {
            return match contains_tls(command) {
                true => Err(format!("tls in half a command: {}", shown())),
                false => Ok(()),
            };
        }
        let pairs = strict_id(command).ok_or_else(|| format!("not ID: {}", shown()))?;
        let tls: Vec<_> = pairs
            .iter()
            .filter(|(field, _)| field.eq_ignore_ascii_case(b"tls"))
            .map(|(_, value)| value.as_deref())
            .collect();
        let expected: Vec<_> = self.tls.iter().map(|tls| Some(tls.as_bytes())).collect();
        match tls == expected {
            true => Ok(()),
            false => Err(format!("another tls: {}", shown())),
        }
    }
}

fn contains_tls(text: &[u8]) -> bool {
    let text = text.to_ascii_lowercase();
    text.windows(7).any(|part| part == b"(\"tls\" ")
}

/// The literal that a line ends with, by the laxest rule; without a number if it does not wait.
fn announced(line: &[u8]) -> Option<Option<usize>> {
    let text = str::from_utf8(line.strip_suffix(b"}")?).ok()?;
    let (_, digits) = text.rsplit_once('{')?;
    if let Some(digits) = digits.strip_suffix('+') {
        return digits.parse::<usize>().is_ok().then_some(None);
    }
    digits.parse().ok().map(Some)
}

/// A field, and a value that may be NIL.
type Pair = (Vec<u8>, Option<Vec<u8>>);

/// `tag SP "ID" SP id_params_list CRLF` of RFC 2971 and RFC 3501 to the letter, read by code that shares
/// nothing with the crate's.
fn strict_id(command: &[u8]) -> Option<Vec<Pair>> {
    let space = command.iter().position(|octet| *octet == b' ')?;
    let (tag, rest) = command.split_at(space);
    let atom = |octet: &u8| octet.is_ascii_graphic() && !b"(){%*\"\\+".contains(octet);
    if tag.is_empty() || !tag.iter().all(atom) || !rest.get(..4)?.eq_ignore_ascii_case(b" ID ") {
        return None;
    }
    let mut rest = rest.get(4..)?;
    let mut pairs = Vec::new();
    if let Some(end) = nil(rest) {
        return (end == b"\r\n").then_some(pairs);
    }
    rest = rest.strip_prefix(b"(")?;
    if rest == b")\r\n" {
        return Some(pairs);
    }
    loop {
        let (field, value);
        (field, rest) = string(rest)?;
        rest = rest.strip_prefix(b" ")?;
        (value, rest) = match nil(rest) {
            Some(rest) => (None, rest),
            None => string(rest).map(|(value, rest)| (Some(value), rest))?,
        };
        pairs.push((field, value));
        if rest == b")\r\n" {
            return Some(pairs);
        }
        rest = rest.strip_prefix(b" ")?;
    }
}

fn nil(text: &[u8]) -> Option<&[u8]> {
    let (nil, rest) = text.split_at_checked(3)?;
    nil.eq_ignore_ascii_case(b"NIL").then_some(rest)
}

fn string(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    if let Some(rest) = text.strip_prefix(b"{") {
        let end = rest.iter().position(|octet| *octet == b'}')?;
        let (digits, rest) = rest.split_at(end);
        let length: usize = str::from_utf8(digits).ok()?.parse().ok()?;
        let (octets, rest) = rest.strip_prefix(b"}\r\n")?.split_at_checked(length)?;
        return (!octets.contains(&0)).then(|| (octets.to_vec(), rest));
    }
    let mut rest = text.strip_prefix(b"\"")?;
    let mut string = Vec::new();
    loop {
        let (&octet, behind) = rest.split_first()?;
        rest = behind;
        match octet {
            b'"' => return Some((string, rest)),
            b'\\' => {
                let (&escaped, behind) = rest.split_first()?;
                rest = behind;
                b"\"\\".contains(&escaped).then(|| string.push(escaped))?;
            }
            b'\r' | b'\n' | 0 => return None,
            _ => string.push(octet),
        }
    }
}
