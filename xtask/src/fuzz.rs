//! `cargo xtask fuzz`

use std::{
    collections::VecDeque,
    error::Error,
    ffi::OsString,
    fs,
    io::{BufRead, BufReader},
    num::NonZeroUsize,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    sync::{
        Mutex,
        mpsc::{self, RecvTimeoutError, Sender},
    },
    thread,
    time::{Duration, Instant},
};

use crate::{
    choice::choose,
    shell::{Outcome, exit, print, root, step, table},
    toolchain,
};

mod statistics;
mod targets;

use statistics::{Statistics, grouped};
use targets::{Target, list, targets};

/// The time between two lines of progress.
const INTERVAL: Duration = Duration::from_secs(5);

/// The lines of a target that are shown if it fails.
const LAST_LINES: usize = 60;

/// The differences of a target's build from an ordinary one.
const BUILD: &str =
    "with AddressSanitizer on nightly, in fuzz/target: minutes the first time, seconds later";

#[derive(clap::Args)]
pub struct Arguments {
    /// List the targets; so does the command without arguments
    #[arg(long)]
    list: bool,
    /// Only this target, or those with this in their names, or that match this pattern with * and ?; may be repeated
    #[arg(long, value_name = "GLOB", alias = "target")]
    only: Vec<String>,
    /// The time that each target runs, in seconds, after the build [default: 60]
    #[arg(long, value_name = "N")]
    seconds: Option<u32>,
    /// The number of targets that run at the same time [default: 1]
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// Show how much of the code the inputs reach (seeds, regressions, and what earlier runs found), and search no more
    #[arg(long, conflicts_with_all = ["seconds", "jobs"])]
    coverage: bool,
}

impl Arguments {
    fn is_list(&self) -> bool {
        let is_run = self.seconds.is_some() || self.jobs.is_some() || self.coverage;
        self.list || (self.only.is_empty() && !is_run)
    }
}

pub fn run(arguments: &Arguments) -> Outcome {
    let targets = targets(&root().join("fuzz"))?;
    let names: Vec<_> = targets.iter().map(|target| target.name.as_str()).collect();
    let names = choose("fuzz target", &names, &arguments.only)?;
    if arguments.is_list() {
        let chosen = |target: &Target| names.contains(&target.name.as_str());
        let chosen: Vec<_> = targets.iter().filter(|target| chosen(target)).collect();
        print(&list(&chosen))?;
        eprintln!("To run them: cargo xtask fuzz --seconds 60, and --only GLOB for some.");
        return Ok(exit(true));
    }
    let install = "rustup toolchain install nightly --profile minimal";
    toolchain::needs("nightly", &["--version"], "A nightly toolchain", install)?;
    let install = "cargo install cargo-fuzz --locked";
    toolchain::needs("nightly", &["fuzz", "--version"], "cargo-fuzz", install)?;
    if arguments.coverage {
        return coverage(&names);
    }

    eprintln!("» Building {} fuzz targets {BUILD}", names.len());
    // cargo-fuzz builds one target, or all.
    let is_all = names.len() == targets.len();
    for target in if is_all { &[""] } else { names.as_slice() } {
        let mut build = toolchain::cargo("nightly");
        build.args(["fuzz", "build"]);
        if !is_all {
            build.arg(target);
        }
        if !step(&mut build)? {
            return Ok(exit(false));
        }
    }
    let seconds = arguments.seconds.unwrap_or(60);
    let jobs = arguments.jobs.map_or(1, NonZeroUsize::get);
    let runs = run_all(&names, seconds, jobs)?;
    print(&report(&runs, &root()))?;
    Ok(exit(runs.iter().all(|run| run.failure.is_none())))
}

/// The end of one target's run.
struct Run {
    target: String,
    statistics: Statistics,
    /// The last lines of a target that failed, and its status.
    failure: Option<(String, Vec<String>)>,
}

/// An event of one target.
enum Event {
    Begins(usize),
    Reads(usize, Statistics),
    Ends(usize, Result<Run, String>),
}

