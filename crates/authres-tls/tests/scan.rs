//! The authserv-id alone.

use authres_tls::syntax::{Form, authserv_id};

fn read(value: &str) -> Result<(String, Form), String> {
    authserv_id(value.as_bytes())
        .map(|id| (id.unfolded().into_owned(), id.form()))
        .map_err(|error| error.to_string())
}

#[test]
fn reads_id_without_parsing_rest() {
    let token = |id: &str| Ok((id.to_owned(), Form::Token));
    for value in [
        "mx.example.org",
        "mx.example.org; \"",
        "\n (a (b)) mx.example.org (c",
        "mx.example.org 2 = junk",
    ] {
        assert_eq!(read(value), token("mx.example.org"), "{value:?}");
    }
    let quoted = Ok(("a;b".to_owned(), Form::QuotedString));
    assert_eq!(read("\"a\\;b\";"), quoted);
}

#[test]
fn refuses_id_that_other_text_follows_directly() {
    for (value, error) in [
        ("dkim=pass", "authserv-id expected at byte 4"),
        ("\"a\"=b", "authserv-id expected at byte 3"),
        ("a@b.example; none", "authserv-id expected at byte 1"),
        ("\"a\"b; none", "authserv-id expected at byte 3"),
        ("; none", "authserv-id expected at byte 0"),
        ("", "authserv-id expected at byte 0"),
        ("(a", "comment: not closed at byte 0"),
    ] {
        assert_eq!(read(value), Err(error.to_owned()), "{value:?}");
    }
}
