//! Pictures of TLSA records, with the names of RFC 6698 section 2.1.

use conformance::{Annotator, Picture, Walk};
use serde_json::{Map, Value};

/// The annotators.
pub(crate) const ANNOTATORS: &[Annotator] = &[Annotator {
    suite: "mail-implicit-tls/tlsa",
    draw,
}];

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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

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
