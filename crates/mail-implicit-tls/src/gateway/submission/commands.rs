//! The client's commands, responses and messages.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use deep_latch::{
    ClientReport, TlsCipher,
    proxy::{MAX_FRONT_COMMANDS, is_initial_response, is_sasl_response},
    smtp::ClientCommand,
};
use zeroize::Zeroizing;

use super::{
    Expected, MAX_AUTH_BYTES, MAX_OWN_REPLIES, MAX_SUBMISSION_COMMAND_BYTES, OwnReply,
    SubmissionGateway, Transaction, Turn,
    command::{Chunk, Command, MAX_CHUNK_BYTES, Verb},
};
use crate::{
    external::{self, ResponseError},
    gateway::{Event, ExternalLogin, GatewayError, GatewayErrorKind, Mechanism, Refusal, Side},
};

const COMMAND: &str = "command";

const NOT_RECOGNIZED: OwnReply = OwnReply::new(500, "5.5.1", "Command not recognized");
const NOT_AVAILABLE: OwnReply = OwnReply::new(502, "5.5.1", "Command not available");
const NO_TRANSACTION: OwnReply = OwnReply::new(503, "5.5.1", "MAIL and RCPT expected first");
const SYNTAX: OwnReply = OwnReply::new(501, "5.5.4", "Syntax error in parameters");
const MECHANISM: OwnReply = OwnReply::new(504, "5.5.4", "Mechanism not available");

const fn error(kind: GatewayErrorKind, field: &'static str, offset: usize) -> GatewayError {
    GatewayError::new(Side::Client, kind, field, offset)
}

impl SubmissionGateway {
    /// Takes a line of the client, if one is complete.
    pub(super) fn line(&mut self) -> Result<bool, GatewayError> {
        let too_long = || error(GatewayErrorKind::TooLong, COMMAND, MAX_AUTH_BYTES);
        let Some(line) = self.client.next_line() else {
            if self.client.has_bad_octet() {
                return Err(error(GatewayErrorKind::Octet, COMMAND, 0));
            }
            let most = MAX_AUTH_BYTES.saturating_add(1);
            return match self.client.unread().len() > most {
                true => Err(too_long()),
                false => Ok(false),
            };
        };
        let text = line.strip_suffix(b"\r\n").unwrap_or(line);
        let bad = |octet: &u8| matches!(octet, 0 | b'\r' | b'\n');
        if let Some(at) = text.iter().position(bad) {
            return Err(error(GatewayErrorKind::Octet, COMMAND, at));
        }
        if text.len() > MAX_AUTH_BYTES {
            return Err(too_long());
        }
        // A line of an AUTH exchange can be a password.
        let line = Zeroizing::new(text.to_vec());
        match std::mem::replace(&mut self.turn, Turn::Command) {
            Turn::Response(mechanism) => self.response(&line, mechanism),
            Turn::External => self.external(&line),
            _ => self.command(&line)?,
        }
        Ok(true)
    }

    /// Refuses a command, which the backend does not receive.
    fn refuse(&mut self, reply: OwnReply, refusal: Refusal) {
        self.events.push_back(Event::Refused(refusal));
        self.answer(reply);
    }

    /// Answers a command, which the backend does not receive.
    fn answer(&mut self, reply: OwnReply) {
        self.own_replies = self.own_replies.saturating_add(1);
        if self.own_replies > MAX_OWN_REPLIES {
            self.say(OwnReply::new(421, "4.7.0", "Too many errors"));
            self.end();
        } else {
            self.say(reply);
        }
    }

