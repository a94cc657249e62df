//! The input: a value, field lines, a message or an mbox, and the fields to check in it, found while it
//! is read.

mod line_ends;

use std::{
    borrow::Cow,
    io::{self, Read},
};

use authres_tls::{
    StripPolicy, Stripper,
    message::fields,
    strip::{AUTHENTICATION_RESULTS, Disguise, StripScope},
    syntax::Limits,
};
use clap::ValueEnum;
use serde::Serialize;

use self::line_ends::Counted;
pub(crate) use self::line_ends::LineEnds;
use crate::{
    mbox::{Format, Part, Splitter, is_separator},
    source,
};

const ARC_AUTHENTICATION_RESULTS: &str = "ARC-Authentication-Results";

/// The length of the beginning of a file, by which its kind is detected.
const BEGINNING: usize = 1 << 16;

/// Fields are kept back so long, until it is known how the lines of the header end.
const KEPT_BACK: usize = 1 << 20;

/// The largest part of a field that is kept: a little more than the parser accepts, so that the parser reports the
/// limit.
const LONGEST_FIELD: usize = (1 << 20) + 1024;
const _: () = assert!(Limits::DEFAULT.bytes == 1 << 20);

/// The kind of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// The text after the colon of a field
    Value,
    /// Field lines
    Header,
    /// Header and body
    Message,
    /// Messages, each after a separator: an empty line, and a line with `From `, a sender and a date
    Mbox,
}

impl Kind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Value => "value",
            Self::Header => "header",
            Self::Message => "message",
            Self::Mbox => "mbox",
        }
    }
}

/// Tells the kind of a file by its beginning.
fn kind_of(beginning: &[u8], is_whole: bool) -> Kind {
    let mut lines = beginning.split_inclusive(|octet| *octet == b'\n');
    let is_empty_line = |line: &&[u8]| matches!(*line, b"\n" | b"\r\n");
    let first = lines.by_ref().find(|line| !is_empty_line(line));
    let first = first.unwrap_or_default();
    if is_separator(first) {
        return Kind::Mbox;
    }
    if first.starts_with(b"From ") || beginning.is_empty() {
        return Kind::Message;
    }
    let Some(colon) = beginning.iter().position(|octet| *octet == b':') else {
        return Kind::Value;
    };
    // A name may be disguised.
    let name = beginning.get(..colon).unwrap_or_default().iter().copied();
    let name: Vec<_> = name.filter(|octet| matches!(octet, b' '..=b'~')).collect();
    let in_name = |octet: &u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_');
    if name.is_empty() || !name.trim_ascii_end().iter().all(in_name) {
        return Kind::Value;
    }
    if !is_whole || lines.any(|line| is_empty_line(&line)) {
        Kind::Message
    } else {
        Kind::Header
    }
}

/// The fields of a file.
pub(crate) struct Input<'r> {
    reader: &'r mut dyn Read,
    beginning: Vec<u8>,
    pub(crate) kind: Kind,
}

impl<'r> Input<'r> {
    /// Reads the beginning of a file, and tells its kind unless that is given.
    pub(crate) fn new(reader: &'r mut dyn Read, kind: Option<Kind>) -> io::Result<Self> {
        let mut beginning = Vec::new();
        let limit = u64::try_from(BEGINNING).unwrap_or(u64::MAX);
        (&mut *reader).take(limit).read_to_end(&mut beginning)?;
        let is_whole = beginning.len() < BEGINNING;
        let kind = kind.unwrap_or_else(|| kind_of(&beginning, is_whole));
        Ok(Self {
            reader,
            beginning,
            kind,
        })
    }

    /// Gives the fields to look at to `each`, in order.
    pub(crate) fn each(self, mut each: impl FnMut(&Found) -> io::Result<()>) -> io::Result<Ended> {
        let mut reader = self.beginning.as_slice().chain(self.reader);
        if self.kind == Kind::Value {
            let mut value = Vec::new();
            let limit = u64::try_from(LONGEST_FIELD).unwrap_or(u64::MAX);
            reader.by_ref().take(limit).read_to_end(&mut value)?;
            each(&Found::value(&value))?;
            return Ok(Ended::default());
        }
        let mut splitter = Splitter::new(match self.kind {
            Kind::Mbox => Format::Mbox,
            Kind::Value | Kind::Header | Kind::Message => Format::Message,
        });
        let mut header = None::<Header>;
        let mut place = 0_usize;
        let mut not_searched = Vec::new();
        let mut sink = |part: Part<'_>| {
            match part {
                Part::Message(line, _) => {
                    if let Some(mut last) = header.take() {
                        last.finish(&mut each)?;
                        not_searched.append(&mut last.not_searched);
                        place = place.saturating_add(1);
                    }
                    header = Some(Header::new(place, line));
                }
                Part::Text(text) => {
                    if let Some(header) = &mut header {
                        header.push(text, &mut each)?;
                    }
                }
            }
            Ok(())
        };
        source::read(&mut reader, |piece| splitter.push(piece, &mut sink))?;
        splitter.finish(&mut sink)?;
        if let Some(mut header) = header {
            header.finish(&mut each)?;
            not_searched.append(&mut header.not_searched);
        }
        Ok(Ended {
            warning: splitter.warning(),
            not_searched,
        })
    }
}

