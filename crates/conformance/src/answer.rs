//! Answers to cases, of this project's crates and of other implementations, and their comparison with what is expected.

use std::fmt;

use serde_json::{Map, Value, json};

use crate::{
    octets,
    ran::Outcome,
    unambiguous::unambiguous,
    vector::{Expected, RejectPattern},
};

/// The answer of an implementation to a case.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// The input is right. The fields of the result may be left out, or be `null` as a whole.
    Accept(Value),
    /// The input is wrong. Each part may be left out.
    Reject(RejectPattern),
    /// The implementation has no answer, for the reason given.
    Unsupported(String),
}

/// The parts of an answer that are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// Accept or reject, and the accepted fields that are given.
    Given,
    /// Also the accepted fields that are not given, and the kind and the offset of an error; its field if it is given.
    Strict,
}

/// The members of an answer, one of which it has.
const OUTCOMES: [&str; 3] = ["accept", "reject", "unsupported"];

/// The members that an answer may repeat from the request.
const REPEATED: [&str; 2] = ["suite", "name"];

/// The reason for which a line is no answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnswerError {
    /// The line is not JSON, or has a key twice.
    Json(String),
    /// The line ends within the JSON.
    InPart,
    /// The JSON has another form than an answer.
    Form(String),
    /// The answer repeats the name of another case or suite than was asked about.
    OtherCase {
        /// The member.
        member: &'static str,
        /// Its value.
        value: String,
    },
}

impl fmt::Display for AnswerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(error) => write!(f, "the line is not JSON: {error}"),
            Self::InPart => write!(f, "the line ends within the answer, which is one line"),
            Self::Form(error) => write!(f, "the line is no answer: {error}"),
            Self::OtherCase { member, value } => {
                write!(f, "the answer is for another case: its {member} is {value}")
            }
        }
    }
}

impl std::error::Error for AnswerError {}

impl Answer {
    /// Reads the answer to a case from a line.
    ///
    /// # Errors
    /// Returns the reason for which the line is no answer to this case.
    pub fn parse(line: &str, suite: &str, name: &str) -> Result<Self, AnswerError> {
        let form = |error: &dyn fmt::Display| AnswerError::Form(error.to_string());
        let value = unambiguous(line).map_err(|error| match error.is_eof() {
            true if !line.is_empty() => AnswerError::InPart,
            _ => AnswerError::Json(error.to_string()),
        })?;
        let Value::Object(mut members) = value else {
            return Err(form(&"it is not an object"));
        };
        for (member, asked) in REPEATED.into_iter().zip([suite, name]) {
            if let Some(value) = members.remove(member).filter(|value| value != asked) {
                let value = value.to_string();
                return Err(AnswerError::OtherCase { member, value });
            }
        }
        if let Some(other) = members.keys().find(|key| !OUTCOMES.contains(&key.as_str())) {
            return Err(form(&format_args!("unknown member {other:?}")));
        }
        let mut members = members.into_iter();
        let (Some((outcome, value)), None) = (members.next(), members.next()) else {
            let needed = "exactly one of accept, reject and unsupported is needed";
            return Err(form(&needed));
        };
        Ok(match (outcome.as_str(), value) {
            ("accept", value) => Self::Accept(value),
            ("reject", Value::Null) => Self::Reject(RejectPattern::default()),
            ("reject", value) => Self::Reject(
                serde_json::from_value(value)
                    .map_err(|error| form(&format_args!("reject: {error}")))?,
            ),
            (_, Value::String(why)) => Self::Unsupported(why),
            (_, _) => return Err(form(&"unsupported: its reason is not a text")),
        })
    }

    /// Returns `true` if this is what is expected.
    #[must_use]
    pub fn is_expected(&self, expected: &Expected, comparison: Comparison) -> bool {
        match (expected, self) {
            (Expected::Accept(expected), Self::Accept(actual)) => match comparison {
                Comparison::Strict => expected == actual,
                Comparison::Given => given(expected, actual),
            },
            (Expected::Reject(expected), Self::Reject(actual)) => match comparison {
                Comparison::Given => true,
                Comparison::Strict => {
                    same(expected.kind.as_ref(), actual.kind.as_ref())
                        && same(expected.offset, actual.offset)
                        && (actual.field.is_none()
                            || same(expected.field.as_ref(), actual.field.as_ref()))
                }
            },
            _ => false,
        }
    }

