//! The project's tasks: `cargo xtask --help`. Each parses its arguments, calls cargo or the
//! `conformance` library, and prints.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod archive;
mod bench;
mod choice;
mod conformance;
mod dist;
mod features;
mod fuzz;
mod implementation;
mod interop;
mod package;
mod progress;
mod shell;
mod signals;
mod test;
mod toolchain;

/// The end of every help.
const EXIT_CODES: &str = "Exit codes:
  0  Everything that ran passed
  1  Something failed: a test, a case, a build, a check; the output says which
  2  The task could not run: a wrong argument, or something that is missing, with the line that installs it";

/// The project's tasks, run by people and by continuous integration.
///
/// Progress goes to standard error, results to standard output. `cargo xtask help TASK` says more about a task.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", after_help = EXIT_CODES)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Check the crates against their drafts: vectors, tests, requirements
    ///
    /// Writes target/conformance/index.html. Exit code 1 if a case, a test, a live scenario or a requirement fails.
    ///
    /// --implementation checks a program in any language on the vectors of our suites, over the interface that
    /// docs/vectors.md describes. Exit code 1 if a case did not pass, 2 if the command is silent, ends or writes no answer.
    #[command(after_help = EXIT_CODES)]
    Conformance(conformance::Arguments),
    /// Run the scenarios with foreign peers, and list the skipped ones with the reason
    ///
    /// The peers are programs that are installed, OpenSSL and Dovecot among them. A scenario whose peer is missing is
    /// skipped. Several run at a time. Builds what it needs with all features, so that after the task `test` nothing is built again.
    /// Exit code 1 if a scenario fails, or if none passed.
    #[command(after_help = EXIT_CODES)]
    Interop(interop::Arguments),
    /// Run all tests: format, clippy, tests, doc tests, docs
    ///
    /// The first step that fails ends the task. Needs PostgreSQL, and Python with venv and OpenSSL for the known answers.
    #[command(after_help = EXIT_CODES)]
    Test,
    /// Check each crate alone with none, each and all of its features
    ///
    /// By clippy, whose warnings are failures, as in the task `test`: what that has checked is not checked again.
    #[command(after_help = EXIT_CODES)]
    Features(features::Arguments),
    /// List the fuzz targets, or run them
    ///
    /// Builds first, in fuzz/target. Needs cargo-fuzz and a nightly toolchain. Exit code 1 if a target finds an input, whose
    /// file and the line that replays it are shown. fuzz/README.md says how a finding becomes a regression.
    #[command(after_help = EXIT_CODES)]
    Fuzz(fuzz::Arguments),
    /// Make the packages of the published crates, and check each on the Rust version that it states
    ///
    /// The packages are in target/package. Their manifests are compared with what a registry asks for, then the crates are
    /// compiled from their packages, with all features, on the toolchain of the Rust version that they state. Without
    /// that toolchain, the one in use takes its place.
    #[command(after_help = EXIT_CODES)]
    Package(package::Arguments),
    /// Make an archive of the vectors for implementations in other languages
    ///
    /// The archive, target/dist/vectors-VERSION.tar.gz, has the vectors, their schemas and their meaning, the requirements that
    /// they name, and the licences. The same files give the same octets.
    #[command(after_help = EXIT_CODES)]
    Dist(dist::Arguments),
    /// Count openers and words that the house's rules for English forbid
    #[command(after_help = EXIT_CODES)]
    Prose(prose::Arguments),
    /// Run the benchmarks, and compare them with the raw primitives in the same run
    ///
    /// Figures that are not reached are shown, and are no failure.
    #[command(after_help = EXIT_CODES)]
    Bench(bench::Arguments),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Err(error) = signals::end_with_descendants() {
        eprintln!("error: {error}");
        return ExitCode::from(2);
    }
    let outcome = match arguments.task {
        Task::Conformance(arguments) => conformance::run(&arguments),
        Task::Interop(arguments) => match interop::before_build(&arguments) {
            Err(error) => Err(error),
            Ok(Some(done)) => done,
            Ok(None) if cfg!(feature = "interop") => interop::run(&arguments),
            // The scenarios with foreign peers need crates that nothing else needs.
            Ok(None) => shell::with_all_features(),
        },
        Task::Test => test::run(),
        Task::Features(arguments) => features::run(&arguments),
        Task::Fuzz(arguments) => fuzz::run(&arguments),
        Task::Dist(arguments) => dist::run(&arguments),
        Task::Package(arguments) => package::run(&arguments),
        Task::Bench(arguments) => bench::run(&arguments),
        Task::Prose(arguments) => prose::run(&shell::root(), &arguments).map(shell::exit),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {}", shell::escaped(&error.to_string()));
        ExitCode::from(2)
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn describes_every_task_option_and_exit_code() {
        let mut command = Arguments::command();
        command.build();
        let mut commands = vec![&command];
        commands.extend(command.get_subcommands());
        assert!(commands.len() > 9, "{}", commands.len());
        for command in commands {
            let name = command.get_name();
            if name == "help" {
                continue;
            }
            assert!(command.get_about().is_some(), "{name}");
            let end = command.get_after_help().map(ToString::to_string);
            assert_eq!(end.as_deref(), Some(EXIT_CODES), "{name}");
            for argument in command.get_arguments() {
                assert!(
                    argument.get_help().is_some(),
                    "{name} {}",
                    argument.get_id()
                );
            }
        }
    }
}
