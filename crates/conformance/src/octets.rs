//! Octets in hex, as vectors write them: in lower case only.

use serde_json::Value;

use crate::ran::{MalformedCase, malformed};

/// Reads octets in lower-case hex.
///
/// # Errors
/// Blames the case if the text is not hex, and says so if it is hex in upper case.
pub fn from_hex(text: impl AsRef<str>) -> Result<Vec<u8>, MalformedCase> {
    let text = text.as_ref();
    let octets = hex::decode(text).map_err(malformed)?;
    let mut digits = text.char_indices();
    match digits.find(|(_, digit)| digit.is_ascii_uppercase()) {
        Some((at, digit)) => Err(malformed(format!(
            "upper-case hex: {digit:?} at {at}; hex is in lower case"
        ))),
        None => Ok(octets),
    }
}

/// Returns the JSON pointer of the first text that is upper-case hex of what the other value has in its place.
pub(crate) fn upper_case_hex(value: &Value, other: &Value) -> Option<String> {
    match (value, other) {
        (Value::String(text), Value::String(other)) => {
            let is_upper = text != other && text.eq_ignore_ascii_case(other);
            (is_upper && from_hex(other).is_ok()).then(String::new)
        }
        (Value::Array(values), Value::Array(others)) => values
            .iter()
            .zip(others)
            .enumerate()
            .find_map(|(at, (value, other))| {
                Some(format!("/{at}{}", upper_case_hex(value, other)?))
            }),
        (Value::Object(values), Value::Object(others)) => values.iter().find_map(|(key, value)| {
            let place = upper_case_hex(value, others.get(key)?)?;
            Some(format!("/{key}{place}"))
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reads_lower_case_only_and_names_upper_case_hex() {
        assert_eq!(from_hex("00ff"), Ok(vec![0, 255]));
        assert_eq!(from_hex(""), Ok(Vec::new()));
        let refused = |text: &str| from_hex(text).expect_err("malformed").0;
        assert_eq!(
            refused("0aFf"),
            "upper-case hex: 'F' at 2; hex is in lower case"
        );
        assert_eq!(refused("0"), "Odd number of digits");
        assert_eq!(refused("0G"), "Invalid character 'G' at position 1");
    }

    #[test]
    fn finds_the_first_upper_case_hex_at_every_depth() {
        let place = |value, other| upper_case_hex(&value, &other);
        let found = place(
            json!({"a": [1, {"b": "AB"}]}),
            json!({"a": [1, {"b": "ab"}]}),
        );
        assert_eq!(found.as_deref(), Some("/a/1/b"));
        assert_eq!(place(json!("AB"), json!("ab")), Some(String::new()));
        for (value, other) in [
            (json!("ab"), json!("ab")),
            (json!("AB"), json!("ac")),
            // The other is in upper case, or is not hex.
            (json!("ab"), json!("AB")),
            (json!("PASS"), json!("pass")),
            (json!({"a": "AB"}), json!({"b": "ab"})),
            (json!(["AB"]), json!([])),
            (json!(1), json!("ab")),
        ] {
            assert_eq!(place(value, other), None);
        }
    }
}
