//! What is read: a value, field lines, a message or an mbox, and the fields to look at in it.

use std::{
    borrow::Cow,
    fs,
    io::{self, Read as _},
    path::Path,
};

use authres_tls::{AUTHENTICATION_RESULTS, fields};

use crate::{arguments::Kind, visible::Visible};

const ARC_AUTHENTICATION_RESULTS: &str = "ARC-Authentication-Results";

/// The octets of a file, and what they are called.
pub(crate) struct File {
    pub(crate) name: String,
    pub(crate) octets: Vec<u8>,
}

impl File {
    /// Reads a file, or standard input for `-`.
    pub(crate) fn read(path: &Path) -> io::Result<Self> {
        if path == Path::new("-") {
            let mut octets = Vec::new();
            io::stdin().lock().read_to_end(&mut octets)?;
            let name = "stdin".to_owned();
            return Ok(Self { name, octets });
        }
        let name = Visible(&path.display().to_string()).to_string();
        let octets = fs::read(path)
            .map_err(|error| io::Error::new(error.kind(), format!("{name}: {error}")))?;
        Ok(Self { name, octets })
    }

    /// What it seems to be.
    pub(crate) fn kind(&self) -> Kind {
        if self.octets.starts_with(FROM) {
            return Kind::Mbox;
        }
        let Some(colon) = self.octets.iter().position(|octet| *octet == b':') else {
            return Kind::Value;
        };
        let name = self.octets.get(..colon).unwrap_or_default();
        let in_name = |octet: &u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_');
        if name.is_empty() || !name.trim_ascii_end().iter().all(in_name) {
            return Kind::Value;
        }
        let is_empty_line = |line: &[u8]| matches!(line, b"\n" | b"\r\n");
        let mut lines = self.octets.split_inclusive(|octet| *octet == b'\n');
        if lines.any(is_empty_line) {
            Kind::Message
        } else {
            Kind::Header
        }
    }

    /// The fields to look at.
    pub(crate) fn found(&self, kind: Kind) -> Vec<Found<'_>> {
        match kind {
            Kind::Value => vec![Found::value(&self.octets)],
            Kind::Header | Kind::Message => found_in(0, 1, &self.octets),
            Kind::Mbox => messages(&self.octets)
                .into_iter()
                .enumerate()
                .flat_map(|(place, message)| found_in(place, message.line, message.octets))
                .collect(),
        }
    }
}

const FROM: &[u8] = b"From ";

/// A message of an mbox, its `From ` line included.
pub(crate) struct Message<'a> {
    /// The line it begins on, counted from 1.
    pub(crate) line: usize,
    pub(crate) octets: &'a [u8],
}

/// The messages of an mbox: each line that begins with `From ` begins one. Lines quoted as `>From ` are
/// left as they are. What stands before the first is a message as well: nothing is passed over.
pub(crate) fn messages(mbox: &[u8]) -> Vec<Message<'_>> {
    let mut messages = Vec::new();
    let (mut start, mut start_line, mut offset) = (0, 1, 0_usize);
    for (place, line) in mbox.split_inclusive(|octet| *octet == b'\n').enumerate() {
        let number = place.saturating_add(1);
        if line.starts_with(FROM) && offset > 0 {
            let octets = mbox.get(start..offset).unwrap_or_default();
            messages.push(Message {
                line: start_line,
                octets,
            });
            (start, start_line) = (offset, number);
        }
        offset = offset.saturating_add(line.len());
    }
    messages.push(Message {
        line: start_line,
        octets: mbox.get(start..).unwrap_or_default(),
    });
    messages
}

/// How the lines of a header end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LineEnds {
    /// CRLF, or there are none.
    Crlf,
    /// LF all over: as files are kept on Unix.
    Lf,
    /// Some of each.
    Mixed,
}

impl LineEnds {
    fn of(text: &[u8]) -> Self {
        let lines = text.split_inclusive(|octet| *octet == b'\n');
        let (mut crlf, mut lf) = (false, false);
        for line in lines {
            if line.ends_with(b"\r\n") {
                crlf = true;
            } else if line.ends_with(b"\n") {
                lf = true;
            }
        }
        match (crlf, lf) {
            (_, false) => Self::Crlf,
            (false, true) => Self::Lf,
            (true, true) => Self::Mixed,
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Crlf => "crlf",
            Self::Lf => "lf",
            Self::Mixed => "mixed",
        }
    }

    /// The text with CRLF for LF, if it is LF all over: the file is kept so, the field was not sent so.
    fn restore(self, text: &[u8]) -> Cow<'_, [u8]> {
        if self != Self::Lf || !text.contains(&b'\n') {
            return Cow::Borrowed(text);
        }
        let mut restored = Vec::with_capacity(text.len());
        for line in text.split_inclusive(|octet| *octet == b'\n') {
            match line.strip_suffix(b"\n") {
                Some(line) => {
                    restored.extend_from_slice(line);
                    restored.extend_from_slice(b"\r\n");
                }
                None => restored.extend_from_slice(line),
            }
        }
        Cow::Owned(restored)
    }
}

