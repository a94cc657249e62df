//! Removes fields from a message that is given piece by piece.
//!
//! Every line break of `token.rs` may begin a field, since some reader sees one there; a line feed that no
//! white space follows certainly does. From such a place on, the stripper searches for the letters of the field's
//! name and skips every character that some reader ignores. After the colon it reads the value up to the next line
//! break that does not fold, and asks the policy. With a removed field goes one of the two line breaks around it,
//! the uncertain one if there is one, so that the lines around it neither join nor split for any reader.

mod removed;

use alloc::vec::Vec;

use super::{
    End, Removal, StripPolicy, StripReason, StripVerdict,
    begun::Begun,
    count::{Count, Name},
    token::{LineFeed, Token, folds, is_special, may_fold, token},
};
use crate::slice;

/// A value is judged by its first octets, if it is longer: the parser reads no longer one either
/// ([`Limits::DEFAULT`](crate::syntax::Limits::DEFAULT)). So the memory that a message takes has a limit.
const LONGEST_VALUE: usize = 1 << 20;

/// A longer text before the colon of a field is removed with it, even if the colon is missing.
const LONGEST_NAME: usize = 1 << 16;

/// Removes fields from a message that is given piece by piece, with memory that does not depend on the
/// message's length.
///
/// ```
/// # use authres_tls::{AuthservId, StripPolicy, Stripper};
/// let policy = StripPolicy::new([AuthservId::try_new("example.org").unwrap()]);
/// let mut stripper = Stripper::new(&policy);
/// let mut out = Vec::new();
/// for piece in [&b"Authentication-Results: exam"[..], b"ple.org; none\r\nSubject: a\r\n", b"\r\nbody"] {
///     stripper.push(piece, &mut out);
/// }
/// stripper.finish(&mut out);
/// assert_eq!(out, b"Subject: a\r\n\r\nbody");
/// assert_eq!(stripper.take_removals().len(), 1);
/// ```
#[derive(Clone, Debug)]
pub struct Stripper<'p> {
    policy: &'p StripPolicy,
    /// Octets that were neither written nor dropped, and those before them until they are cleared away.
    /// All other places are counted from the message's first octet.
    buffer: Vec<u8>,
    /// The place of the buffer's first octet.
    base: usize,
    /// Octets before this place were written or dropped.
    done: usize,
    /// The place that is read next.
    at: usize,
    state: State,
    /// The fields that may have begun, from the oldest on.
    begun: Vec<Begun>,
    /// The line feed at the end of the previous line in the output; `None` at the start.
    before: Option<LineFeed>,
    /// No octet of the current line that stays was read.
    line_is_empty: bool,
    /// The place of an empty line in a message whose lines end in CR: its body follows, for readers of CR.
    cr_body: Option<usize>,
    has_line_feed: bool,
    /// The place after the last bare CR.
    after_cr: Option<usize>,
    count: Count,
    removals: Vec<Removal>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Other fields, and other text that stays.
    Text,
    /// The value of a field of the name.
    Value(Begun),
    /// A field that is removed.
    Removed(Begun),
    /// After the uncertain line break that ends a removed field.
    AfterRemoved(AfterRemoved),
    /// The header is over.
    Body,
}

/// A removed field has ended at an uncertain line break; the next line belongs to it, unless it is empty or
/// begins with a name and a colon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct AfterRemoved {
    removed: Begun,
    /// The line break, and the octet after it.
    line_break: usize,
    line: usize,
    /// White space follows the name.
    has_space: bool,
}

impl<'p> Stripper<'p> {
    /// Begins a message.
    #[must_use]
    pub fn new(policy: &'p StripPolicy) -> Self {
        Self {
            policy,
            buffer: Vec::new(),
            base: 0,
            done: 0,
            at: 0,
            state: State::Text,
            begun: Vec::from([Begun::at(0, true, &Count::START)]),
            before: None,
            line_is_empty: true,
            cr_body: None,
            has_line_feed: false,
            after_cr: None,
            count: Count::START,
            removals: Vec::new(),
        }
    }

