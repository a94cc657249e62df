//! The Python interpreter that has the independent source of known answers.

use std::{
    env, fmt,
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// Why the known answers cannot be regenerated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PythonError {
    /// The interpreter cannot be started.
    Interpreter(PathBuf),
    /// The interpreter does not have `cryptography`.
    Cryptography(PathBuf),
}

impl fmt::Display for PythonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interpreter(python) => write!(
                f,
                "{} cannot be started: install Python 3.9 or later, or set PYTHON",
                python.display()
            ),
            Self::Cryptography(python) => write!(
                f,
                "{} lacks the package cryptography: python3 -m venv target/venv && \
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
/// What is missing, and how to get it.
pub fn python(root: &Path) -> Result<PathBuf, PythonError> {
    let venv = root.join("target/venv/bin/python");
    let python = match env::var_os("PYTHON") {
        Some(python) => python.into(),
        None if venv.exists() => venv,
        None => "python3".into(),
    };
    match Command::new(&python)
        .args(["-c", "import cryptography"])
        .output()
    {
        Err(_) => Err(PythonError::Interpreter(python)),
        Ok(output) if output.status.success() => Ok(python),
        Ok(_) => Err(PythonError::Cryptography(python)),
    }
}

/// The independent sources.
const SCRIPTS: [&str; 7] = [
    "authres_real_vectors.py",
    "authres_write_vectors.py",
    "token_binding_vectors.py",
    "tokenbind_http_vectors.py",
    "sealed_token_vectors.py",
    "deep_latch_vectors.py",
    "deep_latch_trace_vectors.py",
];

/// Generates the known answers again and compares them with the committed files: what became of each
/// script.
///
/// # Errors
/// When Python, or the package, is missing.
pub fn known_answers(root: &Path) -> Result<Vec<Output>, PythonError> {
    let python = python(root)?;
    let check = |script| {
        Command::new(&python)
            .arg(Path::new("crates/conformance/python").join(script))
            .arg("--check")
            .current_dir(root)
            .output()
            .map_err(|_| PythonError::Interpreter(python.clone()))
    };
    SCRIPTS.into_iter().map(check).collect()
}
