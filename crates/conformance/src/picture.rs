//! Pictures of messages: octets, and the fields that they are.

use serde_json::{Map, Value};

/// The annotator of a suite's cases.
#[derive(Clone, Copy, Debug)]
pub struct Annotator {
    /// The suite.
    pub suite: &'static str,
    /// Draws the messages in a case's input, as far as their octets can be read. None if the input has none.
    pub draw: fn(&Map<String, Value>) -> Vec<Picture>,
}

/// A message field by field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// The name of the message.
    pub title: String,
    /// `true` if the octets are text.
    pub is_text: bool,
    /// The fields whose expected errors have their offset in these octets.
    pub offsets: Offsets,
    /// The octets.
    pub octets: Vec<u8>,
    /// The fields, in order, without overlaps. Octets of no field are between or after them.
    pub spans: Vec<Span>,
}

/// The fields whose errors have their offset in the octets of a picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Offsets {
    /// No field.
    #[default]
    None,
    /// All fields.
    All,
    /// This field.
    Of(&'static str),
    /// All fields but this.
    But(&'static str),
}

impl Offsets {
    /// Returns `true` if the offset of an error in this field counts in these octets.
    #[must_use]
    pub fn count_for(self, field: &str) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            Self::Of(only) => field == only,
            Self::But(other) => field != other,
        }
    }
}

/// A field of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// The structure that has the field, e.g. one of several of a kind; empty if there is one only.
    pub group: String,
    /// The field's name, as its document spells it.
    pub name: String,
    /// The first octet.
    pub start: usize,
    /// The octet after the last.
    pub end: usize,
    /// The value in words, or the reason for which the field is not whole; empty if the octets say it all.
    pub value: String,
}

/// Reads octets field by field and keeps the place of each.
#[derive(Debug)]
pub struct Walk {
    picture: Picture,
    at: usize,
    group: String,
}

impl Walk {
    /// Begins a picture of octets.
    #[must_use]
    pub fn octets(title: &str, octets: Vec<u8>) -> Self {
        let title = title.to_owned();
        let picture = Picture {
            title,
            is_text: false,
            offsets: Offsets::None,
            octets,
            spans: Vec::new(),
        };
        Self {
            picture,
            at: 0,
            group: String::new(),
        }
    }

    /// Begins a picture of text.
    #[must_use]
    pub fn text(title: &str, text: &str) -> Self {
        let mut walk = Self::octets(title, text.as_bytes().to_vec());
        walk.picture.is_text = true;
        walk
    }

    /// Says that the offset of an expected error, in whichever field, counts in these octets.
    #[must_use]
    pub fn with_offsets(self) -> Self {
        self.with_offsets_for(Offsets::All)
    }

    /// Names the fields whose expected errors have their offset in these octets.
    #[must_use]
    pub fn with_offsets_for(mut self, offsets: Offsets) -> Self {
        self.picture.offsets = offsets;
        self
    }

    /// Names the structure that has the fields that follow.
    pub fn group(&mut self, name: impl Into<String>) {
        self.group = name.into();
    }

    /// Returns the octets that are left.
    #[must_use]
    pub fn left(&self) -> &[u8] {
        self.picture.octets.get(self.at..).unwrap_or_default()
    }

    /// Returns the place of the next octet.
    #[must_use]
    pub const fn at(&self) -> usize {
        self.at
    }

    /// Takes a field of this length, and returns its octets. Returns `None` if fewer are left: those are the field, and
    /// its value says how many are missing.
    pub fn take(&mut self, name: &str, length: usize) -> Option<Vec<u8>> {
        let left = self.left().len();
        if left < length {
            self.push(name, left, format!("{length} octets needed, {left} left"));
            return None;
        }
        let octets = self.left().get(..length).unwrap_or_default().to_vec();
        self.push(name, length, String::new());
        Some(octets)
    }

    /// Takes a number of this length.
    pub fn number(&mut self, name: &str, length: usize) -> Option<usize> {
        let octets = self.take(name, length)?;
        let number = octets
            .iter()
            .fold(0_usize, |number, octet| number << 8 | usize::from(*octet));
        self.describe(number.to_string());
        Some(number)
    }

    /// Takes a length of so many octets, and then that many octets.
    pub fn vector(&mut self, name: &str, length: usize) -> Option<Vec<u8>> {
        let length = self.number(&format!("{name} (length)"), length)?;
        self.take(name, length)
    }

    /// Returns the number of octets before the first that `ends`, or of all that are left.
    #[must_use]
    pub fn until(&self, ends: impl Fn(u8) -> bool) -> usize {
        let left = self.left();
        left.iter()
            .position(|octet| ends(*octet))
            .unwrap_or(left.len())
    }

