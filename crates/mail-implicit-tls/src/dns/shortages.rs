//! Lookups for which this machine had no descriptor or no memory. Resolvers report most of them as another failure.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

#[cfg(any(feature = "dns", test))]
use super::LookupFailure;
use crate::failure::is_lack_of_resources;

/// The number of times that a resolver lacked something.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shortages(Arc<AtomicU64>);

impl Shortages {
    /// Returns the number so far.
    pub(crate) fn count(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    /// Returns the cause of a failure: a lack, if there was one since the number was `before`, or what was `found`.
    #[cfg(any(feature = "dns", test))]
    pub(crate) fn cause(&self, before: u64, found: LookupFailure) -> LookupFailure {
        match self.count() == before {
            true => found,
            false => LookupFailure::NoResources,
        }
    }

    /// Counts a result that lacked something.
    pub(crate) fn note<T>(&self, result: &io::Result<T>) {
        if result.as_ref().is_err_and(is_lack_of_resources) {
            self.0.fetch_add(1, Ordering::AcqRel);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(any(unix, windows))]
    #[test]
    fn counts_results_that_lacked_a_descriptor() {
        const NO_DESCRIPTOR: i32 = if cfg!(windows) { 10_024 } else { 24 };
        let shortages = Shortages::default();
        shortages.note(&Ok(()));
        shortages.note::<()>(&Err(io::ErrorKind::ConnectionRefused.into()));
        assert_eq!(shortages.count(), 0);
        let bogus = LookupFailure::Bogus;
        assert_eq!(shortages.cause(0, bogus), bogus);
        shortages.note::<()>(&Err(io::Error::from_raw_os_error(NO_DESCRIPTOR)));
        assert_eq!(shortages.count(), 1);
        assert_eq!(shortages.cause(0, bogus), LookupFailure::NoResources);
        assert_eq!(shortages.cause(1, bogus), bogus);
    }
}
