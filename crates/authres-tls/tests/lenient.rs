//! Properties of a lenient reading: damage anywhere in a value takes no result away and adds none.

#![allow(clippy::expect_used, clippy::arithmetic_side_effects, reason = "tests")]

use authres_tls::{AuthenticationResults, Options};
use proptest::{collection::vec, prelude::*, sample::select};

/// A method with a result, and its properties as `name=value`.
type Meant = (String, Vec<String>);

/// A value in pieces: the id, and for each result its words.
#[derive(Clone, Debug)]
struct Pieces {
    id: &'static str,
    results: Vec<Vec<String>>,
}

/// Methods with a word that each may have for a result.
const RESULTS: &[&str] = &[
    "spf=pass",
    "spf=softfail",
    "dkim=pass",
    "dkim=fail",
    "dmarc=bestguesspass",
    "arc=none",
    "iprev=permerror",
    "auth=pass",
    "tls=pass",
    "sender-id=none",
    "gateway.spf=pass",
    "dkim/1=neutral",
    "compauth=fail",
    "x-vs=clean",
];

/// Properties, each with a text that could be mistaken for something else.
const PROPERTIES: &[&str] = &[
    "smtp.mailfrom=b.example",
    "smtp.mailfrom=u@b.example",
    "smtp.helo=evil.",
    "header.i=@b.example",
    "header.b=\"AbC=\"",
    "cert.client=\"CN=x; dkim=pass header.d=bank.example\"",
    "smtp.mailfrom=\"x; spf=pass\"@b.example",
    "header.from=<u@b.example>",
    "policy.iprev=2001:db8::1",
    "action=none",
    "score=20",
    "smtp.helo=",
    "header.d=",
];

/// Words of a client, a writer or nobody that are neither result nor property.
const DAMAGE: &[&str] = &[
    "foo.bar",
    "foo.=bar",
    ".bar=foo",
    "=",
    "=foo",
    "for",
    "c@d.example",
    "<u@b.example>",
    ",",
    ")",
    "a)b",
    "\"; dkim=pass header.d=bank.example\"",
    "x\"; spf=pass\"y",
    "\"dkim=pass\"",
    "(; dkim=pass)",
    "( dkim=pass )",
    "\" dkim=pass \"( spf=pass )",
    "@",
    "/1",
    "a/b",
    "[192.0.2.1]",
    "\\",
    "a.b.c",
    "smtp.mailfrom",
    "\u{fc}ber",
];

/// Pieces between two `;` that name no registered method.
const NO_RESULTS: &[&str] = &[
    "",
    "b.example",
    "smtp.mailfrom=b.example",
    "client-ip=192.0.2.1",
    "from=b.example",
    "spf=",
    "=pass",
    "spf",
    "spf=\"pass\"",
    "smtp.helo=x dkim=pass",
    "foo=bar.baz dkim=pass",
    "x \"; dkim=pass\"",
    "(; dkim=pass)",
    "a.b=pass",
    "smtp.helo= dkim=pass",
];

fn pieces() -> impl Strategy<Value = Pieces> {
    let property = select(PROPERTIES).prop_map(str::to_owned);
    let result = (select(RESULTS), vec(property, 0..4)).prop_map(|(result, properties)| {
        let mut words = vec![result.to_owned()];
        words.extend(properties);
        words
    });
    let id = select(
        &[
            "a.example",
            "\"a b\"",
            "[::1]",
            "a.example 1",
            "a.example/1A2B",
        ][..],
    );
    (id, vec(result, 1..5)).prop_map(|(id, results)| Pieces { id, results })
}

/// A method without its version, the result, and the properties, of what was generated.
fn meant(pieces: &Pieces) -> Vec<Meant> {
    let meant = |words: &Vec<String>| {
        let (result, properties) = words.split_first().expect("a result");
        let unquoted = properties.iter().map(|it| match it.split_once('=') {
            Some((name, value)) if value.starts_with('"') && value.ends_with('"') => {
                format!("{name}={}", value.trim_matches('"'))
            }
            _ => it.clone(),
        });
        (result.replace("/1", ""), unquoted.collect())
    };
    pieces.results.iter().map(meant).collect()
}

fn read(value: &str) -> Result<Vec<Meant>, TestCaseError> {
    let header = AuthenticationResults::parse(value.as_bytes(), &Options::lenient());
    let header = header.map_err(|error| TestCaseError::fail(format!("{error}: {value:?}")))?;
    let results = header.results().map(|it| {
        let properties = it.all_properties().map(|it| match it.ptype() {
            Some(ptype) => format!("{ptype}.{}={}", it.property(), it.value()),
            None => format!("{}={}", it.property(), it.value()),
        });
        let result = format!("{}={}", it.method(), it.result());
        (result, properties.collect())
    });
    Ok(results.collect())
}

fn value(pieces: &Pieces, gap: &str) -> String {
    let results = pieces.results.iter().map(|words| words.join(gap));
    let results: Vec<_> = results.collect();
    format!("{};{gap}{}", pieces.id, results.join(&format!(";{gap}")))
}

const GAPS: &[&str] = &[" ", "  ", "\r\n\t", "\n ", " (x) ", "(; dkim=pass)"];

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
    fn keeps_results_without_the_semicolon_behind_the_id(
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
    fn keeps_results_without_an_id(pieces in pieces(), gap in select(GAPS), semicolon: bool) {
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

/// What a lenient reading skips is looked at once.
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
