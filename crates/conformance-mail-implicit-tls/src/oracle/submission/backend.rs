//! A model of a submission server, which answers each command by its text alone.

/// The way in which a server reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// CR LF ends a line, CR LF dot CR LF a message.
    Strict,
    /// A CR or an LF ends a line too, white space before a command is skipped, and each control character or space ends its
    /// verb.
    Lenient,
}

/// A part of what a server received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Item {
    Command(Vec<u8>),
    /// A line of an AUTH exchange.
    Response(Vec<u8>),
    /// The message of DATA, with the line ends as CR LF.
    Message(Vec<u8>),
    /// The octets of BDAT.
    Chunk(Vec<u8>),
}

/// The server.
#[derive(Clone, Debug)]
pub(super) struct Backend {
    traits: u8,
    reading: Reading,
    behind_gateway: bool,
    state: State,
    octets: Vec<u8>,
    /// `true` if the last line ended by a CR, so that an LF after it ends no other.
    after_cr: bool,
    chunking: bool,
    sender: bool,
    recipient: bool,
    /// `true` if BDAT was refused, so that its octets are commands.
    pub(super) reads_chunks_as_commands: bool,
    pub(super) items: Vec<Item>,
}

#[derive(Clone, Debug)]
enum State {
    Command,
    /// The number of responses that are still asked for.
    Auth(u8),
    Message(Vec<u8>),
    Chunk(u64, Vec<u8>, Vec<u8>),
    Closed,
}

/// The bits of the traits.
const CHUNKING: u8 = 1;
const LOGIN_FAILS: u8 = 2;
const DATA_FAILS: u8 = 4;
const TWO_RESPONSES: u8 = 8;
const AUTH_FAILS_AT_ONCE: u8 = 16;
const MESSAGES_FAIL: u8 = 32;
const LONG_REPLIES: u8 = 64;

impl Backend {
    pub(super) const fn new(traits: u8, reading: Reading) -> Self {
        Self {
            traits,
            reading,
            behind_gateway: false,
            state: State::Command,
            octets: Vec::new(),
            after_cr: false,
            chunking: false,
            sender: false,
            recipient: false,
            reads_chunks_as_commands: false,
            items: Vec::new(),
        }
    }

    /// Returns a server that has only the extensions which a gateway leaves.
    pub(super) const fn behind_gateway(mut self) -> Self {
        self.behind_gateway = true;
        self
    }

    const fn has(&self, bit: u8) -> bool {
        self.traits & bit != 0
    }

    pub(super) fn greeting(&self) -> Vec<u8> {
        b"220 mx.example.org ESMTP\r\n".to_vec()
    }

    /// Takes octets, and returns the replies to them.
    pub(super) fn receive(&mut self, octets: &[u8]) -> Vec<u8> {
        self.octets.extend_from_slice(octets);
        let mut replies = Vec::new();
        loop {
            if let State::Chunk(left, chunk, reply) = &mut self.state {
                let most = usize::try_from(*left).unwrap_or(usize::MAX);
                let part: Vec<_> = self.octets.drain(..self.octets.len().min(most)).collect();
                *left -= part.len() as u64;
                chunk.extend(part);
                if *left > 0 {
                    return replies;
                }
                replies.append(reply);
                let chunk = std::mem::take(chunk);
                self.items.push(Item::Chunk(chunk));
                self.state = State::Command;
                continue;
            }
            if matches!(self.state, State::Closed) {
                return replies;
            }
            let Some(line) = self.line() else {
                return replies;
            };
            replies.extend(self.take(line));
        }
    }

    fn line(&mut self) -> Option<Vec<u8>> {
        if self.reading == Reading::Strict {
            let end = self.octets.windows(2).position(|it| it == b"\r\n")?;
            let line = self.octets.drain(..end + 2).take(end).collect();
            return Some(line);
        }
        if self.after_cr && self.octets.first() == Some(&b'\n') {
            self.octets.remove(0);
            self.after_cr = false;
        }
        let ends = |octet: &u8| matches!(octet, b'\r' | b'\n');
        let end = self.octets.iter().position(ends)?;
        self.after_cr = self.octets[end] == b'\r';
        let line: Vec<_> = self.octets.drain(..=end).take(end).collect();
        // The octet after a CR that is there already.
        if self.after_cr && self.octets.first() == Some(&b'\n') {
            self.octets.remove(0);
            self.after_cr = false;
        }
        Some(line)
    }

