//! The responses of the server.

use core::mem;

use super::{Held, ImapProxy, Turn, forward_text, unexpected};
use crate::{
    error::ParseError,
    imap::MAX_ID_COMMAND_BYTES,
    proxy::{front::ProxySide, responses::limited},
};

impl ImapProxy {
    pub(super) fn responses(&mut self) -> Result<(), ParseError> {
        loop {
            self.failed_side = ProxySide::Server;
            if self.becomes_pipe() {
                return Ok(());
            }
            let front = self.front.as_ref();
            let streams = front.is_none_or(|front| front.is_authenticated());
            let Some(part) = self.server.next_part(streams)? else {
                return Ok(());
            };
            if let Some(answer) = &mut self.answer
                && let Some(received) = &mut answer.received
            {
                let length = received.len().saturating_add(part.octets.len());
                limited(length, MAX_ID_COMMAND_BYTES, "response")?;
                received.extend_from_slice(part.octets);
                if part.ends {
                    self.id_received();
                }
                continue;
            }
            if !part.begins {
                self.for_client.extend_from_slice(part.octets);
                continue;
            }
            let line = part.octets;
            let mut forwards = true;
            let mut completed = None;
            if let Some(front) = &mut self.front {
                if front.awaits_greeting() {
                    if front.greeting(line)? {
                        self.for_client.extend_from_slice(&front.edited(line));
                    } else {
                        let _ = front.edited(line);
                    }
                    self.commands()?;
                    continue;
                }
                if is_tagged(line, &self.tag) {
                    if matches!(self.turn, Turn::Command | Turn::Refused | Turn::External) {
                        return Err(unexpected("response-tagged"));
                    }
                    completed = Some(front.completion(line, &self.tag)?);
                } else if line.first() != Some(&b'+') {
                    front.untagged(line)?;
                    if let Some(answer) = &mut self.answer
                        && is_id(line)
                    {
                        answer.received = Some(line.to_vec());
                        if part.ends {
                            self.id_received();
                        }
                        continue;
                    }
                }
            }
            if is_tagged(line, &self.tag) {
                self.turn = match mem::replace(&mut self.turn, Turn::Command) {
                    // The client sends the announced literal in any case.
                    Turn::Literal(literal) if !literal.waits => Turn::Refused,
                    Turn::Literal(_) => {
                        self.client.abandon();
                        Turn::Command
                    }
                    // It is not known whether the server reads the rest of the command as such.
                    Turn::Rest => return Err(unexpected("response-tagged")),
                    Turn::Refused => Turn::Refused,
                    _ => Turn::Command,
                };
            } else if line.first() == Some(&b'+') {
                (self.turn, forwards) = match mem::replace(&mut self.turn, Turn::Command) {
                    Turn::Literal(literal) => (Turn::Rest, literal.waits),
                    Turn::Parts(mut parts) => {
                        self.for_server
                            .extend(parts.pop_front().unwrap_or_default());
                        let turn = match parts.is_empty() {
                            true => Turn::Answer { asks: false },
                            false => Turn::Parts(parts),
                        };
                        (turn, false)
                    }
                    Turn::Answer { asks: true } => (Turn::Line, true),
                    // It is not known what the server would read next.
                    _ => return Err(unexpected("continue-req")),
                };
            }
            match &mut self.front {
                Some(front) if forwards => {
                    if let Some(accepted) = completed {
                        if !accepted && self.answer.is_some() {
                            front.set_not_reported();
                        }
                        if let Some(held) = self.held.take() {
                            if !accepted && front.must_report() {
                                return Err(unexpected("response-tagged"));
                            }
                            front.set_reported();
                            // The server has answered the proxy's own ID.
                            self.answer = None;
                            self.forward_held(held);
                            continue;
                        }
                        front.completed(accepted, line, &self.tag);
                        if let Some(answer) = self.answer.take()
                            && let Some(id) = front.own_id()
                        {
                            if !answer.given {
                                self.for_client.extend_from_slice(id.as_bytes());
                            }
                            if !accepted {
                                self.for_client.extend_from_slice(&self.tag);
                                self.for_client.extend_from_slice(b" OK ID completed\r\n");
                                self.commands()?;
                                continue;
                            }
                        }
                    }
                    self.for_client.extend_from_slice(&front.edited(line));
                }
                None if forwards => self.for_client.extend_from_slice(line),
                _ => {}
            }
            if self.becomes_pipe() {
                return Ok(());
            }
            // The response decides the meaning of the client's octets.
            self.commands()?;
        }
    }

    /// Forwards the command that waited for the answer to the proxy's own.
    pub(super) fn forward_held(&mut self, held: Held) {
        match held {
            Held::Client {
                tag,
                text,
                literal,
                asks,
            } => {
                self.tag = tag;
                self.turn = forward_text(&mut self.for_server, &text, literal, asks);
            }
            Held::Parts { tag, parts } => {
                self.tag = tag;
                self.forward_parts(parts);
            }
        }
    }

    /// Becomes a pipe if it is time, with all octets that wait inside.
    fn becomes_pipe(&mut self) -> bool {
        let is_time = self
            .front
            .as_ref()
            .is_some_and(|front| front.becomes_pipe());
        if is_time && !self.piped && matches!(self.turn, Turn::Command) && !self.server.is_within()
        {
            self.piped = true;
            self.for_client.extend(self.server.take_rest());
            self.for_server.extend(self.client.take_rest());
        }
        self.piped
    }

    /// Takes the whole untagged response to ID.
    fn id_received(&mut self) {
        let (Some(answer), Some(front)) = (&mut self.answer, &self.front) else {
            return;
        };
        let received = answer.received.take().unwrap_or_default();
        // The client does not receive the answer to the proxy's own command.
        if self.held.is_none() {
            answer.given = true;
            self.for_client
                .extend_from_slice(&front.merged_id(&received));
        }
    }
}

/// Returns `true` if a response completes the command with this tag.
fn is_tagged(line: &[u8], tag: &[u8]) -> bool {
    let rest = line.strip_prefix(tag);
    !tag.is_empty() && rest.is_some_and(|rest| rest.first() == Some(&b' '))
}

fn is_id(line: &[u8]) -> bool {
    let start = line.get(..b"* ID ".len());
    start.is_some_and(|start| start.eq_ignore_ascii_case(b"* ID "))
}
