//! `cargo xtask test`

use std::{
    env,
    error::Error,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

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

pub fn run() -> Outcome {
    // What the tests need is checked before the build, which takes minutes.
    let path = env::var_os("PATH").unwrap_or_default();
    let path: Vec<_> = env::split_paths(&path).collect();
    postgresql(Path::new("/usr/lib/postgresql"), &path)?;
    environment(&shell::root())?;
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

#[cfg(test)]
mod tests {
    use super::*;

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