/// The end of a file.
#[derive(Debug, Default)]
pub(crate) struct Ended {
    pub(crate) warning: Option<String>,
    /// The fields that are longer than 1 MiB.
    pub(crate) not_searched: Vec<NotSearched>,
}

/// A field that is too long: forged fields that only some readers see were searched for in its first MiB only.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct NotSearched {
    /// The message's place in an mbox, and the field's in the message, counted from 0.
    message: usize,
    field: usize,
    /// The line it begins on, counted from 1.
    line: usize,
}

impl NotSearched {
    /// Returns the finding, after the file's name.
    pub(crate) fn text(self, file: &str) -> String {
        let Self { field, line, .. } = self;
        format!(
            "{file}:{line}: field {field} is longer than 1 MiB: hidden fields after that were not searched for; \
             `authres strip --check` does"
        )
    }
}

/// The header of a message, field by field.
struct Header {
    message: usize,
    /// The line, counted from 1, that the current field begins on, and that is read.
    field_line: usize,
    line: usize,
    /// The current field, up to the longest, and that its last line has ended.
    field: Vec<u8>,
    line_has_ended: bool,
    /// Fields before it.
    fields: usize,
    is_cut: bool,
    not_searched: Vec<NotSearched>,
    has_ended: bool,
    line_ends: Counted,
    kept_back: Vec<Found>,
}

impl Header {
    fn new(message: usize, line: usize) -> Self {
        Self {
            message,
            field_line: line,
            line,
            field: Vec::new(),
            line_has_ended: false,
            fields: 0,
            is_cut: false,
            not_searched: Vec::new(),
            has_ended: false,
            line_ends: Counted::default(),
            kept_back: Vec::new(),
        }
    }

    fn push(
        &mut self,
        mut text: &[u8],
        each: &mut impl FnMut(&Found) -> io::Result<()>,
    ) -> io::Result<()> {
        while !text.is_empty() && !self.has_ended {
            // A line has ended. The next octet shows if the field has ended, too.
            if self.line_has_ended && !matches!(text.first(), Some(b' ' | b'\t')) {
                self.end_field(each)?;
                if self.has_ended {
                    break;
                }
            }
            let end = text.iter().position(|octet| *octet == b'\n');
            let end = end.map_or(text.len(), |end| end.saturating_add(1));
            let (line, rest) = text.split_at_checked(end).unwrap_or((text, &[]));
            self.line = self.line.saturating_add(line_breaks(line));
            let room = LONGEST_FIELD.saturating_sub(self.field.len());
            self.is_cut |= line.len() > room;
            let kept = line.get(..line.len().min(room)).unwrap_or_default();
            self.field.extend_from_slice(kept);
            self.line_has_ended = line.ends_with(b"\n");
            text = rest;
        }
        Ok(())
    }

    fn finish(&mut self, each: &mut impl FnMut(&Found) -> io::Result<()>) -> io::Result<()> {
        if !self.has_ended {
            self.end_field(each)?;
            self.end(each)?;
        }
        Ok(())
    }

    fn end(&mut self, each: &mut impl FnMut(&Found) -> io::Result<()>) -> io::Result<()> {
        self.has_ended = true;
        self.flush(each)
    }

    fn flush(&mut self, each: &mut impl FnMut(&Found) -> io::Result<()>) -> io::Result<()> {
        let line_ends = self.line_ends.line_ends();
        for mut found in self.kept_back.drain(..) {
            found.line_ends = line_ends;
            // The place of the value is the same: a colon has no line break before it, or has it restored.
            if let Cow::Owned(text) = line_ends.restore(&found.text) {
                let name = found.text.get(..found.value_at).map_or(0, line_breaks);
                found.value_at = found.value_at.saturating_add(name);
                found.text = text;
            }
            each(&found)?;
        }
        Ok(())
    }

