//! Cargo of another toolchain than the one that runs the tasks.

use std::process::{Command, Stdio};

use crate::shell::root;

/// Returns cargo of this toolchain, run in the root.
pub fn cargo(toolchain: &str) -> Command {
    // The cargo that runs the tasks is one toolchain's own; rustup's, which finds others, is in the path.
    let mut command = Command::new("cargo");
    for (name, value) in conformance::cargo(&root()).get_envs() {
        if value.is_none() {
            command.env_remove(name);
        }
    }
    command.arg(format!("+{toolchain}")).current_dir(root());
    command
}

/// Checks that a toolchain, or a command of its cargo, is installed.
///
/// # Errors
/// If it is not. The message ends with the line that installs it.
pub fn needs(toolchain: &str, arguments: &[&str], what: &str, install: &str) -> Result<(), String> {
    let status = cargo(toolchain)
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    match status {
        Ok(status) if status.success() => Ok(()),
        _ => Err(format!("{what} is missing:\n{install}")),
    }
}

/// Returns what the compiler of this toolchain prints.
///
/// # Errors
/// If it fails.
pub fn rustc(toolchain: &str, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new("rustc")
        .arg(format!("+{toolchain}"))
        .args(arguments)
        .output()
        .map_err(|error| format!("rustc: {error}"))?;
    if !output.status.success() {
        let message = String::from_utf8_lossy(&output.stderr);
        return Err(format!("rustc: {}", message.trim()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_line_that_installs_a_missing_toolchain() {
        let install = "rustup toolchain install 0.0";
        assert_eq!(
            needs("0.0", &["--version"], "Rust 0.0", install),
            Err("Rust 0.0 is missing:\nrustup toolchain install 0.0".to_owned())
        );
    }
}
