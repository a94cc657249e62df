//! The project's tasks: `cargo xtask --help`. Each parses its arguments, calls cargo or the
//! `conformance` library, and prints.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod archive;
mod bench;
mod choice;
mod conformance;
mod features;
mod fuzz;
mod interop;
mod package;
mod progress;
mod shell;
mod test;
mod toolchain;

/// The project's tasks.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Check the crates against their drafts: vectors, tests, requirements ledger
    Conformance(conformance::Arguments),
    /// Run the scenarios with foreign peers (OpenSSL, ...), and list the skipped ones with the reason
    Interop(interop::Arguments),
    /// Run all tests: format, clippy, tests, doc tests, docs
    Test,
    /// Build each crate alone with none, each and all of its features
    Features(features::Arguments),
    /// List the fuzz targets, or run them (needs cargo-fuzz and a nightly toolchain)
    Fuzz(fuzz::Arguments),
    /// Make the packages of the published crates, and check each on the Rust version that it states
    Package(package::Arguments),
    /// Count openers and words that the house's rules for English forbid
    Prose(prose::Arguments),
    /// Run the benchmarks, and compare them with the raw primitives in the same run
    Bench(bench::Arguments),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().task {
        Task::Conformance(arguments) => conformance::run(&arguments),
        Task::Interop(arguments) => interop::run(&arguments),
        Task::Test => test::run(),
        Task::Features(arguments) => features::run(&arguments),
        Task::Fuzz(arguments) => fuzz::run(&arguments),
        Task::Package(arguments) => package::run(&arguments),
        Task::Bench(arguments) => bench::run(&arguments),
        Task::Prose(arguments) => prose::run(&shell::root(), &arguments).map(shell::exit),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error}");
        ExitCode::from(2)
    })
}
