//! The ways to log in that a greeting and an answer to the question for capabilities offer.

use deep_latch::smtp::ReplyLine;

use crate::{
    dialogue::{Capabilities, imap},
    service::Protocol,
};

/// The offer of a server, or of the gateway.
pub(super) struct Offer {
    protocol: Protocol,
    /// The last list, in which capabilities after the greeting replace those of the greeting.
    last: Option<Capabilities>,
    /// The mechanisms of all lists.
    mechanisms: Vec<String>,
    /// `true` if the greeting has the timestamp of APOP (RFC 1939 section 7).
    has_apop: bool,
}

impl Offer {
    /// Reads the octets of a session up to the answer to `CAPABILITY`, `CAPA` or `EHLO`.
    pub(super) fn read(protocol: Protocol, octets: &[u8]) -> Self {
        let text = String::from_utf8_lossy(octets);
        let lines: Vec<_> = text.split("\r\n").collect();
        let lists = match protocol {
            Protocol::Imap => lines.iter().filter_map(|line| imap::listed(line)).collect(),
            Protocol::Pop => pop(&lines),
            Protocol::Submission => submission(&lines),
        };
        let lists = lists.into_iter();
        let lists: Vec<_> = lists
            .map(|items| Capabilities::new(protocol, items))
            .collect();
        Self {
            protocol,
            mechanisms: lists.iter().flat_map(Capabilities::mechanisms).collect(),
            last: lists.into_iter().next_back(),
            has_apop: lines.first().is_some_and(|line| has_timestamp(line)),
        }
    }

    /// Returns `true` if a client of this offer has a way to log in. LOGIN of IMAP is not available if `backend`, whose
    /// LOGINDISABLED clients do not see, disables it.
    pub(super) fn has_login(&self, backend: &Self) -> bool {
        let is_named = |last: &Capabilities| !last.mechanisms().is_empty();
        match self.protocol {
            Protocol::Imap => {
                let disables = |last: &Capabilities| last.is_login_disabled();
                self.last.as_ref().is_some_and(is_named)
                    || !backend.last.as_ref().is_some_and(disables)
            }
            // A server without CAPA has USER (RFC 1939).
            Protocol::Pop => self.last.as_ref().is_none_or(|last| {
                let has_user = last.arguments("USER").is_some();
                has_user || self.has_apop || is_named(last)
            }),
            Protocol::Submission => self.last.as_ref().is_some_and(is_named),
        }
    }

    /// Returns the mechanisms with channel binding, in order.
    pub(super) fn plus(self) -> Vec<String> {
        let mut plus = self.mechanisms;
        plus.retain(|mechanism| mechanism.ends_with("-PLUS"));
        plus.sort_unstable();
        plus.dedup();
        plus
    }
}

/// Returns the list of CAPA, the last answer, without the dots of its lines (RFC 2449 section 5).
fn pop(lines: &[&str]) -> Vec<Vec<String>> {
    let Some(end) = lines.iter().rposition(|line| *line == ".") else {
        return Vec::new();
    };
    let lines = lines.get(..end).unwrap_or_default();
    let begin = lines.iter().rposition(|line| line.starts_with("+OK"));
    let begin = begin.map_or(0, |at| at.saturating_add(1));
    let list = lines.get(begin..).unwrap_or_default().iter();
    vec![
        list.map(|line| line.strip_prefix('.').unwrap_or(line).to_owned())
            .collect(),
    ]
}

/// Returns the extensions of each reply to EHLO: the lines after the first one, which has the server's name.
fn submission(lines: &[&str]) -> Vec<Vec<String>> {
    let mut lists = Vec::new();
    let mut list: Option<Vec<String>> = None;
    for line in lines {
        let Ok(line) = ReplyLine::parse(line.as_bytes()) else {
            continue;
        };
        match &mut list {
            Some(list) => list.push(String::from_utf8_lossy(line.text()).into_owned()),
            None => list = Some(Vec::new()),
        }
        if !line.has_more() {
            lists.extend(list.take().filter(|_| line.code() == 250));
        }
    }
    lists
}

/// Returns `true` if a greeting of POP has a `msg-id` in angle brackets.
fn has_timestamp(greeting: &str) -> bool {
    let begin = greeting.split_once('<').map(|(_, rest)| rest);
    let timestamp = begin.and_then(|rest| rest.split_once('>'));
    timestamp.is_some_and(|(timestamp, _)| timestamp.contains('@'))
}