    /// The current field is complete.
    fn end_field(&mut self, each: &mut impl FnMut(&Found) -> io::Result<()>) -> io::Result<()> {
        let text = std::mem::take(&mut self.field);
        if matches!(text.as_slice(), b"\n" | b"\r\n") {
            // As for `Stripper`: CRLF at the start, or after a line that ends in LF, ends the header not for
            // every reader.
            if text == b"\n" || self.line_ends.ends_in_crlf {
                return self.end(each);
            }
        }
        self.line_ends = self.line_ends.with(&text);
        self.look_at(&text);
        if std::mem::take(&mut self.is_cut) {
            self.not_searched.push(NotSearched {
                message: self.message,
                field: self.fields,
                line: self.field_line,
            });
        }
        self.fields = self.fields.saturating_add(fields(&text).count());
        self.field_line = self.line;
        self.line_has_ended = false;
        let kept_back: usize = self.kept_back.iter().map(|found| found.text.len()).sum();
        if kept_back > KEPT_BACK || self.kept_back.len() > 1024 {
            self.flush(each)?;
        }
        self.field = text;
        self.field.clear();
        Ok(())
    }

    /// Finds the fields in a field's text: itself, and those that only some readers see.
    fn look_at(&mut self, text: &[u8]) {
        let found = |name, disguise, line, text: &[u8], value_at| Found {
            message: self.message,
            field: self.fields,
            line,
            name: Some(name),
            line_ends: LineEnds::Crlf,
            text: without_line_break(text).to_vec(),
            value_at,
            disguise,
        };
        let field = fields(text).next();
        let colon = text.iter().position(|octet| *octet == b':').unwrap_or(0);
        let value_at = colon.saturating_add(1);
        let name = field.and_then(|field| {
            [AUTHENTICATION_RESULTS, ARC_AUTHENTICATION_RESULTS]
                .into_iter()
                .find(|name| field.name().eq_ignore_ascii_case(name.as_bytes()))
        });
        let mut all = Vec::new();
        if let Some(name) = name {
            all.push(found(name, None, self.field_line, text, value_at));
        }
        let policy = StripPolicy::of(StripScope::All);
        let mut stripper = Stripper::new(&policy);
        let mut rest = Vec::new();
        stripper.push(text, &mut rest);
        stripper.finish(&mut rest);
        for removal in stripper.take_removals() {
            if name.is_some() && removal.value.start == value_at {
                continue;
            }
            let from = removal.span.start;
            let disguise = removal.disguise.unwrap_or(Disguise::Name);
            let line = self.field_line.saturating_add(removal.line);
            all.push(found(
                AUTHENTICATION_RESULTS,
                Some(disguise),
                line,
                text.get(from..removal.value.end).unwrap_or_default(),
                removal.value.start.saturating_sub(from),
            ));
        }
        self.kept_back.extend(all);
    }
}

/// A field, or a value alone.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    /// The message's place in an mbox, counted from 0.
    pub(crate) message: usize,
    /// The field's place among all fields of the message, counted from 0.
    pub(crate) field: usize,
    /// The line it begins on, counted from 1.
    pub(crate) line: usize,
    /// `None` for a value alone.
    pub(crate) name: Option<&'static str>,
    pub(crate) line_ends: LineEnds,
    /// The field in the message, from its name on.
    pub(crate) text: Vec<u8>,
    /// The place in it where the value begins.
    pub(crate) value_at: usize,
    /// Only some readers see the field.
    pub(crate) disguise: Option<Disguise>,
}

impl Found {
    fn value(octets: &[u8]) -> Self {
        let text = without_line_break(octets);
        let line_ends = LineEnds::of(text);
        Self {
            message: 0,
            field: 0,
            line: 1,
            name: None,
            line_ends,
            text: line_ends.restore(text).into_owned(),
            value_at: 0,
            disguise: None,
        }
    }

    /// Returns the octets after the colon.
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

/// Returns the number of lines that end in a piece of text.
pub(crate) fn line_breaks(text: &[u8]) -> usize {
    text.iter().filter(|octet| **octet == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(text: &str) -> Kind {
        kind_of(text.as_bytes(), true)
    }

    #[test]
    fn detects_kind_of_file_by_first_line() {
        assert_eq!(kind(""), Kind::Message);
        assert_eq!(kind_of(b"A: b\r\nC: d\r\n", false), Kind::Message);
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
        assert_eq!(
            kind("\n\r\nFrom a@b Thu Jan  1 00:00:00 2026\nA: b\n\n"),
            Kind::Mbox
        );
        assert_eq!(kind("From a\nA: b\n\n"), Kind::Message);
        assert_eq!(kind("\u{feff}A: b\n\n"), Kind::Message);
    }
}
