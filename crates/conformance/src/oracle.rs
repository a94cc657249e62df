//! The interface of oracles. An oracle is a function over octets that checks what must hold for any input. Vectors,
//! property tests, fuzz targets and the replay of corpora all call the oracles of a protocol.

use std::{fs, path::Path};

/// The invariant that was broken, in words.
pub type Broken = String;

/// Returns an error as a broken invariant: for [`Result::map_err`] where an oracle expects no error.
#[must_use]
pub fn broken(what: impl ToString) -> Broken {
    what.to_string()
}

/// Calls an oracle with each file of a directory and below, but for documents, and returns their number.
///
/// # Errors
/// Returns the file and the invariant that was broken, or the file that cannot be read.
pub fn replay(
    directory: &Path,
    oracle: &dyn Fn(&[u8]) -> Result<(), Broken>,
) -> Result<usize, String> {
    let failed =
        |path: &Path, error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let mut replayed = 0;
    for entry in fs::read_dir(directory).map_err(|error| failed(directory, &error))? {
        let path = entry.map_err(|error| failed(directory, &error))?.path();
        if path.is_dir() {
            replayed += replay(&path, oracle)?;
        } else if path.extension().is_none_or(|extension| extension != "md") {
            let octets = fs::read(&path).map_err(|error| failed(&path, &error))?;
            oracle(&octets).map_err(|broken| failed(&path, &broken))?;
            replayed += 1;
        }
    }
    Ok(replayed)
}
