//! The commands of the client.

use alloc::{collections::VecDeque, format, string::String, vec::Vec};

use super::{
    Held, IdAnswer, ImapProxy, MAX_PROXY_COMMAND_BYTES, MAX_PROXY_LITERAL_BYTES, Turn,
    forward_text, unexpected,
};
use crate::{
    error::{ErrorKind, ParseError},
    imap::{
        IdCommand, MAX_ID_COMMAND_BYTES, MAX_ID_VALUE_BYTES,
        command::{Head, is_continuation},
        reader::Piece,
        string::Announced,
    },
    proxy::{
        Forwarded,
        front::{MAX_FRONT_LITERAL_BYTES, Order, ProxyRefusal, ProxySide},
        is_of_proxies, own_id,
        responses::limited,
        sasl::is_sasl_response,
    },
};

/// Commands that would change the encoding of the connection, so that the proxy could not read it any more.
const REFUSED: &[&str] = &["COMPRESS", "STARTTLS"];

/// The tag of the proxy's own command.
const OWN_TAG: &str = "proxy";

impl ImapProxy {
    pub(super) fn commands(&mut self) -> Result<(), ParseError> {
        let done = self.read_commands();
        if done.is_err() {
            self.failed_side = ProxySide::Client;
            if self
                .front
                .as_ref()
                .is_some_and(|front| !front.has_refused_all())
            {
                self.note(ProxyRefusal::Syntax);
            }
        }
        done
    }

    fn read_commands(&mut self) -> Result<(), ParseError> {
        if let Some(front) = &self.front {
            self.client.set_ascii_only(front.is_ascii_only());
            self.client.set_nul_in_literals(front.is_authenticated());
        }
        while self.reads_client() {
            if matches!(self.turn, Turn::Line | Turn::External) {
                match self.line()? {
                    true => continue,
                    false => return Ok(()),
                }
            }
            let begins = matches!(self.turn, Turn::Command) && self.id.is_none();
            let piece = match self.client.next_piece(MAX_PROXY_COMMAND_BYTES) {
                Ok(Piece::None) => return Ok(()),
                Ok(piece) => piece,
                // The server has no part of the command.
                Err(error) if matches!(self.turn, Turn::Command | Turn::Refused) => {
                    self.malformed(error.moved(self.client.passed()))?;
                    continue;
                }
                Err(error) => return Err(error.moved(self.client.passed())),
            };
            match (&mut self.turn, piece) {
                (Turn::Refused, Piece::Text { literal: None, .. }) => self.turn = Turn::Command,
                // The client waits, and receives the refusal.
                (
                    Turn::Refused,
                    Piece::Text {
                        literal: Some(literal),
                        ..
                    },
                ) if literal.waits => {
                    self.client.abandon();
                    self.turn = Turn::Command;
                }
                (Turn::Refused, _) => {}
                (Turn::Rest, Piece::Literal(octets)) => self.for_server.extend_from_slice(octets),
                (Turn::Rest, Piece::Text { text, literal, .. }) => {
                    // The server has a part of the command, which cannot be taken back.
                    let length = literal.map_or(0, |literal| literal.length);
                    let is_free = self.front.as_ref().is_none_or(|it| it.is_authenticated());
                    let limit = match is_free {
                        true => MAX_PROXY_LITERAL_BYTES,
                        false => MAX_FRONT_LITERAL_BYTES,
                    };
                    announced(length, limit)?;
                    self.turn = forward_text(&mut self.for_server, text, literal, false);
                }
                // The server's own request was forwarded.
                (Turn::Rest, _) => {}
                (_, Piece::Line(_)) => {
                    self.refuse("* BAD not a command\r\n", ProxyRefusal::Syntax)?;
                }
                (_, Piece::Waiting) => self.for_client.extend_from_slice(b"+ ready\r\n"),
                (_, Piece::Literal(octets)) => {
                    if let Some(id) = &mut self.id {
                        id.extend_from_slice(octets);
                    }
                }
                (_, Piece::Text { text, literal, .. }) => {
                    let text = String::from(text);
                    if !begins || self.begin(&text, literal)? {
                        self.id_part(&text, literal)?;
                    }
                }
                (_, Piece::None) => {}
            }
        }
        Ok(())
    }

    /// Returns `true` if octets of the client are expected.
    pub(super) fn reads_client(&self) -> bool {
        let is_turn = matches!(
            self.turn,
            Turn::Command | Turn::Rest | Turn::Line | Turn::Refused | Turn::External
        );
        let front = self.front.as_ref();
        let is_early = front.is_some_and(|front| front.awaits_greeting());
        // The proxy may have to answer, and no line of it belongs within a response.
        let answers = !matches!(self.turn, Turn::Rest | Turn::Line);
        let is_within = answers && self.server.is_within();
        is_turn && !is_early && !is_within && !self.piped && !self.is_over()
    }

