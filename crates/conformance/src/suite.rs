//! Suites: how a case's input becomes an outcome, and how the outcome is compared.

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};

use crate::vector::{Case, Expected, Origin};

/// A suite of vectors: its name and its runner.
#[derive(Debug)]
pub struct Suite {
    /// The name in the files' `suite`.
    pub name: &'static str,
    /// Runs one case.
    pub run: fn(Input) -> Ran,
    /// Brings a case of a foreign file into the one form that the runner reads and gives: what
    /// `docs/vectors.md` lets others spell in another way. Files of this project are never imported.
    pub import: Option<fn(&mut Case)>,
}

/// The outcome of a case, or the reason it has none.
pub type Ran = Result<Outcome, Stopped>;

/// The input fields of a case.
#[derive(Clone, Debug)]
pub struct Input(pub Map<String, Value>);

impl Input {
    /// The fields as a struct that refuses unknown ones.
    ///
    /// # Errors
    /// When the case is not of the suite's form.
    pub fn parse<T: DeserializeOwned>(self) -> Result<T, MalformedCase> {
        serde_json::from_value(Value::Object(self.0))
            .map_err(|error| MalformedCase(error.to_string()))
    }
}

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

/// The judgement of a case.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// The outcome is the expected one.
    Passed,
    /// The outcome is another one, which is given.
    Differs(Value),
    /// The case cannot be run, for the reason given.
    Malformed(String),
    /// The implementation broke an invariant, or panicked.
    Violated(String),
}

impl Suite {
    /// Runs a case of a file of this origin and compares its outcome with the expected one.
    #[must_use]
    pub fn check(&self, case: &Case, origin: Origin) -> Verdict {
        let mut case = case.clone();
        if let (Origin::Foreign, Some(import)) = (origin, self.import) {
            import(&mut case);
        }
        let ran = catch_unwind(AssertUnwindSafe(|| (self.run)(Input(case.input))));
        let outcome = match ran {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(Stopped::Malformed(MalformedCase(why)))) => return Verdict::Malformed(why),
            Ok(Err(Stopped::Violated(what))) => return Verdict::Violated(what),
            Err(payload) => {
                let message = payload
                    .downcast_ref::<String>()
                    .map(String::as_str)
                    .or_else(|| payload.downcast_ref::<&str>().copied());
                let what = format!("panicked: {}", message.unwrap_or("no message"));
                return Verdict::Violated(what);
            }
        };
        let same = match (&case.expected, &outcome) {
            (Expected::Accept(expected), Outcome::Accept(actual)) => expected == actual,
            (
                Expected::Reject(expected),
                Outcome::Reject {
                    kind,
                    field,
                    offset,
                },
            ) => {
                expected
                    .kind
                    .as_ref()
                    .is_none_or(|expected| expected == kind)
                    && expected
                        .field
                        .as_ref()
                        .is_none_or(|expected| expected == field)
                    && expected.offset.is_none_or(|expected| expected == *offset)
            }
            _ => false,
        };
        if same {
            Verdict::Passed
        } else {
            Verdict::Differs(json!(outcome))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vector::RejectPattern;

    const fn suite(run: fn(Input) -> Ran) -> Suite {
        Suite {
            name: "toy",
            run,
            import: Some(|case| case.expected = Expected::Accept(json!("imported"))),
        }
    }

    fn case(expected: Expected) -> Case {
        let (name, requirements, input) = ("c".into(), Vec::new(), Map::new());
        Case {
            name,
            requirements,
            input,
            expected,
        }
    }

    fn reject(kind: &str, field: &str, offset: usize) -> Expected {
        Expected::Reject(RejectPattern {
            kind: Some(kind.into()),
            field: Some(field.into()),
            offset: Some(offset),
        })
    }

    #[test]
    fn compares_every_part_of_an_error() {
        let toy = suite(|_| Ok(Outcome::reject("kind", "field", 3)));
        let check = |expected| toy.check(&case(expected), Origin::Own);
        let differs =
            Verdict::Differs(json!({"reject": {"kind": "kind", "field": "field", "offset": 3}}));
        assert_eq!(check(reject("kind", "field", 3)), Verdict::Passed);
        assert_eq!(check(reject("other", "field", 3)), differs);
        assert_eq!(check(reject("kind", "other", 3)), differs);
        assert_eq!(check(reject("kind", "field", 4)), differs);
        assert_eq!(check(Expected::Accept(Value::Null)), differs);
        assert_eq!(
            check(Expected::Reject(RejectPattern::default())),
            Verdict::Passed
        );
    }

    #[test]
    fn imports_cases_of_foreign_files_only() {
        let toy = suite(|_| Ok(Outcome::Accept(json!("imported"))));
        let expected = case(Expected::Accept(json!("in another spelling")));
        assert_eq!(toy.check(&expected, Origin::Foreign), Verdict::Passed);
        assert_eq!(
            toy.check(&expected, Origin::Own),
            Verdict::Differs(json!({"accept": "imported"}))
        );
    }

    #[test]
    fn blames_the_file_for_a_malformed_case_and_the_implementation_for_the_rest() {
        let expected = case(Expected::Accept(Value::Null));
        let malformed = suite(|input| match input.parse::<u8>() {
            Ok(_) => Ok(Outcome::Accept(Value::Null)),
            Err(error) => Err(error.into()),
        });
        let why = "invalid type: map, expected u8".to_owned();
        assert_eq!(
            malformed.check(&expected, Origin::Own),
            Verdict::Malformed(why)
        );
        let violating = suite(|_| Err(violated("encodes to 3 other bytes")));
        let what = "encodes to 3 other bytes".to_owned();
        assert_eq!(
            violating.check(&expected, Origin::Own),
            Verdict::Violated(what)
        );
        let panicking = suite(|_| panic!("{}", "index out of bounds"));
        let what = "panicked: index out of bounds".to_owned();
        assert_eq!(
            panicking.check(&expected, Origin::Own),
            Verdict::Violated(what)
        );
    }
}
