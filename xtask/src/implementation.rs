//! `cargo xtask conformance --implementation` and `--serve`

use std::{
    io,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use conformance::{
    ANSWER_DEADLINE, Comparison, ImplementationOptions, ImplementationReport, Origin, Protocol,
    files, run_implementation, serve,
};
use xtask::protocols::PROTOCOLS;

use crate::{
    choice::choose,
    progress::Progress,
    shell::{self, Outcome, exit},
};

#[derive(clap::Args)]
#[group(skip)]
pub struct Arguments {
    /// Ask the implementation that this command starts, over the interface of docs/vectors.md
    #[arg(
        long,
        value_name = "COMMAND",
        conflicts_with_all = ["only_vectors", "serve"],
        value_parser = clap::builder::NonEmptyStringValueParser::new(),
    )]
    implementation: Option<String>,
    /// Only the suite of this name, or those that match this pattern with * and ?; may be given again
    #[arg(long, value_name = "GLOB", requires = "implementation")]
    suite: Vec<String>,
    /// Compare also kinds and offsets of errors, and accepted fields that an answer leaves out
    #[arg(long, requires = "implementation")]
    strict: bool,
    /// The time for an answer, in seconds
    #[arg(
        long,
        value_name = "SECONDS",
        requires = "implementation",
        default_value_t = ANSWER_DEADLINE.as_secs(),
        value_parser = clap::value_parser!(u64).range(1..=86_400),
    )]
    deadline: u64,
    /// Be an implementation: answer requests on standard input with our crates
    #[arg(long, conflicts_with_all = ["json", "only_vectors", "vectors"])]
    serve: bool,
}

/// Runs what the arguments ask for, if they ask for anything.
pub fn run(arguments: &Arguments, vectors: &[PathBuf], json: bool) -> Option<Outcome> {
    if arguments.serve {
        let served = serve(&PROTOCOLS, io::stdin().lock(), io::stdout().lock());
        return Some(served.map(|()| exit(true)).map_err(Into::into));
    }
    let command = arguments.implementation.as_deref()?;
    Some(ask(command, arguments, vectors, json))
}

fn ask(command: &str, arguments: &Arguments, vectors: &[PathBuf], json: bool) -> Outcome {
    let root = shell::root();
    let names: Vec<_> = PROTOCOLS.iter().flat_map(Protocol::suites).collect();
    let names: Vec<_> = names.iter().map(|suite| suite.name).collect();
    let chosen = choose("suite", &names, &arguments.suite)?;
    let (directories, origin) = if vectors.is_empty() {
        (own(&root), Origin::Own)
    } else {
        (vectors.to_vec(), Origin::Foreign)
    };
    let mut paths = Vec::new();
    for directory in directories {
        paths.extend(files(&directory)?);
    }
    let options = ImplementationOptions {
        command: command.to_owned(),
        files: paths,
        origin,
        suites: chosen.into_iter().map(str::to_owned).collect(),
        comparison: if arguments.strict {
            Comparison::Strict
        } else {
            Comparison::Given
        },
        deadline: Duration::from_secs(arguments.deadline),
    };
    ImplementationReport::remove(&root)?;
    let mut progress = Progress::new()?;
    let report = run_implementation(&options, &PROTOCOLS, |step| progress.step(step))?;
    progress.finish();
    let page = report.write(&root)?;
    if json {
        shell::print_json(&report)?;
    } else {
        shell::print(&report.table(shell::width()))?;
    }
    eprintln!("report: {}", page.display());
    Ok(match report.trouble {
        Some(_) => ExitCode::from(2),
        None => exit(report.passed_all()),
    })
}

/// Returns the directories of the project's own vectors.
fn own(root: &Path) -> Vec<PathBuf> {
    let folders = PROTOCOLS.iter().map(|protocol| protocol.folder(root));
    folders.map(|folder| folder.join("vectors")).collect()
}
