//! The outcome of a case, or the fault of the case or of the implementation.

use serde::Serialize;
use serde_json::Value;

/// The outcome of a case, or the reason it has none.
pub type Ran = Result<Outcome, Stopped>;

/// The outcome of a case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// A value.
    Accept(Value),
    /// An error.
    Reject {
        /// The kind's name.
        kind: String,
        /// The field in the draft's spelling.
        field: String,
        /// The byte offset.
        offset: usize,
    },
}

impl Outcome {
    /// A rejection.
    #[must_use]
    pub fn reject(kind: &str, field: &str, offset: usize) -> Self {
        let (kind, field) = (kind.to_owned(), field.to_owned());
        Self::Reject {
            kind,
            field,
            offset,
        }
    }
}

/// The reason a case has no outcome. The variant says who is to blame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// The case is not of the suite's form: the file is to blame.
    Malformed(MalformedCase),
    /// An invariant that holds for every input was broken: the implementation is to blame.
    Violated(String),
}

impl From<MalformedCase> for Stopped {
    fn from(case: MalformedCase) -> Self {
        Self::Malformed(case)
    }
}

/// The case itself is not of the suite's form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MalformedCase(pub String);

/// Blames the case: for [`Result::map_err`] where a field of the case is read.
#[must_use]
pub fn malformed(what: impl ToString) -> MalformedCase {
    MalformedCase(what.to_string())
}

/// Blames the implementation: for [`Result::map_err`] where an oracle ran or a result is written out.
#[must_use]
pub fn violated(what: impl ToString) -> Stopped {
    Stopped::Violated(what.to_string())
}
