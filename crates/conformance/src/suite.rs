//! Suites: how a case's input becomes an outcome, and how the outcome is compared.

use std::fmt;

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};

use crate::{
    authres_tls, authres_tls_method, deep_latch, deep_latch_server, deep_latch_trace, sealed_token,
    tokenbind_http, tokenbind_wire,
    vector::{Case, Expected},
};

/// A suite of vectors: its name and its runner.
pub struct Suite {
    /// The name in the files' `suite`.
    pub name: &'static str,
    /// Runs one case.
    pub run: fn(Input) -> Result<Outcome, MalformedCase>,
    /// Brings an expected `accept` of another spelling into the runner's.
    pub normalise_accept: fn(Value) -> Value,
}

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

/// What came out.
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

/// The case itself is not of the suite's form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MalformedCase(pub String);

impl fmt::Display for MalformedCase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "malformed case: {}", self.0)
    }
}

impl std::error::Error for MalformedCase {}

/// All suites.
#[must_use]
pub fn suites() -> Vec<&'static Suite> {
    let suites = [
        tokenbind_wire::SUITES,
        tokenbind_http::SUITES,
        sealed_token::SUITES,
        authres_tls::SUITES,
        authres_tls_method::SUITES,
        deep_latch::SUITES,
        deep_latch_trace::SUITES,
        deep_latch_server::SUITES,
    ];
    suites.into_iter().flatten().collect()
}

/// The suite of this name.
#[must_use]
pub fn suite(name: &str) -> Option<&'static Suite> {
    suites().into_iter().find(|suite| suite.name == name)
}

impl Suite {
    /// Runs a case; nothing if it passes, else what came out.
    #[must_use]
    pub fn check(&self, case: &Case) -> Option<Value> {
        let outcome = match (self.run)(Input(case.input.clone())) {
            Ok(outcome) => outcome,
            Err(error) => return Some(Value::String(error.to_string())),
        };
        let same = match (&case.expected, &outcome) {
            (Expected::Accept(expected), Outcome::Accept(actual)) => {
                (self.normalise_accept)(expected.clone()) == *actual
            }
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
        (!same).then(|| json!(outcome))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vector::RejectPattern;

    const TOY: Suite = Suite {
        name: "toy",
        run: |input| match input.parse::<u8>() {
            Ok(_) => unreachable!("an object is not a number"),
            Err(_) => Ok(Outcome::reject("kind", "field", 3)),
        },
        normalise_accept: |value| value,
    };

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
    fn every_part_of_an_error_is_compared() {
        let actual = Some(json!({"reject": {"kind": "kind", "field": "field", "offset": 3}}));
        assert_eq!(TOY.check(&case(reject("kind", "field", 3))), None);
        assert_eq!(TOY.check(&case(reject("other", "field", 3))), actual);
        assert_eq!(TOY.check(&case(reject("kind", "other", 3))), actual);
        assert_eq!(TOY.check(&case(reject("kind", "field", 4))), actual);
        assert_eq!(TOY.check(&case(Expected::Accept(Value::Null))), actual);
        assert_eq!(
            TOY.check(&case(Expected::Reject(RejectPattern::default()))),
            None
        );
    }
}
