//! Properties of a lenient reading: damage anywhere in a value takes no result away and adds none.

#![allow(clippy::expect_used, clippy::arithmetic_side_effects, reason = "tests")]

mod pieces;

use authres_tls::{AuthenticationResults, Options};
use proptest::{collection::vec, prelude::*, sample::select};

use pieces::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn keeps_every_result_beside_damage(
        pieces in pieces(),
        damage in vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), select(DAMAGE)), 0..4),
        others in vec((any::<prop::sample::Index>(), select(NO_RESULTS)), 0..3),
        gap in select(GAPS),
    ) {
        let expected = meant(&pieces);
        let mut damaged = pieces;
        for (result, place, word) in damage {
            let words = &mut damaged.results[result.index(expected.len())];
            // A word in front of the method has no value that could be a client's.
            let method = words.iter().position(|it| RESULTS.contains(&it.as_str()));
            let method = method.expect("a result");
            let first = match word.contains('=') || words[method] == "x-vs=clean" {
                true => method + 1,
                false => 0,
            };
            let place = first + place.index(words.len() + 1 - first);
            // Behind an empty value and a space it would be the value, by the grammar.
            if !words[..place].last().is_some_and(|it| it.ends_with('=')) {
                words.insert(place, word.to_owned());
            }
        }
        for (place, piece) in others {
            let place = place.index(damaged.results.len() + 1);
            damaged.results.insert(place, vec![piece.to_owned()]);
        }
        let value = value(&damaged, gap);
        let found = read(&value)?;
        let names = |meant: &[Meant]| -> Vec<_> { meant.iter().map(|(it, _)| it.clone()).collect() };
        prop_assert_eq!(names(&found), names(&expected), "{:?}", value);
        for ((_, found), (_, expected)) in found.iter().zip(&expected) {
            // Two damaged words may make a property: `foo.bar` and `=`.
            let mut found = found.iter();
            let all = expected.iter().all(|it| found.any(|found| found == it));
            prop_assert!(all, "{:?} of {:?}", expected, value);
        }
    }

    #[test]
    fn keeps_results_without_semicolon_after_id(
        pieces in pieces(),
        damage in vec(select(DAMAGE), 0..3),
        gap in select(GAPS),
    ) {
        let expected = meant(&pieces);
        let damage: Vec<_> = damage.into_iter().filter(|it| !it.contains('=')).collect();
        // The version needs its white space, and so does the first method.
        let value = value(&pieces, gap).replacen(';', &format!(" {} ", damage.join(" ")), 1);
        let known = |(result, _): &Meant| result != "x-vs=clean";
        if expected.first().is_some_and(known) {
            prop_assert_eq!(read(&value)?, expected, "{:?}", value);
        }
    }

    #[test]
    fn keeps_results_without_id(pieces in pieces(), gap in select(GAPS), semicolon: bool) {
        let expected = meant(&pieces);
        let value = value(&pieces, gap);
        let (_, rest) = value.split_once(';').expect("an id");
        let rest = match semicolon {
            true => format!(";{rest}"),
            false => rest.to_owned(),
        };
        prop_assert_eq!(read(&rest)?, expected, "{:?}", rest);
    }

    #[test]
    fn finds_no_result_in_quotes_and_comments(
        pieces in pieces(),
        inside in vec(select(&["; dkim=pass", " spf=pass ", "x=", " (", ") ", "\\\"", " ; ", "arc=none"][..]), 0..5),
        quoted: bool,
        place: prop::sample::Index,
    ) {
        let inside = inside.concat();
        let text = match quoted {
            true => format!("\"{inside}\""),
            false => format!("({})", inside.replace(['(', ')'], "")),
        };
        let value = value(&pieces, " ");
        // Anywhere between two words, glued to either.
        let places: Vec<_> = value.match_indices(' ').map(|(at, _)| at).collect();
        let at = places[place.index(places.len())];
        let (before, behind) = value.split_at(at);
        let in_quotes = before.matches('"').count() % 2 != 0;
        let value = format!("{before}{text}{behind}");
        if !in_quotes {
            let results = read(&value)?;
            for (result, _) in &results {
                prop_assert!(meant(&pieces).iter().any(|(it, _)| it == result), "{} in {:?}", result, value);
            }
        }
    }
}

/// A lenient reading reads skipped text once.
#[test]
fn reads_long_values_of_junk_in_linear_time() {
    for (prefix, word) in [
        ("a.example; spf=pass", " x=a ."),
        ("a.example; spf=pass", " x=a.b. y"),
        ("a.example", " spf"),
        ("a.example", " spf/"),
        ("a.example; x", " spf ="),
        ("a.example; spf=pass", " x.y = z ."),
        ("a.example; spf=pass", " \"x\""),
        ("a.example; spf=pass", " x= ."),
        ("a.example", " a.a"),
        ("a.example", ".spf"),
        ("a.example;", ".spf"),
        ("a.example; spf=pass x= ", "(c) "),
        ("a.example; spf=pass x=", "a. . "),
        ("a.example; spf=pass x=a", " .a"),
    ] {
        let long = |bytes: usize| format!("{prefix}{}", word.repeat(bytes / word.len()));
        let time = |value: &str| {
            let start = std::time::Instant::now();
            let _ = AuthenticationResults::parse(value.as_bytes(), &Options::lenient());
            start.elapsed()
        };
        let value = long(1_000_000);
        let took = time(&value);
        assert!(took.as_secs() < 4, "{word:?}: {took:?}");
    }
}
