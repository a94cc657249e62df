//! The places of a message where a field may have begun, and the letters of its name.

use super::{AUTHENTICATION_RESULTS, count::Count};

/// A place where a field may have begun, and how much of the name was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Begun {
    /// The first octet that is removed with the field.
    pub(super) start: usize,
    /// Before it is a line feed that does not fold, or nothing.
    pub(super) certain: bool,
    /// Letters of the name that were read.
    pub(super) letters: usize,
    /// Other octets were before or among them.
    pub(super) odd: bool,
    /// The place where the value begins.
    pub(super) value: usize,
    /// Line feeds before it.
    pub(super) line: usize,
    /// Fields before it.
    pub(super) index: usize,
}

impl Begun {
    pub(super) const fn at(start: usize, certain: bool, count: &Count) -> Self {
        Self {
            start,
            certain,
            letters: 0,
            odd: false,
            value: start,
            line: count.line_feeds,
            index: count.before_line,
        }
    }

    /// Reads the next character of the name. Returns `false` if it is another name, or none.
    pub(super) fn read(&mut self, character: &[u8]) -> bool {
        let expected = AUTHENTICATION_RESULTS.as_bytes().get(self.letters);
        if let Some(expected) = expected
            && is_letter(character, expected.to_ascii_lowercase())
        {
            self.letters = self.letters.saturating_add(1);
            self.odd |= character.len() > 1;
            return true;
        }
        match character {
            // Before and after the name.
            [b' ' | b'\t'] => {
                self.odd |= self.letters == 0;
                self.letters == 0 || expected.is_none()
            }
            [b'!'..=b'~'] => false,
            _ => {
                self.odd = true;
                true
            }
        }
    }

    pub(super) const fn has_name(&self) -> bool {
        self.letters == AUTHENTICATION_RESULTS.len()
    }
}

/// Returns `true` if some reader takes a character for this letter, whatever its case: of other alphabets
/// the long s, and the i with and without a dot, as Java's `equalsIgnoreCase` does.
fn is_letter(character: &[u8], letter: u8) -> bool {
    match character {
        [octet] => octet.to_ascii_lowercase() == letter,
        [0xc5, 0xbf] => letter == b's',
        [0xc4, 0xb0 | 0xb1] => letter == b'i',
        _ => false,
    }
}
