//! The oracles of the writer of `authres-tls` on generated texts, bytes and edits.

use authres_tls::{
    AuthenticationResultsBuf, ResInfoBuf, WriteOptions,
    write::{CommentBuf, Indent, Instance, PropertyBuf, Value},
};
use conformance::{Origin, VectorFile, repository};
use conformance_authres_tls::oracle;
use proptest::prelude::*;

proptest! {
    #[test]
    fn reads_written_values_as_the_values_given(model in model(), options in options()) {
        prop_assert_eq!(oracle::write(&model, &options), Ok(()));
    }

    #[test]
    fn keeps_a_text_in_its_position(text in text(PIECES.to_vec()), utf8: bool) {
        let options = WriteOptions::default().with_utf8(utf8);
        let tls = || ResInfoBuf::try_new("tls", "pass");
        let header = |result| AuthenticationResultsBuf::try_new("x").map(|it| it.with_result(result));
        let built = [
            AuthenticationResultsBuf::try_new(text.clone()),
            AuthenticationResultsBuf::try_new("x").and_then(|it| it.with_comment(text.clone())),
            tls().and_then(|it| it.with_reason(text.clone())).and_then(header),
            tls().and_then(|it| it.with_comment(text.clone())).and_then(header),
            tls().and_then(|it| it.with_property("a", "b", text.clone())?
                .with_property("c", "d", "e@f.example")).and_then(header),
            ResInfoBuf::try_new(text.clone(), "pass").and_then(header),
            ResInfoBuf::try_new("tls", text.clone()).and_then(header),
            tls().and_then(|it| it.with_property(text.clone(), "b", "c")).and_then(header),
            tls().and_then(|it| it.with_property("a", text.clone(), "c")).and_then(header),
        ];
        let is_keyword = text.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'-')
            && !text.is_empty()
            && !text.ends_with('-');
        for (position, built) in built.into_iter().enumerate() {
            let accepted = match position {
                0 => is_printable(&text) && !text.is_empty(),
                1..=4 => is_printable(&text),
                _ => is_keyword,
            };
            prop_assert_eq!(built.is_ok(), accepted, "{}: {:?}", position, built);
            if let Ok(model) = built {
                prop_assert_eq!(oracle::write(&model, &options), Ok(()));
            }
        }
    }

    #[test]
    fn writes_any_bytes_or_refuses_them_for_their_content(
        data in prop::collection::vec(prop_oneof![Just(0xff), any::<u8>(), 32_u8..127], 0..300),
    ) {
        prop_assert_eq!(oracle::write_any(&data), Ok(()));
    }

    #[test]
    fn texts_are_written_or_refused_for_what_they_have(
        choice in prop::collection::vec(0_u8..255, 0..5),
        texts in prop::collection::vec(text(PIECES.to_vec()), 0..12),
    ) {
        let mut data = choice;
        for text in texts {
            data.push(0xff);
            data.extend_from_slice(text.as_bytes());
        }
        prop_assert_eq!(oracle::write_any(&data), Ok(()));
    }

    #[test]
    fn reads_an_edited_value_as_the_parts_that_were_kept(value in values(), choice: u64) {
        prop_assert_eq!(oracle::edit(&value, choice), Ok(()));
        prop_assert_eq!(oracle::edit(&value, 0), Ok(()));
        prop_assert_eq!(oracle::edit(&value, u64::MAX), Ok(()));
    }
}

/// The pieces that no text is refused for.
fn is_printable(piece: &str) -> bool {
    !piece
        .chars()
        .any(|c| c != '\t' && c.is_control() || ('\u{2028}'..='\u{2029}').contains(&c))
}

fn text(pieces: Vec<&'static str>) -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        12 => prop::sample::select(pieces).prop_map(str::to_owned),
        2 => "[a-z]{1,12}",
        1 => (1_usize..90).prop_map(|count| "x".repeat(count)),
        1 => (1_usize..90).prop_map(|count| " ".repeat(count)),
    ];
    let count = prop_oneof![0_usize..3, 0_usize..10];
    let pieces = count.prop_flat_map(move |count| prop::collection::vec(piece.clone(), count));
    pieces.prop_map(|pieces| pieces.concat())
}

fn printable() -> impl Strategy<Value = String> {
    text(
        PIECES
            .into_iter()
            .filter(|piece| is_printable(piece))
            .collect(),
    )
}

fn keyword() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z0-9-]{0,8}[a-z0-9]",
        prop::sample::select(vec!["none", "reason", "i", "1", "TLS", "-a"]).prop_map(str::to_owned),
    ]
}

