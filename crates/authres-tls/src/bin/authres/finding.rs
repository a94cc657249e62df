//! Something to say of a place in a field, and how it is shown: the line, and a caret under the place.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Origin, Renderer, Snippet};
use authres_tls::syntax::Span;

use crate::{input::Found, visible::is_unsafe};

/// More findings of one field are counted, not shown: a megabyte has room for thousands.
const MOST_SHOWN: usize = 100;

/// The worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Severity {
    /// The value is refused.
    Error,
    /// A strict reading refuses it, or it cannot be so.
    Warning,
    /// The registries do not have it.
    Note,
}

#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) severity: Severity,
    pub(crate) code: &'static str,
    pub(crate) text: String,
    /// Bytes of the value.
    pub(crate) at: Range<usize>,
}

impl Finding {
    pub(crate) fn new(
        severity: Severity,
        code: &'static str,
        text: impl Into<String>,
        span: Span,
    ) -> Self {
        Self {
            severity,
            code,
            text: text.into(),
            at: span.range(),
        }
    }
}

/// Shows findings of a field, in lines no wider than `width`.
pub(crate) fn show(out: &mut String, file: &str, found: &Found, findings: &[Finding], width: u16) {
    let renderer = Renderer::styled().term_width(width.into());
    let mut places = Places::of(found);
    for finding in findings.iter().take(MOST_SHOWN) {
        let line = places.line(finding.at.clone());
        let level = match finding.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
            Severity::Note => Level::NOTE,
        };
        let snippet = Snippet::source(line.text)
            .line_start(line.number)
            .annotation(AnnotationKind::Primary.span(line.at));
        let title = level.primary_title(finding.text.as_str()).id(finding.code);
        let group = if let Some(column) = line.column {
            let origin = Origin::path(file).line(line.number).char_column(column);
            title.element(origin).element(snippet)
        } else {
            title.element(snippet.path(file))
        };
        out.push_str(&renderer.render(&[group]));
        out.push_str("\n\n");
    }
    let more = findings.len().saturating_sub(MOST_SHOWN);
    if more > 0 {
        out.push_str(&format!("... and {more} more in this field\n\n"));
    }
}

/// A line of a field, or a piece of it, as text; and a place in it.
struct Line {
    text: String,
    number: usize,
    at: Range<usize>,
    /// The column, counted from 1, if the line does not begin where its text does.
    column: Option<usize>,
}

/// The number of octets that are shown before and after a place in a long line.
const WINDOW: usize = 4096;

/// Finds the lines of places that come in order, each octet being read once.
struct Places<'a> {
    text: &'a [u8],
    value_at: usize,
    /// The octets read, and of them those before the current line.
    read: usize,
    line_start: usize,
    /// The number of the current line, and its characters so far.
    number: usize,
    characters: usize,
}

impl<'a> Places<'a> {
    fn of(found: &'a Found) -> Self {
        Self {
            text: &found.text,
            value_at: found.value_at,
            read: 0,
            line_start: 0,
            number: found.line,
            characters: 0,
        }
    }

    fn read_to(&mut self, place: usize) {
        for octet in self.text.get(self.read..place).unwrap_or_default() {
            self.read = self.read.saturating_add(1);
            if *octet == b'\n' {
                self.number = self.number.saturating_add(1);
                self.line_start = self.read;
                self.characters = 0;
            } else if is_first(*octet) {
                self.characters = self.characters.saturating_add(1);
            }
        }
    }

    fn line(&mut self, at: Range<usize>) -> Line {
        let length = self.text.len();
        let place = |offset: usize| offset.saturating_add(self.value_at).min(length);
        let (start, end) = (place(at.start), place(at.end));
        self.read_to(start);
        let mut from = self.line_start.max(start.saturating_sub(WINDOW));
        if from > self.line_start {
            let cut = self.text.get(from..start).unwrap_or_default();
            let whole = cut.iter().take(3).take_while(|octet| !is_first(**octet));
            from = from.saturating_add(whole.count());
        }
        let to = start.saturating_add(WINDOW).min(length);
        let after = self.text.get(start..to).unwrap_or_default();
        let line_end = after.iter().position(|octet| *octet == b'\n');
        let to = line_end.map_or(to, |end| start.saturating_add(end));
        let line = self.text.get(from..to).unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let (text, places) = shown(line);
        let (start, end) = (start.saturating_sub(from), end.saturating_sub(from));
        // Whole characters, and all places after the last one are its end.
        let first = places.iter().rev().find(|place| place.octet <= start);
        let next = places.iter().find(|place| place.octet >= end);
        let first = first.filter(|_| start < line.len());
        let at = first.map_or(text.len(), |place| place.text);
        Line {
            number: self.number,
            at: at..next.map_or(text.len(), |place| place.text).max(at),
            text,
            column: (from > self.line_start).then(|| self.characters.saturating_add(1)),
        }
    }
}

/// Returns `true` for the first octet of a character.
const fn is_first(octet: u8) -> bool {
    !matches!(octet, 0x80..=0xbf)
}

/// The place of a character in a line, and in the text that is shown for it.
struct Place {
    octet: usize,
    text: usize,
}

/// Returns a line as text. Octets that are not UTF-8, and characters that act on a terminal and that
/// `annotate-snippets` does not replace, become U+FFFD.
fn shown(line: &[u8]) -> (String, Vec<Place>) {
    let mut text = String::with_capacity(line.len());
    let mut places = Vec::with_capacity(line.len());
    let mut octet = 0_usize;
    for chunk in line.utf8_chunks() {
        for c in chunk.valid().chars() {
            let harmful = is_unsafe(c) && !c.is_ascii() || c == '\r';
            places.push(Place {
                octet,
                text: text.len(),
            });
            text.push(if harmful {
                char::REPLACEMENT_CHARACTER
            } else {
                c
            });
            octet = octet.saturating_add(c.len_utf8());
        }
        if !chunk.invalid().is_empty() {
            places.push(Place {
                octet,
                text: text.len(),
            });
            text.push(char::REPLACEMENT_CHARACTER);
            octet = octet.saturating_add(chunk.invalid().len());
        }
    }
    (text, places)
}