    /// Reads the next piece of the message, and appends to `out` the octets that certainly stay.
    pub fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        if self.state == State::Body && self.buffer.is_empty() {
            out.extend_from_slice(piece);
            return;
        }
        self.buffer.extend_from_slice(piece);
        self.read(false, out);
        let stays = match self.state {
            State::Text => self.begun.first().map_or(self.at, |field| field.start),
            State::Value(field) => field.start,
            State::Removed(_) => {
                self.done = self.at;
                self.at
            }
            State::AfterRemoved(after) => after.line_break,
            State::Body => self.end(),
        };
        self.write_to(stays, out);
        self.clear_away();
    }

    /// Ends the message, and appends the remaining octets to `out`.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        self.read(true, out);
        if let State::Value(field) = self.state {
            self.judge(field, End::Certain, out);
        }
        match self.state {
            State::Removed(_) => self.drop_to(self.at),
            State::AfterRemoved(after) if after.removed.certain || self.at > after.line => {
                self.drop_to(self.at);
            }
            _ => {}
        }
        self.state = State::Body;
        self.write_to(self.end(), out);
        self.clear_away();
    }

    /// Returns the removals since the last call, in order. One whose end was not read yet is kept back.
    #[must_use]
    pub fn take_removals(&mut self) -> Vec<Removal> {
        let is_open = matches!(self.state, State::Removed(_) | State::AfterRemoved(_));
        let complete = self.removals.len().saturating_sub(is_open.into());
        let open = self.removals.split_off(complete);
        core::mem::replace(&mut self.removals, open)
    }

    /// Returns `true` if the header has ended for every reader: the rest stays unchanged.
    #[must_use]
    pub fn is_in_body(&self) -> bool {
        self.state == State::Body
    }

    fn end(&self) -> usize {
        self.base.saturating_add(self.buffer.len())
    }

    fn slice(&self, from: usize, to: usize) -> &[u8] {
        let place = |at: usize| at.saturating_sub(self.base);
        slice::range(&self.buffer, place(from)..place(to))
    }

    fn rest(&self) -> &[u8] {
        self.slice(self.at, self.end())
    }

    fn write_to(&mut self, end: usize, out: &mut Vec<u8>) {
        if end > self.done {
            out.extend_from_slice(self.slice(self.done, end));
            self.done = end;
        }
    }

    /// Extends the last removal up to this place.
    fn drop_to(&mut self, end: usize) {
        self.done = self.done.max(end);
        if let Some(last) = self.removals.last_mut() {
            last.span.end = end;
        }
    }

    fn clear_away(&mut self) {
        let done = self.done.saturating_sub(self.base);
        if done >= self.buffer.len() {
            self.buffer.clear();
        } else if done > self.buffer.len() / 2 {
            self.buffer.drain(..done);
        } else {
            return;
        }
        self.base = self.done;
    }

    fn read(&mut self, at_end: bool, out: &mut Vec<u8>) {
        while self.state != State::Body {
            self.skip_plain_text();
            if let State::Value(field) = self.state
                && self.at.saturating_sub(field.value) > LONGEST_VALUE
            {
                self.judge(field, End::Doubtful, out);
            }
            self.stop_at_long_name(out);
            let rest = self.rest();
            let first = rest.first().copied().unwrap_or_default();
            match token(rest, at_end) {
                Token::Incomplete => return,
                Token::Break(length, feed) => {
                    let next = rest.get(length).copied();
                    if next.is_none() && !at_end {
                        return;
                    }
                    let end = self.at.saturating_add(length);
                    let line_break = LineBreak {
                        first,
                        end,
                        feed,
                        next,
                    };
                    self.line_break(&line_break, out);
                }
                Token::Text(length) => self.text(length),
            }
        }
    }

    /// Skips to the next octet that may change the state.
    fn skip_plain_text(&mut self) {
        let is_plain = match self.state {
            State::Text => self.begun.is_empty(),
            State::Value(_) | State::Removed(_) => true,
            State::AfterRemoved(_) | State::Body => false,
        };
        if !is_plain || self.count.name != Name::Over {
            return;
        }
        let rest = self.rest();
        let plain = rest.iter().position(|octet| is_special(*octet));
        let plain = plain.unwrap_or(rest.len());
        if plain > 0 {
            self.line_is_empty = false;
            self.at = self.at.saturating_add(plain);
        }
    }

    fn line_break(&mut self, line_break: &LineBreak, out: &mut Vec<u8>) {
        let start = self.at;
        let &LineBreak {
            end, feed, next, ..
        } = line_break;
        if let State::AfterRemoved(after) = self.state {
            if start > after.line {
                // A line without a colon: it belongs to the field.
                self.state = State::Removed(after.removed);
            } else if feed.is_some() && after.removed.certain {
                // The two are one line break, as JavaMail has it of CR CR LF.
                self.state = State::Removed(after.removed);
                self.line_is_empty = false;
            } else {
                self.go_on(after);
            }
        }
        if self.line_is_empty && feed.is_some_and(|feed| self.ends_header(feed)) {
            self.state = State::Body;
            return;
        }
        let folds = folds(next);
        let after_from_line = self.count.line_break(line_break.first, feed, folds);
        self.has_line_feed |= feed.is_some();
        self.at = end;
        if folds && !after_from_line {
            self.line_is_empty = false;
            return;
        }
        if let State::Value(field) = self.state {
            let is_certain = feed.is_some() && !may_fold(next);
            let certainty = if is_certain {
                End::Certain
            } else {
                End::Doubtful
            };
            self.at = start;
            self.judge(field, certainty, out);
            self.at = end;
        }
        if feed.is_some() && self.state == State::Text {
            self.judge_name_alone(start, out);
        }
        let is_empty_cr_line = self.is_empty_cr_line(line_break, start);
        if let State::Removed(field) = self.state {
            self.end_removed(field, line_break, start);
        } else if let Some(feed) = feed {
            self.before = Some(feed);
            self.line_is_empty = true;
            self.begun.clear();
            self.begun.push(Begun::at(end, true, &self.count));
        } else {
            self.line_is_empty = false;
            if is_empty_cr_line {
                self.cr_body = Some(start);
                self.begun.retain(|field| field.certain);
            }
            self.begin(Begun::at(start, false, &self.count));
        }
    }

    /// A line that has the name and no colon: a reader for which other white space folds may find the colon
    /// in the next one.
    fn judge_name_alone(&mut self, start: usize, out: &mut Vec<u8>) {
        let name = self.begun.iter().find(|field| field.has_name()).copied();
        if let Some(field) = name {
            let end = core::mem::replace(&mut self.at, start);
            let value = start;
            self.judge(Begun { value, ..field }, End::Doubtful, out);
            self.at = end;
        }
    }

    /// Returns `true` at a bare CR that ends an empty line, in a message without any LF before. At the start
    /// of the output, `Email::Simple` continues after it.
    fn is_empty_cr_line(&mut self, line_break: &LineBreak, start: usize) -> bool {
        let is_cr = line_break.feed.is_none() && line_break.first == b'\r';
        let after_cr = self.after_cr == Some(start);
        self.after_cr = is_cr.then_some(line_break.end);
        is_cr && !self.has_line_feed && after_cr
    }

    /// Returns `true` if an empty line ends the header for every reader. Perl's `Email::Simple` wants the
    /// same line break twice: not for it does CRLF at the start, or after a line that ends in LF. It finds no
    /// field after a LF at the start.
    fn ends_header(&self, feed: LineFeed) -> bool {
        feed == LineFeed::Lf || self.before == Some(LineFeed::CrLf)
    }

    /// A field may begin. If one that has begun before is still possible, both are removed as one: otherwise
    /// the text before and after could join to a name.
    fn begin(&mut self, mut field: Begun) {
        if !field.certain && self.cr_body.is_some() {
            return;
        }
        if let Some(oldest) = self.begun.first() {
            field = Begun {
                letters: 0,
                ..*oldest
            };
        }
        if self.begun.iter().all(|begun| begun.letters > 0) {
            self.begun.push(field);
        }
    }

    fn text(&mut self, length: usize) {
        let end = self.at.saturating_add(length);
        let mut begun = core::mem::take(&mut self.begun);
        let character = self.slice(self.at, end);
        let first = character.first().copied().unwrap_or_default();
        let mut found = None;
        if matches!(self.state, State::Text | State::AfterRemoved(_)) {
            begun.retain_mut(|field| {
                if first == b':' && field.has_name() {
                    found = found.or(Some(*field));
                }
                field.read(character)
            });
        }
        self.begun = begun;
        self.count.octet(first);
        if let State::AfterRemoved(after) = self.state {
            self.text_after_removed(after, first, end);
        }
        self.line_is_empty = false;
        self.at = end;
        if let Some(mut field) = found {
            field.value = end;
            self.begun.clear();
            self.state = State::Value(field);
        }
    }

    /// Octets that some reader ignores may be too many to wait for a name.
    fn stop_at_long_name(&mut self, out: &mut Vec<u8>) {
        let Some(first) = self.begun.first().copied() else {
            return;
        };
        if self.at.saturating_sub(first.start) <= LONGEST_NAME || self.state != State::Text {
            return;
        }
        if first.letters == 0 {
            // They are no part of the name: they may stay.
            self.write_to(self.at, out);
            self.begun.clear();
            self.begun.push(Begun::at(self.at, false, &self.count));
        } else {
            self.begun.clear();
            let field = Begun {
                value: self.at,
                ..first
            };
            self.remove(field, StripReason::UnreadableId, out);
        }
    }

    fn judge(&mut self, field: Begun, end: End, out: &mut Vec<u8>) {
        let longest = field.value.saturating_add(LONGEST_VALUE);
        let value = self.slice(field.value, self.at.min(longest));
        match self.policy.judge(value, end) {
            StripVerdict::Keep => self.state = State::Text,
            StripVerdict::Remove(reason) => self.remove(field, reason, out),
        }
    }
}

/// A line break, as far as its place and kind matter.
#[derive(Clone, Copy, Debug)]
struct LineBreak {
    first: u8,
    end: usize,
    feed: Option<LineFeed>,
    next: Option<u8>,
}
