//! The interface of oracles. An oracle is a function over octets that checks what must hold for any input. Vectors,
//! property tests, fuzz targets and the replay of corpora all call the oracles of a protocol.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::root::repository;

/// The invariant that was broken, in words.
pub type Broken = String;

/// Returns an error as a broken invariant: for [`Result::map_err`] where an oracle expects no error.
#[must_use]
pub fn broken(what: impl ToString) -> Broken {
    what.to_string()
}

/// The choices of a model, an octet each: what it does where its protocol permits several things.
#[derive(Clone, Debug, Default)]
pub struct Choices<'a>(&'a [u8]);

impl<'a> Choices<'a> {
    /// Returns the choices that octets make, and 0 after their end.
    #[must_use]
    pub const fn new(octets: &'a [u8]) -> Self {
        Self(octets)
    }

    /// Makes the next choice.
    pub fn choose(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        *first
    }
}

/// Calls an oracle with the seeds and regressions of all fuzz targets, and returns their number.
///
/// # Errors
/// Returns the file and the invariant that was broken, or the file that cannot be read.
pub fn replay(oracle: &dyn Fn(&[u8]) -> Result<(), Broken>) -> Result<usize, String> {
    let mut replayed = 0;
    for directory in DIRECTORIES {
        let directory = repository().join("fuzz").join(directory);
        for target in entries(&directory)?.iter().filter(|it| it.is_dir()) {
            for (name, octets) in files(target)? {
                oracle(&octets).map_err(|broken| format!("{name}: {broken}"))?;
                replayed += 1;
            }
        }
    }
    Ok(replayed)
}

/// Returns the seeds and regressions of a fuzz target: the path of each, and its octets.
///
/// # Errors
/// Returns the file that cannot be read.
pub fn inputs(target: &str) -> Result<Vec<(String, Vec<u8>)>, String> {
    let mut inputs = Vec::new();
    for directory in DIRECTORIES {
        let directory = repository().join("fuzz").join(directory).join(target);
        if directory.is_dir() {
            inputs.extend(files(&directory)?);
        }
    }
    Ok(inputs)
}

/// The directories of inputs below `fuzz`, each with a directory for each target.
const DIRECTORIES: [&str; 2] = ["seeds", "regressions"];

fn entries(directory: &Path) -> Result<Vec<PathBuf>, String> {
    let paths = fs::read_dir(directory).and_then(|entries| {
        let paths = entries.map(|entry| entry.map(|it| it.path()));
        paths.collect::<Result<Vec<_>, _>>()
    });
    let mut paths = paths.map_err(|error| format!("{}: {error}", directory.display()))?;
    paths.sort();
    Ok(paths)
}

fn files(directory: &Path) -> Result<Vec<(String, Vec<u8>)>, String> {
    let read = |path: PathBuf| {
        let name = path.display().to_string();
        match fs::read(&path) {
            Ok(octets) => Ok((name, octets)),
            Err(error) => Err(format!("{name}: {error}")),
        }
    };
    entries(directory)?.into_iter().map(read).collect()
}
