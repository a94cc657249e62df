//! The failures of a run, with their exit codes.

use std::{error::Error, fmt, io};

use deep_latch::reports::{ReportSinkError, ReportSinkErrorKind};

#[derive(Debug)]
pub(crate) enum Failure {
    /// The database has no answer: exit code 1.
    NoAnswer(String),
    /// The database cannot be used: exit code 2.
    Database(ReportSinkError),
    /// The arguments are wrong, which was printed: exit code 2.
    Arguments,
    /// Another failure: exit code 2.
    Error(String),
}

impl Failure {
    pub(crate) fn error(what: impl Into<String>) -> Self {
        Self::Error(what.into())
    }

    pub(crate) const fn code(&self) -> u8 {
        match self {
            Self::NoAnswer(_) => 1,
            Self::Arguments | Self::Database(_) | Self::Error(_) => 2,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Arguments => f.write_str("wrong arguments"),
            Self::NoAnswer(what) | Self::Error(what) => f.write_str(what),
            Self::Database(error) => {
                write!(f, "{error}")?;
                let mut source = error.source();
                while let Some(cause) = source {
                    write!(f, ": {cause}")?;
                    source = cause.source();
                }
                match error.kind() {
                    ReportSinkErrorKind::Version => f.write_str(
                        "\nA server of this version, or `deep-latch purge`, migrates an older database.",
                    ),
                    _ => Ok(()),
                }
            }
        }
    }
}

impl From<ReportSinkError> for Failure {
    fn from(error: ReportSinkError) -> Self {
        Self::Database(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Error(error.to_string())
    }
}
