//! `cargo xtask test`

use crate::shell::{self, Outcome, cargo, exit, step};

/// The steps, in order; the first that fails ends the task.
const STEPS: &[&[&str]] = &[
    &["fmt", "--all", "--check"],
    &[
        "clippy",
        "--workspace",
        "--all-targets",
        "--all-features",
        "--",
        "-D",
        "warnings",
    ],
    &["test", "--workspace", "--all-features"],
    &["doc", "--workspace", "--no-deps", "--all-features"],
];

pub fn run() -> Outcome {
    // A test regenerates the known answers: a missing interpreter is reported before the build.
    let _interpreter = conformance::python(&shell::root())?;
    if !prose::run(&shell::root(), &prose::Arguments::default())? {
        return Ok(exit(false));
    }
    for arguments in STEPS {
        let mut command = cargo(arguments);
        if arguments.first() == Some(&"doc") {
            command.env("RUSTDOCFLAGS", "-D warnings");
        }
        if !step(&mut command)? {
            return Ok(exit(false));
        }
    }
    Ok(exit(true))
}
