//! Suites: how a case's input becomes an outcome, and how the outcome is compared.

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::{
    answer::{Answer, Comparison},
    octets,
    ran::{MalformedCase, Ran, Stopped, violated},
    vector::{Case, Expected, Origin},
};

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
    /// Returns `true` if an accepted value is right for this input although it is not the expected one, which an
    /// implementation that draws random numbers cannot give. Answers of this project's crates are the expected ones.
    pub is_right: Option<IsRight>,
}

/// A check of an accepted value: of the input, the expected value and the actual one.
pub type IsRight = fn(&Input, &Value, &Value) -> bool;

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
        self.judge(case, origin).0
    }

    /// Checks a case, and returns the actual outcome as well, if there is one.
    #[must_use]
    pub fn judge(&self, case: &Case, origin: Origin) -> (Verdict, Option<Value>) {
        let case = self.imported(case, origin);
        let answer = match self.answer(Input(case.input)) {
            Ok(outcome) => Answer::from(outcome),
            Err(Stopped::Malformed(MalformedCase(why))) => return (Verdict::Malformed(why), None),
            Err(Stopped::Violated(what)) => return (Verdict::Violated(what), None),
        };
        let actual = answer.to_value();
        let verdict = if answer.is_expected(&case.expected, Comparison::Strict) {
            Verdict::Passed
        } else if let (Expected::Accept(expected), Answer::Accept(actual)) =
            (&case.expected, &answer)
            && let Some(place) = octets::upper_case_hex(expected, actual)
        {
            Verdict::Malformed(format!("upper-case hex at accept{place}"))
        } else {
            Verdict::Differs(actual.clone())
        };
        (verdict, Some(actual))
    }

    /// Returns a case of a file of this origin in the form that runners read.
    pub(crate) fn imported(&self, case: &Case, origin: Origin) -> Case {
        let mut case = case.clone();
        if let (Origin::Foreign, Some(import)) = (origin, self.import) {
            import(&mut case);
        }
        case
    }

    /// Runs the input of a case. A panic is blamed on the implementation.
    ///
    /// # Errors
    /// Returns the reason for which there is no outcome.
    pub fn answer(&self, input: Input) -> Ran {
        catch_unwind(AssertUnwindSafe(|| (self.run)(input))).unwrap_or_else(|payload| {
            let message = payload
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| payload.downcast_ref::<&str>().copied());
            let message = message.unwrap_or("no message");
            Err(violated(format!("panicked: {message}")))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ran::Outcome, vector::RejectPattern};
    use serde_json::json;

    const fn suite(run: fn(Input) -> Ran) -> Suite {
        Suite {
            name: "toy",
            run,
            import: Some(|case| case.expected = Expected::Accept(json!("imported"))),
            is_right: None,
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
    fn names_upper_case_hex_in_an_expectation() {
        let toy = suite(|_| Ok(Outcome::Accept(json!({"octets": "00ff"}))));
        let verdict = |octets| {
            let expected = Expected::Accept(json!({"octets": octets}));
            toy.check(&case(expected), Origin::Own)
        };
        assert_eq!(verdict("00ff"), Verdict::Passed);
        let why = "upper-case hex at accept/octets".to_owned();
        assert_eq!(verdict("00FF"), Verdict::Malformed(why));
        let differs = json!({"accept": {"octets": "00ff"}});
        assert_eq!(verdict("00FE"), Verdict::Differs(differs));
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
