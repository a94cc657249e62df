//! `cargo xtask interop`

use conformance::{LiveRun, Scenario, keep_interop};
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

pub fn run(arguments: &Arguments) -> Outcome {
    let scenarios = chosen(scenarios(), &arguments.only)?;
    let count = scenarios.len();
    let mut reports = Vec::new();
    for (scenario, number) in scenarios.into_iter().zip(1..) {
        eprintln!("» {number}/{count} {}", scenario.name);
        let report = scenario.report(&shell::root());
        let (state, seconds) = (report.state.label(), report.seconds);
        eprintln!("  {state} in {seconds:.1} s: {}", report.detail);
        reports.push(report);
    }
    keep_interop(&shell::root(), &PROTOCOLS, &reports)?;
    let part = Some(arguments.only.clone()).filter(|only| !only.is_empty());
    let run = LiveRun::new(reports, part);
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&run)?);
    } else {
        print!("{}", run.table(shell::width()));
    }
    Ok(shell::exit(run.succeeded(!arguments.no_skip)))
}

#[cfg(test)]
mod tests {
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
}
