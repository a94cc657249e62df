//! The lines of POP.

use crate::{
    dialogue::lines::Lines,
    gateway::{GatewayError, GatewayErrorKind, Side},
};

/// Returns the next line of a side, without its CRLF.
pub(super) fn next_line(
    lines: &mut Lines,
    side: Side,
    limit: usize,
) -> Result<Option<Vec<u8>>, GatewayError> {
    let field = match side {
        Side::Client => "command",
        Side::Backend => "response",
    };
    let error = |kind, at| Err(GatewayError::new(side, kind, field, at));
    let Some(line) = lines.next_line() else {
        if lines.has_bad_octet() {
            let octets = lines.unread().windows(2);
            let is_bad = |pair: &[u8]| pair.first() == Some(&b'\r') || pair.contains(&0);
            let at = octets.into_iter().position(is_bad).unwrap_or(0);
            let is_second = lines
                .unread()
                .get(at)
                .is_some_and(|it| !matches!(it, 0 | b'\r'));
            return error(
                GatewayErrorKind::Octet,
                at.saturating_add(usize::from(is_second)),
            );
        }
        return match lines.unread().len() > limit {
            true => error(GatewayErrorKind::TooLong, limit),
            false => Ok(None),
        };
    };
    if line.len() > limit {
        return error(GatewayErrorKind::TooLong, limit);
    }
    let text = line.strip_suffix(b"\r\n").unwrap_or(line);
    match text
        .iter()
        .position(|octet| matches!(octet, 0 | b'\r' | b'\n'))
    {
        Some(at) => error(GatewayErrorKind::Octet, at),
        None => Ok(Some(text.to_vec())),
    }
}

/// Returns `true` if a line begins with this status indicator as a word. Its case counts, RFC 1939 section 3.
pub(super) fn is_status(line: &[u8], status: &[u8]) -> bool {
    let rest = line.strip_prefix(status);
    rest.is_some_and(|rest| matches!(rest.first(), None | Some(b' ')))
}

/// Returns `false` for an error by which a backend says nothing about a name or a password: its own trouble (RFC 3206), or a
/// mailbox that is in use or was opened too recently (RFC 2449 section 8.1).
pub(super) fn is_judged(line: &[u8]) -> bool {
    let code = line.strip_prefix(b"-ERR [").unwrap_or_default();
    let end = code.iter().position(|octet| *octet == b']');
    let code = end.and_then(|end| code.get(..end)).unwrap_or_default();
    let code = code
        .split(|octet| *octet == b'/')
        .next()
        .unwrap_or_default();
    let codes: [&[u8]; 3] = [b"SYS", b"IN-USE", b"LOGIN-DELAY"];
    !codes.iter().any(|it| it.eq_ignore_ascii_case(code))
}