    /// Answers a command that does not follow the grammar, and that the server has no part of.
    fn malformed(&mut self, error: ParseError) -> Result<(), ParseError> {
        let is_octet = self.client.has_bad_octet();
        let front = self.front.as_ref();
        let is_before_login = front.is_some_and(|front| !front.is_authenticated());
        if matches!(error.kind(), ErrorKind::Limit { .. }) || is_octet && is_before_login {
            return Err(error);
        }
        let was_refused = matches!(self.turn, Turn::Refused);
        self.turn = Turn::Command;
        self.id = None;
        if was_refused {
            return Ok(());
        }
        let tag = self.client.tag().unwrap_or("*");
        let answer = format!("{tag} BAD {error}\r\n");
        self.refuse(&answer, ProxyRefusal::Syntax)
    }

    /// Begins a command. Returns `true` if it is ID, which is read to its end before it is forwarded.
    fn begin(&mut self, text: &str, literal: Option<Announced>) -> Result<bool, ParseError> {
        let head = Head::parse(text)?;
        self.tag = head.tag.into();
        let length = literal.map_or(0, |literal| literal.length);
        let Some(front) = &mut self.front else {
            announced(length, MAX_PROXY_LITERAL_BYTES)?;
            if REFUSED.iter().any(|name| head.is(name)) {
                let answer = format!("{} NO not available through this proxy\r\n", head.tag);
                self.for_client.extend_from_slice(answer.as_bytes());
                return Ok(false);
            }
            if !head.is("ID") {
                let asks = ["AUTHENTICATE", "IDLE"].iter().any(|name| head.is(name));
                self.turn = forward_text(&mut self.for_server, text, literal, asks);
            }
            return Ok(head.is("ID"));
        };
        if !front.is_authenticated() && length > MAX_FRONT_LITERAL_BYTES {
            return self.too_long(literal).map(|()| false);
        }
        announced(length, MAX_PROXY_LITERAL_BYTES)?;
        match front.order(&head) {
            Order::Id => return Ok(true),
            Order::Answer(answer, refusal) => {
                self.give_up(literal);
                let answer = format!("{} {answer}\r\n", head.tag);
                self.refuse(&answer, refusal)?;
            }
            Order::Forward { asks } => {
                self.turn = forward_text(&mut self.for_server, text, literal, asks);
            }
            Order::Login { asks } => {
                let held = Held::Client {
                    tag: self.tag.clone(),
                    text: text.into(),
                    literal,
                    asks,
                };
                self.log_in(held);
            }
            Order::External(initial) => match initial {
                None if front.has_external() => {
                    self.for_client.extend_from_slice(b"+ \r\n");
                    self.turn = Turn::External;
                }
                initial => self.external(&initial.unwrap_or_default())?,
            },
        }
        Ok(false)
    }

    /// Refuses a literal that is too long before login.
    fn too_long(&mut self, literal: Option<Announced>) -> Result<(), ParseError> {
        let limit = MAX_FRONT_LITERAL_BYTES;
        let error = too_long(limit);
        if literal.is_some_and(|literal| !literal.waits) {
            // RFC 7888 section 5: the client sends the octets in any case.
            return Err(error);
        }
        self.give_up(literal);
        let tag = self.client.tag().unwrap_or("*");
        let answer = format!("{tag} BAD {error}\r\n");
        self.refuse(&answer, ProxyRefusal::Syntax)
    }

    /// Ends a command that is not forwarded, of which only the first part was read.
    fn give_up(&mut self, literal: Option<Announced>) {
        match literal {
            None => {}
            Some(literal) if literal.waits => self.client.abandon(),
            Some(_) => self.turn = Turn::Refused,
        }
    }

    /// Forwards a login, after an ID of the proxy if the client sent none.
    fn log_in(&mut self, held: Held) {
        let Some(front) = &mut self.front else {
            return;
        };
        if !front.reports_before_login() {
            self.forward_held(held);
            return;
        }
        let id = own_id(OWN_TAG, &front.fields());
        front.set_reported();
        self.for_server.extend_from_slice(id.as_bytes());
        self.tag = OWN_TAG.into();
        self.answer = Some(IdAnswer::default());
        self.held = Some(held);
        self.turn = Turn::Answer { asks: false };
    }

    /// Takes the client's response of SASL EXTERNAL.
    fn external(&mut self, response: &str) -> Result<(), ParseError> {
        self.turn = Turn::Command;
        let Some(front) = &mut self.front else {
            return Ok(());
        };
        let Some(login) = front.external(response) else {
            let answer = match response {
                "*" => " BAD cancelled\r\n",
                _ => " NO [AUTHORIZATIONFAILED] not permitted by a certificate\r\n",
            };
            let tag = String::from_utf8_lossy(&self.tag);
            self.for_client
                .extend_from_slice(format!("{tag}{answer}").as_bytes());
            return front.count_refusal();
        };
        let mut command = self.tag.clone();
        command.extend_from_slice(format!(" AUTHENTICATE {}\r\n", login.mechanism).as_bytes());
        let message = format!("{}\r\n", login.message).into_bytes();
        self.log_in(Held::Parts {
            tag: self.tag.clone(),
            parts: [command, message].into(),
        });
        Ok(())
    }

