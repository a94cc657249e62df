//! The outcomes of tests.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// The milliseconds that executables took.
pub(crate) type Durations = BTreeMap<String, u64>;

/// The outcome of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TestOutcome {
    /// The test passed.
    Passed,
    /// The test failed.
    Failed,
    /// The test was ignored.
    Ignored,
}

/// A failure of a test, of an executable, or of the build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestFailure {
    /// The subject: `test:<crate>::<path>`, or a description.
    pub subject: String,
    /// The message.
    pub message: String,
    /// A command that mends it, or that shows it alone.
    pub next: String,
}

/// The outcomes of the tests of some crates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TestRun {
    pub(super) packages: BTreeMap<String, PackageRun>,
    pub(super) left_out: BTreeSet<String>,
    pub(super) build: Option<TestFailure>,
    pub(super) recorded: bool,
    /// The durations of the executables that ran.
    pub(super) millis: Durations,
}

/// The outcomes of one package's tests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PackageRun {
    pub(super) origin: Origin,
    pub(super) executables: usize,
    pub(super) tests: BTreeMap<String, TestOutcome>,
    pub(super) failures: Vec<TestFailure>,
}

impl From<Origin> for PackageRun {
    fn from(origin: Origin) -> Self {
        Self {
            origin,
            executables: 0,
            tests: BTreeMap::new(),
            failures: Vec::new(),
        }
    }
}

/// The origin of the outcomes of a package's tests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// The tests ran.
    Ran,
    /// The tests were recorded at this commit, and their sources are the same.
    Recorded(String),
    /// The tests were recorded at this commit, but their sources have changed: no outcome counts.
    Changed(String),
    /// The tests were never recorded.
    NotRecorded,
}

impl TestRun {
    /// Returns the outcome of a test, if it ran. A path that several test binaries have passed only if it passed in
    /// all of them.
    #[must_use]
    pub fn outcome(&self, package: &str, path: &str) -> Option<TestOutcome> {
        self.packages.get(package)?.tests.get(path).copied()
    }

    /// Returns each failure, named by a requirement or not.
    #[must_use]
    pub fn failures(&self) -> Vec<TestFailure> {
        let tests = self.packages.values().flat_map(|it| &it.failures);
        self.build.iter().chain(tests).cloned().collect()
    }

    /// Returns the number of tests with this outcome.
    #[must_use]
    pub fn count(&self, outcome: TestOutcome) -> usize {
        let tests = self.packages.values().flat_map(|it| it.tests.values());
        tests.filter(|known| **known == outcome).count()
    }

    /// Returns each test's package, path and outcome.
    pub fn outcomes(&self) -> impl Iterator<Item = (&str, &str, TestOutcome)> {
        let packages = self.packages.iter();
        packages.flat_map(|(name, package)| {
            let tests = package.tests.iter();
            tests.map(move |(path, outcome)| (name.as_str(), path.as_str(), *outcome))
        })
    }

    /// Returns the number of executables that ran.
    #[must_use]
    pub fn executables(&self) -> usize {
        self.packages.values().map(|it| it.executables).sum()
    }

    /// Returns the packages, and the origin of their tests' outcomes.
    pub fn packages(&self) -> impl Iterator<Item = (&str, &Origin)> {
        let packages = self.packages.iter();
        packages.map(|(name, package)| (name.as_str(), &package.origin))
    }

    /// Returns the origin of the outcomes of a package's tests, if the package has some.
    #[must_use]
    pub fn origin(&self, package: &str) -> Option<&Origin> {
        self.packages.get(package).map(|it| &it.origin)
    }

    /// Returns the packages of the workspace whose tests were left out.
    #[must_use]
    pub const fn left_out(&self) -> &BTreeSet<String> {
        &self.left_out
    }

    /// Returns `true` if no test ran now: the outcomes are those of the record.
    #[must_use]
    pub const fn is_recorded(&self) -> bool {
        self.recorded
    }

    /// Returns `true` if no test ran because one does not compile.
    #[must_use]
    pub const fn does_not_compile(&self) -> bool {
        self.build.is_some()
    }

    /// Returns the outcome of one test, of this origin.
    #[cfg(test)]
    pub(crate) fn of_package(
        name: &str,
        origin: Origin,
        test: Option<(&str, TestOutcome)>,
    ) -> Self {
        let mut run = Self::default();
        let mut package = PackageRun::from(origin);
        let tests = test.map(|(path, outcome)| (path.to_owned(), outcome));
        package.tests.extend(tests);
        run.packages.insert(name.to_owned(), package);
        run
    }

    pub(super) fn package(&mut self, name: &str) -> &mut PackageRun {
        let package = self.packages.entry(name.to_owned());
        package.or_insert_with(|| Origin::Ran.into())
    }
}