    fn take(&mut self, line: Vec<u8>) -> Vec<u8> {
        match &mut self.state {
            State::Message(message) => {
                let is_dot = match self.reading {
                    Reading::Strict => line == b".",
                    // A server of C reads up to NUL.
                    Reading::Lenient => line.split(|it| *it == 0).next() == Some(b"."),
                };
                if !is_dot {
                    message.extend(line);
                    message.extend_from_slice(b"\r\n");
                    return Vec::new();
                }
                let message = std::mem::take(message);
                self.items.push(Item::Message(message));
                self.state = State::Command;
                self.reset();
                self.outcome(MESSAGES_FAIL, "554 no")
            }
            State::Auth(left) => {
                let left = *left;
                self.state = State::Command;
                let is_cancel = line == b"*";
                self.items.push(Item::Response(line));
                match (is_cancel, left) {
                    (true, _) => b"501 cancelled\r\n".to_vec(),
                    (_, 0) => self.login(),
                    _ => {
                        self.state = State::Auth(left - 1);
                        b"334 YQ==\r\n".to_vec()
                    }
                }
            }
            State::Command | State::Chunk(..) | State::Closed => self.command(line),
        }
    }

    fn reset(&mut self) {
        (self.sender, self.recipient) = (false, false);
    }

    fn outcome(&self, bit: u8, failure: &str) -> Vec<u8> {
        match (self.has(bit), self.has(LONG_REPLIES)) {
            (true, _) => format!("{failure}\r\n").into_bytes(),
            (_, true) => b"250-ok\r\n250-\r\n250 done\r\n".to_vec(),
            _ => b"250 ok\r\n".to_vec(),
        }
    }

    fn login(&mut self) -> Vec<u8> {
        if self.has(LOGIN_FAILS) {
            return b"535 no\r\n".to_vec();
        }
        b"235 ok\r\n".to_vec()
    }

    fn command(&mut self, line: Vec<u8>) -> Vec<u8> {
        let text = String::from_utf8_lossy(&line).to_ascii_uppercase();
        let text = match self.reading {
            Reading::Strict => text.as_str(),
            Reading::Lenient => text.trim_start(),
        };
        let ends = |it: char| match self.reading {
            Reading::Strict => it == ' ',
            Reading::Lenient => it.is_whitespace() || it.is_control(),
        };
        let (verb, arguments) = text.split_once(ends).unwrap_or((text, ""));
        let words: Vec<_> = arguments.split(' ').collect();
        self.items.push(Item::Command(line.clone()));
        match verb {
            "EHLO" => {
                self.reset();
                self.chunking = self.has(CHUNKING);
                let hidden: &[_] = match self.behind_gateway {
                    true => &["mx", "AUTH PLAIN LOGIN"],
                    false => &[
                        "mx",
                        "STARTTLS",
                        "XCLIENT NAME ADDR",
                        "AUTH PLAIN SCRAM-SHA-1-PLUS LOGIN",
                        "xforward ADDR",
                    ],
                };
                let mut lines = hidden.to_vec();
                lines.extend(self.chunking.then_some("CHUNKING"));
                lines.push("DEEP tls12");
                let last = lines.len() - 1;
                let lines = lines.iter().enumerate();
                let lines = lines.map(|(at, line)| {
                    let between = if at < last { '-' } else { ' ' };
                    format!("250{between}{line}\r\n")
                });
                lines.collect::<String>().into_bytes()
            }
            "HELO" => {
                self.reset();
                self.chunking = false;
                b"250 mx\r\n".to_vec()
            }
            "MAIL" => {
                self.reset();
                self.sender = true;
                self.outcome(0, "")
            }
            "RCPT" if !self.sender => b"503 no\r\n".to_vec(),
            "RCPT" if arguments.contains("NO") => b"550 no\r\n".to_vec(),
            "RCPT" => {
                self.recipient = true;
                self.outcome(0, "")
            }
            "DATA" if !self.recipient || self.has(DATA_FAILS) => b"554 no\r\n".to_vec(),
            "DATA" => {
                self.state = State::Message(Vec::new());
                b"354 go\r\n".to_vec()
            }
            // The octets are commands for a server that does not accept BDAT at this point.
            "BDAT" if !self.chunking || !self.recipient => {
                self.reads_chunks_as_commands = true;
                b"503 no\r\n".to_vec()
            }
            "BDAT" => {
                let size = words.first().and_then(|it| it.parse().ok()).unwrap_or(0);
                let is_last = words.get(1) == Some(&"LAST");
                let reply = self.outcome(MESSAGES_FAIL, "452 no");
                if is_last || self.has(MESSAGES_FAIL) {
                    self.reset();
                }
                self.state = State::Chunk(size, Vec::new(), reply);
                Vec::new()
            }
            "AUTH" if self.has(AUTH_FAILS_AT_ONCE) => b"504 no\r\n".to_vec(),
            "AUTH" if words.len() > 1 && !words[1].is_empty() => self.login(),
            "AUTH" => {
                self.state = State::Auth(u8::from(self.has(TWO_RESPONSES)));
                b"334 \r\n".to_vec()
            }
            "QUIT" => {
                self.state = State::Closed;
                b"221 bye\r\n".to_vec()
            }
            "RSET" => {
                self.reset();
                self.outcome(0, "")
            }
            _ => self.outcome(0, ""),
        }
    }
}