    fn command(&mut self, line: &[u8]) -> Result<(), GatewayError> {
        let command = Command::parse(line);
        let foreign = line.iter().position(|octet| !octet.is_ascii());
        match foreign {
            // A server that drops the eighth bit of an octet finds CR and LF in them.
            Some(at) if !self.is_logged_in => {
                return Err(error(GatewayErrorKind::Octet, COMMAND, at));
            }
            Some(_) if !self.extensions.smtputf8 || !command.may_have_utf8 => {
                self.refuse(SYNTAX, Refusal::Syntax);
                return Ok(());
            }
            _ => {}
        }
        if line.len() > MAX_SUBMISSION_COMMAND_BYTES.saturating_sub(2) && command.verb != Verb::Auth
        {
            let limit = MAX_SUBMISSION_COMMAND_BYTES;
            return Err(error(GatewayErrorKind::TooLong, COMMAND, limit));
        }
        if !self.is_logged_in {
            self.commands = self.commands.saturating_add(1);
            if self.commands > MAX_FRONT_COMMANDS {
                self.own_replies = MAX_OWN_REPLIES;
                self.refuse(NOT_AVAILABLE, Refusal::Command);
                return Ok(());
            }
        }
        let is_text = std::str::from_utf8(line).is_ok_and(|it| !it.contains(char::is_control));
        if !is_text {
            self.refuse(SYNTAX, Refusal::Syntax);
            return Ok(());
        }
        match ClientCommand::parse(line) {
            Ok(None) => {}
            Ok(Some(report)) => {
                self.report(report);
                return Ok(());
            }
            Err(_) => {
                self.refuse(SYNTAX, Refusal::Syntax);
                return Ok(());
            }
        }
        match command.verb {
            Verb::Ehlo | Verb::Helo => {
                let name = command.text().unwrap_or_default().trim_end();
                name.clone_into(&mut self.greeting);
                self.send(
                    line,
                    match command.verb {
                        Verb::Ehlo => Expected::Ehlo,
                        _ => Expected::Helo,
                    },
                );
            }
            Verb::Mail => {
                let utf8 = command.has("SMTPUTF8");
                self.send(line, Expected::Mail { utf8 });
            }
            Verb::Rcpt => self.send(line, Expected::Rcpt),
            Verb::Data => self.send(line, Expected::Data),
            Verb::Rset => self.send(line, Expected::Rset),
            Verb::Quit => self.send(line, Expected::Quit),
            Verb::Plain => self.send(line, Expected::Other),
            Verb::Burl if self.extensions.burl => {
                let last = command.has("LAST");
                self.send(line, Expected::Chunk { last });
            }
            Verb::Bdat => self.bdat(&command)?,
            Verb::Auth => self.auth(line, &command),
            Verb::StartTls => {
                let reply = OwnReply::new(503, "5.5.1", "TLS is active");
                self.refuse(reply, Refusal::Command);
            }
            Verb::Internal => self.refuse(NOT_AVAILABLE, Refusal::Command),
            Verb::Burl | Verb::Unknown => self.refuse(NOT_RECOGNIZED, Refusal::Command),
        }
        Ok(())
    }

    /// Answers CLIENT, draft-newman-email-deep-02 section 7.3.
    fn report(&mut self, command: ClientCommand<'_>) {
        if !self.extensions.deep {
            self.refuse(NOT_RECOGNIZED, Refusal::Command);
            return;
        }
        let Ok(mut report) = ClientReport::parse_client_command(command.as_str()) else {
            self.refuse(SYNTAX, Refusal::Syntax);
            return;
        };
        if report.tls.is_some() {
            self.events.push_back(Event::Refused(Refusal::Forged));
        }
        let clause = self.facts.record.tls_clause();
        let cipher = clause.and_then(|(suite, _)| {
            let cipher = TlsCipher::parse(suite.as_str()).ok()?;
            Some(cipher.into_owned())
        });
        report.tls = cipher;
        self.events.push_back(Event::Report(Box::new(report)));
        self.answer(OwnReply::new(250, "2.0.0", "OK"));
    }

    // AUTH, RFC 4954

    fn auth(&mut self, line: &[u8], command: &Command<'_>) {
        let text = command.text().unwrap_or_default();
        let mut words = text.trim_end_matches(' ').split(' ');
        let (name, initial) = (words.next().unwrap_or_default(), words.next());
        if words.next().is_some() || !initial.is_none_or(|it| is_initial_response(it.as_bytes())) {
            self.refuse(SYNTAX, Refusal::Syntax);
            return;
        }
        let Some(mechanism) = Mechanism::parse(name) else {
            self.refuse(SYNTAX, Refusal::Syntax);
            return;
        };
        if mechanism.is_plus() {
            self.refuse(MECHANISM, Refusal::Command);
        } else if mechanism != Mechanism::EXTERNAL {
            self.send(line, Expected::Auth(mechanism));
        } else if self.mapped().is_none() {
            self.refuse(MECHANISM, Refusal::External);
        } else if let Some(initial) = initial {
            self.external(initial.as_bytes());
        } else {
            self.for_client.extend_from_slice(b"334 \r\n");
            self.turn = Turn::External;
        }
    }

    /// Passes on a response of an AUTH exchange, or cancels the exchange.
    fn response(&mut self, line: &[u8], mechanism: Mechanism) {
        if is_sasl_response(line) {
            self.send(line, Expected::Auth(mechanism));
        } else {
            self.events.push_back(Event::Refused(Refusal::Syntax));
            self.send(b"*", Expected::Cancelled(mechanism));
        }
    }