    /// Reads a line that the server or the proxy asked for. Returns `false` if the line is not complete.
    fn line(&mut self) -> Result<bool, ParseError> {
        let Some(line) = self.client.next_answer(MAX_PROXY_COMMAND_BYTES)? else {
            return Ok(false);
        };
        if matches!(self.turn, Turn::External) {
            let response = String::from(line);
            return self.external(&response).map(|()| true);
        }
        let logs_in = self.front.as_ref().is_some_and(|front| front.logs_in());
        if logs_in && !is_sasl_response(line.as_bytes()) {
            // The line is a bad response, whatever it looks like: the server answers that the exchange is cancelled.
            self.for_server.extend_from_slice(b"*\r\n");
            self.turn = Turn::Answer { asks: false };
            self.note(ProxyRefusal::Syntax);
            return Ok(true);
        }
        if !is_continuation(line) {
            return Err(unexpected("base64"));
        }
        self.for_server.extend_from_slice(line.as_bytes());
        self.for_server.extend_from_slice(b"\r\n");
        self.turn = Turn::Answer { asks: true };
        Ok(true)
    }

    /// Adds a part to the ID command that is being read.
    fn id_part(&mut self, text: &str, literal: Option<Announced>) -> Result<(), ParseError> {
        let mut id = self.id.take().unwrap_or_default();
        id.extend_from_slice(text.as_bytes());
        id.extend_from_slice(b"\r\n");
        let length = literal.map_or(0, |literal| literal.length);
        limited(length, MAX_ID_VALUE_BYTES, "literal")?;
        let total = id.len().saturating_add(length);
        limited(total, MAX_ID_COMMAND_BYTES, "command")?;
        match literal {
            Some(_) => {
                self.id = Some(id);
                Ok(())
            }
            None => self.forward_id(&id),
        }
    }

    fn forward_id(&mut self, command: &[u8]) -> Result<(), ParseError> {
        let parsed = match IdCommand::parse(command) {
            Ok(Some(command)) => Ok(command),
            // The pieces were parsed as ID before.
            Ok(None) => Err(String::from("* BAD ID\r\n")),
            Err(error) => Err(format!(
                "{} BAD {error}\r\n",
                self.client.tag().unwrap_or("*")
            )),
        };
        let forwarded = parsed.and_then(|command| {
            let forwarded = match &self.front {
                Some(front) => {
                    let fields = front.fields();
                    Forwarded::of_id_with(&command, &fields, self.inbound, is_of_proxies)
                }
                None => Forwarded::of_id(&command, self.tls.as_ref(), self.inbound),
            };
            forwarded
                .map(|forwarded| (command.clone(), forwarded))
                .map_err(|error| format!("{} BAD ID: {error}\r\n", command.tag()))
        });
        let (command, forwarded) = match forwarded {
            Ok(both) => both,
            Err(answer) => return self.refuse(&answer, ProxyRefusal::Syntax),
        };
        if let Some(front) = &mut self.front {
            front.report(&command, forwarded.removed);
            if front.answers_id()
                && let Some(id) = front.own_id()
            {
                let answer = format!("{id}{} OK ID completed\r\n", command.tag());
                self.for_client.extend_from_slice(answer.as_bytes());
                return Ok(());
            }
            front.set_reported();
            self.answer = Some(IdAnswer::default());
        }
        self.forward_parts(forwarded.parts().map(<[u8]>::to_vec).collect());
        Ok(())
    }

    /// Sends the first part of a command to the server. The others follow when the server asks for them.
    pub(super) fn forward_parts(&mut self, mut parts: VecDeque<Vec<u8>>) {
        self.for_server
            .extend(parts.pop_front().unwrap_or_default());
        self.turn = match parts.is_empty() {
            true => Turn::Answer { asks: false },
            false => Turn::Parts(parts),
        };
    }

    /// Answers a command that is not forwarded.
    fn refuse(&mut self, answer: &str, refusal: ProxyRefusal) -> Result<(), ParseError> {
        self.for_client.extend_from_slice(answer.as_bytes());
        self.note(refusal);
        match &mut self.front {
            Some(front) => front.count_refusal(),
            None => Ok(()),
        }
    }

    fn note(&mut self, refusal: ProxyRefusal) {
        if let Some(front) = &mut self.front {
            front.refuse(refusal);
        }
    }
}

/// Checks the length that a literal is announced with.
fn announced(length: usize, limit: usize) -> Result<(), ParseError> {
    match length > limit {
        true => Err(too_long(limit)),
        false => Ok(()),
    }
}

const fn too_long(limit: usize) -> ParseError {
    ParseError::new(ErrorKind::Limit { limit }, "literal", 0)
}
