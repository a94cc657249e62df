//! Something to say of a place in a field, and how it is shown: the line, and a caret under the place.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use authres_tls::Span;

use crate::{
    input::{Found, line_breaks},
    visible::is_unsafe,
};

/// More findings of one field are counted, not shown: a megabyte has room for thousands.
const MOST_SHOWN: usize = 100;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
pub(crate) fn show(
    out: &mut String,
    file: &str,
    found: &Found<'_>,
    findings: &[Finding],
    width: u16,
) {
    let renderer = Renderer::styled().term_width(width.into());
    for finding in findings.iter().take(MOST_SHOWN) {
        let line = Line::of(found, finding.at.clone());
        let level = match finding.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
            Severity::Note => Level::NOTE,
        };
        let snippet = Snippet::source(line.text)
            .path(file)
            .line_start(line.number)
            .annotation(AnnotationKind::Primary.span(line.at));
        let title = level.primary_title(finding.text.as_str()).id(finding.code);
        out.push_str(&renderer.render(&[title.element(snippet)]));
        out.push_str("\n\n");
    }
    let more = findings.len().saturating_sub(MOST_SHOWN);
    if more > 0 {
        out.push_str(&format!("... and {more} more in this field\n\n"));
    }
}

/// The line of a field that a place is on, as text, and the place in the text.
struct Line {
    text: String,
    number: usize,
    at: Range<usize>,
}

impl Line {
    fn of(found: &Found<'_>, at: Range<usize>) -> Self {
        let text: &[u8] = &found.text;
        let place = |offset: usize| offset.saturating_add(found.value_at).min(text.len());
        let (start, end) = (place(at.start), place(at.end));
        let before = text.get(..start).unwrap_or_default();
        let after = text.get(start..).unwrap_or_default();
        let line_start = before
            .iter()
            .rposition(|octet| *octet == b'\n')
            .map_or(0, |at| at.saturating_add(1));
        let line_end = after
            .iter()
            .position(|octet| *octet == b'\n')
            .map_or(text.len(), |at| start.saturating_add(at));
        let line = text.get(line_start..line_end).unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let (text, places) = shown(line);
        let (from, to) = (
            start.saturating_sub(line_start),
            end.saturating_sub(line_start),
        );
        // Whole characters, and all places behind the last one are its end.
        let first = places.iter().rev().find(|place| place.octet <= from);
        let behind = places.iter().find(|place| place.octet >= to);
        let first = first.filter(|_| from < line.len());
        let from = first.map_or(text.len(), |place| place.text);
        Self {
            number: found.line.saturating_add(line_breaks(Some(before))),
            at: from..behind.map_or(text.len(), |place| place.text).max(from),
            text,
        }
    }
}

/// Where a character stands in a line, and where in the text that is shown for it.
struct Place {
    octet: usize,
    text: usize,
}

/// A line as text: what is not UTF-8, and what does something to a terminal beyond what
/// `annotate-snippets` replaces itself, as U+FFFD.
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
