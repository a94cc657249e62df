//! Text that fits a terminal.

use comfy_table::{ContentArrangement, Table, presets::NOTHING};

/// The width of a table where there is no terminal.
pub const WIDTH: u16 = 80;

/// Returns a table without rules that is at most `width` characters wide.
#[must_use]
pub fn table(width: u16, header: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_preset(NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(width)
        .set_header(header);
    table
}

/// Breaks a paragraph into lines of at most `width` characters where its words allow it.
#[must_use]
pub fn wrap(width: u16, paragraph: &str) -> String {
    let width = usize::from(width);
    let (mut text, mut length) = (String::new(), 0_usize);
    for word in paragraph.split_whitespace() {
        let next = word.chars().count();
        if length > 0 && length.saturating_add(1).saturating_add(next) > width {
            text.push('\n');
            length = 0;
        } else if length > 0 {
            text.push(' ');
            length = length.saturating_add(1);
        }
        text += word;
        length = length.saturating_add(next);
    }
    text
}

/// The longest text of another program that is shown whole, in characters.
const LONGEST: usize = 400;

/// Returns the beginning of a long text, with the number of its characters.
#[must_use]
pub(crate) fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        None => text.to_owned(),
        Some((end, _)) => {
            let count = text.chars().count();
            format!(
                "{}… ({count} characters)",
                text.get(..end).unwrap_or_default()
            )
        }
    }
}

/// Returns a number and a noun, e.g. `1 case` and `2 cases`.
pub(crate) fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// Returns the number of those that passed and the number of all: `3 cases passed`, `1 of 2 cases passed`.
pub(crate) fn passed_of(passed: usize, all: usize, noun: &str) -> String {
    let all_of_noun = counted(all, noun);
    if passed == all {
        format!("{all_of_noun} passed")
    } else {
        format!("{passed} of {all_of_noun} passed")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn breaks_lines_between_words_only() {
        assert_eq!(wrap(5, "a bc d  efghijk l"), "a bc\nd\nefghijk\nl");
        assert_eq!(wrap(80, "a\nb"), "a b");
    }

    #[test]
    fn cuts_a_long_text_and_counts_its_characters() {
        let text = "é".repeat(LONGEST);
        assert_eq!(cut(&text), text);
        let longer = text.clone() + "x";
        assert_eq!(cut(&longer), text + "… (401 characters)");
    }

    #[test]
    fn says_how_many_of_all_passed() {
        assert_eq!(passed_of(1, 1, "case"), "1 case passed");
        assert_eq!(passed_of(0, 2, "case"), "0 of 2 cases passed");
    }
}
