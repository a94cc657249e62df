//! The Python interpreter that has the independent source of known answers.

use std::{
    env, fmt, fs, io,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use crate::protocol::Protocol;

/// The packages that the known answers need, beside Python's own.
const PACKAGES: &str = "cryptography, service_identity";

/// The reason for which the known answers cannot be regenerated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PythonError {
    /// The interpreter cannot be started.
    Interpreter(PathBuf),
    /// The interpreter lacks a package that the known answers need.
    Packages(PathBuf),
}

impl fmt::Display for PythonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interpreter(python) => write!(
                f,
                "{} cannot be started: install Python 3.9 or later, or set PYTHON",
                python.display()
            ),
            Self::Packages(python) => write!(
                f,
                "{} lacks a package ({PACKAGES}): python3 -m venv target/venv && \
                 target/venv/bin/pip install -r crates/conformance/python/requirements.txt",
                python.display()
            ),
        }
    }
}

impl std::error::Error for PythonError {}

/// The interpreter: the environment's `PYTHON`, else `target/venv`, else `python3`.
///
/// # Errors
/// Returns the missing part, and how to install it.
pub fn python(root: &Path) -> Result<PathBuf, PythonError> {
    let venv = root.join("target/venv/bin/python");
    let python = match env::var_os("PYTHON") {
        Some(python) => python.into(),
        None if venv.exists() => venv,
        None => "python3".into(),
    };
    match Command::new(&python)
        .args(["-c", &format!("import {PACKAGES}")])
        .output()
    {
        Err(_) => Err(PythonError::Interpreter(python)),
        Ok(output) if output.status.success() => Ok(python),
        Ok(_) => Err(PythonError::Packages(python)),
    }
}

/// Returns the scripts that write files of a protocol: the independent sources, `python/*_vectors.py` in its folder, and
/// `python/fuzz_seeds.py`.
fn scripts(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut scripts = Vec::new();
    for entry in fs::read_dir(folder.join("python"))? {
        let path = entry?.path();
        if path.to_string_lossy().ends_with("_vectors.py") || path.ends_with("fuzz_seeds.py") {
            scripts.push(path);
        }
    }
    scripts.sort();
    Ok(scripts)
}

/// Generates the known answers and the seeds of a protocol again and compares them with the committed files. Returns the outcome of
/// each script.
///
/// # Errors
/// Returns an error if Python, or a package, is missing.
pub(crate) fn known_answers(root: &Path, protocol: &Protocol) -> Result<Vec<Output>, PythonError> {
    let python = python(root)?;
    let missing = |_| PythonError::Interpreter(python.clone());
    let check = |script| {
        Command::new(&python)
            .arg(script)
            .arg("--check")
            .current_dir(root)
            .output()
            .map_err(missing)
    };
    scripts(&protocol.folder(root))
        .map_err(missing)?
        .into_iter()
        .map(check)
        .collect()
}
