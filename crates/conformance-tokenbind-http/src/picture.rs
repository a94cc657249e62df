//! Pictures of Token-Binding header fields, of sealed tokens with the names of `docs/vectors.md`, and of the ClientHello
//! with those of RFC 5246 section 7.4.1.2.

use conformance::{Annotator, Offsets, Picture, Walk};
use conformance_tokenbind_wire::picture::message;
use serde_json::{Map, Value};

/// The annotators.
pub(crate) const ANNOTATORS: &[Annotator] = &[
    Annotator {
        suite: "tokenbind-http/header",
        draw: |input| fields(input, "values"),
    },
    Annotator {
        suite: "tokenbind-http/request",
        draw: |input| fields(input, "requests"),
    },
    Annotator {
        suite: "tokenbind-http/token-to-issue",
        draw: |input| fields(input, "headers"),
    },
    Annotator {
        suite: "tokenbind-http/client-hello",
        draw: client_hello,
    },
    Annotator {
        suite: "tokenbind-http/sealed-token",
        draw: sealed_token,
    },
];

/// Draws the message in each field value that is web-safe Base64. Those of several requests may be nested.
fn fields(input: &Map<String, Value>, name: &str) -> Vec<Picture> {
    let mut values = Vec::new();
    texts(input.get(name).unwrap_or(&Value::Null), &mut values);
    let messages = values.iter().zip(1..).filter_map(|(value, number)| {
        let mut picture = message(decoded(value)?);
        // The offset of an error counts in the field's value.
        picture.offsets = Offsets::None;
        picture.title = match values.len() {
            1 => "TokenBindingMessage in the field, decoded".to_owned(),
            _ => format!("TokenBindingMessage in field {number}, decoded"),
        };
        Some(picture)
    });
    messages.collect()
}

fn texts<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
    match value {
        Value::String(text) => found.push(text),
        Value::Array(values) => values.iter().for_each(|it| texts(it, found)),
        _ => {}
    }
}

/// Decodes web-safe Base64, padded or not. Returns `None` for other text.
fn decoded(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches('=');
    let (mut octets, mut bits, mut count) = (Vec::new(), 0_u32, 0);
    for character in text.bytes() {
        let value = match character {
            b'A'..=b'Z' => character - b'A',
            b'a'..=b'z' => character - b'a' + 26,
            b'0'..=b'9' => character - b'0' + 52,
            b'-' => 62,
            b'_' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            octets.push(u8::try_from(bits >> count & 0xff).ok()?);
        }
    }
    (!octets.is_empty()).then_some(octets)
}

/// Draws the text of a token, and its octets if it is web-safe Base64. Errors of the text have the name of the whole.
fn sealed_token(input: &Map<String, Value>) -> Vec<Picture> {
    let Some(text) = input.get("token").and_then(Value::as_str) else {
        return Vec::new();
    };
    let mut written =
        Walk::text("SealedToken, as it is sent", text).with_offsets_for(Offsets::Of("SealedToken"));
    written.rest("base64url");
    let mut pictures = vec![written.finish()];
    if let Some(octets) = decoded(text) {
        let mut walk =
            Walk::octets("SealedToken", octets).with_offsets_for(Offsets::But("SealedToken"));
        let rest = token(&mut walk).map_or("not read", |()| "mac");
        walk.rest(rest);
        pictures.push(walk.finish());
    }
    pictures
}

/// Reads what precedes the MAC. Returns `None` at the first field that is not whole or has no form.
fn token(walk: &mut Walk) -> Option<()> {
    walk.number("version", 1)?;
    walk.number("key", 4)?;
    let binding = walk.number("binding", 1)?;
    match binding {
        0 => walk.describe("bearer (0)"),
        1 => {
            walk.describe("bound (1)");
            walk.take("key_id_sha256", 32)?;
        }
        _ => return None,
    }
    walk.number("expires", 8)?;
    let length = walk.number("payload (length)", 2)?;
    if length > 0 {
        walk.take("payload", length)?;
    }
    let between = walk.left().len().checked_sub(32).filter(|it| *it > 0);
    if let Some(between) = between {
        walk.take("after the payload", between);
    }
    Some(())
}

/// Draws the records of a ClientHello. One that is split over several records is drawn record by record only.
fn client_hello(input: &Map<String, Value>) -> Vec<Picture> {
    let records = input.get("records").and_then(Value::as_str);
    let Some(octets) = records.and_then(|text| hex::decode(text).ok()) else {
        return Vec::new();
    };
    let end = octets.len();
    let mut walk = Walk::octets("TLS records", octets);
    let mut number = 1;
    while !walk.left().is_empty() {
        walk.group(format!("TLSPlaintext {number}"));
        if record(&mut walk, end).is_none() {
            break;
        }
        number += 1;
    }
    walk.group("not read");
    walk.rest("octets");
    vec![walk.finish()]
}

