//! The numbers of the parts of a value, held against the limits.

use super::{
    error::{WriteError, WriteErrorKind as Kind},
    result::{ResInfoBuf, sum},
};
use crate::syntax::Limits;

pub(super) fn bytes(limits: &Limits) -> usize {
    usize::try_from(limits.bytes).unwrap_or(usize::MAX)
}

pub(super) fn within(count: usize, limit: usize, field: &'static str) -> Result<(), WriteError> {
    if count > limit {
        return Err(WriteError::new(Kind::Limit { limit }, field, 0));
    }
    Ok(())
}

/// The numbers of parts, for the limits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counts {
    results: usize,
    properties: usize,
    comments: usize,
}

impl Counts {
    pub(super) fn of(results: &[ResInfoBuf]) -> Self {
        Self {
            results: results.len(),
            properties: sum(results.iter().map(|it| it.properties.len())),
            comments: sum(results.iter().map(|it| it.comments.len())),
        }
    }

    pub(super) const fn and(mut self, results: usize, properties: usize, comments: usize) -> Self {
        self.results = self.results.saturating_add(results);
        self.properties = self.properties.saturating_add(properties);
        self.comments = self.comments.saturating_add(comments);
        self
    }

    pub(super) fn within(self, limits: &Limits) -> Result<(), WriteError> {
        within(self.results, limits.results, "resinfo")?;
        within(self.properties, limits.properties, "propspec")?;
        within(self.comments, limits.comments, "comment")
    }
}
