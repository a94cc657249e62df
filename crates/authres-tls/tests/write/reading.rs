//! Writing a value that was parsed.

use super::*;

fn owned(value: &[u8]) -> Result<AuthenticationResultsBuf, Refused> {
    AuthenticationResultsBuf::try_from(&lenient(value)).map_err(parts)
}

#[test]
fn writes_parsed_value_in_one_spelling() {
    let value = b"\"MX.example.org\"(a)01 ;\r\n  TLS (b) / 01=PASS\treason=\"x\r\n y\" \
                  (c) CERT . client=user (d) @b.example (e)";
    let written = written(&owned(value).unwrap());
    assert_eq!(
        written,
        "MX.example.org 1 (a);\r\n\
         \ttls/1=pass (b) (c) (d) (e) reason=\"x y\" cert.client=user@b.example"
    );
}

#[test]
fn refuses_parts_that_only_lenient_reading_accepts() {
    use WriteErrorKind as Kind;
    for (value, expected) in [
        (
            &b"x; a=b; a_b=c"[..],
            (Kind::Keyword, "method", Some(1), None, 1),
        ),
        (
            b"x; a=b-",
            (Kind::EndsWithHyphen, "result", Some(0), None, 1),
        ),
        (
            b"x; a=b c.d=e f=g",
            (Kind::MissingPtype, "ptype", Some(0), Some(1), 0),
        ),
        (
            b"x; a=b (\xff)",
            (Kind::NotUtf8, "comment", Some(0), Some(0), 0),
        ),
        (
            b"x; a=b c.d=\"e\xff\"",
            (Kind::NotUtf8, "pvalue", Some(0), Some(0), 1),
        ),
        (
            b"x; a/99999999999=b",
            (Kind::Number, "method-version", Some(0), None, 0),
        ),
        (
            b"x 2; a=b",
            (Kind::UnsupportedVersion, "authres-version", None, None, 0),
        ),
        (b"a=b", (Kind::Empty, "authserv-id", None, None, 0)),
        (b"\"\"; a=b", (Kind::Empty, "authserv-id", None, None, 0)),
        (
            b"x (\xc2\x85); a=b",
            (Kind::Control, "comment", None, Some(0), 0),
        ),
        (
            b"x; a=b reason=\"\xe2\x80\xa8\"",
            (Kind::Control, "reasonspec", Some(0), None, 0),
        ),
    ] {
        assert_eq!(
            owned(value),
            Err(expected),
            "{}",
            String::from_utf8_lossy(value)
        );
    }
}

#[test]
fn quotes_unquoted_value_of_lenient_reading() {
    let header = owned(b"[::1]; spf=pass smtp.mailfrom=<> a.b=c==;").unwrap();
    assert_eq!(
        written(&header),
        "\"[::1]\";\r\n\tspf=pass smtp.mailfrom=\"<>\" a.b=\"c==\""
    );
}
