//! Splits Markdown into paragraphs, so that a phrase is found although a line ends inside it.

/// A paragraph, list item, heading or table row.
#[derive(Debug, PartialEq, Eq)]
pub struct Paragraph {
    /// Its place in the text.
    pub kind: Kind,
    /// Its lines without their list marks, each with its number in the file.
    pub lines: Vec<(usize, String)>,
}

/// The kinds of paragraph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A paragraph or a list item: a sentence or a noun phrase opens it.
    Text,
    /// A heading, which may be a question.
    Heading,
    /// A row of a table.
    Row,
}

/// Splits lines of Markdown, without code blocks, link definitions and HTML comments.
#[must_use]
pub fn paragraphs(lines: &[(usize, String)]) -> Vec<Paragraph> {
    let mut paragraphs: Vec<Paragraph> = Vec::new();
    let mut fence: Option<&str> = None;
    let mut open = false;
    let mut comment = false;
    for (number, line) in lines {
        let text = line.trim();
        if let Some(mark) = ["```", "~~~"]
            .into_iter()
            .find(|mark| text.starts_with(mark))
        {
            fence = match fence {
                None => Some(mark),
                Some(opened) if opened == mark => None,
                opened => opened,
            };
            open = false;
            continue;
        }
        if fence.is_some() {
            continue;
        }
        if comment || text.starts_with("<!--") {
            comment = !text.contains("-->");
            open = false;
            continue;
        }
        if text.is_empty() || is_link_definition(text) {
            open = false;
            continue;
        }
        let (kind, text, continues) = if text.starts_with('#') {
            (
                Kind::Heading,
                text.trim_start_matches('#').trim_start(),
                false,
            )
        } else if text.starts_with('|') {
            (Kind::Row, text, false)
        } else if let Some(item) = item(text) {
            (Kind::Text, item, false)
        } else {
            (Kind::Text, text, true)
        };
        let line = (*number, text.to_owned());
        match paragraphs.last_mut() {
            Some(paragraph) if open && continues => paragraph.lines.push(line),
            _ => paragraphs.push(Paragraph {
                kind,
                lines: vec![line],
            }),
        }
        open = kind == Kind::Text;
    }
    paragraphs
}

/// Returns `true` for `[name]: target`.
fn is_link_definition(text: &str) -> bool {
    text.starts_with('[')
        && text
            .split_once("]: ")
            .is_some_and(|(name, _)| !name.contains("]("))
}

/// The text of a list item, without its mark.
fn item(text: &str) -> Option<&str> {
    if let Some(item) = ["- ", "* ", "+ "]
        .iter()
        .find_map(|mark| text.strip_prefix(mark))
    {
        return Some(item.trim_start());
    }
    let digits = text.len()
        - text
            .trim_start_matches(|character: char| character.is_ascii_digit())
            .len();
    let rest = text.get(digits..)?;
    let item = rest
        .strip_prefix(". ")
        .or_else(|| rest.strip_prefix(") "))?;
    (digits > 0).then(|| item.trim_start())
}
