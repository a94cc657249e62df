//! A case of a vector file: what is asked, and what is expected.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Origin, VectorErrorKind};

/// One case.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// Its name, unique in the file.
    pub name: String,
    /// The requirements it shows.
    pub requirements: Vec<String>,
    /// The fields of `input`.
    pub input: Map<String, Value>,
    /// The expected outcome.
    pub expected: Expected,
}

/// The expectation of a case.
#[derive(Clone, Debug, PartialEq)]
pub enum Expected {
    /// This value.
    Accept(Value),
    /// This error.
    Reject(RejectPattern),
}

/// An expected error. What is `None` is not compared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RejectPattern {
    /// The kind's name.
    pub kind: Option<String>,
    /// The field in the draft's spelling.
    pub field: Option<String>,
    /// The byte offset.
    pub offset: Option<usize>,
}

impl RejectPattern {
    /// Returns the parts that there are.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let mut parts = Map::new();
        parts.extend(self.kind.clone().map(|kind| ("kind".into(), kind.into())));
        parts.extend(
            self.field
                .clone()
                .map(|field| ("field".into(), field.into())),
        );
        parts.extend(self.offset.map(|offset| ("offset".into(), offset.into())));
        parts.into()
    }
}

impl Expected {
    /// Returns the expectation as the file has it.
    #[must_use]
    pub fn to_value(&self) -> Value {
        match self {
            Self::Accept(value) => json!({"accept": value}),
            Self::Reject(pattern) => json!({"reject": pattern.to_value()}),
        }
    }
}

impl Case {
    /// Gives a field of the input that files from elsewhere name in another way the name that it has here.
    pub fn rename(&mut self, other: &str, name: &str) {
        if let Some(value) = self.input.remove(other) {
            self.input.insert(name.to_owned(), value);
        }
    }

    pub(super) fn parse(
        mut fields: Map<String, Value>,
        origin: Origin,
    ) -> Result<Self, (VectorErrorKind, String)> {
        use VectorErrorKind::{
            AcceptOrReject, Form, MissingName, MissingRequirements, PartialReject,
        };
        let name = match fields.remove("name") {
            // It is printed in a line.
            Some(Value::String(name)) if name.contains(char::is_control) => {
                return Err((Form, "name: a control character".into()));
            }
            Some(Value::String(name)) if !name.is_empty() => name,
            _ => return Err((MissingName, "name is missing".into())),
        };
        let form = |field, error| (Form, format!("{field}: {error}"));
        let requirements = match (fields.remove("requirements"), origin) {
            (Some(value), _) => {
                serde_json::from_value(value).map_err(|error| form("requirements", error))?
            }
            (None, Origin::Foreign) => Vec::new(),
            (None, Origin::Own) => {
                return Err((MissingRequirements, "requirements is missing".into()));
            }
        };
        let expected = match (fields.remove("accept"), fields.remove("reject")) {
            (Some(value), None) => Expected::Accept(value),
            (None, Some(value)) => {
                let reject: RejectPattern =
                    serde_json::from_value(value).map_err(|error| form("reject", error))?;
                let whole =
                    reject.kind.is_some() && reject.field.is_some() && reject.offset.is_some();
                if origin == Origin::Own && !whole {
                    let reason = "reject: kind, field and offset are all needed";
                    return Err((PartialReject, reason.into()));
                }
                Expected::Reject(reject)
            }
            _ => {
                let reason = "exactly one of accept and reject is needed";
                return Err((AcceptOrReject, reason.into()));
            }
        };
        // Others may put the fields of the input beside the name; then `input` is a field of the suite, or is not there.
        let input = match fields.remove("input") {
            Some(Value::Object(input)) => match fields.keys().next() {
                None => input,
                Some(other) => return Err((Form, format!("unknown field `{other}`"))),
            },
            flat if origin == Origin::Foreign => {
                fields.extend(flat.map(|value| ("input".to_owned(), value)));
                fields
            }
            _ => return Err((Form, "input is not an object".into())),
        };
        Ok(Self {
            name,
            requirements,
            input,
            expected,
        })
    }
}
