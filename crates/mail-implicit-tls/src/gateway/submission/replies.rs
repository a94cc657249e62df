//! The backend's replies, each as the turn of the session expects it.

use std::net::IpAddr;

use super::{
    Content, Expected, Extensions, SubmissionGateway, Transaction, Turn, ehlo::Edits, reply::Reply,
};
use crate::{
    gateway::{
        ClientAddress, Event, GatewayError, GatewayErrorKind, Mechanism, Side,
        xclient::{Offered, Xclient},
    },
    received::{Client, Stamp, Transmission, TransmissionProtocol},
};

/// The longest name of a client in a Received field: RFC 5321 section 4.5.3.1.2.
const MAX_NAME_BYTES: usize = 255;

const fn unexpected() -> GatewayError {
    GatewayError::new(Side::Backend, GatewayErrorKind::Unexpected, "Reply-code", 0)
}

impl SubmissionGateway {
    /// Takes a reply of the backend.
    pub(super) fn replied(&mut self, reply: Reply) -> Result<(), GatewayError> {
        // RFC 5321 section 3.8: the service can be closed at any time.
        // In the gateway's own dialogue it is not for the client.
        if reply.code == 421 && !matches!(self.turn, Turn::Introduction | Turn::Xclient) {
            self.forward(&reply);
            self.end();
            return Ok(());
        }
        match std::mem::replace(&mut self.turn, Turn::Command) {
            Turn::Greeting => self.greeted(&reply),
            Turn::Introduction => self.introduced(&reply),
            Turn::Xclient if reply.code == 220 => {
                self.greet(&reply);
                Ok(())
            }
            // The backend greets the client whose address it has now, or refuses it by a code of greetings (RFC 5321 section
            // 3.1, RFC 7504). Other codes refuse the command.
            Turn::Xclient if matches!(reply.code, 400..=499 | 521 | 554 | 556) => {
                self.forward(&reply);
                self.events.push_back(Event::ClientRefused);
                self.end();
                Ok(())
            }
            Turn::Reply(expected) => self.answered(expected, reply),
            Turn::Chunk {
                left,
                last,
                code: None,
            } if !matches!(reply.code, 300..=399) => {
                self.forward(&reply);
                let code = Some(reply.code);
                self.turn = Turn::Chunk { left, last, code };
                Ok(())
            }
            turn => {
                self.turn = turn;
                Err(unexpected())
            }
        }
    }

    fn forward(&mut self, reply: &Reply) {
        reply.write_to(&mut self.for_client);
    }

    /// Forwards a greeting, unless the client received one before TLS.
    fn greet(&mut self, reply: &Reply) {
        if !self.facts.was_greeted() {
            self.forward(reply);
        }
    }

    fn greeted(&mut self, reply: &Reply) -> Result<(), GatewayError> {
        match (reply.code, self.options.address()) {
            (220, ClientAddress::Xclient) => {
                let name = self.options.name();
                let is_name = |text: &str| {
                    (1..=MAX_NAME_BYTES).contains(&text.len())
                        && text.bytes().all(|octet| octet.is_ascii_graphic())
                };
                let name = if is_name(name) { name } else { "localhost" };
                let command = format!("EHLO {name}\r\n");
                self.for_backend.extend_from_slice(command.as_bytes());
                self.turn = Turn::Introduction;
            }
            (220, _) => self.greet(reply),
            (400.., _) => {
                self.forward(reply);
                self.end();
            }
            _ => {
                self.turn = Turn::Greeting;
                return Err(unexpected());
            }
        }
        Ok(())
    }

    /// Takes the reply to the gateway's own EHLO, and sends XCLIENT.
    fn introduced(&mut self, reply: &Reply) -> Result<(), GatewayError> {
        let error = |kind| Err(GatewayError::new(Side::Backend, kind, "XCLIENT", 0));
        self.turn = Turn::Introduction;
        if reply.code != 250 {
            return Err(unexpected());
        }
        let extensions = reply.texts.iter().skip(1);
        let mut offered = extensions.filter_map(|it| Offered::parse(std::str::from_utf8(it).ok()?));
        let Some(offered) = offered.next() else {
            return error(GatewayErrorKind::Unexpected);
        };
        let Ok(command) = Xclient::of_client(&self.facts).to_command(&offered) else {
            return error(GatewayErrorKind::Unexpected);
        };
        self.for_backend.extend_from_slice(command.as_bytes());
        self.for_backend.extend_from_slice(b"\r\n");
        self.turn = Turn::Xclient;
        Ok(())
    }

