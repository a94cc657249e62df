//! The reply to EHLO: the backend's extensions as the client may see them, draft-newman-email-deep-02 sections 7.3 and 9.2.

use super::reply::Reply;
use crate::gateway::ExternalLogin;

/// Extensions that end at the gateway, and those whose commands only a gateway, or a server of the same operator, may send.
const REMOVED: &[&[u8]] = &[
    b"STARTTLS",
    b"XCLIENT",
    b"XFORWARD",
    b"ATRN",
    b"TURN",
    b"XEXCH50",
    b"XPROXY",
    b"XPROXYFROM",
    b"XPROXYTO",
    b"XSESSIONPARAMS",
];

/// The extensions of the session that the gateway has to know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Extensions {
    pub(super) enhanced_status_codes: bool,
    pub(super) chunking: bool,
    pub(super) burl: bool,
    pub(super) smtputf8: bool,
    pub(super) deep: bool,
}

/// The changes to a reply.
#[derive(Clone, Copy, Debug)]
pub(super) struct Edits<'a> {
    /// The line of DEEP in place of the backend's.
    pub(super) deep: Option<&'a str>,
    /// The login of a client that has a certificate.
    pub(super) external: Option<&'a ExternalLogin>,
    /// `true` if the gateway adds a field to messages, which BURL has no place for.
    pub(super) has_field: bool,
}

impl Edits<'_> {
    /// Edits a reply to EHLO, and returns the extensions that it has then.
    pub(super) fn apply(self, reply: &mut Reply) -> Extensions {
        // The first line is the server's name.
        let mut extensions = reply.texts.drain(1.min(reply.texts.len())..);
        let kept: Vec<_> = extensions.by_ref().filter_map(|it| self.line(it)).collect();
        drop(extensions);
        reply.texts.extend(kept);
        reply
            .texts
            .extend(self.deep.map(|line| line.as_bytes().to_vec()));
        let words = reply.texts.iter().skip(1).map(|text| keyword(text));
        let mut found = Extensions::default();
        for word in words {
            let is = |name: &[u8]| word.eq_ignore_ascii_case(name);
            found.enhanced_status_codes |= is(b"ENHANCEDSTATUSCODES");
            found.chunking |= is(b"CHUNKING");
            found.burl |= is(b"BURL");
            found.smtputf8 |= is(b"SMTPUTF8");
            found.deep |= is(b"DEEP");
        }
        found
    }

    /// Returns the line of an extension for the client, or `None` if it is removed.
    fn line(self, line: Vec<u8>) -> Option<Vec<u8>> {
        // Some clients find a keyword behind spaces.
        let line = line.trim_ascii_start().to_vec();
        let word = keyword(&line);
        let is = |name: &[u8]| word.eq_ignore_ascii_case(name);
        if REMOVED.iter().any(|name| is(name)) {
            return None;
        }
        if is(b"DEEP") && self.deep.is_some() || is(b"BURL") && self.has_field {
            return None;
        }
        // A form that clients of 1999 read.
        let old = word.get(..5).filter(|it| it.eq_ignore_ascii_case(b"AUTH="));
        if !is(b"AUTH") && old.is_none() {
            return Some(line);
        }
        let begin = line.get(..5).unwrap_or(&line);
        let offered: Vec<_> = line
            .get(begin.len()..)
            .unwrap_or_default()
            .split(|octet| matches!(octet, b' ' | b'\t'))
            .filter(|word| !word.is_empty())
            .collect();
        let has = |name: &[u8]| offered.iter().any(|it| it.eq_ignore_ascii_case(name));
        let external: &[u8] = match self.external {
            Some(ExternalLogin::External) => b"EXTERNAL",
            Some(ExternalLogin::Plain(_)) => b"PLAIN",
            None | Some(ExternalLogin::Unavailable) => b"",
        };
        let mut mechanisms: Vec<_> = offered
            .iter()
            .copied()
            .filter(|it| !it.eq_ignore_ascii_case(b"EXTERNAL") && !is_plus(it))
            .collect();
        if has(external) {
            mechanisms.push(b"EXTERNAL");
        }
        if mechanisms == offered {
            return Some(line);
        }
        let begin = if old.is_some() { begin } else { b"AUTH " };
        let line = [begin, &mechanisms.join(&b' ')].concat();
        (!mechanisms.is_empty()).then_some(line)
    }
}

/// Returns the first word of the line of an extension.
fn keyword(line: &[u8]) -> &[u8] {
    let mut words = line.split(|octet| matches!(octet, b' ' | b'\t'));
    words.next().unwrap_or_default()
}

/// Returns `true` for a mechanism that binds the login to the client's TLS, which the backend does not see.
fn is_plus(mechanism: &[u8]) -> bool {
    let end = mechanism.len().checked_sub(b"-PLUS".len());
    let end = end.and_then(|at| mechanism.get(at..));
    end.is_some_and(|end| end.eq_ignore_ascii_case(b"-PLUS"))
}
