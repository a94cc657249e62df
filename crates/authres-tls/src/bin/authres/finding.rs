//! Something to say of a place in a field, and how it is shown: the line, and a caret under the place.

use std::{borrow::Cow, ops::Range};

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
        let until = |offset: usize| {
            let length = offset.min(line_end).saturating_sub(line_start);
            shown(line.get(..length).unwrap_or(line)).len()
        };
        let from = until(start);
        Self {
            number: found.line.saturating_add(line_breaks(Some(before))),
            at: from..until(end).max(from),
            text: shown(line).into_owned(),
        }
    }
}

/// A line as text: what is not UTF-8, and what does something to a terminal beyond what
/// `annotate-snippets` replaces itself, as U+FFFD.
fn shown(line: &[u8]) -> Cow<'_, str> {
    let text = String::from_utf8_lossy(line);
    let harmful = |c: char| is_unsafe(c) && !c.is_ascii() || c == '\r';
    if text.contains(harmful) {
        return Cow::Owned(text.replace(harmful, "\u{fffd}"));
    }
    text
}
