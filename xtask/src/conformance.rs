//! `cargo xtask conformance`

use std::path::PathBuf;

use conformance::{Options, unfinished};

use xtask::protocols::PROTOCOLS;

use crate::{
    implementation,
    progress::Progress,
    shell::{self, Outcome},
};

#[derive(clap::Args)]
pub struct Arguments {
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
    /// Run the vectors in this directory, in the schema of docs/vectors.md, instead of our own
    #[arg(long, value_name = "DIR")]
    vectors: Vec<PathBuf>,
    /// Run our vectors only: neither tests, live scenarios nor requirements. The full report is kept
    #[arg(long)]
    only_vectors: bool,
    #[command(flatten)]
    other: implementation::Arguments,
}

pub fn run(arguments: &Arguments) -> Outcome {
    if let Some(outcome) = implementation::run(&arguments.other, &arguments.vectors, arguments.json)
    {
        return outcome;
    }
    let options = Options {
        root: shell::root(),
        vectors: arguments.vectors.clone(),
        only_vectors: arguments.only_vectors,
    };
    // An interrupted run must not leave the verdict of the run before it.
    unfinished(&options.root, options.part())?;
    let mut progress = Progress::new()?;
    let report = conformance::run(&options, &PROTOCOLS, |step| progress.step(step))?;
    progress.finish();
    let page = report.write(&options.root)?;
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{}", report.table(shell::width()));
    }
    eprintln!("report: {}", page.display());
    Ok(shell::exit(report.passed))
}
