//! `cargo xtask interop`

use conformance::{LiveRun, Scenario};
use xtask::protocols::scenarios;

use crate::shell::{self, Outcome};

#[derive(clap::Args)]
pub struct Arguments {
    /// Print the outcomes as JSON
    #[arg(long)]
    json: bool,
    /// Only scenarios whose name contains this
    #[arg(long, value_name = "TEXT", default_value = "")]
    only: String,
    /// A skipped scenario is a failure
    #[arg(long)]
    no_skip: bool,
}

/// Returns the scenarios with foreign peers whose names contain `only`.
fn chosen(all: Vec<Scenario>, only: &str) -> Result<Vec<Scenario>, String> {
    let (chosen, others): (Vec<_>, Vec<_>) = all
        .into_iter()
        .filter(|scenario| scenario.peer.is_some())
        .partition(|scenario| scenario.name.contains(only));
    if chosen.is_empty() {
        let names: Vec<_> = others.iter().map(|scenario| scenario.name).collect();
        return Err(format!(
            "no scenario has \"{only}\" in its name, and nothing ran; the scenarios are:\n{}",
            names.join("\n")
        ));
    }
    Ok(chosen)
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
    fn says_that_no_scenario_has_the_name() {
        let error = chosen(scenarios(), "nosuch").expect_err("an error");
        let begin = "no scenario has \"nosuch\" in its name, and nothing ran; the scenarios are:\n";
        let names = error.strip_prefix(begin).expect("the names");
        assert!(names.lines().count() > 1, "{names}");
        for name in names.lines() {
            let chosen = chosen(scenarios(), name).expect("scenarios");
            assert!(chosen.iter().any(|scenario| scenario.name == name));
        }
    }
}
