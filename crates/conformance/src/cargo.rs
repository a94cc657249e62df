//! Starts cargo the way a shell would.

use std::{path::Path, process::Command};

/// Returns a command that runs cargo in `root`.
///
/// `cargo run` sets variables of the package it runs. Build scripts that watch them, as ring's does,
/// would run again in the inner cargo, and everything above them would be built again.
#[must_use]
pub fn cargo(root: &Path) -> Command {
    let mut command = Command::new(env!("CARGO"));
    for (name, _) in std::env::vars_os() {
        let of_package = name.to_str().is_some_and(|name| {
            name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
        });
        if of_package {
            command.env_remove(name);
        }
    }
    command.current_dir(root);
    command
}
