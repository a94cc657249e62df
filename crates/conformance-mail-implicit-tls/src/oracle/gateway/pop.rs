//! A backend of POP.

use conformance::oracle::{Broken, Choices};

use super::{Backend, Heard};

/// The commands that reach a backend before login.
pub(super) const KNOWN: &[&str] = &[
    "APOP", "AUTH", "CAPA", "LANG", "PASS", "QUIT", "USER", "UTF8",
];

/// A backend that takes every line for a command.
#[derive(Debug)]
pub(super) struct Pop<'a> {
    choices: Choices<'a>,
    input: Vec<u8>,
    /// `true` if the backend asked for a line.
    asked: bool,
    said: Vec<u8>,
    heard: Heard,
}

impl<'a> Pop<'a> {
    pub(super) fn new(choices: &'a [u8]) -> Self {
        Self {
            choices: Choices::new(choices),
            input: Vec::new(),
            asked: false,
            said: Vec::new(),
            heard: Heard::default(),
        }
    }

    fn line(&mut self, line: &[u8]) -> Result<(), Broken> {
        if std::mem::take(&mut self.asked) {
            let is_base64 = |octet: &u8| octet.is_ascii_alphanumeric() || b"+/=".contains(octet);
            match line {
                b"*" => self.say("-ERR cancelled\r\n"),
                line if line.iter().all(is_base64) => self.auth(),
                _ => return Err(format!("a command for a response: {}", line.escape_ascii())),
            }
            return Ok(());
        }
        self.heard.commands.push(line.to_vec());
        let text = String::from_utf8_lossy(line).to_ascii_uppercase();
        let (name, arguments) = match text.split_once(' ') {
            Some((name, arguments)) => (name, Some(arguments)),
            None => (text.as_str(), None),
        };
        match (name, arguments) {
            ("CAPA", _) => self.say(
                "+OK list\r\nUSER\r\nSTLS\r\nSASL PLAIN SCRAM-SHA-256-PLUS EXTERNAL\r\nDEEP tls12\r\n.\r\n",
            ),
            ("AUTH", None) => self.say("+OK\r\nPLAIN\r\n.\r\n"),
            ("LANG", None) => self.say("+OK\r\nen English\r\n..\r\n.\r\n"),
            ("AUTH", Some(_)) => self.auth(),
            ("QUIT", _) => {
                self.say("+OK bye\r\n");
                self.heard.closed = true;
            }
            ("PASS" | "APOP", _) if self.choices.choose() % 3 == 2 => self.log_in(),
            ("PASS" | "APOP", _) => self.say("-ERR [AUTH] no\r\n"),
            _ => match self.choices.choose() % 2 {
                0 => self.say("+OK\r\n"),
                _ => self.say("-ERR no\r\n"),
            },
        }
        Ok(())
    }

    fn auth(&mut self) {
        match self.choices.choose() % 4 {
            0 | 1 => {
                self.asked = true;
                self.say("+ eA==\r\n");
            }
            2 => self.log_in(),
            _ => self.say("-ERR no\r\n"),
        }
    }

    fn log_in(&mut self) {
        self.heard.logged_in = true;
        self.heard.piped = true;
        self.say("+OK in\r\n");
    }

    fn say(&mut self, text: &str) {
        self.said.extend_from_slice(text.as_bytes());
    }
}

impl Backend for Pop<'_> {
    fn greeting(&self) -> &'static [u8] {
        b"+OK ready <1@mail.example.org>\r\n"
    }

    fn hear(&mut self, octets: &[u8]) -> Result<Vec<u8>, Broken> {
        self.input.extend_from_slice(octets);
        loop {
            if self.heard.closed {
                break;
            }
            if self.heard.logged_in {
                self.heard.after.append(&mut self.input);
                break;
            }
            // Some servers end a line with any of these.
            let end = self
                .input
                .iter()
                .position(|octet| b"\r\n\0".contains(octet));
            let Some(end) = end.filter(|end| end + 1 < self.input.len()) else {
                break;
            };
            if self.input.get(end..end + 2) != Some(b"\r\n") {
                let input = self.input.escape_ascii();
                return Err(format!("CR, LF or NUL was forwarded: {input}"));
            }
            let line: Vec<u8> = self.input.drain(..end + 2).take(end).collect();
            self.line(&line)?;
        }
        Ok(std::mem::take(&mut self.said))
    }

    fn heard(&self) -> &Heard {
        &self.heard
    }
}
