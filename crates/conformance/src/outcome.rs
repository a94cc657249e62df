//! The form of a live scenario: an asynchronous function that returns what it saw, or what was not as expected.

use std::{error::Error, fmt, future::Future, time::Duration};

use tokio::{runtime::Builder, time::timeout};

use crate::scenario::Live;

/// A scenario that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60);

/// The result of a check, or what was not as expected.
pub type Checked<T = Live> = Result<T, Failure>;

/// A failed expectation. Any error converts into one.
#[derive(Debug)]
pub struct Failure(String);

impl Failure {
    /// Returns a failure that says this.
    pub fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }

    /// Returns `true` if the text has this part.
    #[must_use]
    pub fn is_about(&self, part: &str) -> bool {
        self.0.contains(part)
    }

    /// Adds the subject of the failure.
    #[must_use]
    pub fn of(self, what: &str) -> Self {
        Self(format!("{what}: {}", self.0))
    }
}

impl<E: Error> From<E> for Failure {
    fn from(error: E) -> Self {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(error) = source {
            text += &format!(": {error}");
            source = error.source();
        }
        Self(text)
    }
}

/// Runs a scenario to its end on a runtime of its own.
///
/// # Errors
/// Returns the failure of the scenario, or an error if it takes too long.
pub fn run(scenario: impl Future<Output = Checked>) -> Result<Live, String> {
    run_within(LIMIT, scenario)
}

/// Runs a scenario to its end on a runtime of its own, for which it has this time.
///
/// # Errors
/// Returns the failure of the scenario, or an error if it takes longer.
pub fn run_within(
    limit: Duration,
    scenario: impl Future<Output = Checked>,
) -> Result<Live, String> {
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    let outcome = runtime.block_on(async { timeout(limit, scenario).await });
    // Tasks that still run, e.g. a server, end here.
    runtime.shutdown_background();
    match outcome {
        Ok(outcome) => outcome.map_err(|failure| failure.0),
        Err(_) => Err(format!("not done after {} s", limit.as_secs())),
    }
}

/// Returns the outcome of a scenario whose checks held, with what was seen.
///
/// # Errors
/// Returns no error.
pub fn passed(seen: impl Into<String>) -> Checked {
    Ok(Live::Passed(seen.into()))
}

/// Checks that both values are the same.
///
/// # Errors
/// Returns both values if they differ.
pub fn same<T: PartialEq<U> + fmt::Debug, U: fmt::Debug>(
    what: &str,
    actual: T,
    expected: U,
) -> Checked<()> {
    if actual == expected {
        Ok(())
    } else {
        Err(Failure(format!(
            "{what}: {actual:?} instead of {expected:?}"
        )))
    }
}

/// Checks that the values differ.
///
/// # Errors
/// Returns the value if they are the same.
pub fn different<T: PartialEq + fmt::Debug>(what: &str, one: T, other: T) -> Checked<()> {
    if one == other {
        Err(Failure(format!("{what}: {one:?} both times")))
    } else {
        Ok(())
    }
}
