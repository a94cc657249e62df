//! Lines: parts go behind a blank or on a new line, and what is too long for a line is folded before
//! blanks that it has, so that unfolding gives them all back.

use alloc::string::String;
use core::fmt::Write as _;

use super::{
    options::WriteOptions,
    text::{CommentBuf, Delimiters, Value},
};

/// Something cannot be folded to fit: where in its text.
pub(super) struct TooLong(pub(super) usize);

/// Writes parts of a value, and counts the octets of the line.
pub(super) struct Folder<'o> {
    out: &'o mut String,
    column: usize,
    soft: usize,
    hard: usize,
    line_break: &'static str,
}

pub(super) const fn is_blank(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t')
}

impl<'o> Folder<'o> {
    /// So many octets are on the line already.
    pub(super) fn new(out: &'o mut String, column: usize, options: &WriteOptions) -> Self {
        Self {
            out,
            column,
            soft: options.soft_limit.min(options.hard_limit),
            hard: options.hard_limit,
            line_break: options.indent.line_break(),
        }
    }

    /// Whether so many octets more would make the line longer than it must be.
    pub(super) const fn overflows(&self, more: usize) -> bool {
        self.column.saturating_add(more) > self.hard
    }

    const fn fits(&self, more: usize) -> bool {
        self.column.saturating_add(more) <= self.soft
    }

    /// Begins a line.
    pub(super) fn fold(&mut self) {
        self.out.push_str(self.line_break);
        self.column = self.line_break.len().saturating_sub(2);
    }

    /// Begins a part of so many octets.
    pub(super) fn part(&mut self, length: usize) {
        if self.fits(length.saturating_add(1)) {
            self.push(" ");
        } else {
            self.fold();
        }
    }

    pub(super) fn push(&mut self, text: &str) {
        self.out.push_str(text);
        self.column = self.column.saturating_add(text.len());
    }

    /// A part that is one word; `tail` octets follow it on its line.
    pub(super) fn word(&mut self, word: &str, tail: usize) -> Result<(), TooLong> {
        self.part(word.len().saturating_add(tail));
        self.push(word);
        self.checked(tail)
    }

    fn checked(&self, tail: usize) -> Result<(), TooLong> {
        if self.overflows(tail) {
            return Err(TooLong(0));
        }
        Ok(())
    }

    /// A number, as a part's piece.
    pub(super) fn number(&mut self, number: u32) {
        let before = self.out.len();
        // A `String` takes all that is written to it.
        let _ = write!(self.out, "{number}");
        let length = self.out.len().saturating_sub(before);
        self.column = self.column.saturating_add(length);
    }

    /// A value behind what has been written of its part; `tail` octets follow it on its line.
    pub(super) fn value(
        &mut self,
        value: &Value,
        address: bool,
        tail: usize,
    ) -> Result<(), TooLong> {
        if value.is_unquoted(address) {
            let length = value.written_len(address).saturating_add(tail);
            if value.has_quoted_local_part() && !self.fits(length) {
                return self.delimited_on_lines(Delimiters::NONE, value.as_str(), tail);
            }
            self.push(value.as_str());
            return self.checked(tail);
        }
        let length = value.written_len(address);
        let escapes = value.escapes();
        self.delimited(
            Delimiters::QUOTED_STRING,
            value.as_str(),
            escapes,
            length,
            tail,
        )
    }

    /// The same behind a `=`, where a line may begin. That is left to the worst case, since readers
    /// do not expect it.
    pub(super) fn value_after_equals(
        &mut self,
        value: &Value,
        address: bool,
        tail: usize,
    ) -> Result<(), TooLong> {
        let length = value.written_len(address).saturating_add(tail);
        let may_fold = !value.is_unquoted(address) || value.may_begin_line();
        if may_fold
            && self.overflows(length)
            && self.overflows(first_run(value, address).unwrap_or(length))
        {
            self.fold();
        }
        self.value(value, address, tail)
    }

    /// A comment as a part.
    pub(super) fn comment(&mut self, comment: &CommentBuf, tail: usize) -> Result<(), TooLong> {
        let length = comment.written_len();
        self.part(length.saturating_add(tail));
        let escapes = comment.escapes();
        self.delimited(Delimiters::COMMENT, comment.as_str(), escapes, length, tail)
    }

    fn delimited(
        &mut self,
        delimiters: Delimiters,
        text: &str,
        escapes: usize,
        length: usize,
        tail: usize,
    ) -> Result<(), TooLong> {
        if !self.fits(length.saturating_add(tail)) {
            return self.delimited_on_lines(delimiters, text, tail);
        }
        self.push(delimiters.open);
        if escapes == 0 {
            self.push(text);
        } else {
            self.push_escaped(delimiters, text);
        }
        self.push(delimiters.close);
        Ok(())
    }

    fn push_escaped(&mut self, delimiters: Delimiters, mut text: &str) {
        while let Some((before, rest)) = delimiters.split(text) {
            self.push(before);
            self.push("\\");
            // What is escaped is ASCII.
            let (escaped, rest) = rest.split_at_checked(1).unwrap_or((rest, ""));
            self.push(escaped);
            text = rest;
        }
        self.push(text);
    }

    /// Blanks and the word behind them stay together: a line ends only before the first of a run of
    /// blanks, none is left at its end, and no line is blank.
    fn delimited_on_lines(
        &mut self,
        delimiters: Delimiters,
        text: &str,
        tail: usize,
    ) -> Result<(), TooLong> {
        self.push(delimiters.open);
        let mut rest = text;
        loop {
            let blanks = position(rest, 0, |octet| !is_blank(octet));
            let (words, next) = rest
                .split_at_checked(delimiters.next_blank(rest, blanks))
                .unwrap_or((rest, ""));
            let behind = match next {
                "" => delimiters.close.len().saturating_add(tail),
                _ => 0,
            };
            let length = words.len().saturating_add(delimiters.escapes(words));
            let length = length.saturating_add(behind);
            if blanks > 0 && !self.fits(length) {
                self.out.push_str("\r\n");
                self.column = 0;
            }
            if self.overflows(length) {
                return Err(TooLong(text.len().saturating_sub(rest.len())));
            }
            self.push_escaped(delimiters, words);
            rest = next;
            if rest.is_empty() {
                break;
            }
        }
        self.push(delimiters.close);
        Ok(())
    }
}

/// The first octet from `start` that is such, or the end.
fn position(text: &str, start: usize, is: impl Fn(u8) -> bool) -> usize {
    let found = text.bytes().skip(start).position(is);
    found.map_or(text.len(), |at| start.saturating_add(at))
}

/// The octets before the first place to fold in a value; `None` if it has none.
fn first_run(value: &Value, address: bool) -> Option<usize> {
    let delimiters = match value.is_unquoted(address) {
        false => Delimiters::QUOTED_STRING,
        true if value.has_quoted_local_part() => Delimiters::NONE,
        true => return None,
    };
    let text = value.as_str();
    let (word, _) = text.split_at_checked(delimiters.next_blank(text, 0))?;
    if word.len() == text.len() {
        return None;
    }
    let escapes = delimiters.escapes(word);
    let length = word.len().saturating_add(escapes);
    Some(length.saturating_add(delimiters.open.len()))
}
