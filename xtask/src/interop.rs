//! `cargo xtask interop`

use conformance::{LiveReport, LiveState, live_table, scenarios};

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

pub fn run(arguments: &Arguments) -> Outcome {
    let mut reports = Vec::<LiveReport>::new();
    for scenario in scenarios() {
        if scenario.peer.is_some() && scenario.name.contains(&arguments.only) {
            eprintln!("» {}", scenario.name);
            reports.push(scenario.report(&shell::root()));
        }
    }
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&reports)?);
    } else {
        print!("{}", live_table(&reports));
        for report in &reports {
            if report.state == LiveState::Skipped {
                println!("skipped {}: {}", report.name, report.detail);
            }
        }
        let count = |state| {
            reports
                .iter()
                .filter(|report| report.state == state)
                .count()
        };
        println!(
            "{} passed, {} skipped, {} failed",
            count(LiveState::Passed),
            count(LiveState::Skipped),
            count(LiveState::Failed)
        );
    }
    let fails =
        |state| state == LiveState::Failed || arguments.no_skip && state == LiveState::Skipped;
    Ok(shell::exit(
        !reports.is_empty() && !reports.iter().any(|report| fails(report.state)),
    ))
}