fn property() -> impl Strategy<Value = PropertyBuf> {
    (keyword(), keyword(), printable()).prop_map(|(ptype, property, value)| {
        PropertyBuf::try_new(ptype, property, value).expect("keywords and a printable text")
    })
}

fn comments() -> impl Strategy<Value = Vec<CommentBuf>> {
    let comment = printable().prop_map(|text| CommentBuf::try_new(text).expect("printable"));
    prop::collection::vec(comment, 0..3)
}

fn result() -> impl Strategy<Value = ResInfoBuf> {
    let properties = prop::collection::vec(property(), 0..4);
    let reason = prop::option::of(printable());
    let version = prop::option::of(any::<u32>());
    (
        keyword(),
        version,
        keyword(),
        reason,
        comments(),
        properties,
    )
        .prop_map(|(method, version, result, reason, comments, properties)| {
            let mut built = ResInfoBuf::try_new(method, result).expect("keywords");
            built.method_version = version;
            built.reason = reason.map(|text| Value::try_new(text).expect("printable"));
            built.comments = comments;
            built.properties = properties;
            built
        })
}

fn model() -> impl Strategy<Value = AuthenticationResultsBuf> {
    let id = prop_oneof![
        Just("mx.example.org".to_owned()),
        printable().prop_filter("an id is not empty", |id| !id.is_empty()),
    ];
    let instance = prop::option::of(1_u8..=50);
    let results = prop::collection::vec(result(), 0..4);
    (id, instance, any::<bool>(), comments(), results).prop_map(
        |(id, instance, version, comments, results)| {
            let mut model = AuthenticationResultsBuf::try_new(id).expect("an id");
            model.instance = instance.map(|it| Instance::try_new(it).expect("1 to 50"));
            model.version = version;
            model.comments = comments;
            model.results = results;
            model
        },
    )
}

fn options() -> impl Strategy<Value = WriteOptions> {
    let widths = prop_oneof![
        3 => Just((78, 998)),
        2 => (1_usize..120, 40_usize..200),
        1 => Just((usize::MAX, usize::MAX)),
    ];
    (widths, any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |((soft_limit, hard_limit), utf8, space, result_per_line)| WriteOptions {
            utf8,
            soft_limit,
            hard_limit,
            indent: if space { Indent::Space } else { Indent::Tab },
            result_per_line,
            ..WriteOptions::default()
        },
    )
}

/// The values of the vectors of the reader, and what the writer makes of others.
fn values() -> impl Strategy<Value = Vec<u8>> {
    let path = repository().join("crates/conformance-authres-tls/vectors/header.json");
    let file = VectorFile::load(&path, Origin::Own).expect("vectors");
    let values = file
        .cases
        .iter()
        .filter_map(|case| case.input.get("value")?.as_str());
    let values: Vec<_> = values
        .filter(|value| value.len() < 4000)
        .map(str::to_owned)
        .collect();
    assert!(values.len() > 90, "{} values", values.len());
    let written = (model(), options())
        .prop_filter_map("written", |(model, options)| model.write(&options).ok());
    let change = (
        any::<prop::sample::Index>(),
        prop::sample::select(PIECES.to_vec()),
    );
    let changes = prop::collection::vec(change, 0..3);
    (prop_oneof![prop::sample::select(values), written], changes).prop_map(|(value, changes)| {
        let mut value = value.into_bytes();
        for (at, piece) in changes {
            let at = at.index(value.len() + 1);
            value.splice(at..at, piece.bytes());
        }
        value
    })
}

/// Parts of texts that try to break out of their places.
const PIECES: [&str; 56] = [
    ";",
    "; ",
    "\"",
    "\\",
    "(",
    ")",
    " ",
    "  ",
    "\t",
    "=",
    ".",
    "..",
    "@",
    ",",
    "/",
    "-",
    "_",
    "<",
    ">",
    "a",
    "b.example",
    "a@b.example",
    "@b.example",
    "a@b",
    "a.",
    "none",
    "; none",
    "i=1;",
    "1",
    "2",
    "dkim=pass",
    "; dkim=pass header.d=bank.example",
    "reason=",
    "reason",
    "header.d=",
    "smtp.mailfrom",
    "\"; dkim=pass (",
    "\\\"",
    "\\\\",
    "(a) (b",
    "\r",
    "\n",
    "\r\n",
    "\r\n ",
    "\r\nX-Inj: 1",
    "\0",
    "\u{7}",
    "\u{7f}",
    "\u{85}",
    "\u{2028}",
    "\u{2029}",
    "é",
    "é.example",
    "\u{a0}",
    "花木蘭",
    "\u{1f600}",
];
