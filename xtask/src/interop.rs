//! `cargo xtask interop`

use std::{
    collections::BTreeSet,
    error::Error,
    fs, io,
    path::{Path, PathBuf},
};

use conformance::{
    LiveEvent, LiveReport, LiveRun, Protocol, Scenario, at_once, keep_interop, run_scenarios,
};
use xtask::protocols::{PROTOCOLS, scenarios};

use crate::{
    choice::choose,
    shell::{self, Outcome},
};

#[derive(clap::Args)]
pub struct Arguments {
    /// Print the outcomes as JSON
    #[arg(long)]
    json: bool,
    /// Only this scenario, or those with this in their names, or that match this pattern with * and ?
    #[arg(long, value_name = "GLOB", default_value = "")]
    only: String,
    /// A skipped scenario is a failure
    #[arg(long)]
    no_skip: bool,
    /// List the names of the scenarios, and run nothing
    #[arg(long, conflicts_with_all = ["json", "no_skip"])]
    list: bool,
}

/// Does what needs no scenario, and so no build: lists the names, or refuses one that does not exist.
///
/// # Errors
/// Returns an error if there is no scenario of the name, or a file cannot be read.
pub fn before_build(arguments: &Arguments) -> Result<Option<Outcome>, Box<dyn Error>> {
    let names = names(&shell::root())?;
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let only = Some(arguments.only.clone()).filter(|only| !only.is_empty());
    let chosen = choose("scenario", &names, only.as_slice())?;
    if !arguments.list {
        return Ok(None);
    }
    let lines: String = chosen.iter().map(|name| format!("{name}\n")).collect();
    shell::print(&lines)?;
    Ok(Some(Ok(shell::exit(true))))
}

/// Returns the names of the scenarios with foreign peers, from the sources of the protocols, since some are not built yet: the
/// texts that begin as a name does, and are names of nothing else.
fn names(root: &Path) -> io::Result<BTreeSet<String>> {
    let ours = scenarios().into_iter().filter(|it| it.peer.is_none());
    let suites = PROTOCOLS.iter().flat_map(Protocol::suites);
    let others: BTreeSet<_> = ours
        .map(|it| it.name)
        .chain(suites.map(|it| it.name))
        .collect();
    let mut names = BTreeSet::new();
    for protocol in &PROTOCOLS {
        let begin = format!("\"{}/", protocol.name);
        let mut files = Vec::new();
        sources(&protocol.folder(root).join("src"), &mut files)?;
        for file in files {
            let text = fs::read_to_string(file)?;
            for rest in text.split(&begin).skip(1) {
                let below = rest.split('"').next().unwrap_or_default();
                let name = format!("{}/{below}", protocol.name);
                let is_name =
                    |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '-';
                if below.chars().all(is_name) && !others.contains(name.as_str()) {
                    names.insert(name);
                }
            }
        }
    }
    Ok(names)
}

fn sources(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            sources(&path, files)?;
        } else if path.extension().is_some_and(|it| it == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

/// Returns the scenarios with foreign peers that `only` chooses; all, if it is empty.
fn chosen(all: Vec<Scenario>, only: &str) -> Result<Vec<Scenario>, String> {
    let foreign = all.into_iter().filter(|scenario| scenario.peer.is_some());
    let mut foreign: Vec<_> = foreign.collect();
    let names: Vec<_> = foreign.iter().map(|scenario| scenario.name).collect();
    let only = Some(only.to_owned()).filter(|only| !only.is_empty());
    let names = choose("scenario", &names, only.as_slice())?;
    foreign.retain(|scenario| names.contains(&scenario.name));
    Ok(foreign)
}

/// The lines of progress. Several scenarios run at a time, so that each line names its own.
struct Lines {
    count: usize,
    began: usize,
}

impl Lines {
    const fn new(count: usize) -> Self {
        Self { count, began: 0 }
    }

    /// Returns the line about what a scenario did.
    fn line(&mut self, event: LiveEvent<'_>) -> Option<String> {
        match event {
            LiveEvent::Begins(scenario) => {
                self.began = self.began.saturating_add(1);
                Some(format!("» {}/{} {}", self.began, self.count, scenario.name))
            }
            LiveEvent::Ended(report) => {
                let LiveReport {
                    name,
                    state,
                    detail,
                    seconds,
                    ..
                } = report;
                let state = state.label();
                Some(format!("  {name} {state} in {seconds:.1} s: {detail}"))
            }
            LiveEvent::Waiting => None,
        }
    }
}

pub fn run(arguments: &Arguments) -> Outcome {
    let scenarios = chosen(scenarios(), &arguments.only)?;
    let mut lines = Lines::new(scenarios.len());
    let reports = run_scenarios(&shell::root(), &scenarios, at_once(), |event| {
        if let Some(line) = lines.line(event) {
            eprintln!("{line}");
        }
    });
    keep_interop(&shell::root(), &PROTOCOLS, &reports)?;
    let part = Some(arguments.only.clone()).filter(|only| !only.is_empty());
    let run = LiveRun::new(reports, part);
    if arguments.json {
        shell::print_json(&run)?;
    } else {
        shell::print(&run.table(shell::width()))?;
    }
    Ok(shell::exit(run.succeeded(!arguments.no_skip)))
}

#[cfg(test)]
mod tests {
    use conformance::{Live, LiveState};

    use super::*;

    #[test]
    fn says_that_no_scenario_has_the_name_and_which_there_are() {
        let error = chosen(scenarios(), "nosuch").expect_err("an error");
        let begin =
            "no scenario is called \"nosuch\" or has it in its name, and nothing ran\nThere are:\n";
        let names = error.strip_prefix(begin).expect("the names");
        assert!(names.lines().count() > 1, "{names}");
        for name in names.lines() {
            let chosen = chosen(scenarios(), name).expect("scenarios");
            let chosen: Vec<_> = chosen.iter().map(|scenario| scenario.name).collect();
            assert_eq!(chosen, [name]);
        }
        let all = chosen(scenarios(), "").expect("scenarios");
        assert_eq!(all.len(), names.lines().count());
    }

    #[test]
    fn finds_the_names_in_the_sources() {
        let found = names(&shell::root()).expect("sources");
        let foreign = scenarios().into_iter().filter(|it| it.peer.is_some());
        let built: BTreeSet<_> = foreign.map(|it| it.name.to_owned()).collect();
        // Without the feature, some are not built.
        if cfg!(feature = "interop") {
            assert_eq!(found, built);
        }
        assert!(
            found.is_superset(&built) && found.len() > 60,
            "{built:?} {found:?}"
        );
    }

    #[test]
    fn names_the_scenario_in_each_line_of_progress() {
        let mut lines = Lines::new(2);
        let scenarios =
            ["p/a", "p/b"].map(|name| Scenario::ours(name, |_| Ok(Live::Passed(String::new()))));
        let report = LiveReport {
            name: "p/a".to_owned(),
            peer: None,
            state: LiveState::Passed,
            detail: "as expected".to_owned(),
            seconds: 1.25,
        };
        let events = [
            LiveEvent::Begins(&scenarios[0]),
            LiveEvent::Begins(&scenarios[1]),
            LiveEvent::Waiting,
            LiveEvent::Ended(&report),
        ];
        let lines: Vec<_> = events.into_iter().filter_map(|it| lines.line(it)).collect();
        let expected = [
            "» 1/2 p/a",
            "» 2/2 p/b",
            "  p/a passed in 1.2 s: as expected",
        ];
        assert_eq!(lines, expected);
    }
}
