//! Pictures of Token Binding messages and identifiers, field by field as section 4 of the draft spells them.

use conformance::{Annotator, Offsets, Picture, Walk};
use serde_json::{Map, Value};

/// The annotators.
pub(crate) const ANNOTATORS: &[Annotator] = &[
    Annotator {
        suite: "tokenbind-wire/message",
        draw: |input| hex(input, "message", message),
    },
    Annotator {
        suite: "tokenbind-wire/id",
        draw: |input| hex(input, "id", |octets| identifier("TokenBindingID", octets)),
    },
    Annotator {
        suite: "tokenbind-wire/token-check",
        draw: connection,
    },
    Annotator {
        suite: "tokenbind-wire/tls-unique",
        draw: finished,
    },
];

/// Draws the octets that a field of the input has in hex.
fn hex(
    input: &Map<String, Value>,
    field: &str,
    draw: impl FnOnce(Vec<u8>) -> Picture,
) -> Vec<Picture> {
    let octets = input.get(field).and_then(Value::as_str);
    let octets = octets.and_then(|text| hex::decode(text).ok());
    octets.map(draw).into_iter().collect()
}

fn connection(input: &Map<String, Value>) -> Vec<Picture> {
    hex(input, "connection", |octets| {
        let mut picture = identifier("TokenBindingID of the connection", octets);
        picture.offsets = Offsets::None;
        picture
    })
}

fn finished(input: &Map<String, Value>) -> Vec<Picture> {
    let of = |field: &str| {
        hex(input, field, |octets| {
            let mut walk = Walk::octets(&field.replace('_', " "), octets);
            walk.rest("verify_data");
            walk.finish()
        })
    };
    let both = ["client_finished", "server_finished"];
    both.into_iter().flat_map(of).collect()
}

/// Draws a `TokenBindingMessage`, as far as it can be read.
#[must_use]
pub fn message(octets: Vec<u8>) -> Picture {
    let mut walk = Walk::octets("TokenBindingMessage", octets).with_offsets();
    bindings(&mut walk);
    walk.group("after the end");
    walk.rest("octets");
    walk.finish()
}

/// Reads the bindings. Returns `None` at the first field that is not whole or that has no form.
fn bindings(walk: &mut Walk) -> Option<()> {
    let length = walk.number("tokenbindings (length)", 2)?;
    let end = walk.at().checked_add(length)?;
    let mut number = 1;
    while walk.at() < end && !walk.left().is_empty() {
        walk.group(format!("TokenBinding {number}"));
        id(walk)?;
        walk.vector("signature", 2)?;
        let length = walk.number("extensions (length)", 2)?;
        let end = walk.at().checked_add(length)?;
        while walk.at() < end && !walk.left().is_empty() {
            walk.number("extension_type", 1)?;
            walk.vector("extension_data", 2)?;
        }
        number += 1;
    }
    Some(())
}

fn identifier(title: &str, octets: Vec<u8>) -> Picture {
    let mut walk = Walk::octets(title, octets).with_offsets();
    id(&mut walk);
    walk.group("after the end");
    walk.rest("octets");
    walk.finish()
}

/// Reads a `TokenBindingID`.
fn id(walk: &mut Walk) -> Option<()> {
    let named = |number: usize, names: &[(usize, &str)]| {
        let name = names.iter().find(|(known, _)| *known == number);
        format!("{} ({number})", name.map_or("unknown", |(_, name)| name))
    };
    let kind = walk.number("tokenbinding_type", 1)?;
    walk.describe(named(
        kind,
        &[(0, "provided_token_binding"), (1, "referred_token_binding")],
    ));
    let hash = walk.number("algorithm.hash", 1)?;
    walk.describe(named(hash, &[(4, "sha256")]));
    let signature = walk.number("algorithm.signature", 1)?;
    walk.describe(named(signature, &[(1, "rsa"), (3, "ecdsap256")]));
    match signature {
        1 => {
            walk.vector("rsapubkey.modulus", 2)?;
            let exponent = walk.vector("rsapubkey.publicexponent", 1)?;
            if let Ok(octets) = exponent.try_into() {
                let [high, middle, low]: [u8; 3] = octets;
                let number = u32::from_be_bytes([0, high, middle, low]);
                walk.describe(number.to_string());
            }
        }
        3 => {
            let curve = walk.number("ecdsaparams.namedcurve", 2)?;
            walk.describe(named(curve, &[(23, "secp256r1")]));
            walk.vector("ecdsaparams.point", 1)?;
        }
        _ => {
            walk.rest("a key of an unknown kind, and what follows");
            return None;
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(picture: &Picture) -> Vec<String> {
        let spans = picture.spans.iter();
        spans
            .map(|it| format!("{} {}-{} {}", it.name, it.start, it.end, it.value))
            .collect()
    }

    #[test]
    fn names_the_fields_of_each_binding() {
        let id = [0, 4, 3, 0, 23, 2, 7, 8];
        let binding = [&id[..], &[0, 1, 9], &[0, 4, 5, 0, 1, 6]].concat();
        let octets = [&[0, 34], &binding[..], &binding, &[0xff]].concat();
        let picture = message(octets);
        let expected = [
            "tokenbindings (length) 0-2 34",
            "tokenbinding_type 2-3 provided_token_binding (0)",
            "algorithm.hash 3-4 sha256 (4)",
            "algorithm.signature 4-5 ecdsap256 (3)",
            "ecdsaparams.namedcurve 5-7 secp256r1 (23)",
            "ecdsaparams.point (length) 7-8 2",
            "ecdsaparams.point 8-10 ",
            "signature (length) 10-12 1",
            "signature 12-13 ",
            "extensions (length) 13-15 4",
            "extension_type 15-16 5",
            "extension_data (length) 16-18 1",
            "extension_data 18-19 ",
        ];
        let found = names(&picture);
        assert_eq!(found[..13], expected);
        assert_eq!(found[25..], ["octets 36-37 "]);
        assert_eq!(picture.spans[13].group, "TokenBinding 2");
        assert_eq!(picture.spans[25].group, "after the end");
    }

    #[test]
    fn draws_a_message_that_is_cut_off_as_far_as_it_goes() {
        let picture = message(vec![0, 9, 1, 4, 1, 1, 0, 5]);
        let expected = [
            "tokenbindings (length) 0-2 9",
            "tokenbinding_type 2-3 referred_token_binding (1)",
            "algorithm.hash 3-4 sha256 (4)",
            "algorithm.signature 4-5 rsa (1)",
            "rsapubkey.modulus (length) 5-7 256",
            "rsapubkey.modulus 7-8 256 octets needed, 1 left",
        ];
        assert_eq!(names(&picture), expected);
    }
}
