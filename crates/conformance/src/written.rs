//! Input values of cases that may be too long to write out.

use serde::Deserialize;

use crate::ran::{MalformedCase, malformed};

/// The longest text that a recipe makes, in octets. The number in a file from elsewhere chooses no allocation.
const LONGEST: usize = 1 << 24;

/// The form of an input value: text, or a recipe for a value that is too long to write out.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Form")]
pub enum Written {
    /// The text itself.
    Text(String),
    /// The parts that make the text.
    Recipe(Recipe),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Form {
    Text(String),
    Recipe(Recipe),
}

/// `prefix`, `repeat` so many times, and so on.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    #[serde(default)]
    prefix: String,
    repeat: String,
    count: usize,
    #[serde(default)]
    suffix_repeat: String,
    #[serde(default)]
    suffix_count: usize,
    #[serde(default)]
    suffix: String,
}

impl TryFrom<Form> for Written {
    type Error = String;

    fn try_from(form: Form) -> Result<Self, String> {
        let recipe = match form {
            Form::Text(text) => return Ok(Self::Text(text)),
            Form::Recipe(recipe) => recipe,
        };
        let times = |text: &str, count: usize| text.len().saturating_mul(count);
        let length = [
            recipe.prefix.len(),
            times(&recipe.repeat, recipe.count),
            times(&recipe.suffix_repeat, recipe.suffix_count),
            recipe.suffix.len(),
        ];
        match length.into_iter().fold(0, usize::saturating_add) {
            ..=LONGEST => Ok(Self::Recipe(recipe)),
            _ => Err(too_long()),
        }
    }
}

impl From<Written> for String {
    fn from(written: Written) -> Self {
        match written {
            Written::Text(text) => text,
            Written::Recipe(recipe) => [
                recipe.prefix,
                recipe.repeat.repeat(recipe.count),
                recipe.suffix_repeat.repeat(recipe.suffix_count),
                recipe.suffix,
            ]
            .concat(),
        }
    }
}

fn too_long() -> String {
    format!("a repeated text is longer than {LONGEST} octets")
}

/// Returns a text so many times.
///
/// # Errors
/// Returns an error if it would be too long.
pub fn repeated(text: &str, count: usize) -> Result<String, MalformedCase> {
    match text.len().saturating_mul(count) {
        ..=LONGEST => Ok(text.repeat(count)),
        _ => Err(malformed(too_long())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn repeats_texts_up_to_a_length_and_no_further() {
        let length = |recipe| {
            let written: Result<Written, _> = serde_json::from_value(recipe);
            written
                .map(|it| String::from(it).len())
                .map_err(|error| error.to_string())
        };
        let fault = "a repeated text is longer than 16777216 octets";
        for (recipe, expected) in [
            (json!("a"), Ok(1)),
            (json!({"repeat": "ab", "count": 3, "suffix": "c"}), Ok(7)),
            (json!({"repeat": "ab", "count": LONGEST / 2}), Ok(LONGEST)),
            (
                json!({"repeat": "ab", "count": LONGEST / 2, "suffix": "c"}),
                Err(fault.to_owned()),
            ),
            (
                json!({"repeat": "", "count": 1, "suffix_repeat": "ab", "suffix_count": u64::MAX}),
                Err(fault.to_owned()),
            ),
        ] {
            assert_eq!(length(recipe), expected);
        }
        assert_eq!(repeated("ab", 2).map_err(|it| it.0), Ok("abab".to_owned()));
        let refused = repeated("ab", usize::MAX).map_err(|it| it.0);
        assert_eq!(refused, Err(fault.to_owned()));
    }
}
