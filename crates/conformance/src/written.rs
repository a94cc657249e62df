//! Input values of cases that may be too long to write out.

use serde::Deserialize;

/// The form of an input value: text, or a recipe for a value that is too long to write out.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Written {
    /// The text itself.
    Text(String),
    /// The parts that make the text.
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
