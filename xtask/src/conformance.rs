//! `cargo xtask conformance`

use std::{fs, path::PathBuf};

use conformance::{Options, Step};
use indicatif::{ProgressBar, ProgressStyle};

use crate::shell::{self, Outcome};

#[derive(clap::Args)]
pub struct Arguments {
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
    /// Run the vectors in this directory, in the schema of docs/vectors.md, instead of our own
    #[arg(long, value_name = "DIR")]
    vectors: Vec<PathBuf>,
    /// Run our vectors only: neither tests nor ledger
    #[arg(long)]
    only_vectors: bool,
}

pub fn run(arguments: &Arguments) -> Outcome {
    let options = Options {
        root: shell::root(),
        vectors: arguments.vectors.clone(),
        only_vectors: arguments.only_vectors,
    };
    // indicatif draws on standard error, and only if that is a terminal.
    let bar = ProgressBar::no_length().with_style(ProgressStyle::with_template(
        "{bar:40} {pos}/{len} {wide_msg}",
    )?);
    let report = conformance::run(&options, |step| match step {
        Step::Cases(count) => bar.set_length(count.try_into().unwrap_or(u64::MAX)),
        Step::Case(name) => {
            bar.set_message(name.to_owned());
            bar.inc(1);
        }
        Step::Live(name) => bar.set_message(name.to_owned()),
        Step::Tests(package) => bar.set_message(format!("the tests of {package}")),
    })?;
    bar.finish_and_clear();
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{}", report.table());
    }
    if arguments.vectors.is_empty() {
        let page = PathBuf::from("target/conformance/index.html");
        let path = options.root.join(&page);
        fs::create_dir_all(path.parent().ok_or("no directory")?)?;
        fs::write(&path, report.html()?)?;
        eprintln!("report: {}", page.display());
    }
    Ok(shell::exit(report.passed))
}