fn record(walk: &mut Walk, end: usize) -> Option<()> {
    let is_first = walk.at() == 0;
    let kind = walk.number("type", 1)?;
    walk.number("version", 2)?;
    let length = walk.number("length", 2)?;
    let holds_all = is_first && walk.at().checked_add(length) == Some(end);
    if kind == 22 && holds_all && walk.left().first() == Some(&1) {
        hello(walk)
    } else {
        walk.take("fragment", length).map(|_| ())
    }
}

fn hello(walk: &mut Walk) -> Option<()> {
    walk.group("Handshake");
    walk.number("msg_type", 1)?;
    walk.number("length", 3)?;
    walk.group("ClientHello");
    walk.number("client_version", 2)?;
    walk.take("random", 32)?;
    walk.vector("session_id", 1)?;
    walk.vector("cipher_suites", 2)?;
    walk.vector("compression_methods", 1)?;
    if walk.left().is_empty() {
        return Some(());
    }
    walk.number("extensions (length)", 2)?;
    let mut number = 1;
    while !walk.left().is_empty() {
        walk.group(format!("Extension {number}"));
        let kind = walk.number("extension_type", 2)?;
        let name = match kind {
            0 => "server_name",
            10 => "supported_groups",
            13 => "signature_algorithms",
            16 => "application_layer_protocol_negotiation",
            23 => "extended_master_secret",
            35 => "session_ticket",
            43 => "supported_versions",
            51 => "key_share",
            _ => "another",
        };
        walk.describe(format!("{name} ({kind})"));
        walk.vector("extension_data", 2)?;
        number += 1;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn input(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(input) => input,
            _ => Map::new(),
        }
    }

    #[test]
    fn decodes_each_field_of_each_request() {
        assert_eq!(decoded("AP-_"), Some(vec![0, 0xff, 0xbf]));
        assert_eq!(decoded("AAE="), Some(vec![0, 1]));
        assert_eq!(decoded("A+=="), None);
        let pictures = fields(
            &input(json!({"requests": [["AAE"], ["*", "AAIA"]]})),
            "requests",
        );
        let titles: Vec<_> = pictures.iter().map(|it| it.title.as_str()).collect();
        let expected = [
            "TokenBindingMessage in field 1, decoded",
            "TokenBindingMessage in field 3, decoded",
        ];
        assert_eq!(titles, expected);
        assert_eq!(pictures[1].octets, [0, 2, 0]);
    }

    #[test]
    fn names_the_fields_of_a_sealed_token() {
        // Version 1, key 2, bearer, expires at 3, payload "a", one octet too many, and the MAC.
        let head = "AQAAAAIAAAAAAAAAAAMAAWFi";
        let input = input(json!({ "token": format!("{head}{}", "B".repeat(43)) }));
        let pictures = sealed_token(&input);
        assert!(pictures[0].offsets.count_for("SealedToken"));
        assert!(pictures[1].offsets.count_for("SealedToken.mac"));
        let spans = pictures[1].spans.iter();
        let found: Vec<_> = spans
            .map(|it| format!("{} {}-{} {}", it.name, it.start, it.end, it.value))
            .collect();
        let expected = [
            "version 0-1 1",
            "key 1-5 2",
            "binding 5-6 bearer (0)",
            "expires 6-14 3",
            "payload (length) 14-16 1",
            "payload 16-17 ",
            "after the payload 17-18 ",
            "mac 18-50 ",
        ];
        assert_eq!(found, expected);
        let other = Map::from_iter([("token".to_owned(), json!("AQ=*"))]);
        assert_eq!(sealed_token(&other).len(), 1);
    }

    #[test]
    fn names_the_fields_of_a_client_hello() {
        let body = format!("0303{}00000213010100", "07".repeat(32));
        let extensions = "0005001700010a";
        let hello = format!(
            "01{:06x}{body}{extensions}",
            (body.len() + extensions.len()) / 2
        );
        let records = format!("160301{:04x}{hello}", hello.len() / 2);
        let pictures = client_hello(&input(json!({ "records": records })));
        let spans = pictures[0].spans.iter();
        let found: Vec<_> = spans
            .map(|it| format!("{} {}", it.name, it.value))
            .collect();
        let expected = [
            "type 22",
            "version 769",
            "length 52",
            "msg_type 1",
            "length 48",
            "client_version 771",
            "random ",
            "session_id (length) 0",
            "session_id ",
            "cipher_suites (length) 2",
            "cipher_suites ",
            "compression_methods (length) 1",
            "compression_methods ",
            "extensions (length) 5",
            "extension_type extended_master_secret (23)",
            "extension_data (length) 1",
            "extension_data ",
        ];
        assert_eq!(found, expected);
        let split = client_hello(&input(json!({"records": "1603010001011603010001020a"})));
        let names: Vec<_> = split[0].spans.iter().map(|it| it.name.as_str()).collect();
        let expected = [
            "type", "version", "length", "fragment", "type", "version", "length", "fragment",
            "type", "version",
        ];
        assert_eq!(names, expected);
    }
}
