//! The number of a line and of a field in a message.

use super::token::LineFeed;

/// Counts lines, and the fields that [`fields`](crate::message::fields) sees.
#[derive(Clone, Copy, Debug)]
pub(super) struct Count {
    fields: usize,
    /// Fields before the current line.
    pub(super) before_line: usize,
    pub(super) line_feeds: usize,
    pub(super) name: Name,
    from_line: FromLine,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    Start,
    Inside,
    Blank,
    Over,
}

/// The first line is the `From ` line of an mbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FromLine {
    /// The line begins with this many of these octets.
    Begins(usize),
    Is,
    IsNot,
}

impl Count {
    pub(super) const START: Self = Self {
        fields: 0,
        before_line: 0,
        line_feeds: 0,
        name: Name::Start,
        from_line: FromLine::Begins(0),
    };

    pub(super) fn octet(&mut self, octet: u8) {
        self.name = match (self.name, octet) {
            (Name::Inside | Name::Blank, b':') => {
                self.fields = self.fields.saturating_add(1);
                Name::Over
            }
            (Name::Start, b':') => Name::Over,
            (Name::Start | Name::Inside, b'!'..=b'~') => Name::Inside,
            (Name::Inside | Name::Blank, b' ' | b'\t' | b'\n' | b'\x0c' | b'\r') => Name::Blank,
            _ => Name::Over,
        };
        if let FromLine::Begins(octets) = self.from_line {
            self.from_line = match b"From ".get(octets) {
                Some(expected) if *expected != octet => FromLine::IsNot,
                Some(b' ') => FromLine::Is,
                _ => FromLine::Begins(octets.saturating_add(1)),
            };
        }
    }

    /// Returns `true` after the `From ` line.
    pub(super) fn line_break(&mut self, first: u8, feed: Option<LineFeed>, folds: bool) -> bool {
        if feed.is_none() {
            self.octet(first);
            return false;
        }
        self.line_feeds = self.line_feeds.saturating_add(1);
        let after_from_line = self.from_line == FromLine::Is;
        self.from_line = FromLine::IsNot;
        if folds && !after_from_line {
            self.octet(b'\n');
        } else {
            self.name = Name::Start;
            self.before_line = self.fields;
        }
        after_from_line
    }
}
