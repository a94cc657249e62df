//! The name that a misspelt one may mean.

use strsim::normalized_damerau_levenshtein;

/// The least similarity of a name that is suggested in place of an unknown one, from 0 to 1.
const LEAST: f64 = 0.5;

/// Returns the name that is most similar to the text, if any is similar enough. A name of two parts, `PROTOCOL/NAME`, is
/// compared as a whole and by its last part.
#[must_use]
pub fn similar<'n>(text: &str, names: &[&'n str]) -> Option<&'n str> {
    let similarities = names.iter().map(|name| {
        let last = name.rsplit('/').next().unwrap_or(name);
        let whole = normalized_damerau_levenshtein(text, name);
        (whole.max(normalized_damerau_levenshtein(text, last)), *name)
    });
    similarities
        .filter(|(similarity, _)| *similarity >= LEAST)
        .max_by(|(left, _), (right, _)| left.total_cmp(right))
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_most_similar_name_as_a_whole_or_by_its_last_part() {
        let names = ["abcde", "abcdef", "abcdefgh", "live/curl"];
        assert_eq!(similar("abdcef", &names), Some("abcdef"));
        assert_eq!(similar("live/crul", &names), Some("live/curl"));
        assert_eq!(similar("crul", &names), Some("live/curl"));
        assert_eq!(similar("nosuch", &names), None);
        assert_eq!(similar("abc", &[]), None);
    }
}
