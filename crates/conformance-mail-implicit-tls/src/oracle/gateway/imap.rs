//! A backend of IMAP.

use conformance::oracle::{Broken, Choices};
use deep_latch::imap::{CommandReader, Received};

use super::{Backend, Heard};

/// The commands that reach a backend before login.
pub(super) const KNOWN: &[&str] = &[
    "AUTHENTICATE",
    "CAPABILITY",
    "ID",
    "LANGUAGE",
    "LOGIN",
    "LOGOUT",
    "NOOP",
];

const LIST: &str = "CAPABILITY IMAP4rev1 ID STARTTLS LOGINDISABLED AUTH=PLAIN AUTH=EXTERNAL AUTH=SCRAM-SHA-256-PLUS";
const AFTER_LOGIN: &str = "CAPABILITY IMAP4rev1 ID IDLE";

/// The longest literal that this backend accepts.
const MAX_LITERAL_BYTES: usize = 1_000_000;

/// A backend that takes every line for a command, and every `{n}` at the end of one for a literal, wherever it is.
#[derive(Debug)]
pub(super) struct Imap<'a> {
    choices: Choices<'a>,
    /// `true` if no gateway is before the backend, which then has LITERAL+ too.
    direct: bool,
    input: Vec<u8>,
    command: Vec<u8>,
    /// The rest of a literal that is expected.
    literal: usize,
    /// `true` if the rest of the command is discarded.
    discards: bool,
    /// `true` if the backend asked for a line.
    asked: bool,
    said: Vec<u8>,
    heard: Heard,
}

impl<'a> Imap<'a> {
    pub(super) fn new(choices: &'a [u8], direct: bool) -> Self {
        Self {
            choices: Choices::new(choices),
            direct,
            input: Vec::new(),
            command: Vec::new(),
            literal: 0,
            discards: false,
            asked: false,
            said: Vec::new(),
            heard: Heard::default(),
        }
    }

    fn line(&mut self, line: &[u8]) -> Result<(), Broken> {
        if std::mem::take(&mut self.discards) {
            self.command.clear();
            if let Some((_, length, waits)) = announced(line) {
                self.discard(length, waits);
            }
            return Ok(());
        }
        if std::mem::take(&mut self.asked) {
            let is_base64 = |octet: &u8| octet.is_ascii_alphanumeric() || b"+/=".contains(octet);
            if line == b"*" || !line.iter().all(is_base64) {
                if line != b"*" && !self.direct {
                    return Err(format!("a command for a response: {}", line.escape_ascii()));
                }
                self.say_tagged("BAD cancelled");
                return Ok(());
            }
            self.answer();
            return Ok(());
        }
        let Some((text, length, waits)) = announced(line) else {
            self.command.extend_from_slice(line);
            self.command.extend_from_slice(b"\r\n");
            self.answer();
            return Ok(());
        };
        if !waits && !self.direct {
            return Err(format!(
                "the literal does not wait: {}",
                line.escape_ascii()
            ));
        }
        self.command.extend_from_slice(text);
        self.command
            .extend_from_slice(format!("{{{length}}}\r\n").as_bytes());
        if length > MAX_LITERAL_BYTES || !self.is("ID") && self.choices.choose() % 4 == 3 {
            self.say_tagged("NO no literal");
            self.discard(length, waits);
            return Ok(());
        }
        self.literal = length;
        if waits {
            self.said.extend_from_slice(b"+ ready\r\n");
        }
        Ok(())
    }

    /// Discards the rest of a command whose literal was refused: a client that does not wait sends it in any case.
    const fn discard(&mut self, length: usize, waits: bool) {
        self.discards = !waits;
        self.literal = if waits { 0 } else { length };
    }

    fn name(&self) -> String {
        let text = String::from_utf8_lossy(&self.command).to_ascii_uppercase();
        text.split([' ', '\r'])
            .nth(1)
            .unwrap_or_default()
            .to_owned()
    }

    fn is(&self, name: &str) -> bool {
        self.name() == name
    }