    /// Takes the reply to a command.
    fn answered(&mut self, expected: Expected, mut reply: Reply) -> Result<(), GatewayError> {
        let code = reply.code;
        let is_done = matches!(code, 200..=299);
        let is_permitted = match expected {
            Expected::Data => code == 354 || code >= 400,
            Expected::Auth(_) => matches!(code, 235 | 334) || code >= 400,
            Expected::Mapped => matches!(code, 235 | 334) || code >= 400,
            Expected::Cancelled(_) => code >= 400,
            _ => !matches!(code, 300..=399),
        };
        if !is_permitted {
            return Err(unexpected());
        }
        if matches!(expected, Expected::Ehlo) && code == 250 {
            let edits = Edits {
                deep: self.options.advertisement().and_then(|it| it.ehlo_line()),
                external: self.mapped().map(|(_, login)| login),
                has_field: self.options.received().is_some(),
            };
            self.extensions = edits.apply(&mut reply);
        }
        // A request that the gateway answers itself.
        if !(code == 334 && matches!(expected, Expected::Mapped)) {
            self.forward(&reply);
        }
        match expected {
            Expected::Ehlo if is_done => self.transaction = Transaction::default(),
            Expected::Helo if is_done => {
                self.transaction = Transaction::default();
                self.extensions = Extensions::default();
            }
            Expected::Mail { utf8 } if is_done => {
                self.transaction = Transaction {
                    has_sender: true,
                    utf8,
                    ..Transaction::default()
                };
            }
            Expected::Rcpt if is_done => {
                self.transaction.has_recipient = self.transaction.has_sender;
            }
            Expected::Rset if is_done => self.transaction = Transaction::default(),
            Expected::Data if code == 354 => {
                if let Some(field) = self.field() {
                    self.for_backend.extend_from_slice(field.as_bytes());
                }
                self.turn = Turn::Content(Content::default());
            }
            Expected::Message => self.transaction = Transaction::default(),
            Expected::Chunk { last } => self.chunk_answered(code, last),
            Expected::Auth(mechanism) => match code {
                334 => self.turn = Turn::Response(mechanism),
                _ => self.logged_in(code, mechanism),
            },
            Expected::Mapped if code == 334 => {
                self.send(b"*", Expected::Cancelled(Mechanism::EXTERNAL));
            }
            Expected::Mapped => self.logged_in(code, Mechanism::EXTERNAL),
            Expected::Cancelled(mechanism) => self.logged_in(code, mechanism),
            Expected::Quit => self.end(),
            _ => {}
        }
        Ok(())
    }

    /// Takes note of the outcome of a chunk. After a failure the backend accepts no more chunks of the message.
    pub(super) fn chunk_answered(&mut self, code: u16, last: bool) {
        match code {
            200..=299 if !last => self.transaction.has_begun = true,
            _ => self.transaction = Transaction::default(),
        }
    }

    fn logged_in(&mut self, code: u16, mechanism: Mechanism) {
        match code {
            235 => {
                self.is_logged_in = true;
                self.events.push_back(Event::LoggedIn { mechanism });
            }
            // The mechanism is not available, or not at this point; or the backend has trouble.
            400..=500 | 502..=504 | 530 => {}
            _ => self.events.push_back(Event::LoginFailed { mechanism }),
        }
    }

    /// Returns the Received field of a message, if messages have one.
    pub(super) fn field(&self) -> Option<String> {
        let received = self.options.received()?;
        let address: IpAddr = self.facts.record.peer.ip().to_canonical();
        let name = Some(self.greeting.as_str()).filter(|name| name.len() <= MAX_NAME_BYTES);
        let client = Client::greeting(name.unwrap_or_default(), address);
        let clause = self.facts.record.tls_clause();
        let protocol = match self.transaction.utf8 {
            true => TransmissionProtocol::Utf8Smtp,
            false => TransmissionProtocol::Esmtp,
        };
        let transmission = Transmission {
            protocol,
            tls: clause.is_some(),
            authenticated: self.is_logged_in,
        };
        let session = self.facts.session.to_string();
        let stamp = Stamp::try_new(client, &received.by, (received.clock)()).ok()?;
        let stamp = stamp.with(transmission).id(&session).ok()?;
        Some(match &clause {
            Some((suite, group)) => stamp.tls(suite, group.as_ref()).to_string(),
            None => stamp.to_string(),
        })
    }
}
