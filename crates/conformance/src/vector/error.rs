//! The reasons for which a vector file is refused.

use std::{fmt, path::PathBuf};

/// The reason for which a vector file is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VectorError {
    /// The file.
    pub path: PathBuf,
    /// The case, if the error is in one.
    pub case: Option<String>,
    /// The kind of the fault.
    pub kind: VectorErrorKind,
    /// The fault.
    pub reason: String,
}

/// The kind of a vector file's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum VectorErrorKind {
    /// The file or directory cannot be read.
    Unreadable,
    /// The text is not JSON.
    Json,
    /// An object has a key twice.
    DuplicateKey,
    /// A field of the file, or of `reject`, is unknown, missing or of another type.
    Form,
    /// The file has no cases: `count` is 0.
    NoCases,
    /// `count` is not the number of cases.
    Count,
    /// A case has no name.
    MissingName,
    /// Two cases have one name.
    DuplicateName,
    /// A case of this project's own files has no list of requirements.
    MissingRequirements,
    /// A case has both or neither of `accept` and `reject`.
    AcceptOrReject,
    /// `reject` of this project's own files lacks its kind, field or offset.
    PartialReject,
}

impl VectorErrorKind {
    /// Returns the kind's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::Json => "json",
            Self::DuplicateKey => "duplicate-key",
            Self::Form => "form",
            Self::NoCases => "no-cases",
            Self::Count => "count",
            Self::MissingName => "missing-name",
            Self::DuplicateName => "duplicate-name",
            Self::MissingRequirements => "missing-requirements",
            Self::AcceptOrReject => "accept-or-reject",
            Self::PartialReject => "partial-reject",
        }
    }
}

impl fmt::Display for VectorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        if let Some(case) = &self.case {
            write!(f, ": {case}")?;
        }
        write!(f, ": {}: {}", self.kind.name(), self.reason)
    }
}

impl std::error::Error for VectorError {}
