//! A field that is removed: its end, and the line after it, which may belong to it.

use alloc::vec::Vec;

use super::{AfterRemoved, LONGEST_VALUE, LineBreak, State, Stripper};
use crate::strip::{Disguise, Removal, StripReason, begun::Begun};

/// The longest name after a removed field: a line that begins with more octets without a colon belongs to the field.
const LONGEST_NAME_AFTER: usize = 256;

impl Stripper<'_> {
    pub(super) fn remove(&mut self, field: Begun, reason: StripReason, out: &mut Vec<u8>) {
        self.write_to(field.start, out);
        self.done = self.at;
        self.state = State::Removed(field);
        // The empty line may be removed with the field.
        self.cr_body = self.cr_body.filter(|place| *place < field.start);
        let disguise = match field {
            Begun { certain: false, .. } => Some(Disguise::LineBreak),
            Begun { odd: true, .. } => Some(Disguise::Name),
            _ => None,
        };
        self.removals.push(Removal {
            index: field.index,
            line: field.line,
            span: field.start..self.at,
            value: field.value..self.at.min(field.value.saturating_add(LONGEST_VALUE)),
            reason,
            disguise,
        });
    }

    /// A removed field ends: with it goes the line break after it, or stays in place of the one before.
    pub(super) fn end_removed(&mut self, field: Begun, line_break: &LineBreak, start: usize) {
        let &LineBreak { end, feed, .. } = line_break;
        if feed.is_some() {
            self.begun.clear();
            if field.certain {
                self.drop_to(end);
            } else {
                self.drop_to(start);
                self.before = feed;
            }
            self.line_is_empty = true;
            self.state = State::Text;
            self.begun.push(Begun::at(end, true, &self.count));
            return;
        }
        self.drop_to(start);
        self.line_is_empty = field.certain;
        self.state = State::AfterRemoved(AfterRemoved {
            removed: field,
            line_break: start,
            line: end,
            has_space: false,
        });
        self.begun.clear();
        if field.certain {
            // The line break is removed, too.
            self.after_cr = None;
            self.begun.push(Begun::at(end, true, &self.count));
        } else {
            self.begun.push(Begun::at(start, false, &self.count));
        }
    }

    /// The line after a removed field does not belong to it.
    pub(super) fn go_on(&mut self, after: AfterRemoved) {
        if after.removed.certain {
            self.drop_to(after.line);
        }
        self.state = State::Text;
    }

    pub(super) fn text_after_removed(&mut self, mut after: AfterRemoved, first: u8, end: usize) {
        let is_name = self.at > after.line;
        match first {
            b':' if is_name => self.go_on(after),
            b'!'..=b'~' if !after.has_space && first != b':' => {
                if end.saturating_sub(after.line) > LONGEST_NAME_AFTER {
                    self.state = State::Removed(after.removed);
                }
            }
            b' ' | b'\t' if is_name && end.saturating_sub(after.line) <= LONGEST_NAME_AFTER => {
                after.has_space = true;
                self.state = State::AfterRemoved(after);
            }
            _ => self.state = State::Removed(after.removed),
        }
        if let State::Removed(_) = self.state {
            self.done = end;
            self.begun.clear();
        }
    }
}
