//! Executables that hold tests: built by one call of cargo, and run without cargo, several at a time.

use std::{
    cmp::Reverse,
    io,
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
    sync::{
        Mutex, PoisonError,
        mpsc::{RecvTimeoutError, Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

use cargo_metadata::Message;

use super::{
    libtest::Printed,
    outcomes::{Durations, TestFailure, TestRun},
};
use crate::{
    at_once::at_once,
    cargo::{cargo, leave_package},
    selection::{Kind, TestTarget},
    step::Step,
    stream::{Line, stream},
};

/// The time after which it is reported that executables still run.
const SILENCE: Duration = Duration::from_secs(1);

/// An executable that holds tests of one target.
pub(super) struct TestBinary {
    pub(super) target: TestTarget,
    directory: PathBuf,
    executable: PathBuf,
}

/// A thing that an executable did; the number is that of the executable.
enum Event {
    Started(usize),
    Printed(usize, Line),
    Ended(usize, io::Result<ExitStatus>, Duration),
}

/// Returns the numbers of executables in the order of their starts: those first of which no duration is known, then those
/// that took longest, so that none of these is left alone at the end.
fn order(binaries: &[TestBinary], millis: &Durations) -> Vec<usize> {
    let mut numbers: Vec<_> = (0..binaries.len()).collect();
    let known = |binary: &TestBinary| millis.get(&binary.target.to_string()).copied();
    numbers.sort_by_cached_key(|number| {
        let millis = binaries.get(*number).and_then(known);
        Reverse(millis.unwrap_or(u64::MAX))
    });
    numbers
}

/// Runs executables, several at a time. `millis` is what they took when they were last recorded.
pub(super) fn run_binaries(
    binaries: &[TestBinary],
    millis: &Durations,
    run: &mut TestRun,
    progress: &mut impl FnMut(Step<'_>),
) -> io::Result<()> {
    let queue = Mutex::new(order(binaries, millis).into_iter());
    let (sender, events) = channel();
    let mut ended: Vec<_> = binaries
        .iter()
        .map(|_| (Printed::default(), None))
        .collect();
    thread::scope(|scope| {
        for _ in 0..at_once() {
            let (queue, sender) = (&queue, sender.clone());
            scope.spawn(move || {
                loop {
                    let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
                    let number = queue.next();
                    drop(queue);
                    let Some((number, binary)) =
                        number.and_then(|it| Some((it, binaries.get(it)?)))
                    else {
                        return;
                    };
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
            let (Event::Started(number) | Event::Printed(number, _) | Event::Ended(number, ..)) =
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
                Event::Ended(_, outcome, duration) => {
                    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
                    run.millis.insert(binary.target.to_string(), millis);
                    *status = Some(outcome);
                }
            }
        }
    });
    for (binary, (printed, status)) in binaries.iter().zip(ended) {
        let status = status.ok_or_else(|| io::Error::other("an executable has no end"))??;
        run.end(
            &binary.target,
            &printed,
            status.success(),
            &status.to_string(),
        );
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
    let start = Instant::now();
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
    send(Event::Ended(number, status, start.elapsed()));
}

/// Builds tests and returns them, a package after the other. Returns `None`, with the failure in `run`, if they do
/// not compile.
pub(super) fn test_binaries(
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

    #[test]
    fn starts_unknown_executables_first_and_then_those_that_took_longest() {
        let binary = |name: &str, kind| TestBinary {
            target: TestTarget {
                package: "p".to_owned(),
                name: name.to_owned(),
                kind,
            },
            directory: PathBuf::new(),
            executable: PathBuf::new(),
        };
        let binaries = [
            binary("short", Kind::Test),
            binary("long", Kind::Test),
            binary("new", Kind::Test),
            binary("short", Kind::Library),
        ];
        let millis = [
            ("p test short", 1),
            ("p test long", 20_000),
            ("p library short", 2),
            ("p test gone", 30_000),
        ];
        let millis = millis.map(|(name, millis)| (name.to_owned(), millis));
        assert_eq!(order(&binaries, &Durations::from(millis)), [2, 1, 3, 0]);
        assert_eq!(order(&binaries, &Durations::new()), [0, 1, 2, 3]);
    }
}
