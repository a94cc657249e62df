//! The header of a message, field by field: the changes that remove what is forged.

use alloc::{collections::BTreeMap, vec::Vec};

use super::event::Removed;
use crate::StripPolicy;

/// The longest header of a message, unless set, in octets of names and values.
pub const MAX_HEADER: usize = 4 << 20;

/// A change of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Edit {
    /// The field's name.
    pub(super) name: Vec<u8>,
    /// The place among the fields of this name, counted from 1.
    pub(super) index: u32,
    /// The value that stays; empty if the field is removed.
    pub(super) value: Vec<u8>,
}

/// A message's header as far as it was sent. Values are not kept.
#[derive(Clone, Debug, Default)]
pub(super) struct Header {
    /// The number of fields of each name, in lower case: MTAs count them without regard to case.
    counts: BTreeMap<Vec<u8>, u32>,
    /// Octets of all names and values.
    length: usize,
    pub(super) edits: Vec<Edit>,
    pub(super) removed: Vec<Removed>,
}

impl Header {
    /// Adds a field. Returns `false` if the header exceeds the limit.
    pub(super) fn add(
        &mut self,
        policy: Option<&StripPolicy>,
        (name, value): (&[u8], &[u8]),
        has_leading_space: bool,
        limit: usize,
    ) -> bool {
        let length = name.len().saturating_add(value.len());
        self.length = self.length.saturating_add(length);
        if self.length > limit {
            return false;
        }
        let count = self.counts.entry(name.to_ascii_lowercase()).or_default();
        *count = count.saturating_add(1);
        let Some(policy) = policy else {
            return true;
        };
        let separator: &[u8] = if has_leading_space { b":" } else { b": " };
        let start = [name, separator].concat();
        let stripped = policy.strip(&[&start, value].concat());
        if stripped.removals.is_empty() {
            return true;
        }
        // What stays before or after a hidden field is the value, unless it would be a field of another name. A line
        // break at its end would be an empty line.
        let left = stripped.message.strip_prefix(start.as_slice());
        let left = left.unwrap_or_default();
        let is_line_break = |octet: &u8| matches!(octet, b'\r' | b'\n');
        let end = left.iter().rposition(|octet| !is_line_break(octet));
        let left = left.split_at_checked(end.map_or(0, |end| end.saturating_add(1)));
        self.edits.push(Edit {
            name: name.to_vec(),
            index: *count,
            value: left.map(|(value, _)| value.to_vec()).unwrap_or_default(),
        });
        let removed = stripped.removals.iter().map(Removed::from);
        self.removed.extend(removed);
        true
    }
}
