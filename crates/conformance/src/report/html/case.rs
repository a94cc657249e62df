//! A case on the page of its suite: the picture of each message, the input, and the expected outcome beside the actual one.

use serde_json::Value;

use super::anchor;
use crate::{
    finding::CaseReport,
    picture::{Picture, Span},
    text::counted,
};

/// The number of octets that are shown of a field.
const OCTETS: usize = 96;
/// The number of characters that are shown of a text.
const CHARACTERS: usize = 600;

/// A case.
pub(super) struct View<'a> {
    pub(super) case: &'a CaseReport,
    pub(super) anchor: String,
    /// `accept` or `reject`.
    pub(super) expects: &'static str,
    /// The expected outcome in a few words.
    pub(super) outcome: String,
    pub(super) input: String,
    pub(super) expected: String,
    pub(super) actual: String,
    pub(super) pictures: Vec<Drawn>,
}

/// A picture of a message.
pub(super) struct Drawn {
    pub(super) title: String,
    pub(super) length: String,
    pub(super) is_text: bool,
    pub(super) parts: Vec<Part>,
    pub(super) legend: Vec<Row>,
    /// The sentence that says what is marked.
    pub(super) mark: Option<String>,
}

/// Octets of one field, or of none.
pub(super) struct Part {
    pub(super) is_field: bool,
    pub(super) name: String,
    pub(super) shown: String,
    pub(super) colour: usize,
    /// `true` if the expected error is here.
    pub(super) marked: bool,
}

/// A row of the legend.
pub(super) struct Row {
    /// The structure, in the first row of each.
    pub(super) group: String,
    pub(super) place: String,
    pub(super) name: String,
    pub(super) value: String,
    pub(super) is_fault: bool,
    pub(super) colour: usize,
}

impl<'a> View<'a> {
    pub(super) fn new(case: &'a CaseReport) -> Self {
        let detail = &case.detail;
        let reject = detail.expected.get("reject");
        let text = |field: &str| {
            let value = reject.and_then(|it| it.get(field));
            value.and_then(Value::as_str).unwrap_or("any").to_owned()
        };
        let offset = reject
            .and_then(|it| it.get("offset"))
            .and_then(Value::as_u64);
        let offset = offset.and_then(|it| usize::try_from(it).ok());
        let outcome = match (reject, offset) {
            (None, _) => "accept".to_owned(),
            (Some(_), None) => format!("reject: {}, {}", text("kind"), text("field")),
            (Some(_), Some(at)) => {
                format!("reject: {}, {}, octet {at}", text("kind"), text("field"))
            }
        };
        let (kind, field) = (text("kind"), text("field"));
        // The offset of an error counts in one message.
        let mut mark = offset;
        let mut pictures = Vec::new();
        for picture in detail.pictures.iter().flatten() {
            let here = mark.take_if(|_| picture.offsets.count_for(&field));
            pictures.push(drawn(picture, here, &kind, &field));
        }
        Self {
            case,
            anchor: anchor(&case.name),
            expects: if reject.is_some() { "reject" } else { "accept" },
            outcome,
            input: shown(&Value::Object(detail.input.clone())),
            expected: shown(&detail.expected),
            actual: detail
                .actual
                .as_ref()
                .map_or_else(|| "nothing".to_owned(), shown),
            pictures,
        }
    }
}

fn drawn(picture: &Picture, mark: Option<usize>, kind: &str, field: &str) -> Drawn {
    let end = picture.octets.len();
    let is_marked = |start: usize, stop: usize| {
        mark.is_some_and(|at| (start..stop).contains(&at) || at == end && stop == end)
    };
    let (mut parts, mut legend, mut at) = (Vec::new(), Vec::new(), 0);
    let mut group = "";
    let plain = |start: usize, stop: usize| Part {
        is_field: false,
        name: String::new(),
        shown: octets(picture, start, stop),
        colour: 0,
        marked: is_marked(start, stop),
    };
    for (number, span) in picture.spans.iter().enumerate() {
        if at < span.start {
            parts.push(plain(at, span.start));
        }
        let colour = number % 8;
        if span.start < span.end {
            parts.push(Part {
                is_field: true,
                name: span.name.clone(),
                shown: octets(picture, span.start, span.end),
                colour,
                marked: is_marked(span.start, span.end),
            });
        }
        legend.push(row(span, group, colour));
        (group, at) = (&span.group, span.end);
    }
    if at < end {
        parts.push(plain(at, end));
    }
    let kind_of_unit = if picture.is_text {
        "octets of text"
    } else {
        "octets"
    };
    Drawn {
        title: picture.title.clone(),
        length: format!("{end} {kind_of_unit}"),
        is_text: picture.is_text,
        parts,
        legend,
        mark: mark.map(|at| match at == end {
            true => format!("Expected at the end: {kind}, {field}."),
            false => format!("Expected at octet {at}: {kind}, {field}."),
        }),
    }
}

