//! The parts of a run, and where each has its page.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::Serialize;

/// The part of a run that ran, where it is not a full one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// The project's own vectors.
    OwnVectors,
    /// Vectors from elsewhere.
    GivenVectors,
}

impl Part {
    /// Returns the name of the part.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::OwnVectors => "our vectors only",
            Self::GivenVectors => "the given vectors only",
        }
    }
}

/// The files that are written for a run, below the repository's root.
pub(crate) struct Files {
    pub(crate) page: PathBuf,
    pub(crate) json: PathBuf,
    pub(crate) junit: PathBuf,
    /// The `json` of the run before.
    pub(crate) before: PathBuf,
}

impl Files {
    /// Returns the files of a full run, or of a part.
    pub(crate) fn of(part: Option<Part>) -> Self {
        let page = page(part);
        let (json, junit) = match part {
            None => ("report.json", "junit.xml"),
            Some(Part::OwnVectors) => ("own-vectors.json", "own-vectors.xml"),
            Some(Part::GivenVectors) => ("given-vectors.json", "given-vectors.xml"),
        };
        let (json, junit) = (page.with_file_name(json), page.with_file_name(junit));
        let before = json.with_extension("before.json");
        Self {
            page,
            json,
            junit,
            before,
        }
    }
}

/// Returns the path of the page of a full run, or of a part, below the repository's root. A part has a page of its
/// own and leaves that of the last full run as it is.
#[must_use]
pub fn page(part: Option<Part>) -> PathBuf {
    Path::new("target/conformance").join(match part {
        None => "index.html",
        Some(Part::OwnVectors) => "own-vectors.html",
        Some(Part::GivenVectors) => "given-vectors.html",
    })
}

/// Replaces the page of the run before by one that says that this run has not finished, and removes what programs read of
/// that run. Its `report.json` is kept under another name, for the difference to this run.
///
/// # Errors
/// Returns an error if a file cannot be written or removed.
pub fn unfinished(root: &Path, part: Option<Part>) -> io::Result<()> {
    let text = "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>Conformance report: \
        not finished</title>\n<h1>Conformance report: not finished</h1>\n<p>The run has not finished, or was \
        interrupted. It has no verdict.</p>\n</html>\n";
    let files = Files::of(part);
    replace(&root.join(files.page), text)?;
    for outcome in [
        fs::rename(root.join(files.json), root.join(files.before)),
        fs::remove_file(root.join(files.junit)),
    ] {
        match outcome {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Writes a file as a whole: a reader finds the text before or this one.
pub(crate) fn replace(path: &Path, text: &str) -> io::Result<()> {
    let new = path.with_extension("new");
    let written = path
        .parent()
        .map_or(Ok(()), fs::create_dir_all)
        .and_then(|()| fs::write(&new, text))
        .and_then(|()| fs::rename(&new, path));
    written.map_err(|error| {
        // A disk that is full does not stay so because of this.
        let _ = fs::remove_file(&new);
        io::Error::new(error.kind(), format!("{}: {error}", path.display()))
    })
}
