//! The choice of things by name: a whole name, a part of one, or a pattern with `*` and `?`.

use conformance::similar;
use glob::Pattern;

/// Returns the names that are chosen, in their order: the name itself if it exists, else those that match the pattern
/// or contain the text. No text chooses all.
///
/// # Errors
/// If a text chooses nothing. The message has a similar name, and all names, one on each line.
pub fn choose<'n>(kind: &str, names: &[&'n str], only: &[String]) -> Result<Vec<&'n str>, String> {
    let mut matched = vec![only.is_empty(); names.len()];
    for text in only {
        let chosen = one(names, text).map_err(|error| format!("{kind} {text:?}: {error}"))?;
        if !chosen.contains(&true) {
            return Err(unknown(kind, names, text));
        }
        for (matched, chosen) in matched.iter_mut().zip(chosen) {
            *matched |= chosen;
        }
    }
    let chosen = names.iter().zip(matched).filter(|(_, matched)| *matched);
    Ok(chosen.map(|(name, _)| *name).collect())
}

/// Returns for each name whether the text chooses it.
fn one(names: &[&str], text: &str) -> Result<Vec<bool>, glob::PatternError> {
    if names.contains(&text) {
        return Ok(names.iter().map(|name| *name == text).collect());
    }
    if text.contains(['*', '?', '[']) {
        let pattern = Pattern::new(text)?;
        return Ok(names.iter().map(|name| pattern.matches(name)).collect());
    }
    let is_part = |name: &&str| !text.is_empty() && name.contains(text);
    Ok(names.iter().map(is_part).collect())
}

fn unknown(kind: &str, names: &[&str], text: &str) -> String {
    let nearest = similar(text, names);
    let hint = nearest.map_or(String::new(), |name| format!("; similar: {name}"));
    format!(
        "no {kind} is called {text:?} or has it in its name, and nothing ran{hint}\nThere are:\n{}",
        names.join("\n")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 4] = ["id", "deep_imap_id", "mail_identity", "live/curl"];

    fn chosen(only: &[&str]) -> Result<Vec<&'static str>, String> {
        let only: Vec<_> = only.iter().map(|text| (*text).to_owned()).collect();
        choose("target", &NAMES, &only)
    }

    #[test]
    fn chooses_a_name_before_its_parts_and_everything_by_default() {
        assert_eq!(chosen(&[]), Ok(NAMES.to_vec()));
        assert_eq!(chosen(&["id"]), Ok(vec!["id"]));
        assert_eq!(chosen(&["mail"]), Ok(vec!["mail_identity"]));
        assert_eq!(chosen(&["_id"]), Ok(vec!["deep_imap_id", "mail_identity"]));
    }

    #[test]
    fn chooses_by_patterns_over_the_whole_name_and_adds_choices_up_in_order() {
        assert_eq!(chosen(&["*id"]), Ok(vec!["id", "deep_imap_id"]));
        assert_eq!(chosen(&["i?"]), Ok(vec!["id"]));
        assert_eq!(
            chosen(&["[dm]*"]),
            Ok(vec!["deep_imap_id", "mail_identity"])
        );
        assert_eq!(chosen(&["live/*", "id"]), Ok(vec!["id", "live/curl"]));
    }

    #[test]
    fn names_a_similar_name_and_all_names_if_a_text_chooses_nothing() {
        let error = |text: &str, hint: &str| {
            Err(format!(
                "no target is called {text:?} or has it in its name, and nothing ran{hint}\n\
                 There are:\nid\ndeep_imap_id\nmail_identity\nlive/curl"
            ))
        };
        assert_eq!(chosen(&["nosuch"]), error("nosuch", ""));
        assert_eq!(chosen(&["id", ""]), error("", ""));
        let hint = "; similar: mail_identity";
        assert_eq!(chosen(&["mail_indentity"]), error("mail_indentity", hint));
        assert_eq!(chosen(&["crul"]), error("crul", "; similar: live/curl"));
        // One of several is enough for the error.
        assert_eq!(chosen(&["id", "x*"]), error("x*", ""));
    }

    #[test]
    fn says_that_a_pattern_is_broken() {
        let error = "target \"[\": Pattern syntax error near position 0: invalid range pattern";
        assert_eq!(chosen(&["["]), Err(error.to_owned()));
    }
}
