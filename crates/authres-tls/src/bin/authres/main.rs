//! The command `authres`: what `Authentication-Results` fields say, what is wrong with them, and
//! messages without those that are forged.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use anstream::AutoStream;
use clap::Parser;

mod analysis;
mod arguments;
mod explain;
mod finding;
mod input;
mod json;
mod lint;
mod strip;
mod tls_view;
mod visible;

use arguments::{Arguments, Command};

/// How a run ends that could be carried out: the exit codes 0 and 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Fine,
    Findings,
}

impl Verdict {
    const fn of(findings: bool) -> Self {
        if findings { Self::Findings } else { Self::Fine }
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(Verdict::Fine) => ExitCode::SUCCESS,
        Ok(Verdict::Findings) => ExitCode::from(1),
        Err(error) => {
            // Nothing can be done where this fails as well.
            let _ = writeln!(io::stderr(), "authres: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &Arguments) -> io::Result<Verdict> {
    let color = arguments.color();
    match &arguments.command {
        Command::Explain(it) => {
            let (text, verdict) = explain::run(it)?;
            print(AutoStream::new(io::stdout(), color), &text)?;
            Ok(verdict)
        }
        Command::Lint(it) => {
            let (text, verdict) = lint::run(it)?;
            print(AutoStream::new(io::stdout(), color), &text)?;
            Ok(verdict)
        }
        Command::Json(it) => {
            let (text, verdict) = json::run(it)?;
            print(io::stdout(), &text)?;
            Ok(verdict)
        }
        Command::Strip(it) => strip::run(it),
    }
}

fn print(mut out: impl Write, text: &str) -> io::Result<()> {
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    match written {
        // Whoever reads has seen enough, as `head` does.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}