/// A field, or a value alone.
pub(crate) struct Found<'a> {
    /// The message's place in an mbox, counted from 0.
    pub(crate) message: usize,
    /// The field's place among all fields of the message, counted from 0.
    pub(crate) field: usize,
    /// The line it begins on, counted from 1.
    pub(crate) line: usize,
    /// `None` of a value alone.
    pub(crate) name: Option<&'static str>,
    pub(crate) line_ends: LineEnds,
    /// The field as it stands, from its name on.
    pub(crate) text: Cow<'a, [u8]>,
    /// Where in it the value begins.
    pub(crate) value_at: usize,
}

impl<'a> Found<'a> {
    fn value(octets: &'a [u8]) -> Self {
        let text = without_line_break(octets);
        let line_ends = LineEnds::of(text);
        Self {
            message: 0,
            field: 0,
            line: 1,
            name: None,
            line_ends,
            text: line_ends.restore(text),
            value_at: 0,
        }
    }

    /// What stands behind the colon.
    pub(crate) fn octets(&self) -> &[u8] {
        self.text.get(self.value_at..).unwrap_or_default()
    }

    pub(crate) fn is_arc(&self) -> bool {
        self.name == Some(ARC_AUTHENTICATION_RESULTS)
    }
}

fn without_line_break(octets: &[u8]) -> &[u8] {
    let octets = octets.strip_suffix(b"\n").unwrap_or(octets);
    octets.strip_suffix(b"\r").unwrap_or(octets)
}

fn found_in(message: usize, first_line: usize, octets: &[u8]) -> Vec<Found<'_>> {
    let end = fields(octets).last().map_or(0, |field| field.span().end);
    let line_ends = LineEnds::of(octets.get(..end).unwrap_or_default());
    let (mut offset, mut line) = (0, first_line);
    let mut found = Vec::new();
    for (place, field) in fields(octets).enumerate() {
        let span = field.span();
        line = line.saturating_add(line_breaks(octets.get(offset..span.start)));
        offset = span.start;
        let name = [AUTHENTICATION_RESULTS, ARC_AUTHENTICATION_RESULTS]
            .into_iter()
            .find(|name| field.name().eq_ignore_ascii_case(name.as_bytes()));
        if name.is_none() {
            continue;
        }
        let text = without_line_break(octets.get(span).unwrap_or_default());
        let colon = text.iter().position(|octet| *octet == b':');
        found.push(Found {
            message,
            field: place,
            line,
            name,
            line_ends,
            text: line_ends.restore(text),
            value_at: colon.map_or(0, |colon| colon.saturating_add(1)),
        });
    }
    found
}

/// How many lines end in a piece of text.
pub(crate) fn line_breaks(text: Option<&[u8]>) -> usize {
    let octets = text.unwrap_or_default().iter();
    octets.filter(|octet| **octet == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(text: &str) -> Kind {
        let (name, octets) = (String::new(), text.into());
        File { name, octets }.kind()
    }

    #[test]
    fn the_first_line_says_what_a_file_is() {
        assert_eq!(kind(""), Kind::Value);
        assert_eq!(kind("mx.example; none"), Kind::Value);
        assert_eq!(
            kind("mx.example; tls=pass cert.clientalt=\"DNS:a.example\""),
            Kind::Value
        );
        assert_eq!(kind("\r\n mx.example; none\r\n"), Kind::Value);
        assert_eq!(
            kind("Authentication-Results : mx.example; none"),
            Kind::Header
        );
        assert_eq!(kind("A: b\r\nC: d\r\n"), Kind::Header);
        assert_eq!(kind("A: b\n\nbody"), Kind::Message);
        assert_eq!(
            kind("From a@b Thu Jan  1 00:00:00 2026\nA: b\n\n"),
            Kind::Mbox
        );
    }

    #[test]
    fn messages_of_an_mbox_begin_at_from_lines_and_none_is_lost() {
        let mbox = "x\nFrom a\nA: b\n\n>From c\nFrom d\n\nFrom";
        let messages: Vec<_> = messages(mbox.as_bytes())
            .into_iter()
            .map(|it| (it.line, String::from_utf8_lossy(it.octets).into_owned()))
            .collect();
        assert_eq!(
            messages,
            [
                (1, "x\n".to_owned()),
                (2, "From a\nA: b\n\n>From c\n".to_owned()),
                (6, "From d\n\nFrom".to_owned()),
            ]
        );
    }

    #[test]
    fn only_line_ends_that_are_lf_all_over_are_restored() {
        let restored = |text: &str| {
            let ends = LineEnds::of(text.as_bytes());
            (
                ends,
                String::from_utf8_lossy(&ends.restore(text.as_bytes())).into_owned(),
            )
        };
        assert_eq!(
            restored("a\n b\n"),
            (LineEnds::Lf, "a\r\n b\r\n".to_owned())
        );
        assert_eq!(
            restored("a\n b\r\n"),
            (LineEnds::Mixed, "a\n b\r\n".to_owned())
        );
        assert_eq!(
            restored("a\r\n b\r\n"),
            (LineEnds::Crlf, "a\r\n b\r\n".to_owned())
        );
        assert_eq!(restored("a"), (LineEnds::Crlf, "a".to_owned()));
    }
}
