//! Runs the tests that the ledger names, and says which passed.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::{Path, PathBuf},
    process::Command,
};

use cargo_metadata::Message;
use serde::Serialize;

use crate::{
    cargo::cargo,
    step::Step,
    stream::{Line, stream},
};

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

/// A failure of a test, of an executable, or of the build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
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
    outcomes: BTreeMap<(String, String), TestOutcome>,
    failures: Vec<TestFailure>,
    packages: BTreeSet<String>,
    left_out: BTreeSet<String>,
    executables: usize,
    does_not_compile: bool,
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

    /// Returns each failure, named by a requirement or not.
    #[must_use]
    pub fn failures(&self) -> &[TestFailure] {
        &self.failures
    }

    /// Returns the number of tests with this outcome.
    #[must_use]
    pub fn count(&self, outcome: TestOutcome) -> usize {
        self.outcomes
            .values()
            .filter(|known| **known == outcome)
            .count()
    }

    /// Returns the number of executables that ran.
    #[must_use]
    pub const fn executables(&self) -> usize {
        self.executables
    }

    /// Returns the packages whose tests ran.
    #[must_use]
    pub const fn packages(&self) -> &BTreeSet<String> {
        &self.packages
    }

    /// Returns the packages whose tests were built and did not run.
    #[must_use]
    pub const fn left_out(&self) -> &BTreeSet<String> {
        &self.left_out
    }

    /// Returns `true` if no test ran because one does not compile.
    #[must_use]
    pub const fn does_not_compile(&self) -> bool {
        self.does_not_compile
    }

    /// Takes in a line that libtest printed, and returns the path of the test that ended.
    fn read_line<'a>(&mut self, package: &str, line: &'a str) -> Option<&'a str> {
        let (path, outcome) = line.strip_prefix("test ")?.rsplit_once(" ... ")?;
        let path = path.strip_suffix(" - should panic").unwrap_or(path);
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
        Some(path)
    }

    /// Takes in the end of an executable. `success` is that of its exit status, which `status` describes.
    fn end(&mut self, binary: &TestBinary, printed: &Printed, success: bool, status: &str) {
        self.executables += 1;
        self.packages.insert(binary.package.clone());
        let package = &binary.package;
        let messages = messages(&printed.out);
        for (path, message) in &messages {
            let (path, message) = (path.as_str(), message.as_str());
            let alone = format!("cargo test -p {package} --all-features {path}");
            self.failures.push(TestFailure {
                subject: format!("test:{package}::{path}"),
                message: message.to_owned(),
                next: remedy(message).unwrap_or(alone),
            });
        }
        // A test that ends the process leaves neither a result nor, perhaps, an error.
        let has_result = printed.out.contains("\ntest result: ok.");
        if (!success || !has_result) && messages.is_empty() {
            let message = format!(
                "ended with {status}{}\n{}\n{}",
                if has_result { "" } else { " before its result" },
                last_lines(&printed.out),
                last_lines(&printed.err)
            );
            self.failures.push(TestFailure {
                subject: format!("the executable {} of {package}", binary.name()),
                next: remedy(&message)
                    .unwrap_or_else(|| format!("cargo test -p {package} --all-features")),
                message: message.trim_end().to_owned(),
            });
        }
    }
}

/// The text that an executable printed.
#[derive(Default)]
struct Printed {
    out: String,
    err: String,
}

/// Returns the messages that libtest prints of the tests that failed.
fn messages(printed: &str) -> Vec<(String, String)> {
    let Some((_, messages)) = printed.split_once("\nfailures:\n") else {
        return Vec::new();
    };
    let messages = match messages.rsplit_once("\nfailures:\n") {
        Some((messages, _)) => messages,
        None => messages,
    };
    messages
        .split("\n---- ")
        .filter_map(|block| block.split_once(" stdout ----\n"))
        .map(|(path, message)| {
            let (message, _) = message
                .split_once("\nstack backtrace:\n")
                .unwrap_or((message, ""));
            let lines: Vec<_> = message
                .lines()
                .filter(|line| !line.starts_with("note: run with `RUST_BACKTRACE"))
                .collect();
            (path.to_owned(), lines.join("\n").trim().to_owned())
        })
        .collect()
}

