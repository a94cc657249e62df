//! A line of a response that is passed on before its end is there.

/// The state of a line, from which the literal at its end is known: a similar text within the line, or in a quoted
/// string, is not an announcement.
#[derive(Clone, Debug, Default)]
pub(super) struct LongLine {
    place: Place,
    /// The number of octets that were read.
    pub(super) passed: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Text,
    /// In a quoted string.
    Quoted,
    /// After the backslash in a quoted string.
    Escaped,
    /// In the number after `{`; `None` before its first digit.
    Number(Option<usize>),
    /// After the number and `+`.
    Plus(usize),
    /// After the announcement, if the line ends here.
    Announced(usize),
}

impl LongLine {
    /// Reads octets of the line, without CR, LF and NUL. Returns their number, up to the first that a quoted string
    /// does not have.
    pub(super) fn read(&mut self, octets: &[u8]) -> usize {
        let mut count = 0_usize;
        for octet in octets {
            let Some(place) = self.place.after(*octet) else {
                break;
            };
            self.place = place;
            count = count.saturating_add(1);
        }
        self.passed = self.passed.saturating_add(count);
        count
    }

    /// Returns the length of the literal that the line announces at its end, if it does; `None` within a string.
    pub(super) const fn end(&self) -> Option<Option<usize>> {
        match self.place {
            Place::Quoted | Place::Escaped => None,
            Place::Announced(length) => Some(Some(length)),
            Place::Text | Place::Number(_) | Place::Plus(_) => Some(None),
        }
    }
}

impl Place {
    fn after(self, octet: u8) -> Option<Self> {
        Some(match (self, octet) {
            (Self::Quoted, b'"') => Self::Text,
            (Self::Quoted, b'\\') => Self::Escaped,
            (Self::Quoted, _) | (Self::Escaped, b'"' | b'\\') => Self::Quoted,
            (Self::Escaped, _) => return None,
            (Self::Number(number), b'0'..=b'9') => {
                let digit = usize::from(octet.saturating_sub(b'0'));
                let number = number.unwrap_or_default().saturating_mul(10);
                Self::Number(Some(number.saturating_add(digit)))
            }
            (Self::Number(Some(number)), b'+') => Self::Plus(number),
            (Self::Number(Some(number)) | Self::Plus(number), b'}') => Self::Announced(number),
            (_, b'"') => Self::Quoted,
            (_, b'{') => Self::Number(None),
            _ => Self::Text,
        })
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "tests")]
mod tests {
    use alloc::string::String;

    use super::*;
    use crate::{imap::string::announced_at_end, rules};

    /// Lines are read as by the reader of whole lines, in whatever parts they come.
    #[test]
    fn finds_the_literals_that_the_reader_of_whole_lines_finds() {
        let parts = ["{", "}", "+", "3", "12", "\"", "\\", "a", " ", "{5}"];
        let count = parts.len();
        for number in 0..count.pow(5) {
            let mut line = String::new();
            let mut left = number;
            for _ in 0..5 {
                line.push_str(parts.get(left % count).copied().unwrap_or_default());
                left /= count;
            }
            let whole = rules::prefix(&line, "response", announced_at_end);
            let whole = whole.map(|(announced, _)| announced.map(|it| it.length));
            let mut long = LongLine::default();
            let mut read = true;
            for octet in line.as_bytes().chunks(1 + number % 3) {
                read = read && long.read(octet) == octet.len();
            }
            let end = long.end().filter(|_| read);
            assert_eq!(end, whole.ok(), "{line:?}");
        }
    }
}
