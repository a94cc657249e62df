//! What a message says as text that does nothing to a terminal.

use std::fmt;

/// Characters that a terminal obeys, or that hide or reorder others.
pub(crate) fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
        )
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

/// JSON with such characters as `\u001b`: in JSON they stand in strings only, but for line breaks.
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
    fn what_a_terminal_obeys_is_escaped_and_all_else_stays() {
        let text = "a\u{1b}[31m\0\t\r\n\u{7f}\u{9b}\u{202e}\u{200b}ü漢\\";
        assert_eq!(
            Visible(text).to_string(),
            r"a\u{1b}[31m\u{0}\t\r\n\u{7f}\u{9b}\u{202e}\u{200b}ü漢\"
        );
        assert_eq!(json("\"\u{9b}\u{202e}ü\"\n"), "\"\\u009b\\u202eü\"\n");
    }
}
