//! Executables that hold tests: built by one call of cargo, and run without cargo, two at a time.

use std::{
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

use cargo_metadata::Message;

use super::{
    libtest::Printed,
    outcomes::{TestFailure, TestRun},
};
use crate::{
    cargo::{cargo, leave_package},
    selection::{Kind, TestTarget},
    step::Step,
    stream::{Line, stream},
};

/// The number of executables that run at a time.
const AT_ONCE: usize = 2;

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
    Ended(usize, io::Result<std::process::ExitStatus>),
}

/// Runs executables, two at a time.
pub(super) fn run_binaries(
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
