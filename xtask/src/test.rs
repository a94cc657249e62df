//! `cargo xtask test`

use std::{
    env,
    error::Error,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use conformance::{Selection, TestOutcome, run_tests};

use crate::{
    progress::Progress,
    shell::{self, Outcome, cargo, exit, step},
};

/// The steps before the tests, in order; the first that fails ends the task.
const BEFORE: &[&[&str]] = &[
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
];

/// The steps after the tests.
const AFTER: &[&[&str]] = &[
    &["test", "--doc", "--workspace", "--all-features"],
    &["doc", "--workspace", "--no-deps", "--all-features"],
];

/// The programs of PostgreSQL that the tests start.
const POSTGRESQL: [&str; 4] = ["initdb", "pg_ctl", "pg_isready", "postgres"];

/// Returns the directory with the programs of PostgreSQL, below `debian` or in the path, as the tests look for it.
fn postgresql(debian: &Path, path: &[PathBuf]) -> Result<PathBuf, String> {
    let versions = fs::read_dir(debian).into_iter().flatten().flatten();
    versions
        .map(|version| version.path().join("bin"))
        .chain(path.iter().cloned())
        .find(|bin| POSTGRESQL.iter().all(|name| bin.join(name).is_file()))
        .ok_or_else(|| {
            "the tests start a PostgreSQL server, which is not installed:\napt-get install postgresql"
                .to_owned()
        })
}

/// Checks that the command of OpenSSL is installed, which scripts of the vectors run.
fn openssl(path: &[PathBuf]) -> Result<(), String> {
    if path.iter().any(|bin| bin.join("openssl").is_file()) {
        return Ok(());
    }
    Err("scripts of the vectors ask the command openssl, which is not installed:\napt-get install openssl".to_owned())
}

/// Makes `target/venv` if the interpreter lacks the packages that the tests need.
fn environment(root: &Path) -> Result<(), Box<dyn Error>> {
    let Err(missing) = conformance::python(root) else {
        return Ok(());
    };
    // An interpreter that was chosen is not replaced by another.
    if env::var_os("PYTHON").is_some() {
        return Err(missing.into());
    }
    let mut venv = Command::new("python3");
    venv.args(["-m", "venv", "target/venv"]).current_dir(root);
    let mut install = Command::new(root.join("target/venv/bin/pip"));
    install
        .args(["install", "--quiet", "-r"])
        .arg("crates/conformance/python/requirements.txt")
        .current_dir(root);
    for command in [&mut venv, &mut install] {
        if !step(command).map_err(|_| missing.to_string())? {
            return Err(format!("{missing}\nOn Debian first: apt-get install python3-venv").into());
        }
    }
    conformance::python(root)?;
    Ok(())
}

/// Runs the steps, and returns `true` if all succeeded.
fn steps(steps: &[&[&str]]) -> Result<bool, Box<dyn Error>> {
    for arguments in steps {
        let mut command = cargo(arguments);
        if arguments.first() == Some(&"doc") {
            command.env("RUSTDOCFLAGS", "-D warnings");
        }
        if !step(&mut command)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Runs all tests but those of the documentation, and records the outcomes for `cargo xtask conformance`.
fn tests() -> Result<bool, Box<dyn Error>> {
    let mut progress = Progress::new()?;
    let run = run_tests(&shell::root(), &Selection::All, |step| progress.step(step))?;
    progress.finish();
    let failures = run.failures();
    for failure in &failures {
        let message = failure.message.replace('\n', "\n  ");
        shell::print(&format!(
            "FAILED {}\n  {message}\n  next: {}\n",
            failure.subject, failure.next
        ))?;
    }
    shell::print(&format!(
        "tests: {} passed, {} failed, {} ignored, in {} executables\n",
        run.count(TestOutcome::Passed),
        run.count(TestOutcome::Failed),
        run.count(TestOutcome::Ignored),
        run.executables()
    ))?;
    Ok(failures.is_empty() && run.count(TestOutcome::Passed) > 0)
}

pub fn run() -> Outcome {
    // What the tests need is checked before the build, which takes minutes.
    let path = env::var_os("PATH").unwrap_or_default();
    let path: Vec<_> = env::split_paths(&path).collect();
    postgresql(Path::new("/usr/lib/postgresql"), &path)?;
    openssl(&path)?;
    environment(&shell::root())?;
    if !prose::run(&shell::root(), &prose::Arguments::default())? {
        return Ok(exit(false));
    }
    Ok(exit(steps(BEFORE)? && tests()? && steps(AFTER)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_openssl_or_names_the_command_that_installs_it() -> Result<(), Box<dyn Error>> {
        let root = tempfile::tempdir()?;
        let path = [root.path().join("none"), root.path().to_owned()];
        let missing = "scripts of the vectors ask the command openssl, which is not installed:\n\
            apt-get install openssl";
        assert_eq!(openssl(&path), Err(missing.to_owned()));
        fs::write(root.path().join("openssl"), "")?;
        assert_eq!(openssl(&path), Ok(()));
        Ok(())
    }

    #[test]
    fn finds_postgresql_or_names_the_command_that_installs_it() -> Result<(), Box<dyn Error>> {
        let root = tempfile::tempdir()?;
        let debian = root.path().join("postgresql");
        let bin = debian.join("17/bin");
        fs::create_dir_all(&bin)?;
        let missing = "the tests start a PostgreSQL server, which is not installed:\n\
            apt-get install postgresql"
            .to_owned();
        for name in POSTGRESQL {
            assert_eq!(postgresql(&debian, &[]), Err(missing.clone()));
            fs::write(bin.join(name), "")?;
        }
        assert_eq!(postgresql(&debian, &[]), Ok(bin.clone()));
        let elsewhere = root.path().join("none");
        assert_eq!(postgresql(&elsewhere, &[]), Err(missing));
        let path = std::slice::from_ref(&bin);
        assert_eq!(postgresql(&elsewhere, path), Ok(bin.clone()));
        Ok(())
    }

    #[test]
    fn shows_the_build_of_the_tasks() -> Result<(), Box<dyn Error>> {
        let configuration = fs::read_to_string(shell::root().join(".cargo/config.toml"))?;
        assert!(configuration.contains("xtask = \"run --package xtask --\""));
        Ok(())
    }
}
