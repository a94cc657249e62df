//! Messages of a file, found while it is read: one message, or those of an mbox (RFC 4155).

use std::io;

/// The form of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// An mbox if its first line that is not empty is a separator, else a message.
    Auto,
    Message,
    Mbox,
}

/// A part of a file, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part<'a> {
    /// A message begins; the line, counted from 1, that its header begins on, and the separator before it,
    /// line break included.
    Message(usize, &'a [u8]),
    /// Octets of the message, or before the first one.
    Text(&'a [u8]),
}

/// The longest held text: separators are shorter, and fewer empty lines precede the first one.
const LONGEST_HELD: usize = 1024;

const FROM: &[u8] = b"From ";

/// Finds messages in a file that is given piece by piece.
#[derive(Debug)]
pub(crate) struct Splitter {
    format: Format,
    /// The first line that is not empty was read.
    has_begun: bool,
    /// The start of a line that may be a separator, and at the start of the file the empty lines before it.
    held: Vec<u8>,
    is_holding: bool,
    /// The octets of the line so far, and that no other than CR is among them.
    line_octets: usize,
    line_is_empty: bool,
    previous_is_empty: bool,
    lines: usize,
    /// The number of `From ` lines that were not read as separators although they may be, and the first of them.
    doubts: usize,
    first_doubt: usize,
}

impl Splitter {
    pub(crate) const fn new(format: Format) -> Self {
        Self {
            format,
            has_begun: false,
            held: Vec::new(),
            is_holding: true,
            line_octets: 0,
            line_is_empty: true,
            previous_is_empty: true,
            lines: 0,
            doubts: 0,
            first_doubt: 0,
        }
    }

    /// Returns `true` if the file is an mbox, as far as it was read.
    pub(crate) fn is_mbox(&self) -> bool {
        self.format == Format::Mbox
    }

    /// Returns a warning, if it is in doubt which messages the file has.
    pub(crate) fn warning(&self) -> Option<String> {
        let first = self.first_doubt;
        match self.doubts {
            0 => None,
            _ if !self.is_mbox() => Some(format!(
                "line {first} begins with \"From \" but is no separator of an mbox (RFC 4155): read as \
                 one message; --mbox if it is an mbox"
            )),
            1 => Some(format!(
                "line {first} begins with \"From \" but is no separator of an mbox (RFC 4155), which has an \
                 empty line before it and a date: read as text"
            )),
            doubts => Some(format!(
                "{doubts} lines, the first of them line {first}, begin with \"From \" but are no separators \
                 of an mbox (RFC 4155), which have an empty line before them and a date: read as text"
            )),
        }
    }

    /// Reads more of the file.
    pub(crate) fn push(
        &mut self,
        chunk: &[u8],
        sink: &mut impl FnMut(Part<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut rest = chunk;
        while !rest.is_empty() {
            if self.has_begun && !self.is_mbox() {
                return sink(Part::Text(rest));
            }
            rest = if self.is_holding || self.begins_line(rest) {
                self.hold(rest, sink)?
            } else {
                self.pass(rest, sink)?
            };
        }
        Ok(())
    }

    /// Ends the file.
    pub(crate) fn finish(
        &mut self,
        sink: &mut impl FnMut(Part<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        if self.is_holding {
            self.decide(sink)?;
        }
        Ok(())
    }

    /// Returns `true` at a line that may be a separator.
    fn begins_line(&self, rest: &[u8]) -> bool {
        self.line_octets == 0 && rest.first() == FROM.first()
    }

    /// Reads text up to the next line that may be a separator.
    fn pass<'c>(
        &mut self,
        chunk: &'c [u8],
        sink: &mut impl FnMut(Part<'_>) -> io::Result<()>,
    ) -> io::Result<&'c [u8]> {
        let mut at = 0_usize;
        loop {
            let rest = chunk.get(at..).unwrap_or_default();
            if rest.is_empty() || at > 0 && self.begins_line(rest) {
                break;
            }
            at = at.saturating_add(self.read_line(rest));
        }
        let (text, rest) = chunk.split_at_checked(at).unwrap_or((chunk, &[]));
        sink(Part::Text(text))?;
        Ok(rest)
    }

    /// Reads to the end of the line, or of the input. Returns the number of octets.
    fn read_line(&mut self, rest: &[u8]) -> usize {
        let end = rest.iter().position(|octet| *octet == b'\n');
        let line = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
        self.line_octets = self.line_octets.saturating_add(line.len());
        self.line_is_empty &= matches!(line, b"" | b"\r") && self.line_octets < 2;
        let Some(end) = end else { return rest.len() };
        self.lines = self.lines.saturating_add(1);
        self.previous_is_empty = self.line_is_empty;
        self.line_is_empty = true;
        self.line_octets = 0;
        end.saturating_add(1)
    }

    /// Holds a line until it is clear if it is a separator.
    fn hold<'c>(
        &mut self,
        chunk: &'c [u8],
        sink: &mut impl FnMut(Part<'_>) -> io::Result<()>,
    ) -> io::Result<&'c [u8]> {
        self.is_holding = true;
        let end = chunk.iter().position(|octet| *octet == b'\n');
        let end = end.map_or(chunk.len(), |end| end.saturating_add(1));
        let room = LONGEST_HELD.saturating_sub(self.held.len());
        let (line, rest) = chunk
            .split_at_checked(end.min(room))
            .unwrap_or((chunk, &[]));
        self.held.extend_from_slice(line);
        let held = self.line_held();
        let is_empty = !self.has_begun && matches!(held, b"" | b"\r" | b"\n" | b"\r\n");
        let may_be_one = held.starts_with(FROM) && !held.ends_with(b"\n") || FROM.starts_with(held);
        if !(is_empty || may_be_one) || self.held.len() >= LONGEST_HELD {
            self.decide(sink)?;
        }
        Ok(rest)
    }

    /// Returns the held line, without the empty lines before the first one.
    fn line_held(&self) -> &[u8] {
        let mut held = self.held.as_slice();
        if self.has_begun {
            return held;
        }
        while let [b'\n', rest @ ..] | [b'\r', b'\n', rest @ ..] = held {
            held = rest;
        }
        held
    }

    /// Decides if the held line is a separator.
    fn decide(&mut self, sink: &mut impl FnMut(Part<'_>) -> io::Result<()>) -> io::Result<()> {
        let line = self.line_held().to_vec();
        let held = std::mem::take(&mut self.held);
        let (empty_lines, _) = held
            .split_at_checked(held.len().saturating_sub(line.len()))
            .unwrap_or_default();
        let is_first = !self.has_begun;
        (self.is_holding, self.has_begun) = (false, true);
        let is_from = line.starts_with(FROM);
        let has_date = is_from && is_separator(&line);
        let mut rest = empty_lines;
        while !rest.is_empty() {
            rest = rest.get(self.read_line(rest)..).unwrap_or_default();
        }
        let number = self.lines.saturating_add(1);
        let after_empty = is_first || self.previous_is_empty;
        let is_one = match self.format {
            Format::Message => false,
            Format::Auto => is_first && has_date,
            Format::Mbox => after_empty && has_date || is_first && is_from,
        };
        let in_doubt = match self.format {
            Format::Message => false,
            Format::Auto => is_from && !has_date,
            // The option `--mbox` decides.
            Format::Mbox if is_first => false,
            Format::Mbox => is_from && (after_empty != has_date),
        };
        if in_doubt {
            self.doubts = self.doubts.saturating_add(1);
            if self.doubts == 1 {
                self.first_doubt = number;
            }
        }
        self.read_line(&line);
        if self.format == Format::Auto {
            self.format = if is_one {
                Format::Mbox
            } else {
                Format::Message
            };
        }
        if is_one {
            sink(Part::Text(empty_lines))?;
            return sink(Part::Message(number.saturating_add(1), &line));
        }
        if is_first {
            sink(Part::Message(1, b""))?;
            sink(Part::Text(empty_lines))?;
        }
        sink(Part::Text(&line))
    }
}

/// Returns `true` for the separator of RFC 4155: `From `, a sender, and a date as `asctime` writes it, which
/// may have a time zone before or after the year, and more text after it.
pub(crate) fn is_separator(line: &[u8]) -> bool {
    let Some(rest) = line.strip_prefix(FROM) else {
        return false;
    };
    let Ok(rest) = std::str::from_utf8(rest) else {
        return false;
    };
    let words: Vec<_> = rest.split_ascii_whitespace().collect();
    let date = |words: &[&str]| match words {
        [weekday, month, day, time, years @ ..] => {
            const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
            const MONTHS: [&str; 12] = [
                "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
            ];
            WEEKDAYS.contains(weekday)
                && MONTHS.contains(month)
                && is_number(day, 1..=31)
                && is_time(time)
                && years
                    .iter()
                    .take(3)
                    .any(|year| is_number(year, 1970..=9999))
        }
        _ => false,
    };
    (1..words.len()).any(|at| words.get(at..).is_some_and(date))
}

fn is_number(text: &str, range: std::ops::RangeInclusive<u16>) -> bool {
    let is_digits = text.bytes().all(|octet| octet.is_ascii_digit());
    is_digits && text.parse().is_ok_and(|number| range.contains(&number))
}

fn is_time(text: &str) -> bool {
    let parts: Vec<_> = text.split(':').collect();
    let (hours, minutes, seconds) = match parts.as_slice() {
        [hours, minutes] => (*hours, *minutes, "0"),
        [hours, minutes, seconds] => (*hours, *minutes, *seconds),
        _ => return false,
    };
    is_number(hours, 0..=23) && is_number(minutes, 0..=59) && is_number(seconds, 0..=60)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATE: &str = "From a@b Thu Jan  1 00:00:00 2026";

    /// The parts, joined where pieces do not matter; the same octet by octet.
    fn split(format: Format, file: &str) -> (Vec<(usize, String, String)>, String, Option<String>) {
        let split_by = |length: usize| {
            let mut splitter = Splitter::new(format);
            let (mut messages, mut before) = (Vec::<(usize, String, String)>::new(), String::new());
            let mut sink = |part: Part<'_>| {
                match (part, messages.last_mut()) {
                    (Part::Message(line, separator), _) => {
                        let separator = String::from_utf8_lossy(separator).into_owned();
                        messages.push((line, separator, String::new()));
                    }
                    (Part::Text(text), None) => before.push_str(&String::from_utf8_lossy(text)),
                    (Part::Text(text), Some(message)) => {
                        message.2.push_str(&String::from_utf8_lossy(text));
                    }
                }
                Ok(())
            };
            for piece in file.as_bytes().chunks(length) {
                splitter.push(piece, &mut sink).expect("a sink");
            }
            splitter.finish(&mut sink).expect("a sink");
            (messages, before, splitter.warning())
        };
        let whole = split_by(1 << 20);
        assert_eq!(split_by(1), whole);
        whole
    }

    fn message(line: usize, separator: &str, text: &str) -> (usize, String, String) {
        (line, separator.to_owned(), text.to_owned())
    }

    #[test]
    fn splits_an_mbox_at_separators_after_an_empty_line() {
        let mbox = format!("{DATE}\nA: b\n\nFrom now\n>{DATE}\n\n{DATE}\n\nx\n{DATE}\n");
        let (messages, before, warning) = split(Format::Auto, &mbox);
        let first = "A: b\n\nFrom now\n>From a@b Thu Jan  1 00:00:00 2026\n\n";
        let separator = format!("{DATE}\n");
        let second = format!("\nx\n{DATE}\n");
        assert_eq!(
            messages,
            [
                message(2, &separator, first),
                message(8, &separator, &second)
            ]
        );
        assert_eq!(before, "");
        let warning = warning.expect("a warning");
        assert!(
            warning.starts_with("2 lines, the first of them line 4, begin"),
            "{warning}"
        );
    }

    #[test]
    fn reads_separator_that_is_too_long_as_text() {
        let long = "a".repeat(2000);
        let file = format!("From {long}@b Thu Jan  1 00:00:00 2026\nA: b\n");
        let (messages, before, warning) = split(Format::Auto, &file);
        assert_eq!(
            (messages, before.as_str()),
            (vec![message(1, "", &file)], "")
        );
        assert!(warning.is_some_and(|it| it.starts_with("line 1 begins with \"From \"")));
        let file = format!("{}{DATE}\nA: b\n", "\n".repeat(LONGEST_HELD));
        let (messages, _, warning) = split(Format::Auto, &file);
        assert_eq!((messages, warning), (vec![message(1, "", &file)], None));
    }

    #[test]
    fn reads_line_of_carriage_returns_as_text() {
        let mbox = format!("{DATE}\nA: b\n\n\r\r\n{DATE}\nC: d\n");
        let (messages, _, warning) = split(Format::Auto, &mbox);
        let text = format!("A: b\n\n\r\r\n{DATE}\nC: d\n");
        assert_eq!(messages, [message(2, &format!("{DATE}\n"), &text)]);
        assert!(warning.is_some_and(|it| it.starts_with("line 5 begins with \"From \"")));
    }

    #[test]
    fn finds_an_mbox_after_empty_lines() {
        for empty in ["\n", "\r\n", "\n\n\r\n"] {
            let (messages, before, warning) =
                split(Format::Auto, &format!("{empty}{DATE}\r\nA: b\r\n\r\n"));
            let line = empty.matches('\n').count() + 2;
            assert_eq!(
                messages,
                [message(line, &format!("{DATE}\r\n"), "A: b\r\n\r\n")]
            );
            assert_eq!((before.as_str(), warning), (empty, None));
        }
    }

    #[test]
    fn takes_a_file_for_a_message_if_its_first_line_has_no_date() {
        let file = format!("From me to you\nA: b\n\n{DATE}\nC: d\n");
        let (messages, before, warning) = split(Format::Auto, &file);
        assert_eq!(
            (messages, before.as_str()),
            (vec![message(1, "", &file)], "")
        );
        assert!(warning.is_some_and(|it| it.starts_with("line 1 begins with \"From \"")));
        let (messages, _, warning) = split(Format::Message, &file);
        assert_eq!((messages, warning), (vec![message(1, "", &file)], None));
        let (messages, _, warning) = split(Format::Mbox, &file);
        assert_eq!(
            messages,
            [
                message(2, "From me to you\n", "A: b\n\n"),
                message(5, &format!("{DATE}\n"), "C: d\n")
            ]
        );
        assert_eq!(warning, None);
        for file in ["", "\n", "A: b", "\n\nA: b\n\nFrom x", "F", "Fro", "From:"] {
            let (messages, before, warning) = split(Format::Auto, file);
            assert_eq!(
                (messages, before.as_str()),
                (vec![message(1, "", file)], "")
            );
            assert_eq!(warning, None, "{file:?}");
        }
    }

    #[test]
    fn knows_the_separators_of_mail_programs() {
        for line in [
            DATE,
            "From - Thu Jan 01 00:00:00 2026",
            "From MAILER-DAEMON Fri Jul  8 12:08:34 2011\r\n",
            "From a at b.example  Thu Jan 1 00:00 2026",
            "From a@b Thu Jan  1 00:00:00 CET 2026",
            "From a@b Thu Jan  1 00:00:00 2026 +0100",
            "From a@b Thu Jan  1 00:00:00 2026 remote from c",
            "From \"a b\"@c Thu Jan  1 23:59:60 2026",
        ] {
            assert!(is_separator(line.as_bytes()), "{line}");
        }
        for line in [
            "From a",
            "From ",
            "From Thu Jan  1 00:00:00 2026",
            "From a@b Thu Jan 32 00:00:00 2026",
            "From a@b Thu Jan  1 24:00:00 2026",
            "From a@b Thu Jan  1 00:00:00",
            "From a@b Thu Jan  1 00 2026",
            "From a@b Thx Jan  1 00:00:00 2026",
            "From a@b Thu Jun. 1 00:00:00 2026",
            "From a@b 1 Jan 2026 00:00:00",
            "From the first of Thu Jan on we met at 10:00 2026",
            ">From a@b Thu Jan  1 00:00:00 2026",
            "from a@b Thu Jan  1 00:00:00 2026",
        ] {
            assert!(!is_separator(line.as_bytes()), "{line}");
        }
    }
}
