//! The message of DATA, RFC 5321 section 4.1.1.4 and 4.5.2.

use crate::gateway::BareLineFeeds;

/// A reader of a message, which ends by a line of a dot. The reader keeps no octets.
#[derive(Debug, Default)]
pub(super) struct Content {
    line: Line,
    bare_line_feeds: BareLineFeeds,
    /// `true` if a bare line feed ended the line before.
    follows_bare: bool,
    is_normalized: bool,
}

/// The line that was read last, as far as it was received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Line {
    /// No octet of the line was received.
    #[default]
    Begin,
    /// The line is a dot.
    Dot,
    /// The line is another one.
    Text,
}

/// The part of the octets that belongs to the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// The number of octets. A CR at the end is not one of them, since the next octet decides about it: a backend could read
    /// a dot and a CR as the end.
    pub(super) length: usize,
    pub(super) next: Next,
}

/// The octet or the end that follows a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Octets that were not received yet.
    More,
    /// A bare line feed, in whose place the backend receives CR LF.
    BareLineFeed,
    /// Nothing: the message ends with the part.
    End,
}

impl Content {
    pub(super) fn new(bare_line_feeds: BareLineFeeds) -> Self {
        Self {
            bare_line_feeds,
            ..Self::default()
        }
    }

    /// Takes note of a line feed that is normalized. Returns `true` for the first one.
    pub(super) const fn normalized(&mut self) -> bool {
        !std::mem::replace(&mut self.is_normalized, true)
    }

    /// Reads octets of the message. The error is the offset of a bare CR, a bare LF that is not normalized, or a NUL: servers
    /// read them as a line end, or as the end of a line. A line of a dot with a bare LF before or after it is such an error
    /// too, at the octet after the dot.
    pub(super) fn read(&mut self, octets: &[u8]) -> Result<Part, usize> {
        let mut length = 0_usize;
        loop {
            let rest = octets.get(length..).unwrap_or_default();
            let at = rest
                .iter()
                .position(|octet| matches!(octet, 0 | b'\r' | b'\n'));
            let text = rest.get(..at.unwrap_or(rest.len())).unwrap_or_default();
            self.line = match (self.line, text) {
                (line, []) => line,
                (Line::Begin, b".") => Line::Dot,
                _ => Line::Text,
            };
            length = length.saturating_add(text.len());
            let is_dot = self.line == Line::Dot;
            let normalizes = self.bare_line_feeds == BareLineFeeds::Normalize;
            match rest.get(text.len()..) {
                None | Some([] | [b'\r']) => {
                    let next = Next::More;
                    return Ok(Part { length, next });
                }
                Some([b'\r', b'\n', ..]) if !(is_dot && self.follows_bare) => {}
                Some([b'\n', ..]) if normalizes && !is_dot => {
                    self.line = Line::Begin;
                    self.follows_bare = true;
                    let next = Next::BareLineFeed;
                    return Ok(Part { length, next });
                }
                Some(_) => return Err(length),
            }
            length = length.saturating_add(2);
            self.line = Line::Begin;
            self.follows_bare = false;
            if is_dot {
                let next = Next::End;
                return Ok(Part { length, next });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_by_a_line_of_a_dot_alone() {
        let ends = |text: &str| {
            let part = Content::default().read(text.as_bytes());
            part.map(|it| it.next == Next::End)
        };
        for text in [".\r\n", "a\r\n.\r\n", "\r\n.\r\n", "..\r\n.\r\nQUIT\r\n"] {
            assert_eq!(ends(text), Ok(true), "{text:?}");
        }
        for text in [
            "",
            ".",
            ".\r",
            "..\r\n",
            ".a\r\n",
            "a.\r\n",
            " .\r\n",
            ". \r\n",
            "a\r\n..\r\n",
        ] {
            assert_eq!(ends(text), Ok(false), "{text:?}");
        }
        for (text, at) in [
            ("\n.\r\n", 0),
            ("\r\n.\n", 3),
            ("\r.\r", 0),
            ("\r\n.\r.", 3),
            (".\r\r\n", 1),
            (".\0\r\n", 1),
            ("a\r\n.\n\r\n", 4),
        ] {
            assert_eq!(ends(text), Err(at), "{text:?}");
        }
    }

    #[test]
    fn reads_the_same_in_all_pieces_and_keeps_a_cr_back() {
        let text = b"a\r\n..b\r\n.\r\nQUIT\r\n";
        for piece in 1..=text.len() {
            let (mut content, mut waiting, mut read) = (Content::default(), Vec::new(), Vec::new());
            for octets in text.chunks(piece) {
                waiting.extend_from_slice(octets);
                let Ok(part) = content.read(&waiting) else {
                    panic!("refused")
                };
                read.extend(waiting.drain(..part.length));
                assert!(!read.ends_with(b"\r"), "in pieces of {piece}");
                if part.next == Next::End {
                    break;
                }
            }
            assert_eq!(read, b"a\r\n..b\r\n.\r\n", "in pieces of {piece}");
        }
    }

    #[test]
    fn normalizes_bare_line_feeds_but_those_of_a_dot() {
        let read = |text: &str| {
            let (mut content, mut rest) = (Content::new(BareLineFeeds::Normalize), text.as_bytes());
            let mut message = Vec::new();
            loop {
                let Part { length, next } = content.read(rest)?;
                message.extend(rest.get(..length).unwrap_or_default());
                match next {
                    Next::BareLineFeed => message.extend(b"\r\n"),
                    Next::More | Next::End => {
                        return Ok((String::from_utf8(message), next == Next::End));
                    }
                }
                rest = rest.get(length.saturating_add(1)..).unwrap_or_default();
            }
        };
        for (text, message, is_end) in [
            ("a\n\nb\n\r\n.\r\n", "a\r\n\r\nb\r\n\r\n.\r\n", true),
            ("\n", "\r\n", false),
            ("a\n.b\n..\n. ", "a\r\n.b\r\n..\r\n. ", false),
            ("\n.", "\r\n.", false),
            ("\n.\r", "\r\n.", false),
        ] {
            assert_eq!(read(text), Ok((Ok(message.to_owned()), is_end)), "{text:?}");
        }
        // The offset is that after the last line feed that was normalized.
        for (text, at) in [
            ("a\n.\r\n", 1),
            ("a\n.\n", 1),
            ("a\r\n.\n", 4),
            (".\n", 1),
            ("a\n\rb", 0),
            ("a\n\0", 0),
            ("a\r\r\n", 1),
            ("a\n.\0", 1),
        ] {
            assert_eq!(read(text), Err(at), "{text:?}");
        }
    }
}
