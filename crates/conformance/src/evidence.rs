//! Runs the tests that the ledger names, and says which passed.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::Path,
    process::Command,
};

/// How one test ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TestOutcome {
    /// It passed.
    Passed,
    /// It failed.
    Failed,
    /// It was ignored.
    Ignored,
}

/// What running the tests of some crates gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TestRun {
    outcomes: BTreeMap<(String, String), TestOutcome>,
}

impl TestRun {
    /// How a test ended, if it ran. A path that stands in several test binaries passed only if it
    /// passed in all.
    #[must_use]
    pub fn outcome(&self, package: &str, path: &str) -> Option<TestOutcome> {
        self.outcomes
            .get(&(package.to_owned(), path.to_owned()))
            .copied()
    }

    /// Takes in what libtest printed.
    fn read(&mut self, package: &str, output: &str) {
        for line in output.lines() {
            let Some((path, outcome)) = line
                .strip_prefix("test ")
                .and_then(|line| line.rsplit_once(" ... "))
            else {
                continue;
            };
            let outcome = match outcome.split(',').next().unwrap_or_default() {
                "ok" => TestOutcome::Passed,
                "ignored" => TestOutcome::Ignored,
                _ => TestOutcome::Failed,
            };
            self.outcomes
                .entry((package.to_owned(), path.to_owned()))
                .and_modify(|known| {
                    if *known == TestOutcome::Passed {
                        *known = outcome;
                    }
                })
                .or_insert(outcome);
        }
    }
}

/// Runs the unit and integration tests of these crates, with all their features.
///
/// # Errors
/// When cargo cannot be started. A test that fails is an outcome.
pub fn run_tests(
    root: &Path,
    packages: &BTreeSet<String>,
    mut starting: impl FnMut(&str),
) -> io::Result<TestRun> {
    let mut run = TestRun::default();
    for package in packages {
        starting(package);
        let output = Command::new(env!("CARGO"))
            .args([
                "test",
                "--quiet",
                "-p",
                package,
                "--all-features",
                "--lib",
                "--tests",
                "--no-fail-fast",
            ])
            .args(["--", "--format=pretty"])
            .current_dir(root)
            .output()?;
        run.read(package, &String::from_utf8_lossy(&output.stdout));
    }
    Ok(run)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_counts_as_passed_only_if_it_passed_wherever_it_stands() {
        let mut run = TestRun::default();
        run.read(
            "p",
            "running 4 tests\ntest a::b ... ok\ntest c ... FAILED\ntest d ... ignored, why\ntest e ... ok\n",
        );
        run.read("p", "test e ... FAILED\ntest c ... ok\n");
        let outcome = |path| run.outcome("p", path);
        assert_eq!(outcome("a::b"), Some(TestOutcome::Passed));
        assert_eq!(outcome("c"), Some(TestOutcome::Failed));
        assert_eq!(outcome("d"), Some(TestOutcome::Ignored));
        assert_eq!(outcome("e"), Some(TestOutcome::Failed));
        assert_eq!(outcome("f"), None);
        assert_eq!(run.outcome("q", "a::b"), None);
    }
}