    /// Takes the response of EXTERNAL, and logs in at the backend as the identity of the client's certificate.
    fn external(&mut self, response: &[u8]) {
        let Some((identity, login)) = self.mapped() else {
            self.refuse(MECHANISM, Refusal::External);
            return;
        };
        let line = match (external::authorize(response, Some(identity)), login) {
            (Ok(identity), ExternalLogin::Plain(user)) => {
                let message = user.message(identity);
                Ok(format!("AUTH PLAIN {}", STANDARD.encode(&*message)))
            }
            (Ok(""), _) => Ok("AUTH EXTERNAL =".to_owned()),
            (Ok(identity), _) => Ok(format!("AUTH EXTERNAL {}", STANDARD.encode(identity))),
            (Err(error), _) => Err(error),
        };
        match line {
            Ok(line) => self.send(Zeroizing::new(line).as_bytes(), Expected::Mapped),
            Err(error) => {
                let mechanism = Mechanism::EXTERNAL;
                self.events.push_back(Event::LoginFailed { mechanism });
                let reply = match error {
                    ResponseError::Cancelled => OwnReply::new(501, "5.7.0", "Cancelled"),
                    ResponseError::Base64 => OwnReply::new(501, "5.5.2", "Base64 expected"),
                    _ => OwnReply::new(535, "5.7.8", "Authentication failed"),
                };
                self.refuse(reply, Refusal::External);
            }
        }
    }

    // Messages

    /// Passes on a part of the message of DATA. Returns `false` if more octets are needed.
    pub(super) fn content(&mut self) -> Result<bool, GatewayError> {
        let Turn::Content(content) = &mut self.turn else {
            return Ok(false);
        };
        let octets = self.client.unread();
        let (length, end) = match content.read(octets) {
            Ok(part) => (part.length, Ok(part.is_end)),
            Err(at) => (at, Err(error(GatewayErrorKind::Octet, "DATA", at))),
        };
        let octets = octets.get(..length).unwrap_or_default();
        self.for_backend.extend_from_slice(octets);
        self.client.consume(length);
        let is_end = end?;
        if is_end {
            self.turn = Turn::Reply(Expected::Message);
        }
        Ok(is_end)
    }

    /// Passes on BDAT (RFC 3030). Its size is the only thing by which the next command is found.
    fn bdat(&mut self, command: &Command<'_>) -> Result<(), GatewayError> {
        let chunk = command.text().and_then(Chunk::parse);
        let Chunk { size, last } = chunk.ok_or(error(GatewayErrorKind::Syntax, "BDAT", 0))?;
        let Transaction {
            has_sender,
            has_recipient,
            has_begun,
            ..
        } = self.transaction;
        if !self.extensions.chunking {
            self.turn = Turn::Skipped(size, NOT_AVAILABLE);
            return Ok(());
        }
        if !has_sender || !has_recipient {
            self.turn = Turn::Skipped(size, NO_TRANSACTION);
            return Ok(());
        }
        let field = match has_begun {
            true => String::new(),
            false => self.field().unwrap_or_default(),
        };
        let added = u64::try_from(field.len()).ok();
        let total = added
            .and_then(|added| size.checked_add(added))
            .filter(|total| *total <= MAX_CHUNK_BYTES);
        let total = total.ok_or(error(GatewayErrorKind::TooLong, "BDAT", 0))?;
        let end = if last { " LAST" } else { "" };
        let head = format!("BDAT {total}{end}\r\n{field}");
        self.for_backend.extend_from_slice(head.as_bytes());
        self.turn = Turn::Chunk {
            left: size,
            last,
            code: None,
        };
        Ok(())
    }

    /// Passes on octets of BDAT. Returns `false` if more octets are needed.
    pub(super) fn chunk(&mut self) -> bool {
        let Turn::Chunk { left, last, code } = self.turn else {
            return false;
        };
        let octets = first(self.client.unread(), left);
        let left = left.saturating_sub(count(octets));
        self.for_backend.extend_from_slice(octets);
        let length = octets.len();
        self.client.consume(length);
        self.turn = match (left, code) {
            (0, Some(code)) => {
                self.chunk_answered(code, last);
                Turn::Command
            }
            (0, None) => Turn::Reply(Expected::Chunk { last }),
            _ => Turn::Chunk { left, last, code },
        };
        left == 0
    }

    /// Skips octets of BDAT. Returns `false` if more octets are needed.
    pub(super) fn skip(&mut self) -> bool {
        let Turn::Skipped(left, reply) = self.turn else {
            return false;
        };
        let octets = first(self.client.unread(), left);
        let left = left.saturating_sub(count(octets));
        let length = octets.len();
        self.client.consume(length);
        self.turn = Turn::Skipped(left, reply);
        if left == 0 {
            self.turn = Turn::Command;
            self.refuse(reply, Refusal::Command);
        }
        left == 0
    }
}

/// Returns the first octets, at most so many.
fn first(octets: &[u8], most: u64) -> &[u8] {
    usize::try_from(most)
        .ok()
        .and_then(|most| octets.get(..most))
        .unwrap_or(octets)
}

fn count(octets: &[u8]) -> u64 {
    u64::try_from(octets.len()).unwrap_or(u64::MAX)
}
