//! The outcomes of tests, kept between runs: `target/conformance/tests.json`.
//!
//! Each crate's tests are kept with the commit and with a digest of what they were built from and of what they read. Outcomes
//! count only while that is the same.

use std::{collections::BTreeMap, fs, io, path::Path};

use serde::{Deserialize, Serialize};

use super::outcomes::{Durations, TestFailure, TestOutcome};
use crate::part::replace;

/// The record's path below the repository's root.
const PATH: &str = "target/conformance/tests.json";

/// The record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) packages: BTreeMap<String, PackageRecord>,
    /// The milliseconds that each executable took, by the name of its target. They order the next run, and nothing else.
    #[serde(default)]
    pub(crate) millis: Durations,
}

/// The outcomes of one package's tests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PackageRecord {
    /// The commit, as a person reads it.
    pub(crate) commit: String,
    /// The digest of what the tests were built from and of what they read.
    pub(crate) sources: String,
    /// The number of executables.
    pub(crate) executables: usize,
    /// The outcome of each test.
    pub(crate) tests: BTreeMap<String, TestOutcome>,
    /// The failures, of tests and of executables.
    pub(crate) failures: Vec<TestFailure>,
}

impl Record {
    /// Reads the record. One that does not exist, or that another version wrote, is empty.
    pub(crate) fn load(root: &Path) -> Self {
        let text = fs::read_to_string(root.join(PATH)).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// Adds the outcomes of these packages, and the durations of these executables, to the record, in the place of earlier
    /// ones.
    pub(crate) fn update(
        root: &Path,
        packages: BTreeMap<String, PackageRecord>,
        millis: Durations,
    ) -> io::Result<()> {
        let mut record = Self::load(root);
        record.packages.extend(packages);
        record.millis.extend(millis);
        replace(&root.join(PATH), &serde_json::to_string_pretty(&record)?)
    }
}
