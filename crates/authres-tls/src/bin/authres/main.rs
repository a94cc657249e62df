//! The command `authres`: explains and checks `Authentication-Results` fields, removes the forged ones of messages, and
//! adds one about the TLS session, as a milter or in a pipe.

use std::{
    io::{self, BufWriter, Write},
    path::PathBuf,
    process::ExitCode,
};

use anstream::AutoStream;
use clap::{CommandFactory, Parser};
use command_support::output;

mod analysis;
mod arguments;
mod explain;
mod finding;
mod input;
mod json;
mod lint;
mod local_id;
mod mbox;
#[cfg(unix)]
mod milter;
mod out;
mod settings;
mod source;
mod stamp;
mod strip;
mod tls_view;
mod visible;

use arguments::{Arguments, Command, Strip};
use lint::Counts;
use out::Out;
use source::{Source, sources};

/// The end of a run that could be carried out: the exit codes 0 and 1.
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
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return refused(&error),
    };
    match &arguments.command {
        #[cfg(unix)]
        Command::Milter(it) => {
            return ended(milter::run(it).map_err(|failed| match failed {
                milter::Failed::Configuration(text) => (text, 2),
                milter::Failed::Run(text) => (text, 1),
            }));
        }
        Command::Stamp(it) => {
            return ended(
                stamp::run(it, arguments.quiet).map_err(|failed| match failed {
                    stamp::Failed::Configuration(text) => (text, 2),
                    stamp::Failed::Message(text) => (text, EX_TEMPFAIL),
                }),
            );
        }
        _ => {}
    }
    let mut run = Run {
        verdict: Verdict::Fine,
        has_failed: false,
    };
    match run.command(&arguments) {
        Ok(()) => run.exit_code(),
        // Whoever reads has seen enough, as `head` does.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            warn(&error.to_string());
            ExitCode::from(2)
        }
    }
}

/// The name of standard output in messages.
const OUTPUT: &str = "standard output";

/// Prints the help or the version, or an error in the arguments.
fn refused(error: &clap::Error) -> ExitCode {
    let printed = error.print();
    if error.use_stderr() {
        return ExitCode::from(2);
    }
    ended(output::printed(printed).map_err(|error| (error.to_string(), 2)))
}

/// The exit code for which an MTA tries a message again (sysexits.h).
const EX_TEMPFAIL: u8 = 75;

/// Returns the exit code of a command that has codes of its own.
fn ended(run: Result<(), (String, u8)>) -> ExitCode {
    match run {
        Ok(()) => ExitCode::SUCCESS,
        Err((text, code)) => {
            warn(&text);
            ExitCode::from(code)
        }
    }
}

/// Writes a line to standard error. Nothing can be done where this fails.
fn warn(text: &str) {
    let _ = writeln!(io::stderr(), "authres: {text}");
}

/// All files that are named on the command line, one after another.
struct Run {
    verdict: Verdict,
    has_failed: bool,
}

impl Run {
    fn exit_code(&self) -> ExitCode {
        match self.verdict {
            _ if self.has_failed => ExitCode::from(2),
            Verdict::Fine => ExitCode::SUCCESS,
            Verdict::Findings => ExitCode::from(1),
        }
    }

    fn command(&mut self, arguments: &Arguments) -> io::Result<()> {
        let mut out: Box<dyn Write> = if arguments.quiet {
            Box::new(io::sink())
        } else {
            let stdout = AutoStream::new(io::stdout(), arguments.color());
            Box::new(BufWriter::new(Out::new(OUTPUT, stdout)))
        };
        match &arguments.command {
            Command::Explain(it) => self.each(&it.read.files, |source| {
                explain::run(it, arguments.quiet, source, &mut out)
            })?,
            Command::Lint(it) => {
                let mut counts = Counts::default();
                self.each(&it.shown.read.files, |source| {
                    lint::run(it, arguments.quiet, source, &mut counts, &mut out)?;
                    Ok(Verdict::Fine)
                })?;
                self.verdict = counts.end(&mut out)?;
            }
            Command::Json(it) => {
                // JSON has no colours that could be taken out.
                if !arguments.quiet {
                    out = Box::new(BufWriter::new(Out::new(OUTPUT, io::stdout())));
                }
                self.each(&it.files, |source| {
                    json::run(it, arguments.quiet, source, &mut out)
                })?;
            }
            Command::Strip(it) => self.strip(it, arguments.quiet)?,
            #[cfg(unix)]
            Command::Milter(_) => {}
            // Both end before.
            Command::Stamp(_) => {}
            Command::Completions { shell } => {
                let mut text = Vec::new();
                clap_complete::generate(*shell, &mut Arguments::command(), "authres", &mut text);
                output::print(text)?;
            }
            Command::Man { subcommand } => man(subcommand.as_deref())?,
        }
        out.flush()
    }

    /// Reads each file. One that cannot be read does not keep the others from being read.
    fn each(
        &mut self,
        files: &[PathBuf],
        mut run: impl FnMut(&Source) -> io::Result<Verdict>,
    ) -> io::Result<()> {
        let mut broken = None;
        sources(files, |source| {
            if broken.is_some() {
                return;
            }
            match source.and_then(|source| run(&source)) {
                Ok(Verdict::Fine) => {}
                Ok(Verdict::Findings) => self.verdict = Verdict::Findings,
                Err(error) if out::ends_run(&error) => broken = Some(error),
                Err(error) => {
                    warn(&error.to_string());
                    self.has_failed = true;
                }
            }
        });
        broken.map_or(Ok(()), Err)
    }

    fn strip(&mut self, arguments: &Strip, quiet: bool) -> io::Result<()> {
        let is_several = arguments.files.len() > 1 || arguments.files.iter().any(|it| it.is_dir());
        if let Some(directory) = &arguments.output
            && directory.exists()
            && !directory.is_dir()
        {
            let text = format!("--output: {}: not a directory", source::shown(directory));
            return Err(io::Error::new(io::ErrorKind::NotADirectory, text));
        }
        if is_several && !arguments.check && arguments.output.is_none() {
            let text = "several files are stripped with --check, or with --output DIR";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let policy = strip::policy(arguments);
        let mut out = BufWriter::with_capacity(1 << 16, Out::new(OUTPUT, io::stdout()));
        let mut report: Box<dyn Write> = if arguments.check {
            Box::new(BufWriter::new(Out::new(OUTPUT, io::stdout())))
        } else {
            Box::new(BufWriter::new(Out::new("standard error", io::stderr())))
        };
        self.each(&arguments.files, |source| {
            strip::run(arguments, quiet, &policy, source, &mut out, &mut report)
        })?;
        report.flush()?;
        out.flush()
    }
}

fn man(subcommand: Option<&str>) -> io::Result<()> {
    // The list of commands has no `help`.
    let mut command = Arguments::command().disable_help_subcommand(true);
    command.build();
    let names: Vec<_> = command
        .get_subcommands()
        .map(|it| it.get_name().to_owned())
        .collect();
    let command = match subcommand {
        None => command,
        Some(name) => command.find_subcommand(name).cloned().ok_or_else(|| {
            let names: Vec<_> = names.iter().map(String::as_str).collect();
            let text = format!(
                "no such subcommand: {}; there are {}",
                visible::Visible(name),
                names.join(", ")
            );
            io::Error::new(io::ErrorKind::InvalidInput, text)
        })?,
    };
    let mut text = Vec::new();
    clap_mangen::Man::new(command)
        .source(concat!("authres ", env!("CARGO_PKG_VERSION")))
        .manual("User Commands")
        .render(&mut text)?;
    output::print(text)
}