/// Returns the command in a message that installs what is missing.
fn remedy(message: &str) -> Option<String> {
    let venv = "python3 -m venv target/venv && target/venv/bin/pip install -r \
        crates/conformance/python/requirements.txt";
    if message.contains("python3 -m venv") || message.contains("No module named") {
        return Some(venv.to_owned());
    }
    let install = "apt-get install";
    let (_, packages) = message.split_once(install)?;
    let line = packages.lines().next().unwrap_or_default();
    let is_of_name = |it: char| it.is_ascii_alphanumeric() || "+.-".contains(it);
    let mut names = Vec::new();
    for word in line.split_whitespace() {
        let name = word.trim_end_matches(|it| it == '.' || !is_of_name(it));
        if name.is_empty() || !name.chars().all(is_of_name) {
            break;
        }
        names.push(name);
        // Punctuation ends the list.
        if name.len() < word.len() {
            break;
        }
    }
    Some(format!("{install} {}", names.join(" ")))
}

/// Returns the last lines of a text.
fn last_lines(text: &str) -> String {
    let lines: Vec<_> = text.lines().collect();
    let from = lines.len().saturating_sub(20);
    lines.get(from..).unwrap_or_default().join("\n")
}

/// An executable that holds tests of one package.
struct TestBinary {
    package: String,
    directory: PathBuf,
    executable: PathBuf,
}

impl TestBinary {
    /// Returns the target's name: the file's name without the hash.
    fn name(&self) -> String {
        let stem = self.executable.file_stem().unwrap_or_default();
        let stem = stem.to_string_lossy();
        let name = stem.rsplit_once('-').map_or(&*stem, |(name, _)| name);
        name.to_owned()
    }
}