    /// Answers the command, or asks for a line.
    fn answer(&mut self) {
        let name = self.name();
        if name == "ID" {
            self.said.extend_from_slice(b"* ID NIL\r\n");
            self.say_tagged("OK done");
            return;
        }
        let choice = self.choices.choose();
        let logs_in = ["AUTHENTICATE", "LOGIN"].contains(&name.as_str());
        match choice % 8 {
            0 | 1 if name == "AUTHENTICATE" => {
                self.asked = true;
                self.said.extend_from_slice(b"+ eA==\r\n");
            }
            _ if name == "LOGOUT" => {
                self.said.extend_from_slice(b"* BYE done\r\n");
                self.say_tagged("OK done");
                self.heard.closed = true;
            }
            0 | 2 => self.say_tagged("NO [AUTHENTICATIONFAILED] no {3}"),
            1 => self.say_tagged("BAD what"),
            3 => {
                let text = format!("* 1 FETCH (BODY[] {{8}}\r\na OK NO\r\n)\r\n* {LIST}\r\n");
                self.said.extend_from_slice(text.as_bytes());
                self.say_tagged("NO x");
            }
            4 => self.say_tagged(&format!("NO [{LIST}] x")),
            _ if logs_in => {
                self.heard.logged_in = true;
                self.heard.piped = choice & 8 == 0;
                match self.heard.piped {
                    true => self.say_tagged(&format!("OK [{AFTER_LOGIN}] in")),
                    false => self.say_tagged(&format!("OK [{AFTER_LOGIN} UNAUTHENTICATE] in")),
                }
            }
            _ => self.say_tagged("OK done"),
        }
    }

    fn say_tagged(&mut self, text: &str) {
        let tag = self.command.split(|octet| *octet == b' ').next();
        self.said.extend_from_slice(tag.unwrap_or_default());
        self.said
            .extend_from_slice(format!(" {text}\r\n").as_bytes());
        self.heard.commands.push(std::mem::take(&mut self.command));
    }

    fn read(&mut self) -> Result<(), Broken> {
        loop {
            if self.heard.closed {
                return Ok(());
            }
            if self.heard.logged_in {
                self.heard.after.append(&mut self.input);
                return Ok(());
            }
            if self.literal > 0 {
                let length = self.literal.min(self.input.len());
                let octets: Vec<u8> = self.input.drain(..length).collect();
                self.command.extend(octets);
                self.literal -= length;
                if self.literal > 0 {
                    return Ok(());
                }
            }
            let ends: &[u8] = if self.direct { b"\n" } else { b"\r\n\0" };
            let end = self.input.iter().position(|octet| ends.contains(octet));
            let Some(end) = end else {
                return Ok(());
            };
            let end = if self.direct {
                end.saturating_sub(1)
            } else {
                end
            };
            if !self.direct && end + 1 == self.input.len() {
                return Ok(());
            }
            if !self.direct && self.input.get(end..end + 2) != Some(b"\r\n") {
                let input = self.input.escape_ascii();
                return Err(format!("CR, LF or NUL was forwarded: {input}"));
            }
            let line: Vec<u8> = self.input.drain(..end + 2).take(end).collect();
            self.line(&line)?;
        }
    }
}

impl Backend for Imap<'_> {
    fn greeting(&self) -> &'static [u8] {
        b"* OK [CAPABILITY IMAP4rev1 ID STARTTLS AUTH=PLAIN AUTH=SCRAM-SHA-256-PLUS] ready\r\n"
    }

    fn hear(&mut self, octets: &[u8]) -> Result<Vec<u8>, Broken> {
        self.input.extend_from_slice(octets);
        self.read()?;
        Ok(std::mem::take(&mut self.said))
    }

    fn heard(&self) -> &Heard {
        &self.heard
    }
}

/// Returns the text before the literal that a line ends with, by the laxest rule, its length, and `true` if it waits.
fn announced(line: &[u8]) -> Option<(&[u8], usize, bool)> {
    let text = line.strip_suffix(b"}")?;
    let brace = text.iter().rposition(|octet| *octet == b'{')?;
    let (before, number) = text.split_at_checked(brace)?;
    let number = str::from_utf8(number.get(1..)?).ok()?;
    let (digits, waits) = match number.strip_suffix('+') {
        Some(digits) => (digits, false),
        None => (number, true),
    };
    let is_number = !digits.is_empty() && digits.bytes().all(|octet| octet.is_ascii_digit());
    is_number.then(|| (before, digits.parse().unwrap_or(usize::MAX), waits))
}

/// Checks that a command is one for the crate's own reader too. A command whose literal was refused ends there.
pub(super) fn is_one_command(command: &[u8]) -> Result<(), Broken> {
    let mut reader = CommandReader::with_limits(usize::MAX, usize::MAX);
    reader.receive(command);
    let mut asked = 0;
    loop {
        match reader.next_command() {
            // The literal is not there.
            Ok(Received::Incomplete) if asked == 1 => return Ok(()),
            Ok(Received::Continue) => asked += 1,
            Ok(Received::Command(read)) if read == command => return Ok(()),
            other => return Err(format!("{}: {other:?}", command.escape_ascii())),
        }
    }
}
