//! Runs tests, two executables at a time, and says which passed.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Mutex, PoisonError,
        mpsc::{RecvTimeoutError, Sender, channel},
    },
    thread,
    time::Duration,
};

use cargo_metadata::{Message, Metadata, MetadataCommand};
use serde::{Deserialize, Serialize};

use crate::{
    cargo::{cargo, leave_package},
    record::{PackageRecord, Record, Sources},
    selection::{Kind, Selection, TestTarget, arguments, examples, targets},
    step::Step,
    stream::{Line, stream},
};

/// The number of executables that run at a time.
const AT_ONCE: usize = 2;

/// The time after which it is reported that executables still run.
const SILENCE: Duration = Duration::from_secs(1);

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
    packages: BTreeMap<String, PackageRun>,
    left_out: BTreeSet<String>,
    build: Option<TestFailure>,
    recorded: bool,
}

/// The outcomes of one package's tests.
#[derive(Clone, Debug, PartialEq, Eq)]
struct PackageRun {
    origin: Origin,
    executables: usize,
    tests: BTreeMap<String, TestOutcome>,
    failures: Vec<TestFailure>,
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

    fn package(&mut self, name: &str) -> &mut PackageRun {
        let package = self.packages.entry(name.to_owned());
        package.or_insert_with(|| Origin::Ran.into())
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
        self.package(package)
            .tests
            .entry(path.to_owned())
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
        let package = &binary.target.package;
        let run = self.package(package);
        run.executables += 1;
        let messages = messages(&printed.out);
        for (path, message) in &messages {
            let (path, message) = (path.as_str(), message.as_str());
            let alone = format!("cargo test -p {package} --all-features {path}");
            run.failures.push(TestFailure {
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
            run.failures.push(TestFailure {
                subject: format!("the executable {} of {package}", binary.target.name),
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

/// An executable that holds tests of one target.
struct TestBinary {
    target: TestTarget,
    directory: PathBuf,
    executable: PathBuf,
}

/// A thing that an executable did; the number is that of the executable.
enum Event {
    Started(usize),
    Printed(usize, Line),
    Ended(usize, io::Result<std::process::ExitStatus>),
}

/// Runs unit and integration tests with all features of their crates, and records the outcomes.
///
/// One call of cargo builds them, and the executables are run without cargo, two at a time.
///
/// # Errors
/// Returns an error when a command cannot be started. A test that fails or does not compile is an outcome.
pub fn run_tests(
    root: &Path,
    selection: &Selection,
    mut progress: impl FnMut(Step<'_>),
) -> io::Result<TestRun> {
    progress(Step::Building("the tests"));
    let workspace = workspace(root)?;
    // A change while the tests are built or run is not recorded as tested.
    let sources = Sources::read(root, &workspace)?;
    let mut run = TestRun::default();
    let mut command = vec!["test".to_owned(), "--no-run".to_owned()];
    let chosen = match selection {
        Selection::All => {
            command.push("--workspace".to_owned());
            None
        }
        Selection::Named(named) => {
            let chosen = targets(&workspace, named)?;
            command.extend(arguments(&chosen));
            let packages = chosen.iter().map(|it| &it.package);
            run.left_out = without(&workspace, &packages.collect());
            let examples = examples(&workspace, &chosen);
            if !examples.is_empty()
                && test_binaries(root, &examples, &mut run, &mut progress)?.is_none()
            {
                return Ok(run);
            }
            Some(chosen)
        }
    };
    if chosen.as_ref().is_some_and(BTreeSet::is_empty) {
        return Ok(run);
    }
    command.push("--all-features".to_owned());
    let Some(mut binaries) = test_binaries(root, &command, &mut run, &mut progress)? else {
        return Ok(run);
    };
    binaries.retain(|it| chosen.as_ref().is_none_or(|them| them.contains(&it.target)));
    progress(Step::Executables(binaries.len()));
    run_binaries(&binaries, &mut run, &mut progress)?;
    Record::update(root, records(&run, &sources))?;
    Ok(run)
}

/// Returns the outcomes of these tests as they were last recorded. Those of crates that have changed do not count.
///
/// # Errors
/// Returns an error when cargo cannot be started or a file of a crate cannot be read.
pub fn recorded_tests(
    root: &Path,
    named: &BTreeMap<String, BTreeSet<String>>,
) -> io::Result<TestRun> {
    let workspace = workspace(root)?;
    let sources = Sources::read(root, &workspace)?;
    let record = Record::load(root);
    let mut run = TestRun {
        left_out: without(&workspace, &named.keys().collect()),
        recorded: true,
        ..TestRun::default()
    };
    for package in named.keys() {
        let origin = match record.packages.get(package) {
            None => Origin::NotRecorded,
            Some(known) if known.sources != sources.of(package) => {
                Origin::Changed(known.commit.clone())
            }
            Some(known) => {
                let known = PackageRun {
                    origin: Origin::Recorded(known.commit.clone()),
                    executables: known.executables,
                    tests: known.tests.clone(),
                    failures: known.failures.clone(),
                };
                run.packages.insert(package.clone(), known);
                continue;
            }
        };
        run.packages.insert(package.clone(), origin.into());
    }
    Ok(run)
}

/// Returns the packages of the workspace, without their dependencies.
fn workspace(root: &Path) -> io::Result<Metadata> {
    let mut metadata = MetadataCommand::new();
    metadata.no_deps();
    let mut command = cargo(root);
    command.args(metadata.cargo_command().get_args());
    let output = command.output()?;
    if !output.status.success() {
        return Err(io::Error::other(String::from_utf8_lossy(&output.stderr)));
    }
    MetadataCommand::parse(String::from_utf8_lossy(&output.stdout)).map_err(io::Error::other)
}

fn without(workspace: &Metadata, packages: &BTreeSet<&String>) -> BTreeSet<String> {
    let names = workspace.packages.iter().map(|it| it.name.to_string());
    names.filter(|name| !packages.contains(name)).collect()
}

/// Returns what is kept of a run.
fn records(run: &TestRun, sources: &Sources) -> BTreeMap<String, PackageRecord> {
    let record = |(package, run): (&String, &PackageRun)| {
        let record = PackageRecord {
            commit: sources.commit.clone(),
            sources: sources.of(package).to_owned(),
            executables: run.executables,
            tests: run.tests.clone(),
            failures: run.failures.clone(),
        };
        (package.clone(), record)
    };
    run.packages.iter().map(record).collect()
}

fn run_binaries(
    binaries: &[TestBinary],
    run: &mut TestRun,
    progress: &mut impl FnMut(Step<'_>),
) -> io::Result<()> {
    let queue = Mutex::new(binaries.iter().enumerate());
    let (sender, events) = channel();
    let mut ended: Vec<_> = binaries
        .iter()
        .map(|_| (Printed::default(), None))
        .collect();
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            let (queue, sender) = (&queue, sender.clone());
            scope.spawn(move || {
                loop {
                    let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
                    let Some((number, binary)) = queue.next() else {
                        return;
                    };
                    drop(queue);
                    run_binary(number, binary, &sender);
                }
            });
        }
        drop(sender);
        loop {
            let event = match events.recv_timeout(SILENCE) {
                Ok(event) => event,
                Err(RecvTimeoutError::Timeout) => {
                    progress(Step::Waiting);
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let (Event::Started(number) | Event::Printed(number, _) | Event::Ended(number, _)) =
                &event;
            let (Some(binary), Some((printed, status))) =
                (binaries.get(*number), ended.get_mut(*number))
            else {
                continue;
            };
            match event {
                Event::Started(_) => progress(Step::Tests {
                    package: &binary.target.package,
                    executable: &binary.target.name,
                }),
                Event::Printed(_, Line::Out(line)) => {
                    if let Some(path) = run.read_line(&binary.target.package, &line) {
                        progress(Step::Test(path));
                    }
                    printed.out += &format!("{line}\n");
                }
                Event::Printed(_, Line::Err(line)) => printed.err += &format!("{line}\n"),
                Event::Ended(_, outcome) => *status = Some(outcome),
            }
        }
    });
    for (binary, (printed, status)) in binaries.iter().zip(ended) {
        let status = status.ok_or_else(|| io::Error::other("an executable has no end"))??;
        run.end(binary, &printed, status.success(), &status.to_string());
    }
    Ok(())
}

/// Runs an executable as `cargo test` would.
fn run_binary(number: usize, binary: &TestBinary, events: &Sender<Event>) {
    // Events are received until all executables have ended.
    let send = |event| {
        let _ = events.send(event);
    };
    send(Event::Started(number));
    let mut command = Command::new(&binary.executable);
    leave_package(&mut command);
    command
        .arg("--format=pretty")
        .current_dir(&binary.directory)
        .env("CARGO_MANIFEST_DIR", &binary.directory);
    let status = stream(&mut command, |line| {
        if let Some(line) = line {
            send(Event::Printed(number, line));
        }
        Ok(())
    });
    send(Event::Ended(number, status));
}

/// Builds tests and returns them, a package after the other. Returns `None`, with the failure in `run`, if they do
/// not compile.
fn test_binaries(
    root: &Path,
    arguments: &[String],
    run: &mut TestRun,
    progress: &mut impl FnMut(Step<'_>),
) -> io::Result<Option<Vec<TestBinary>>> {
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
        run.build = Some(TestFailure {
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
        let directory = artifact.manifest_path.parent();
        let (Some(directory), Some(kind)) = (directory, Kind::of(&artifact.target.kind)) else {
            continue;
        };
        let Some(package) = directory.file_name() else {
            continue;
        };
        binaries.push(TestBinary {
            target: TestTarget {
                package: package.to_owned(),
                name: artifact.target.name,
                kind,
            },
            directory: directory.into(),
            executable: executable.into(),
        });
    }
    binaries.sort_by(|left, right| left.target.cmp(&right.target));
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