/// Runs the unit and integration tests of these crates, with all their features.
///
/// All crates are built by one call of cargo with the flags of `cargo xtask test`, so that nothing is
/// built twice, and the executables are run without cargo.
///
/// # Errors
/// Returns an error when a command cannot be started. A test that fails or does not compile is an outcome.
pub fn run_tests(
    root: &Path,
    packages: &BTreeSet<String>,
    mut progress: impl FnMut(Step<'_>),
) -> io::Result<TestRun> {
    let mut run = TestRun::default();
    let Some(mut binaries) = test_binaries(root, &mut run, &mut progress)? else {
        return Ok(run);
    };
    let (wanted, others): (Vec<_>, Vec<_>) = binaries
        .drain(..)
        .partition(|binary| packages.contains(&binary.package));
    run.left_out = others.into_iter().map(|binary| binary.package).collect();
    progress(Step::Executables(wanted.len()));
    for binary in wanted {
        progress(Step::Tests {
            package: &binary.package,
            executable: &binary.name(),
        });
        let mut command = Command::new(&binary.executable);
        command
            .arg("--format=pretty")
            .current_dir(&binary.directory)
            .env("CARGO_MANIFEST_DIR", &binary.directory);
        let mut printed = Printed::default();
        let status = stream(&mut command, |line| {
            match line {
                Some(Line::Out(line)) => {
                    if let Some(path) = run.read_line(&binary.package, &line) {
                        progress(Step::Test(path));
                    }
                    printed.out += &format!("{line}\n");
                }
                Some(Line::Err(line)) => printed.err += &format!("{line}\n"),
                None => progress(Step::Waiting),
            }
            Ok(())
        })?;
        run.end(&binary, &printed, status.success(), &status.to_string());
    }
    Ok(run)
}

/// Builds the tests of the workspace and returns them, a package after the other. Returns `None`, with the
/// failure in `run`, if they do not compile.
fn test_binaries(
    root: &Path,
    run: &mut TestRun,
    progress: &mut impl FnMut(Step<'_>),
) -> io::Result<Option<Vec<TestBinary>>> {
    let arguments = ["test", "--no-run", "--workspace", "--all-features"];
    progress(Step::Building("the tests"));
    let mut command = cargo(root);
    command
        .args(arguments)
        .arg("--message-format=json-render-diagnostics");
    let (mut messages, mut printed) = (Vec::new(), String::new());
    let status = stream(&mut command, |line| {
        match line {
            Some(Line::Out(line)) => messages.push(line),
            Some(Line::Err(line)) => match line.trim_start() {
                // Cargo's own lines begin with a verb that is aligned to the right.
                step if step.len() < line.len() && STEPS.iter().any(|it| step.starts_with(it)) => {
                    progress(Step::Building(step));
                }
                _ => printed += &format!("{line}\n"),
            },
            None => progress(Step::Waiting),
        }
        Ok(())
    })?;
    if !status.success() {
        run.does_not_compile = true;
        run.failures.push(TestFailure {
            subject: "the tests do not compile, and none ran".to_owned(),
            message: printed.trim_end().to_owned(),
            next: format!("cargo {}", arguments.join(" ")),
        });
        return Ok(None);
    }
    let mut binaries = Vec::new();
    for message in Message::parse_stream(messages.join("\n").as_bytes()) {
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
        let Some(package) = directory.file_name() else {
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
    Ok(Some(binaries))
}

/// The verbs of cargo's lines about its progress.
const STEPS: [&str; 9] = [
    "Blocking",
    "Building",
    "Compiling",
    "Downloaded",
    "Downloading",
    "Executable",
    "Finished",
    "Locking",
    "Updating",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn read(run: &mut TestRun, package: &str, printed: &str) {
        for line in printed.lines() {
            run.read_line(package, line);
        }
    }

    #[test]
    fn counts_a_test_as_passed_only_if_it_passed_in_each_binary() {
        let mut run = TestRun::default();
        read(
            &mut run,
            "p",
            "running 4 tests\ntest a::b ... ok\ntest c ... FAILED\ntest d ... ignored, why\ntest e ... ok\n",
        );
        read(&mut run, "p", "test e ... FAILED\ntest c ... ok\n");
        read(&mut run, "p", "test g - should panic ... ok\n");
        let outcome = |path| run.outcome("p", path);
        assert_eq!(outcome("a::b"), Some(TestOutcome::Passed));
        assert_eq!(outcome("c"), Some(TestOutcome::Failed));
        assert_eq!(outcome("d"), Some(TestOutcome::Ignored));
        assert_eq!(outcome("e"), Some(TestOutcome::Failed));
        assert_eq!(outcome("f"), None);
        assert_eq!(outcome("g"), Some(TestOutcome::Passed));
        assert_eq!(run.outcome("q", "a::b"), None);
        let outcomes = [
            TestOutcome::Passed,
            TestOutcome::Failed,
            TestOutcome::Ignored,
        ];
        assert_eq!(outcomes.map(|outcome| run.count(outcome)), [2, 2, 1]);
    }

    #[test]
    fn names_the_command_that_installs_what_is_missing() {
        let venv = "python3 -m venv target/venv && target/venv/bin/pip install -r \
            crates/conformance/python/requirements.txt";
        for (message, expected) in [
            (
                "PostgreSQL is needed for this test: apt-get install postgresql\nnote",
                Some("apt-get install postgresql"),
            ),
            (
                "not installed (apt-get install dovecot-imapd dovecot-pop3d), skipped",
                Some("apt-get install dovecot-imapd dovecot-pop3d"),
            ),
            ("ModuleNotFoundError: No module named 'h2'", Some(venv)),
            ("python3 lacks cryptography: python3 -m venv x", Some(venv)),
            ("left: 1, right: 2", None),
        ] {
            assert_eq!(remedy(message).as_deref(), expected, "{message}");
        }
    }
}
