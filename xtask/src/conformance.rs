//! `cargo xtask conformance`

use std::{fs, path::PathBuf};

use conformance::{DOCUMENT, Options, Tests, document, unfinished};

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
    /// Build and run the tests that requirements name, too (minutes; needs PostgreSQL)
    #[arg(long, conflicts_with_all = ["implementation", "only_vectors", "serve", "vectors"])]
    full: bool,
    /// A test that a requirement names, and of which no outcome is recorded for these sources, is a failure
    #[arg(long, conflicts_with_all = ["full", "implementation", "only_vectors", "serve", "vectors"])]
    require_tests: bool,
    /// Write docs/conformance.md from ledgers, vectors and scenarios, and run nothing
    #[arg(long, conflicts_with_all = ["full", "implementation", "json", "only_vectors", "require_tests", "serve", "vectors"])]
    write_docs: bool,
    #[command(flatten)]
    other: implementation::Arguments,
}

pub fn run(arguments: &Arguments) -> Outcome {
    if arguments.write_docs {
        let text = document(&shell::root(), &PROTOCOLS)?;
        fs::write(shell::root().join(DOCUMENT), text)?;
        eprintln!("written: {DOCUMENT}");
        return Ok(shell::exit(true));
    }
    if let Some(outcome) = implementation::run(&arguments.other, &arguments.vectors, arguments.json)
    {
        return outcome;
    }
    let options = Options {
        root: shell::root(),
        vectors: arguments.vectors.clone(),
        only_vectors: arguments.only_vectors,
        tests: if arguments.full {
            Tests::Run
        } else if arguments.require_tests {
            Tests::RequireRecorded
        } else {
            Tests::Recorded
        },
    };
    // An interrupted run must not leave the verdict of the run before it.
    unfinished(&options.root, options.part())?;
    let mut progress = Progress::new()?;
    let mut report = conformance::run(&options, &PROTOCOLS, |step| progress.step(step))?;
    progress.finish();
    let page = report.write(&options.root)?;
    if arguments.json {
        shell::print_json(&report)?;
    } else {
        shell::print(&report.table(shell::width()))?;
    }
    eprintln!("report: {}", page.display());
    Ok(shell::exit(report.passed))
}
