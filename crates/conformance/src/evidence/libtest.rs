//! The text that libtest prints: outcomes, and messages of failures.

use super::outcomes::{TestFailure, TestOutcome, TestRun};
use crate::selection::TestTarget;

/// The text that an executable printed.
#[derive(Default)]
pub(super) struct Printed {
    pub(super) out: String,
    pub(super) err: String,
}

impl TestRun {
    /// Takes in a line that libtest printed, and returns the path of the test that ended.
    pub(super) fn read_line<'a>(&mut self, package: &str, line: &'a str) -> Option<&'a str> {
        let (path, outcome) = outcome(line)?;
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
    pub(super) fn end(
        &mut self,
        target: &TestTarget,
        printed: &Printed,
        success: bool,
        status: &str,
    ) {
        let package = &target.package;
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
        // One that panics with a hook of its own, or without one, leaves none.
        let has_message = |path: &str| messages.iter().any(|(other, _)| other == path);
        let without: Vec<_> = failed(&printed.out)
            .filter(|path| !has_message(path))
            .collect();
        for path in &without {
            run.failures.push(TestFailure {
                subject: format!("test:{package}::{path}"),
                message: "the test failed without a message".to_owned(),
                next: format!("cargo test -p {package} --all-features {path}"),
            });
        }
        // A test that ends the process leaves neither a result nor, perhaps, an error.
        let has_result = printed.out.contains("\ntest result: ");
        let is_listed = !messages.is_empty() || !without.is_empty();
        let is_good = success && printed.out.contains("\ntest result: ok.");
        if !has_result || !(is_good || is_listed) {
            let message = format!(
                "ended with {status}{}\n{}\n{}",
                if has_result { "" } else { " before its result" },
                last_lines(&printed.out),
                last_lines(&printed.err)
            );
            run.failures.push(TestFailure {
                subject: format!("the executable {} of {package}", target.name),
                next: remedy(&message)
                    .unwrap_or_else(|| format!("cargo test -p {package} --all-features")),
                message: message.trim_end().to_owned(),
            });
        }
    }
}

/// Returns the path and the outcome of the test that a line is about.
fn outcome(line: &str) -> Option<(&str, TestOutcome)> {
    let (path, outcome) = line.strip_prefix("test ")?.rsplit_once(" ... ")?;
    let path = path.strip_suffix(" - should panic").unwrap_or(path);
    let outcome = match outcome.split(',').next().unwrap_or_default() {
        "ok" => TestOutcome::Passed,
        "ignored" => TestOutcome::Ignored,
        _ => TestOutcome::Failed,
    };
    Some((path, outcome))
}

/// Returns the paths of the tests that failed.
fn failed(printed: &str) -> impl Iterator<Item = &str> {
    let outcomes = printed.lines().filter_map(outcome);
    outcomes
        .filter(|(_, outcome)| *outcome == TestOutcome::Failed)
        .map(|(path, _)| path)
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
