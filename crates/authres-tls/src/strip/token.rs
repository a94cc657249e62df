//! Line breaks, as the readers of mail see them.
//!
//! RFC 5322 has CRLF; files have LF. Besides, CR is a line break for Python's `email`, for `JavaMail` and for
//! Perl's `Email::Simple`; VT, FF, 0x1C to 0x1E, NEL, U+2028 and U+2029 are for Python's `splitlines`, by
//! which `email` folds again; NUL ends a text in C. After a line break, white space that is not SP or TAB
//! folds for readers that use `\s`, e.g. mailauth.

use crate::slice;

/// The form of a line break that every reader recognizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LineFeed {
    Lf,
    CrLf,
}

/// The next octets of a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// A line break of this many octets; `None` if only some readers recognize it.
    Break(usize, Option<LineFeed>),
    /// A character of this many octets, or an octet.
    Text(usize),
    /// Depends on octets that are not there yet.
    Incomplete,
}

/// Reads the next token. At the end of the message nothing is incomplete but an empty rest.
pub(super) fn token(rest: &[u8], at_end: bool) -> Token {
    match rest {
        [] => Token::Incomplete,
        [b'\n', ..] => Token::Break(1, Some(LineFeed::Lf)),
        [b'\r', b'\n', ..] => Token::Break(2, Some(LineFeed::CrLf)),
        [b'\r'] if !at_end => Token::Incomplete,
        [0 | 0x0b..=0x0d | 0x1c..=0x1e, ..] => Token::Break(1, None),
        [first @ 0x80..=0xff, ..] => beyond_ascii(*first, rest, at_end),
        _ => Token::Text(1),
    }
}

/// NEL counts as an octet as well, unless it is part of another character.
fn beyond_ascii(first: u8, rest: &[u8], at_end: bool) -> Token {
    let length = match first {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => 1,
    };
    let sequence = rest.get(..length).unwrap_or(rest);
    match core::str::from_utf8(sequence) {
        Ok("\u{85}" | "\u{2028}" | "\u{2029}") => Token::Break(length, None),
        Ok(_) => Token::Text(length),
        Err(error) if error.error_len().is_none() && !at_end => Token::Incomplete,
        Err(_) if first == 0x85 => Token::Break(1, None),
        Err(_) => Token::Text(1),
    }
}

/// Returns `true` if white space follows that continues the line before for every reader.
pub(super) const fn folds(next: Option<u8>) -> bool {
    matches!(next, Some(b' ' | b'\t'))
}

/// Returns `true` if white space follows that continues the line before for some readers.
pub(super) const fn may_fold(next: Option<u8>) -> bool {
    matches!(
        next,
        Some(
            0..=b'\t' | 0x0b | 0x0c | 0x0e..=b' ' | 0x7f | 0x85 | 0xa0 | 0xc2 | 0xe1..=0xe3 | 0xef,
        )
    )
}

/// Returns `true` for an octet that ends a run of plain text: a line break may begin with it.
pub(super) const fn is_special(octet: u8) -> bool {
    matches!(octet, 0 | b'\n'..=b'\r' | 0x1c..=0x1e | 0x80..)
}

/// Finds the first line break in a value that does not fold.
pub(super) fn value_end(value: &[u8]) -> Option<usize> {
    let mut at = 0_usize;
    loop {
        let rest = slice::from(value, at);
        let plain = rest.iter().position(|octet| is_special(*octet))?;
        at = at.saturating_add(plain);
        match token(slice::from(rest, plain), true) {
            Token::Break(length, _) => {
                let end = at.saturating_add(length);
                if !folds(value.get(end).copied()) {
                    return Some(at);
                }
                at = end;
            }
            Token::Text(length) => at = at.saturating_add(length),
            Token::Incomplete => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_each_line_break_that_some_reader_has() {
        let strong = [("\n", LineFeed::Lf), ("\r\n", LineFeed::CrLf)];
        for (text, feed) in strong {
            let expected = Token::Break(text.len(), Some(feed));
            assert_eq!(token(text.as_bytes(), true), expected);
        }
        for text in [
            "\r", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\0", "\u{85}", "\u{2028}", "\u{2029}",
        ] {
            let expected = Token::Break(text.len(), None);
            assert_eq!(token(text.as_bytes(), true), expected, "{text:?}");
        }
        assert_eq!(token(b"\x85a", true), Token::Break(1, None));
        for text in [
            "a",
            "\t",
            "\x1b",
            "\x1f",
            "\x7f",
            "\u{c5}",
            "\u{2027}",
            "\u{10000}",
        ] {
            assert_eq!(
                token(text.as_bytes(), true),
                Token::Text(text.len()),
                "{text:?}"
            );
        }
        assert_eq!(token(b"\xc2a", true), Token::Text(1));
        assert_eq!(token(b"\xff", true), Token::Text(1));
    }

    #[test]
    fn waits_for_the_rest_of_a_character() {
        for text in [
            &b""[..],
            b"\r",
            b"\xc2",
            b"\xe2",
            b"\xe2\x80",
            b"\xf0\x90\x80",
        ] {
            assert_eq!(token(text, false), Token::Incomplete, "{text:?}");
        }
        assert_eq!(token(b"\r", true), Token::Break(1, None));
        assert_eq!(token(b"\xe2\x80", true), Token::Text(1));
    }

    #[test]
    fn ends_a_value_at_the_first_break_that_does_not_fold() {
        assert_eq!(value_end(b"a\r\n b\x0b\tc"), None);
        assert_eq!(value_end(b"a\r\n b\x0bc"), Some(5));
        assert_eq!(value_end(b"a\xc3\x85b\r"), Some(4));
        // White space that only some readers fold at ends the value for the others.
        assert_eq!(value_end(b"a\x0b\xa0b"), Some(1));
        assert_eq!(value_end(b"a\r\n\xa0b"), Some(1));
        assert_eq!(value_end(b"a\r\n\x0cb"), Some(1));
    }
}
