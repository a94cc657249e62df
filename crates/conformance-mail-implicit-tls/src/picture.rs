//! Pictures of TLSA records, with the names of RFC 6698 section 2.1, and of Received fields, with those of RFC 5321
//! section 4.4.

use conformance::{Annotator, Picture, Walk};
use serde_json::{Map, Value};

/// The annotators.
pub(crate) const ANNOTATORS: &[Annotator] = &[
    Annotator {
        suite: "mail-implicit-tls/tlsa",
        draw,
    },
    Annotator {
        suite: "mail-implicit-tls/received",
        draw: received,
    },
];

fn draw(input: &Map<String, Value>) -> Vec<Picture> {
    let records = input.get("records").and_then(Value::as_array);
    let records = records.into_iter().flatten().zip(1..);
    records
        .filter_map(|(record, number)| {
            let record = serde_json::from_value::<(u8, u8, u8, String)>(record.clone());
            let (usage, selector, matching, association) = record.ok()?;
            let mut octets = vec![usage, selector, matching];
            octets.extend(hex::decode(association).ok()?);
            Some(tlsa(&format!("TLSA record {number}"), octets))
        })
        .collect()
}

fn tlsa(title: &str, octets: Vec<u8>) -> Picture {
    let mut walk = Walk::octets(title, octets);
    for (name, names) in [
        (
            "Certificate Usage",
            &["PKIX-TA", "PKIX-EE", "DANE-TA", "DANE-EE"][..],
        ),
        ("Selector", &["Cert", "SPKI"]),
        ("Matching Type", &["Full", "SHA2-256", "SHA2-512"]),
    ] {
        if let Some(number) = walk.number(name, 1) {
            let meaning = names.get(number).unwrap_or(&"unknown");
            walk.describe(format!("{meaning} ({number})"));
        }
    }
    walk.rest("Certificate Association Data");
    walk.finish()
}

/// The words that begin a clause.
const CLAUSES: [&str; 8] = ["from", "by", "via", "with", "id", "for", "tls", "group"];

/// Draws what follows `Received:`.
fn received(input: &Map<String, Value>) -> Vec<Picture> {
    let Some(body) = input.get("body").and_then(Value::as_str) else {
        return Vec::new();
    };
    let mut walk = Walk::text("Time-stamp-line", body).with_offsets();
    loop {
        walk.comments_and_white_space();
        if walk.left().first() == Some(&b';') {
            walk.group("");
            walk.skip(1);
            walk.comments_and_white_space();
            walk.rest("date-time");
            break;
        }
        let length = word_length(walk.left());
        let word = walk.left().get(..length).unwrap_or_default();
        let clause = CLAUSES
            .iter()
            .find(|it| word.eq_ignore_ascii_case(it.as_bytes()));
        if length == 0 {
            break;
        }
        let Some(clause) = clause else {
            walk.skip(length);
            continue;
        };
        walk.group(format!("clause {clause}"));
        walk.take("name", length);
        walk.comments_and_white_space();
        let length = word_length(walk.left());
        if length > 0 {
            walk.take("value", length);
        }
        walk.group("");
    }
    vec![walk.finish()]
}

/// Returns the length of the word at the beginning: what comes before white space, a comment or a semicolon, which may
/// be within quotes and brackets.
fn word_length(octets: &[u8]) -> usize {
    let (mut enclosed, mut is_escaped) = (None, false);
    for (at, octet) in octets.iter().enumerate() {
        match (enclosed, octet) {
            _ if is_escaped => is_escaped = false,
            (_, b'\\') => is_escaped = true,
            (Some(end), octet) if *octet == end => enclosed = None,
            (Some(_), _) => {}
            (None, b'"') => enclosed = Some(b'"'),
            (None, b'<') => enclosed = Some(b'>'),
            (None, b'[') => enclosed = Some(b']'),
            (None, b' ' | b'\t' | b'\r' | b'\n' | b'(' | b';') => return at,
            (None, _) => {}
        }
    }
    octets.len()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_the_clauses_of_a_received_field() {
        let body = "from a (b; c) By d\r\n\tx for <\"e f\"@g> ; h;i";
        let input = json!({"body": body});
        let picture = received(input.as_object().expect("an object")).remove(0);
        let spans = picture.spans.into_iter();
        let found: Vec<_> = spans
            .map(|it| format!("{}: {} {}", it.group, it.name, &body[it.start..it.end]))
            .collect();
        let expected = [
            "clause from: name from",
            "clause from: value a",
            ": comment (b; c)",
            "clause by: name By",
            "clause by: value d",
            "clause for: name for",
            "clause for: value <\"e f\"@g>",
            ": date-time h;i",
        ];
        assert_eq!(found, expected);
        for (text, length) in [("<a", 2), ("\"a\\\" b\"c d", 8), ("[a;b]", 5), ("(", 0)] {
            assert_eq!(word_length(text.as_bytes()), length, "{text}");
        }
    }

    #[test]
    fn names_the_fields_of_each_record() {
        let Value::Object(input) = json!({"records": [[3, 1, 9, "0a0b"], [2, 0, 1, ""]]}) else {
            return;
        };
        let pictures = draw(&input);
        assert_eq!(pictures.len(), 2);
        let spans = pictures[0].spans.iter();
        let found: Vec<_> = spans
            .map(|it| format!("{} {}-{} {}", it.name, it.start, it.end, it.value))
            .collect();
        let expected = [
            "Certificate Usage 0-1 DANE-EE (3)",
            "Selector 1-2 SPKI (1)",
            "Matching Type 2-3 unknown (9)",
            "Certificate Association Data 3-5 ",
        ];
        assert_eq!(found, expected);
        assert_eq!(pictures[1].spans.len(), 3);
    }
}
