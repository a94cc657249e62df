//! `cargo run -p prose`: the task `cargo xtask prose`, without building the other crates.

use std::{path::Path, process::ExitCode};

use clap::Parser;

/// Count openers and words that the house's rules for English forbid
#[derive(Parser)]
struct Command {
    #[command(flatten)]
    arguments: prose::Arguments,
}

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    match prose::run(&root, &Command::parse().arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}