    /// Returns the reason for which an answer that differs may be meant as expected, if one is known.
    #[must_use]
    pub fn hint(&self, expected: &Expected) -> Option<String> {
        match (expected, self) {
            (Expected::Accept(expected), Self::Accept(actual)) => {
                let place = octets::upper_case_hex(actual, expected)?;
                Some(format!("upper-case hex at accept{place}"))
            }
            _ => None,
        }
    }

    /// Returns the answer as it is written in a line.
    #[must_use]
    pub fn to_value(&self) -> Value {
        match self {
            Self::Accept(value) => json!({"accept": value}),
            Self::Reject(pattern) => json!({"reject": pattern.to_value()}),
            Self::Unsupported(why) => json!({"unsupported": why}),
        }
    }
}

impl From<Outcome> for Answer {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Accept(value) => Self::Accept(value),
            Outcome::Reject {
                kind,
                field,
                offset,
            } => Self::Reject(RejectPattern {
                kind: Some(kind),
                field: Some(field),
                offset: Some(offset),
            }),
        }
    }
}

/// Returns `true` if nothing is expected, or just this.
fn same<T: PartialEq>(expected: Option<T>, actual: Option<T>) -> bool {
    expected.is_none() || expected == actual
}

/// Returns `true` if the fields that are given are as expected.
fn given(expected: &Value, actual: &Value) -> bool {
    match (expected, actual) {
        (_, Value::Null) => true,
        (Value::Object(expected), Value::Object(actual)) => {
            let as_expected = |(name, value): (&String, &Value)| expected.get(name) == Some(value);
            actual.iter().all(as_expected)
        }
        _ => expected == actual,
    }
}

/// Returns the line that asks about a case. All of it is ASCII, so that no locale can change it.
#[must_use]
pub fn request(suite: &str, name: &str, input: &Map<String, Value>) -> String {
    ascii(&json!({"suite": suite, "name": name, "input": input}))
}

