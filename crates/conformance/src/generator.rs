//! The Python interpreter that has the independent source of known answers.

use std::{
    env, fmt, fs, io,
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// The reason for which the known answers cannot be regenerated.
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
/// Returns the missing part, and how to install it.
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

/// The independent sources, in `crates/conformance/python`. Those of [`FOLDERS`] come after them.
const SCRIPTS: [&str; 8] = [
    "authres_real_vectors.py",
    "authres_write_vectors.py",
    "token_binding_vectors.py",
    "tokenbind_http_vectors.py",
    "sealed_token_vectors.py",
    "deep_latch_vectors.py",
    "deep_latch_proxy_vectors.py",
    "deep_latch_trace_vectors.py",
];

/// The folders, below `crates/conformance`, whose scripts `python/*_vectors.py` are independent sources too.
const FOLDERS: [&str; 1] = ["mail-implicit-tls"];

/// Returns all independent sources, relative to the repository.
fn scripts(root: &Path) -> io::Result<Vec<PathBuf>> {
    let below = Path::new("crates/conformance");
    let mut scripts: Vec<_> = SCRIPTS
        .iter()
        .map(|script| below.join("python").join(script))
        .collect();
    for folder in FOLDERS {
        let folder = below.join(folder).join("python");
        let mut found = Vec::new();
        for entry in fs::read_dir(root.join(&folder))? {
            let name = entry?.file_name();
            if name.to_string_lossy().ends_with("_vectors.py") {
                found.push(folder.join(name));
            }
        }
        found.sort();
        scripts.extend(found);
    }
    Ok(scripts)
}

/// Generates the known answers again and compares them with the committed files. Returns the outcome of each script.
///
/// # Errors
/// Returns an error if Python, or a package, is missing.
pub fn known_answers(root: &Path) -> Result<Vec<Output>, PythonError> {
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
    scripts(root)
        .map_err(missing)?
        .into_iter()
        .map(check)
        .collect()
}
