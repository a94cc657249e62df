//! Starts cargo, and what cargo built, the way a shell would.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
};

/// Returns a command that runs cargo in `root`, without incremental compilation unless the environment asks for it:
/// what is built here is built once, and would take three times the space.
#[must_use]
pub fn cargo(root: &Path) -> Command {
    let mut command = Command::new(env!("CARGO"));
    leave_package(&mut command);
    if env::var_os("CARGO_INCREMENTAL").is_none() {
        command.env("CARGO_INCREMENTAL", "0");
    }
    command.current_dir(root);
    command
}

/// Returns the directory in which cargo puts what it builds for development in `root`.
#[must_use]
pub fn built(root: &Path) -> PathBuf {
    let target = env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    root.join(target).join("debug")
}

/// Returns a command that builds the examples and these targets, as arguments of cargo, with what the tests of all
/// crates are built with: after these tests, nothing is left to build.
///
/// Features of dependencies are those of all crates, and, because of the examples, those of all tests.
#[must_use]
pub fn build(root: &Path, targets: &[&str]) -> Command {
    let mut command = cargo(root);
    command
        .args(["build", "--workspace", "--all-features", "--examples"])
        .args(targets);
    command
}

/// Builds a command of the workspace as [`build`] does, silently, and returns its path.
///
/// # Errors
/// Returns what cargo prints.
pub fn build_command(root: &Path, name: &str) -> Result<PathBuf, String> {
    let output = build(root, &["--quiet", "--bin", name]).output();
    let output = output.map_err(|error| error.to_string())?;
    match output.status.success() {
        true => Ok(built(root).join(name)),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

/// Removes the variables that `cargo run` sets of the package it runs.
///
/// Build scripts that watch them, as ring's does, would run again in the inner cargo, and everything above them would
/// be built again. A test would take them for those of its own package.
pub(crate) fn leave_package(command: &mut Command) {
    remove_package(command, env::vars_os().map(|(name, _)| name));
}

fn remove_package(command: &mut Command, names: impl Iterator<Item = OsString>) {
    for name in names {
        if name.to_str().is_some_and(is_of_package) {
            command.env_remove(name);
        }
    }
}

/// Returns `true` for the variables that cargo sets of a package.
fn is_of_package(name: &str) -> bool {
    [
        "CARGO_BIN_",
        "CARGO_CRATE_",
        "CARGO_MANIFEST_",
        "CARGO_PKG_",
    ]
    .iter()
    .any(|prefix| name.starts_with(prefix))
        || ["CARGO_PRIMARY_PACKAGE", "OUT_DIR"].contains(&name)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    #[test]
    fn starts_cargo_without_the_variables_of_a_package() {
        let names = "CARGO CARGO_BIN_NAME CARGO_HOME CARGO_MANIFEST_DIR CARGO_PKG_NAME CARGO_TARGET_DIR OUT_DIR PATH";
        let mut command = Command::new("cargo");
        remove_package(&mut command, names.split(' ').map(OsString::from));
        let changes: Vec<_> = command.get_envs().collect();
        let removed = [
            "CARGO_BIN_NAME",
            "CARGO_MANIFEST_DIR",
            "CARGO_PKG_NAME",
            "OUT_DIR",
        ];
        assert_eq!(changes, removed.map(|name| (OsStr::new(name), None)));
    }
}