/// Returns the value in one line of ASCII.
pub(crate) fn ascii(value: &Value) -> String {
    let text = value.to_string();
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        // Characters outside ASCII are only in texts, where they may be escaped.
        if character.is_ascii() && character != '\u{7f}' {
            line.push(character);
        } else {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                line += &format!("\\u{unit:04x}");
            }
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Answer, String> {
        Answer::parse(line, "s/t", "c").map_err(|error| error.to_string())
    }

    #[test]
    fn reads_each_form_of_an_answer() {
        let whole = RejectPattern {
            kind: Some("k".into()),
            field: Some("f".into()),
            offset: Some(3),
        };
        for (line, answer) in [
            (r#"{"accept": {"a": 1}}"#, Answer::Accept(json!({"a": 1}))),
            (r#"{"accept": null}"#, Answer::Accept(Value::Null)),
            (
                r#"{"reject": null}"#,
                Answer::Reject(RejectPattern::default()),
            ),
            (
                r#"{"reject": {}}"#,
                Answer::Reject(RejectPattern::default()),
            ),
            (
                r#"{"reject": {"kind": "k", "field": "f", "offset": 3}}"#,
                Answer::Reject(whole),
            ),
            (r#"{"unsupported": "w"}"#, Answer::Unsupported("w".into())),
            (
                r#" {"name": "c", "accept": 1, "suite": "s/t"} "#,
                Answer::Accept(json!(1)),
            ),
        ] {
            assert_eq!(parse(line), Ok(answer));
        }
    }

    #[test]
    fn names_the_fault_of_a_line_that_is_no_answer() {
        for (line, error) in [
            (
                "",
                "the line is not JSON: EOF while parsing a value at line 1 column 0",
            ),
            (
                "ok",
                "the line is not JSON: expected value at line 1 column 1",
            ),
            (
                r#"{"accept": 1, "accept": 2}"#,
                "the line is not JSON: duplicate key `accept` at line 1 column 22",
            ),
            (
                r#"{"accept": 1} x"#,
                "the line is not JSON: trailing characters at line 1 column 15",
            ),
            ("[]", "the line is no answer: it is not an object"),
            (
                "{}",
                "the line is no answer: exactly one of accept, reject and unsupported is needed",
            ),
            (
                r#"{"accept": 1, "reject": null}"#,
                "the line is no answer: exactly one of accept, reject and unsupported is needed",
            ),
            (
                r#"{"accept": 1, "why": "x"}"#,
                "the line is no answer: unknown member \"why\"",
            ),
            (
                r#"{"reject": {"why": "x"}}"#,
                "the line is no answer: reject: unknown field `why`, expected one of `kind`, \
                 `field`, `offset`",
            ),
            (
                r#"{"reject": {"offset": -1}}"#,
                "the line is no answer: reject: invalid value: integer `-1`, expected usize",
            ),
            (
                r#"{"unsupported": true}"#,
                "the line is no answer: unsupported: its reason is not a text",
            ),
            (
                r#"{"name": "d", "accept": 1}"#,
                "the answer is for another case: its name is \"d\"",
            ),
            (
                r#"{"suite": null, "accept": 1}"#,
                "the answer is for another case: its suite is null",
            ),
        ] {
            assert_eq!(parse(line), Err(error.to_owned()), "{line}");
        }
    }

    #[test]
    fn compares_the_accepted_fields_that_are_given_and_all_in_a_strict_run() {
        let expected = Expected::Accept(json!({"a": 1, "b": {"c": 2}}));
        for (actual, is_given, is_strict) in [
            (json!({"a": 1, "b": {"c": 2}}), true, true),
            (json!({"a": 1}), true, false),
            (json!({}), true, false),
            (Value::Null, true, false),
            (json!({"a": 2}), false, false),
            (json!({"b": {}}), false, false),
            (json!({"a": 1, "b": {"c": 2}, "d": null}), false, false),
            (json!([]), false, false),
        ] {
            let answer = Answer::Accept(actual);
            let compared = [Comparison::Given, Comparison::Strict]
                .map(|comparison| answer.is_expected(&expected, comparison));
            assert_eq!(compared, [is_given, is_strict], "{answer:?}");
        }
        let list = Expected::Accept(json!([1, 2]));
        let answer = |value| Answer::Accept(value);
        assert!(answer(json!([1, 2])).is_expected(&list, Comparison::Given));
        assert!(!answer(json!([1])).is_expected(&list, Comparison::Given));
    }

    #[test]
    fn compares_kinds_and_offsets_in_a_strict_run_only() {
        let reject = |kind: Option<&str>, field: Option<&str>, offset| RejectPattern {
            kind: kind.map(str::to_owned),
            field: field.map(str::to_owned),
            offset,
        };
        let expected = Expected::Reject(reject(Some("k"), Some("f"), Some(3)));
        for (actual, is_strict) in [
            (reject(Some("k"), Some("f"), Some(3)), true),
            (reject(Some("k"), None, Some(3)), true),
            (reject(Some("k"), Some("g"), Some(3)), false),
            (reject(Some("l"), Some("f"), Some(3)), false),
            (reject(Some("k"), Some("f"), Some(4)), false),
            (reject(None, Some("f"), Some(3)), false),
            (reject(Some("k"), Some("f"), None), false),
            (reject(None, None, None), false),
        ] {
            let answer = Answer::Reject(actual);
            assert!(answer.is_expected(&expected, Comparison::Given));
            assert_eq!(
                answer.is_expected(&expected, Comparison::Strict),
                is_strict,
                "{answer:?}"
            );
        }
        // What a file from elsewhere leaves out is not compared.
        let any = Expected::Reject(RejectPattern::default());
        let answer = Answer::Reject(reject(Some("k"), Some("f"), None));
        assert!(answer.is_expected(&any, Comparison::Strict));
    }

    #[test]
    fn takes_no_answer_for_another() {
        let accept = Expected::Accept(Value::Null);
        let reject = Expected::Reject(RejectPattern::default());
        for comparison in [Comparison::Given, Comparison::Strict] {
            let unsupported = Answer::Unsupported("w".into());
            assert!(!unsupported.is_expected(&accept, comparison));
            assert!(!unsupported.is_expected(&reject, comparison));
            assert!(!Answer::Accept(Value::Null).is_expected(&reject, comparison));
            let rejected = Answer::Reject(RejectPattern::default());
            assert!(!rejected.is_expected(&accept, comparison));
        }
    }

    #[test]
    fn names_upper_case_hex_in_an_answer() {
        let expected = Expected::Accept(json!({"a": ["00ff"]}));
        let hint = |value| Answer::Accept(value).hint(&expected);
        assert_eq!(
            hint(json!({"a": ["00FF"]})).as_deref(),
            Some("upper-case hex at accept/a/0")
        );
        assert_eq!(hint(json!({"a": ["00FE"]})), None);
    }

    #[test]
    fn asks_in_one_line_of_ascii() {
        let input = Map::from_iter([("v".to_owned(), json!("a\r\n\u{7f}\u{e9}\u{2028}\u{1f600}"))]);
        assert_eq!(
            request("s/t", "c", &input),
            r#"{"input":{"v":"a\r\n\u007f\u00e9\u2028\ud83d\ude00"},"name":"c","suite":"s/t"}"#
        );
    }
}
