//! Runs the tests that the ledger names, and says which passed.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::{Path, PathBuf},
    process::Command,
};

use cargo_metadata::Message;

use crate::cargo::cargo;

/// The outcome of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TestOutcome {
    /// The test passed.
    Passed,
    /// The test failed.
    Failed,
    /// The test was ignored.
    Ignored,
}

/// The outcomes of the tests of some crates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TestRun {
    outcomes: BTreeMap<(String, String), TestOutcome>,
    failures: Vec<String>,
}

impl TestRun {
    /// Returns the outcome of a test, if it ran. A path that several test binaries have passed only if it passed in
    /// all of them.
    #[must_use]
    pub fn outcome(&self, package: &str, path: &str) -> Option<TestOutcome> {
        self.outcomes
            .get(&(package.to_owned(), path.to_owned()))
            .copied()
    }

    /// Returns a description of each executable that ended with an error, named by a requirement or not.
    #[must_use]
    pub fn failures(&self) -> &[String] {
        &self.failures
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

/// An executable that holds tests of one package.
struct TestBinary {
    package: String,
    directory: PathBuf,
    executable: PathBuf,
}

/// Runs the unit and integration tests of these crates, with all their features.
///
/// All crates are built by one call of cargo with the flags of `cargo xtask test`, so that nothing is
/// built twice, and the executables are run without cargo.
///
/// # Errors
/// Returns an error when cargo cannot be started or a test does not compile, with what the compiler
/// printed. A test that fails is an outcome.
pub fn run_tests(
    root: &Path,
    packages: &BTreeSet<String>,
    mut starting: impl FnMut(&str),
) -> io::Result<TestRun> {
    let mut run = TestRun::default();
    let mut current = None;
    for binary in test_binaries(root, packages)? {
        if current.as_ref() != Some(&binary.package) {
            starting(&binary.package);
            current = Some(binary.package.clone());
        }
        let output = Command::new(&binary.executable)
            .arg("--format=pretty")
            .current_dir(&binary.directory)
            .env("CARGO_MANIFEST_DIR", &binary.directory)
            .output()?;
        let printed = String::from_utf8_lossy(&output.stdout);
        run.read(&binary.package, &printed);
        if !output.status.success() {
            run.failures
                .push(failure(&binary, &printed, &output.stderr));
        }
    }
    Ok(run)
}

/// Builds the tests of the workspace and returns those of `packages`, a package after the other.
fn test_binaries(root: &Path, packages: &BTreeSet<String>) -> io::Result<Vec<TestBinary>> {
    let output = cargo(root)
        .args([
            "test",
            "--no-run",
            "--quiet",
            "--workspace",
            "--all-features",
        ])
        .arg("--message-format=json-render-diagnostics")
        .output()?;
    if !output.status.success() {
        let printed = String::from_utf8_lossy(&output.stderr);
        return Err(io::Error::other(format!(
            "the tests do not compile:\n{printed}"
        )));
    }
    let mut binaries = Vec::new();
    for message in Message::parse_stream(output.stdout.as_slice()) {
        let Message::CompilerArtifact(artifact) = message? else {
            continue;
        };
        let Some(executable) = artifact.executable.filter(|_| artifact.profile.test) else {
            continue;
        };
        let directory = artifact
            .manifest_path
            .parent()
            .unwrap_or(&artifact.manifest_path);
        let Some(package) = directory
            .file_name()
            .filter(|name| packages.contains(*name))
        else {
            continue;
        };
        binaries.push(TestBinary {
            package: package.to_owned(),
            directory: directory.into(),
            executable: executable.into(),
        });
    }
    binaries.sort_by(|left, right| {
        (&left.package, &left.executable).cmp(&(&right.package, &right.executable))
    });
    Ok(binaries)
}

/// Describes a failed run: the executable, and the messages of its tests.
fn failure(binary: &TestBinary, printed: &str, errors: &[u8]) -> String {
    let messages = printed.split_once("\nfailures:\n").map_or_else(
        || String::from_utf8_lossy(errors),
        |(_, messages)| messages.into(),
    );
    let name = binary.executable.file_stem().unwrap_or_default();
    format!(
        "tests of {} failed ({}):\n{}",
        binary.package,
        name.to_string_lossy(),
        messages.trim_end()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_a_test_as_passed_only_if_it_passed_in_each_binary() {
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
