//! Lines. A part follows a space, or begins a new line. A text that is too long for a line is folded before its own
//! spaces, so that unfolding restores them all.

use alloc::string::String;
use core::fmt::Write as _;

use super::{
    options::WriteOptions,
    text::{CommentBuf, Delimiters, Value},
};
use crate::syntax::is_wsp;

/// The offset in a text that cannot be folded to fit.
pub(super) struct TooLong(pub(super) usize);

/// A writer of the parts of a value, which counts the octets of the line.
pub(super) struct Folder<'o> {
    out: &'o mut String,
    column: usize,
    soft: usize,
    hard: usize,
    line_break: &'static str,
}

impl<'o> Folder<'o> {
    /// Begins after `column` octets of the first line.
    pub(super) fn new(out: &'o mut String, column: usize, options: &WriteOptions) -> Self {
        Self {
            out,
            column,
            soft: options.soft_limit.min(options.hard_limit),
            hard: options.hard_limit,
            line_break: options.indent.line_break(),
        }
    }

    /// Returns `true` if `more` octets would exceed the hard limit of the line.
    pub(super) const fn overflows(&self, more: usize) -> bool {
        self.column.saturating_add(more) > self.hard
    }

    const fn fits(&self, more: usize) -> bool {
        self.column.saturating_add(more) <= self.soft
    }

    /// Begins a new line.
    pub(super) fn fold(&mut self) {
        self.out.push_str(self.line_break);
        self.column = self.line_break.len().saturating_sub(2);
    }

    /// Begins a part of `length` octets.
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

    /// Writes a part that is one word; `tail` octets follow it on its line.
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

    /// Writes a number as a piece of a part.
    pub(super) fn number(&mut self, number: u32) {
        let before = self.out.len();
        // Writing to a `String` cannot fail.
        let _ = write!(self.out, "{number}");
        let length = self.out.len().saturating_sub(before);
        self.column = self.column.saturating_add(length);
    }

    /// Writes a value after the other pieces of its part; `tail` octets follow it on its line.
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

    /// Like [`value`](Self::value), after a `=`, where a new line may begin. This is the last resort, because readers
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

    /// Writes a comment as a part.
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
            // The escaped characters are ASCII.
            let (escaped, rest) = rest.split_at_checked(1).unwrap_or((rest, ""));
            self.push(escaped);
            text = rest;
        }
        self.push(text);
    }

    /// Writes a text on several lines. White space and the word after it stay together: a line ends only before the
    /// first of a run of spaces and tabs. So no line ends with white space, and no line is empty.
    fn delimited_on_lines(
        &mut self,
        delimiters: Delimiters,
        text: &str,
        tail: usize,
    ) -> Result<(), TooLong> {
        self.push(delimiters.open);
        let mut rest = text;
        loop {
            let white_space = position(rest, 0, |octet| !is_wsp(octet));
            let (words, next) = rest
                .split_at_checked(delimiters.next_space(rest, white_space))
                .unwrap_or((rest, ""));
            let after = match next {
                "" => delimiters.close.len().saturating_add(tail),
                _ => 0,
            };
            let length = words.len().saturating_add(delimiters.escapes(words));
            let length = length.saturating_add(after);
            if white_space > 0 && !self.fits(length) {
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

/// Returns the offset of the first octet from `start` on for which `is` is `true`, or the end.
fn position(text: &str, start: usize, is: impl Fn(u8) -> bool) -> usize {
    let found = text.bytes().skip(start).position(is);
    found.map_or(text.len(), |at| start.saturating_add(at))
}

/// Returns the number of octets before the first place to fold in a value; `None` if there is no such place.
fn first_run(value: &Value, address: bool) -> Option<usize> {
    let delimiters = match value.is_unquoted(address) {
        false => Delimiters::QUOTED_STRING,
        true if value.has_quoted_local_part() => Delimiters::NONE,
        true => return None,
    };
    let text = value.as_str();
    let (word, _) = text.split_at_checked(delimiters.next_space(text, 0))?;
    if word.len() == text.len() {
        return None;
    }
    let escapes = delimiters.escapes(word);
    let length = word.len().saturating_add(escapes);
    Some(length.saturating_add(delimiters.open.len()))
}