fn row(span: &Span, group: &str, colour: usize) -> Row {
    let place = match span.end.saturating_sub(span.start) {
        0 => format!("{}", span.start),
        1 => span.start.to_string(),
        _ => format!("{}–{}", span.start, span.end - 1),
    };
    Row {
        group: if span.group == group {
            String::new()
        } else {
            span.group.clone()
        },
        place,
        name: span.name.clone(),
        is_fault: span.value.contains(" octets needed"),
        value: match (span.value.is_empty(), span.end - span.start) {
            (true, length) if length > 4 => counted(length, "octet"),
            _ => span.value.clone(),
        },
        colour,
    }
}

/// Returns octets as they are shown: in hex, or as text in which control characters can be seen.
fn octets(picture: &Picture, start: usize, end: usize) -> String {
    let octets = picture.octets.get(start..end).unwrap_or_default();
    if picture.is_text {
        return visible(&cut(&String::from_utf8_lossy(octets)));
    }
    let head = octets.get(..OCTETS).unwrap_or(octets);
    let hex: Vec<_> = head.iter().map(|octet| format!("{octet:02x}")).collect();
    match octets.len() - head.len() {
        0 => hex.join(" "),
        more => format!("{} … {} more", hex.join(" "), counted(more, "octet")),
    }
}

/// The names of the control characters. Few fonts have their signs.
const CONTROLS: [&str; 32] = [
    "NUL", "SOH", "STX", "ETX", "EOT", "ENQ", "ACK", "BEL", "BS", "TAB", "LF", "VT", "FF", "CR",
    "SO", "SI", "DLE", "DC1", "DC2", "DC3", "DC4", "NAK", "SYN", "ETB", "CAN", "EM", "SUB", "ESC",
    "FS", "GS", "RS", "US",
];

/// Returns text with the names of its control characters. A line ends after LF.
fn visible(text: &str) -> String {
    let named = |control: char| {
        let name = usize::try_from(u32::from(control)).ok();
        name.and_then(|it| CONTROLS.get(it)).copied()
    };
    let mut visible = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' => visible += "‹LF›\n",
            '\u{7f}' => visible += "‹DEL›",
            it => match named(it) {
                Some(name) => visible += &format!("‹{name}›"),
                None => visible.push(it),
            },
        }
    }
    visible
}

/// Returns the begin of a long text, and its length.
fn cut(text: &str) -> String {
    match text.char_indices().nth(CHARACTERS) {
        None => text.to_owned(),
        Some((at, _)) => {
            let head = text.get(..at).unwrap_or_default();
            format!("{head}… ({} characters)", text.chars().count())
        }
    }
}

/// Returns a value as it is shown: its long texts are cut.
pub(in crate::report) fn shown(value: &Value) -> String {
    fn shortened(value: &Value) -> Value {
        match value {
            Value::String(text) => cut(text).into(),
            Value::Array(array) => array.iter().map(shortened).collect(),
            Value::Object(object) => object
                .iter()
                .map(|(key, value)| (cut(key), shortened(value)))
                .collect(),
            _ => value.clone(),
        }
    }
    serde_json::to_string_pretty(&shortened(value)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::picture::Walk;

    #[test]
    fn marks_the_octet_of_the_expected_error() {
        let mut walk = Walk::octets("m", vec![0xab; 200]).with_offsets();
        walk.take("a", 1);
        walk.skip(1);
        walk.take("b", 100);
        let picture = walk.finish();
        let parts = |mark| {
            let parts = drawn(&picture, Some(mark), "k", "f").parts;
            let marked = |part: &Part| (part.name.clone(), part.marked);
            parts.iter().map(marked).collect::<Vec<_>>()
        };
        let named = |marked: [bool; 4]| {
            let names = ["a", "", "b", ""].map(str::to_owned);
            names.into_iter().zip(marked).collect::<Vec<_>>()
        };
        assert_eq!(parts(0), named([true, false, false, false]));
        assert_eq!(parts(1), named([false, true, false, false]));
        assert_eq!(parts(101), named([false, false, true, false]));
        assert_eq!(parts(102), named([false, false, false, true]));
        assert_eq!(parts(200), named([false, false, false, true]));
        let drawn = drawn(&picture, None, "", "");
        assert_eq!(drawn.parts[0].shown, "ab");
        assert!(drawn.parts[2].shown.ends_with("ab … 4 octets more"));
        assert_eq!(drawn.legend[1].place, "2–101");
        assert_eq!(drawn.legend[1].value, "100 octets");
    }

    #[test]
    fn shows_control_characters_and_cuts_long_texts() {
        assert_eq!(
            visible("a\0\t\r\nb\u{7f}é\u{85}"),
            "a‹NUL›‹TAB›‹CR›‹LF›\nb‹DEL›é\u{85}"
        );
        let long = "é".repeat(601);
        let expected = format!("{}… (601 characters)", "é".repeat(600));
        assert_eq!(cut(&long), expected);
        assert_eq!(cut(&"é".repeat(600)), "é".repeat(600));
        assert_eq!(shown(&json!([long])), format!("[\n  \"{expected}\"\n]"));
    }
}
