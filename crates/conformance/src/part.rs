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

/// Replaces the page of the run before by one that says that this run has not finished.
///
/// # Errors
/// Returns an error if the page cannot be written.
pub fn unfinished(root: &Path, part: Option<Part>) -> io::Result<()> {
    let text = "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>Conformance report: \
        not finished</title>\n<h1>Conformance report: not finished</h1>\n<p>The run has not finished, or was \
        interrupted. It has no verdict.</p>\n</html>\n";
    replace(&root.join(page(part)), text)
}

/// Writes a file as a whole: a reader finds the text before or this one.
pub(crate) fn replace(path: &Path, text: &str) -> io::Result<()> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    let new = path.with_extension("new");
    fs::write(&new, text)?;
    fs::rename(new, path)
}
