//! The message of DATA, RFC 5321 section 4.1.1.4 and 4.5.2.

/// A reader of a message, which ends by a line of a dot. The reader keeps no octets.
#[derive(Debug, Default)]
pub(super) struct Content {
    line: Line,
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
    /// `true` if the message ends with them.
    pub(super) is_end: bool,
}

impl Content {
    /// Reads octets of the message. The error is the offset of a bare CR, a bare LF, or a NUL: servers read them as a line
    /// end, or as the end of a line.
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
            let is_end = match rest.get(text.len()..) {
                None | Some([] | [b'\r']) => {
                    let is_end = false;
                    return Ok(Part { length, is_end });
                }
                Some([b'\r', b'\n', ..]) => self.line == Line::Dot,
                Some(_) => return Err(length),
            };
            length = length.saturating_add(2);
            self.line = Line::Begin;
            if is_end {
                return Ok(Part { length, is_end });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_by_a_line_of_a_dot_alone() {
        let ends = |text: &str| Content::default().read(text.as_bytes()).map(|it| it.is_end);
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
                if part.is_end {
                    break;
                }
            }
            assert_eq!(read, b"a\r\n..b\r\n.\r\n", "in pieces of {piece}");
        }
    }
}