/// Runs the targets, `jobs` at a time, and shows their progress.
fn run_all(names: &[&str], seconds: u32, jobs: usize) -> Result<Vec<Run>, Box<dyn Error>> {
    let start = Instant::now();
    let next = Mutex::new(names.iter().enumerate());
    let mut ended = Vec::new();
    let mut running: Vec<(usize, Statistics)> = Vec::new();
    let mut shown = start;
    thread::scope(|scope| -> Result<(), Box<dyn Error>> {
        let (sender, events) = mpsc::channel();
        for _ in 0..jobs.min(names.len()) {
            let (sender, next) = (sender.clone(), &next);
            scope.spawn(move || {
                let take = || next.lock().ok().and_then(|mut next| next.next());
                while let Some((index, name)) = take() {
                    let _ = sender.send(Event::Begins(index));
                    let run = fuzz(name, seconds, index, &sender);
                    let _ = sender.send(Event::Ends(index, run.map_err(|error| error.to_string())));
                }
            });
        }
        drop(sender);
        loop {
            let elapsed = start.elapsed().as_secs();
            match events.recv_timeout(INTERVAL) {
                Ok(Event::Begins(index)) => {
                    let (number, count, name) = (index + 1, names.len(), names[index]);
                    eprintln!("» {elapsed} s: {number}/{count} {name} for {seconds} s");
                    running.push((index, Statistics::default()));
                }
                Ok(Event::Reads(index, statistics)) => {
                    let mut places = running.iter_mut();
                    if let Some(place) = places.find(|(of, _)| *of == index) {
                        place.1 = statistics;
                    }
                }
                Ok(Event::Ends(index, run)) => {
                    running.retain(|(of, _)| *of != index);
                    let run = run?;
                    let end = if run.failure.is_some() {
                        "FAILED"
                    } else {
                        "ok"
                    };
                    eprintln!(
                        "» {elapsed} s: {}",
                        progress(&run.target, &run.statistics, end)
                    );
                    ended.push((index, run));
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            if shown.elapsed() >= INTERVAL {
                shown = Instant::now();
                for (index, statistics) in &running {
                    eprintln!(
                        "» {elapsed} s: {}",
                        progress(names[*index], statistics, "runs")
                    );
                }
            }
        }
    })?;
    ended.sort_by_key(|(index, _)| *index);
    Ok(ended.into_iter().map(|(_, run)| run).collect())
}

/// Returns a line for people: the executions and their speed, the coverage, and the inputs found.
fn progress(name: &str, statistics: &Statistics, state: &str) -> String {
    format!(
        "{name} {state}: {} executions, {} in a second, coverage {}, {} inputs",
        grouped(statistics.executions),
        grouped(statistics.per_second),
        grouped(statistics.coverage),
        grouped(statistics.corpus),
    )
}

/// Returns the directories with a target's inputs. The first takes new ones, and is not committed.
fn inputs(target: &str) -> std::io::Result<Vec<PathBuf>> {
    let fuzz = root().join("fuzz");
    fs::create_dir_all(fuzz.join("corpus").join(target))?;
    let directories = ["corpus", "seeds", "regressions"];
    let paths = directories.map(|directory| fuzz.join(directory).join(target));
    Ok(paths.into_iter().filter(|path| path.is_dir()).collect())
}

/// Runs one target on its seeds and regressions.
fn fuzz(
    target: &str,
    seconds: u32,
    index: usize,
    events: &Sender<Event>,
) -> Result<Run, Box<dyn Error>> {
    let mut command = toolchain::cargo("nightly");
    command
        .args(["fuzz", "run", target])
        .args(inputs(target)?)
        .arg("--")
        .arg(format!("-max_total_time={seconds}"))
        .arg("-print_final_stats=1");
    let dictionaries = root().join("fuzz/dictionaries");
    let dictionary = dictionaries.join(format!("{target}.dict"));
    if dictionary.is_file() {
        command.arg(format!("-dict={}", dictionary.display()));
    }
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut statistics = Statistics::default();
    let mut last = VecDeque::new();
    let lines = BufReader::new(child.stderr.take().ok_or("no standard error")?);
    for line in lines.split(b'\n') {
        let line = String::from_utf8_lossy(&line?).into_owned();
        statistics.read(&line);
        let _ = events.send(Event::Reads(index, statistics.clone()));
        last.push_back(line);
        if last.len() > LAST_LINES {
            last.pop_front();
        }
    }
    let status = child.wait()?;
    let failed = |status: ExitStatus| (status.to_string(), last.into());
    Ok(Run {
        target: target.to_owned(),
        statistics,
        failure: (!status.success()).then(|| failed(status)),
    })
}

/// Returns the table of the runs and, for each that failed, the lines to type.
fn report(runs: &[Run], root: &Path) -> String {
    let header = [
        "target",
        "executions",
        "per second",
        "coverage",
        "inputs",
        "finding",
    ];
    let mut table = table(&header);
    for Run {
        target,
        statistics,
        failure,
    } in runs
    {
        let numbers = [
            statistics.executions,
            statistics.per_second,
            statistics.coverage,
            statistics.corpus,
        ];
        let mut row = vec![target.clone()];
        row.extend(numbers.map(grouped));
        row.push(if failure.is_some() { "FAILED" } else { "none" }.to_owned());
        table.add_row(row);
    }
    let mut text = format!("{table}\n");
    for Run {
        target,
        statistics,
        failure,
    } in runs
    {
        let Some((status, last)) = failure else {
            continue;
        };
        text.push_str(&format!("\n{target} failed, {status}. Its last lines:\n"));
        for line in last {
            text.push_str(&format!("  {line}\n"));
        }
        match &statistics.artifact {
            Some(artifact) => text.push_str(&replay(target, artifact, root)),
            None => text.push_str("The target wrote no input to a file.\n"),
        }
    }
    text
}

/// Returns the path of an input that failed, and the lines that replay it and make a regression of it.
fn replay(target: &str, artifact: &str, root: &Path) -> String {
    let path = Path::new(artifact);
    let path = path.strip_prefix(root).unwrap_or(path).display();
    format!(
        "The input:     {path}\n\
         To replay it:  cargo +nightly fuzz run {target} {path}\n\
         To shrink it:  cargo +nightly fuzz tmin {target} {path}\n\
         To keep it:    mkdir -p fuzz/regressions/{target}, and copy it there under a name that says what it breaks\n"
    )
}

/// Shows the coverage of each target's inputs.
fn coverage(names: &[&str]) -> Outcome {
    let probe = toolchain::rustc("nightly", &["--print", "target-libdir"])?;
    let programs = Path::new(&probe)
        .parent()
        .unwrap_or(Path::new(""))
        .join("bin");
    let llvm_cov = programs.join("llvm-cov");
    if !llvm_cov.is_file() {
        let install = "rustup component add llvm-tools --toolchain nightly";
        return Err(format!("llvm-cov is missing:\n{install}").into());
    }
    let host = toolchain::rustc("nightly", &["--print", "host-tuple"])?;
    // Versions of cargo-fuzz differ in where they build for coverage unless they are told.
    let builds = root().join("target").join(&host).join("coverage");
    eprintln!(
        "» Building for coverage, in {}: {}",
        builds.display(),
        names.join(", ")
    );
    let mut table = table(&["target", "functions", "lines", "lines reached", "of all"]);
    for target in names {
        let mut command = toolchain::cargo("nightly");
        command
            .args(["fuzz", "coverage", "--target-dir"])
            .arg(&builds)
            .arg(target)
            .args(inputs(target)?);
        if !step(command.stdout(Stdio::null()))? {
            return Ok(exit(false));
        }
        let fuzz = root().join("fuzz");
        let profile = fuzz.join("coverage").join(target).join("coverage.profdata");
        let program = builds.join(&host).join("release").join(target);
        let mut instructions = OsString::from("-instr-profile=");
        instructions.push(&profile);
        let output = Command::new(&llvm_cov)
            .args([
                "export",
                "-summary-only",
                "-ignore-filename-regex=/(registry|rustlib|rustc|fuzz_targets|conformance[^/]*)/",
            ])
            .arg(instructions)
            .arg(&program)
            .output()?;
        if !output.status.success() {
            let message = String::from_utf8_lossy(&output.stderr);
            return Err(format!("llvm-cov: {}", message.trim()).into());
        }
        let totals: serde_json::Value = serde_json::from_slice(&output.stdout)?;
        let totals = &totals["data"][0]["totals"];
        let number = |kind: &str, value: &str| totals[kind][value].as_u64().unwrap_or_default();
        table.add_row([
            (*target).to_owned(),
            grouped(number("functions", "covered")),
            grouped(number("lines", "count")),
            grouped(number("lines", "covered")),
            format!(
                "{:.1} %",
                totals["lines"]["percent"].as_f64().unwrap_or_default()
            ),
        ]);
        eprintln!(
            "» Line by line: {} show -format=html -output-dir=fuzz/coverage/{target}/html -instr-profile={} {}",
            llvm_cov.display(),
            profile.display(),
            program.display()
        );
    }
    print(&format!("{table}\n"))?;
    Ok(exit(true))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(target: &str, artifact: Option<&str>, failed: bool) -> Run {
        Run {
            target: target.to_owned(),
            statistics: Statistics {
                executions: 140_000,
                per_second: 35_000,
                coverage: 532,
                corpus: 56,
                artifact: artifact.map(str::to_owned),
            },
            failure: failed.then(|| {
                (
                    "exit status: 77".to_owned(),
                    vec!["ERROR: deadly".to_owned()],
                )
            }),
        }
    }

    #[test]
    fn lists_without_arguments_and_runs_with_any_of_a_run() {
        let arguments = |set: fn(&mut Arguments)| {
            let mut arguments = Arguments {
                list: false,
                only: Vec::new(),
                seconds: None,
                jobs: None,
                coverage: false,
            };
            set(&mut arguments);
            arguments.is_list()
        };
        assert!(arguments(|_| {}));
        assert!(arguments(|it| it.list = true));
        assert!(arguments(
            |it| (it.list, it.only) = (true, vec!["id".to_owned()])
        ));
        assert!(!arguments(|it| it.only = vec!["id".to_owned()]));
        assert!(!arguments(|it| it.seconds = Some(60)));
        assert!(!arguments(|it| it.jobs = NonZeroUsize::new(2)));
        assert!(!arguments(|it| it.coverage = true));
    }

    #[test]
    fn reports_a_finding_with_its_file_and_the_line_that_replays_it() {
        let root = Path::new("/p");
        let text = report(&[run("message", None, false)], root);
        assert!(text.contains("140 000") && text.contains("none"), "{text}");
        assert!(!text.contains("failed"), "{text}");
        let artifact = Some("/p/fuzz/artifacts/id/crash-0a");
        let text = report(
            &[run("message", None, false), run("id", artifact, true)],
            root,
        );
        let (_, end) = text.split_once("\n\n").expect("a part below the table");
        assert_eq!(
            end,
            "id failed, exit status: 77. Its last lines:\n  \
             ERROR: deadly\n\
             The input:     fuzz/artifacts/id/crash-0a\n\
             To replay it:  cargo +nightly fuzz run id fuzz/artifacts/id/crash-0a\n\
             To shrink it:  cargo +nightly fuzz tmin id fuzz/artifacts/id/crash-0a\n\
             To keep it:    mkdir -p fuzz/regressions/id, and copy it there under a name that says what it breaks\n"
        );
        let text = report(&[run("id", None, true)], root);
        assert!(
            text.ends_with("\nThe target wrote no input to a file.\n"),
            "{text}"
        );
    }

    #[test]
    fn shows_executions_in_a_second_and_coverage() {
        let statistics = run("id", None, false).statistics;
        assert_eq!(
            progress("id", &statistics, "runs"),
            "id runs: 140 000 executions, 35 000 in a second, coverage 532, 56 inputs"
        );
    }
}
