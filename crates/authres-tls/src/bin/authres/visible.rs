//! A message's text without control characters that a terminal obeys, and without invisible characters.

use std::fmt;

/// Characters that a terminal obeys, or that are invisible, or that hide or reorder others: of Unicode 16 the
/// general categories Cc, Cf, Co, Zl, Zp and Zs except U+0020 and U+3000, `Default_Ignorable_Code_Point`,
/// noncharacters, and the empty pattern of Braille.
const UNSAFE: [(char, char); 47] = [
    ('\0', '\u{1f}'),
    ('\u{7f}', '\u{a0}'),
    ('\u{ad}', '\u{ad}'),
    ('\u{34f}', '\u{34f}'),
    ('\u{600}', '\u{605}'),
    ('\u{61c}', '\u{61c}'),
    ('\u{6dd}', '\u{6dd}'),
    ('\u{70f}', '\u{70f}'),
    ('\u{890}', '\u{891}'),
    ('\u{8e2}', '\u{8e2}'),
    ('\u{115f}', '\u{1160}'),
    ('\u{1680}', '\u{1680}'),
    ('\u{17b4}', '\u{17b5}'),
    ('\u{180b}', '\u{180f}'),
    ('\u{2000}', '\u{200f}'),
    ('\u{2028}', '\u{202f}'),
    ('\u{205f}', '\u{206f}'),
    ('\u{2800}', '\u{2800}'),
    ('\u{3164}', '\u{3164}'),
    ('\u{e000}', '\u{f8ff}'),
    ('\u{fdd0}', '\u{fdef}'),
    ('\u{fe00}', '\u{fe0f}'),
    ('\u{feff}', '\u{feff}'),
    ('\u{ffa0}', '\u{ffa0}'),
    ('\u{fff0}', '\u{fffb}'),
    ('\u{fffe}', '\u{ffff}'),
    ('\u{110bd}', '\u{110bd}'),
    ('\u{110cd}', '\u{110cd}'),
    ('\u{13430}', '\u{13440}'),
    ('\u{16fe4}', '\u{16fe4}'),
    ('\u{1bca0}', '\u{1bca3}'),
    ('\u{1d159}', '\u{1d159}'),
    ('\u{1d173}', '\u{1d17a}'),
    ('\u{1fffe}', '\u{1ffff}'),
    ('\u{2fffe}', '\u{2ffff}'),
    ('\u{3fffe}', '\u{3ffff}'),
    ('\u{4fffe}', '\u{4ffff}'),
    ('\u{5fffe}', '\u{5ffff}'),
    ('\u{6fffe}', '\u{6ffff}'),
    ('\u{7fffe}', '\u{7ffff}'),
    ('\u{8fffe}', '\u{8ffff}'),
    ('\u{9fffe}', '\u{9ffff}'),
    ('\u{afffe}', '\u{affff}'),
    ('\u{bfffe}', '\u{bffff}'),
    ('\u{cfffe}', '\u{cffff}'),
    ('\u{dfffe}', '\u{e0fff}'),
    ('\u{efffe}', '\u{10ffff}'),
];

/// Returns `true` for a character that must not reach a terminal.
pub(crate) fn is_unsafe(c: char) -> bool {
    if (' '..='~').contains(&c) {
        return false;
    }
    let at = UNSAFE.partition_point(|(_, last)| *last < c);
    UNSAFE.get(at).is_some_and(|(first, _)| *first <= c)
}

/// Text with such characters escaped as in Rust: `\t`, `\u{1b}`.
pub(crate) struct Visible<'a>(pub(crate) &'a str);

impl fmt::Display for Visible<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut escaped = String::with_capacity(self.0.len());
        for c in self.0.chars() {
            if is_unsafe(c) {
                escaped.extend(c.escape_default());
            } else {
                escaped.push(c);
            }
        }
        f.pad(&escaped)
    }
}

/// JSON with such characters as `\u001b`: in JSON they are in strings only, except for line breaks.
pub(crate) fn json(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if is_unsafe(c) && c != '\n' {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                escaped.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            escaped.push(c);
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_what_a_terminal_obeys_and_keeps_all_else() {
        let text = "a\u{1b}[31m\0\t\r\n\u{7f}\u{9b}\u{202e}\u{200b}ü漢\\";
        assert_eq!(
            Visible(text).to_string(),
            r"a\u{1b}[31m\u{0}\t\r\n\u{7f}\u{9b}\u{202e}\u{200b}ü漢\"
        );
        assert_eq!(json("\"\u{9b}\u{202e}ü\"\n"), "\"\\u009b\\u202eü\"\n");
        assert_eq!(json("\u{e0041}"), "\\udb40\\udc41");
    }

    #[test]
    fn knows_what_is_invisible() {
        let invisible = "\u{3164}\u{fff9}\u{fffa}\u{fffb}\u{e0000}\u{e0041}\u{e0100}\u{e01ef}\u{fe0f}\
            \u{34f}\u{61c}\u{115f}\u{1160}\u{17b4}\u{180e}\u{2028}\u{2060}\u{2064}\u{206f}\u{feff}\u{ffa0}\
            \u{1bca0}\u{1d173}\u{2066}\u{2069}\u{200e}\u{a0}\u{2003}\u{2800}\u{ad}\u{600}\u{110bd}\u{e000}";
        for c in invisible.chars() {
            assert!(is_unsafe(c), "{c:?}");
        }
        for c in " ~é漢ｱ\u{3000}\u{fffd}\u{fffc}\u{1f600}\u{301}\u{e1000}".chars() {
            assert!(!is_unsafe(c), "{c:?}");
        }
        assert!(UNSAFE.iter().all(|(first, last)| first <= last));
        assert!(UNSAFE.is_sorted_by(|(_, last), (first, _)| last < first));
    }
}