    /// Skips the white space that follows, line breaks included, and takes the comments in it (RFC 5322 section 3.2.2).
    /// A comment that does not end is all that is left.
    pub fn comments_and_white_space(&mut self) {
        loop {
            match self.left().first() {
                Some(b' ' | b'\t' | b'\r' | b'\n') => self.skip(1),
                Some(b'(') => {
                    let length = comment(self.left());
                    self.take("comment", length);
                }
                _ => return,
            }
        }
    }

    /// Takes all octets that are left, if any are.
    pub fn rest(&mut self, name: &str) {
        let left = self.left().len();
        if left > 0 {
            self.push(name, left, String::new());
        }
    }

    /// Skips octets that belong to no field.
    pub fn skip(&mut self, length: usize) {
        self.at += length.min(self.left().len());
    }

    /// Says the value of the last field in words.
    pub fn describe(&mut self, value: impl Into<String>) {
        if let Some(span) = self.picture.spans.last_mut() {
            span.value = value.into();
        }
    }

    /// Adds a field at a place after those before it; overlapping or empty ones are dropped.
    pub fn place(&mut self, name: &str, start: usize, end: usize) {
        if start >= self.at && end <= self.picture.octets.len() && start < end {
            self.at = start;
            self.push(name, end - start, String::new());
        }
    }

    fn push(&mut self, name: &str, length: usize, value: String) {
        let (start, end) = (self.at, self.at + length);
        self.at = end;
        self.picture.spans.push(Span {
            group: self.group.clone(),
            name: name.to_owned(),
            start,
            end,
            value,
        });
    }

    /// Returns the picture.
    #[must_use]
    pub fn finish(self) -> Picture {
        self.picture
    }
}

/// Returns the length of the comment at the beginning, those within it included.
fn comment(octets: &[u8]) -> usize {
    let (mut depth, mut is_escaped) = (0_usize, false);
    for (octet, length) in octets.iter().zip(1..) {
        match octet {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return length;
        }
    }
    octets.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_comments_and_skips_white_space() {
        let mut walk = Walk::text("m", " (a(b)\\)c)\r\n\t(d)e (f");
        walk.comments_and_white_space();
        assert_eq!(walk.until(|octet| octet == b' '), 1);
        walk.take("word", 1);
        walk.comments_and_white_space();
        let spans: Vec<_> = walk
            .finish()
            .spans
            .into_iter()
            .map(|it| (it.name, it.start..it.end))
            .collect();
        let expected = [
            ("comment", 1..10),
            ("comment", 13..16),
            ("word", 16..17),
            ("comment", 18..20),
        ];
        assert_eq!(
            spans,
            expected.map(|(name, place)| (name.to_owned(), place))
        );
    }

    #[test]
    fn names_the_fields_whose_offsets_count() {
        let counts = |offsets: Offsets| ["a", "b"].map(|field| offsets.count_for(field));
        assert_eq!(counts(Offsets::None), [false, false]);
        assert_eq!(counts(Offsets::All), [true, true]);
        assert_eq!(counts(Offsets::Of("a")), [true, false]);
        assert_eq!(counts(Offsets::But("a")), [false, true]);
    }

    #[test]
    fn keeps_the_place_of_each_field_and_says_what_is_missing() {
        let mut walk = Walk::octets("m", vec![2, 7, 8, 0, 3, 9]);
        assert_eq!(walk.vector("a", 1), Some(vec![7, 8]));
        walk.group("g");
        assert_eq!(walk.vector("b", 2), None);
        walk.rest("rest");
        let spans: Vec<_> = walk
            .finish()
            .spans
            .into_iter()
            .map(|it| (it.group, it.name, it.start..it.end, it.value))
            .collect();
        let span = |group: &str, name: &str, range, value: &str| {
            (group.to_owned(), name.to_owned(), range, value.to_owned())
        };
        let expected = [
            span("", "a (length)", 0..1, "2"),
            span("", "a", 1..3, ""),
            span("g", "b (length)", 3..5, "3"),
            span("g", "b", 5..6, "3 octets needed, 1 left"),
        ];
        assert_eq!(spans, expected);
    }

    #[test]
    fn places_fields_of_text_without_overlaps() {
        let mut walk = Walk::text("m", "a=b c");
        walk.place("name", 0, 1);
        walk.place("value", 2, 3);
        walk.place("again", 1, 3);
        walk.place("empty", 4, 4);
        walk.place("after", 4, 6);
        let spans: Vec<_> = walk.finish().spans.into_iter().map(|it| it.name).collect();
        assert_eq!(spans, ["name", "value"]);
    }
}
