//! Pictures of what DEEP servers and clients send, with the names of draft-newman-email-deep-02 and of RFC 2971.

use conformance::{Annotator, Picture, Walk, Written};
use serde_json::{Map, Value};

/// The annotators.
pub(crate) const ANNOTATORS: &[Annotator] = &[
    annotator("deep-latch/tag", |input| {
        draw(input, "security-tag", |walk| {
            while take_line(walk, "security-tag") {
                walk.skip(1);
            }
        })
    }),
    annotator("deep-latch/status", |input| {
        draw(input, "deep-status", deep_status)
    }),
    annotator("deep-latch/imap-id", |input| {
        draw(input, "id_params_list", id_params_list)
    }),
    annotator("deep-latch/imap-capability", |input| {
        draw(input, "capability-data", |walk| words(walk, "capability"))
    }),
    annotator("deep-latch/pop-capa", |input| {
        draw(input, "CAPA line", keyword)
    }),
    annotator("deep-latch/smtp-ehlo", |input| {
        draw(input, "EHLO line", keyword)
    }),
    annotator("deep-latch/smtp-client", |input| {
        draw(input, "deep-cmd", deep_cmd)
    }),
    annotator("deep-latch/tls-cipher", tls_cipher),
    annotator("deep-latch/security-latch", security_latch),
    annotator("deep-latch/delivery-status", |input| {
        draw(input, "per-recipient-fields", per_recipient_fields)
    }),
];

const fn annotator(
    suite: &'static str,
    draw: fn(&Map<String, Value>) -> Vec<Picture>,
) -> Annotator {
    Annotator { suite, draw }
}

fn draw(input: &Map<String, Value>, title: &str, read: impl FnOnce(&mut Walk)) -> Vec<Picture> {
    let text = input.get("text").cloned().unwrap_or_default();
    let Ok(text) = serde_json::from_value::<Written>(text) else {
        return Vec::new();
    };
    let mut walk = Walk::text(title, &String::from(text)).with_offsets();
    read(&mut walk);
    vec![walk.finish()]
}

fn take_line(walk: &mut Walk, name: &str) -> bool {
    let length = walk.until(|octet| octet == b' ' || octet == b',');
    let some = length > 0;
    if some {
        walk.take(name, length);
    }
    some
}

/// Reads words between spaces.
fn words(walk: &mut Walk, name: &str) {
    while !walk.left().is_empty() {
        match walk.until(|octet| octet == b' ') {
            0 => walk.skip(1),
            length => {
                walk.take(name, length);
            }
        }
    }
}

/// Reads a `deep-status`: each `deep-tag` is named by its first octet.
fn deep_status(walk: &mut Walk) {
    while let Some(first) = walk.left().first().copied() {
        let name = match first {
            b' ' => {
                walk.skip(1);
                continue;
            }
            b'<' => "deep-https",
            it if it.is_ascii_alphabetic() => "security-tag",
            _ => "deep-extend",
        };
        let length = walk.until(|octet| octet == b' ');
        walk.take(name, length);
    }
}

/// Reads a line that announces DEEP, and its status; a line with another keyword is that keyword.
fn keyword(walk: &mut Walk) {
    let length = walk.until(|octet| octet == b' ');
    let is_deep = walk
        .left()
        .get(..length)
        .is_some_and(|it| it.eq_ignore_ascii_case(b"DEEP"));
    if length > 0 {
        walk.take("keyword", length);
    }
    if is_deep {
        walk.group("deep-status");
        deep_status(walk);
    }
}

/// Reads `CLIENT` and its parameters.
fn deep_cmd(walk: &mut Walk) {
    let verb = walk.until(|octet| octet == b' ');
    if verb > 0 {
        walk.take("\"CLIENT\"", verb);
    }
    let mut number = 0;
    while !walk.left().is_empty() {
        let length = walk.until(|octet| octet == b' ');
        if length == 0 {
            walk.skip(1);
            continue;
        }
        number += 1;
        walk.group(format!("deep-parameter {number}"));
        let word = walk.left().get(..length).unwrap_or_default();
        match word.iter().position(|octet| *octet == b'=') {
            Some(name) if name > 0 => {
                walk.take("esmtp-keyword", name);
                walk.skip(1);
                let value = length - name - 1;
                if value > 0 {
                    walk.take("esmtp-value", value);
                }
            }
            _ => {
                walk.take("esmtp-param", length);
            }
        }
    }
}

/// Reads the parameters of `ID` (RFC 2971), as far as they are strings.
fn id_params_list(walk: &mut Walk) {
    if walk.left().first() != Some(&b'(') {
        return;
    }
    walk.skip(1);
    let mut number = 1;
    loop {
        while walk.left().first() == Some(&b' ') {
            walk.skip(1);
        }
        walk.group(format!("pair {number}"));
        if string(walk, "string (field)").is_none() {
            return;
        }
        while walk.left().first() == Some(&b' ') {
            walk.skip(1);
        }
        if string(walk, "nstring (value)").is_none() {
            return;
        }
        number += 1;
    }
}

/// Reads a quoted string, a literal or NIL.
fn string(walk: &mut Walk, name: &str) -> Option<()> {
    let left = walk.left();
    let length = match left.first()? {
        b'"' => {
            let mut escaped = false;
            let inner = left.iter().skip(1).position(|octet| {
                let ends = *octet == b'"' && !escaped;
                escaped = *octet == b'\\' && !escaped;
                ends
            });
            inner? + 2
        }
        b'{' => {
            let head = left.iter().position(|octet| *octet == b'\n')? + 1;
            let digits = left
                .iter()
                .skip(1)
                .take_while(|octet| octet.is_ascii_digit());
            let length = digits.fold(0_usize, |number, octet| {
                number
                    .saturating_mul(10)
                    .saturating_add(usize::from(octet - b'0'))
            });
            head.saturating_add(length)
        }
        _ if left
            .get(..3)
            .is_some_and(|it| it.eq_ignore_ascii_case(b"NIL")) =>
        {
            3
        }
        _ => return None,
    };
    walk.take(name, length).map(|_| ())
}

/// Draws a cipher suite, or a clause with one, as the case's form says.
fn tls_cipher(input: &Map<String, Value>) -> Vec<Picture> {
    match input.get("form").and_then(Value::as_str) {
        None | Some("value") => draw(input, "tls-cipher", |walk| walk.rest("tls-cipher")),
        Some(_) => draw(input, "tls-cipher-clause", |walk| {
            walk.comments_and_white_space();
            for name in ["\"tls\"", "tls-cipher"] {
                take_word(walk, name);
                walk.comments_and_white_space();
            }
        }),
    }
}

/// Takes what comes before white space, a comment or a semicolon. Returns `false` if there is nothing.
fn take_word(walk: &mut Walk, name: &str) -> bool {
    let length = walk.until(|octet| b" \t\r\n(;".contains(&octet));
    length > 0 && walk.take(name, length).is_some()
}

/// Draws a field with its name, or only what follows the colon.
fn security_latch(input: &Map<String, Value>) -> Vec<Picture> {
    let is_body = input.get("body") == Some(&Value::Bool(true));
    draw(input, "smtp-security-latch", |walk| {
        if !is_body {
            field_name(walk);
        }
        while !walk.left().is_empty() {
            walk.comments_and_white_space();
            if !take_word(walk, "security-tag") {
                walk.skip(1);
            }
        }
    })
}

/// Takes the name of a field, and skips the colon.
fn field_name(walk: &mut Walk) {
    let length = walk.until(|octet| octet == b':');
    if length > 0 && length < walk.left().len() {
        walk.take("field-name", length);
        walk.skip(1);
    }
}

/// Reads fields line by line; a line that begins with white space belongs to the field before it.
fn per_recipient_fields(walk: &mut Walk) {
    let mut number = 0;
    while !walk.left().is_empty() {
        number += 1;
        walk.group(format!("field {number}"));
        field_name(walk);
        let left = walk.left();
        let ends = |at: usize| {
            let folds = matches!(left.get(at + 1), Some(b' ' | b'\t'));
            left.get(at) == Some(&b'\n') && !folds
        };
        let line = (0..left.len()).find(|at| ends(*at)).unwrap_or(left.len());
        let text = left.get(..line).unwrap_or_default().trim_ascii_end().len();
        let spaces = walk.until(|octet| octet != b' ').min(text);
        walk.skip(spaces);
        if text > spaces {
            walk.take("field-body", text - spaces);
        }
        walk.skip(line + 1 - text);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn names(suite: &str, text: &str) -> Vec<String> {
        names_of(suite, &json!({"text": text}))
    }

    fn names_of(suite: &str, input: &Value) -> Vec<String> {
        let input = input.as_object().expect("an object");
        let text = input["text"].as_str().expect("a text");
        let mut annotators = ANNOTATORS.iter();
        let annotator = annotators
            .find(|it| it.suite == suite)
            .expect("an annotator");
        let picture = (annotator.draw)(input).remove(0);
        let spans = picture.spans.into_iter();
        spans
            .map(|it| format!("{} {}{}", it.name, &text[it.start..it.end], it.value))
            .collect()
    }

    #[test]
    fn names_the_parts_of_a_status() {
        let expected = [
            "security-tag tls10",
            "deep-extend =x",
            "deep-https <https://a/>",
        ];
        assert_eq!(
            names("deep-latch/status", "tls10 =x  <https://a/>"),
            expected
        );
        let expected = ["keyword deep", "security-tag tls10"];
        assert_eq!(names("deep-latch/smtp-ehlo", "deep tls10"), expected);
        assert_eq!(names("deep-latch/pop-capa", "SASL PLAIN"), ["keyword SASL"]);
        assert_eq!(
            names("deep-latch/tag", "tls10,tls12"),
            ["security-tag tls10", "security-tag tls12"]
        );
    }

    #[test]
    fn names_the_parts_of_a_cipher_suite() {
        assert_eq!(
            names("deep-latch/tls-cipher", "0x1301"),
            ["tls-cipher 0x1301"]
        );
        for form in ["clause", "split"] {
            let input = json!({"text": "(a) TLS\r\n\tA(b) ; x", "form": form});
            let expected = ["comment (a)", "\"tls\" TLS", "tls-cipher A", "comment (b)"];
            assert_eq!(names_of("deep-latch/tls-cipher", &input), expected);
        }
        let cut_off = json!({"text": "(a", "form": "clause"});
        assert_eq!(names_of("deep-latch/tls-cipher", &cut_off), ["comment (a"]);
    }

    #[test]
    fn names_the_tags_of_a_field() {
        let field = "SMTP-Security-Latch: (a;b) tls10\r\n ; tls12";
        let expected = [
            "field-name SMTP-Security-Latch",
            "comment (a;b)",
            "security-tag tls10",
            "security-tag tls12",
        ];
        assert_eq!(names("deep-latch/security-latch", field), expected);
        let body = json!({"text": " a:b", "body": true});
        assert_eq!(
            names_of("deep-latch/security-latch", &body),
            ["security-tag a:b"]
        );
        assert_eq!(names("deep-latch/security-latch", "a"), ["security-tag a"]);
    }

    #[test]
    fn names_the_fields_of_a_recipient() {
        let fields = "Final-Recipient: rfc822; a\r\n b\r\nAction:failed\r\n:\r\nc";
        let expected = [
            "field-name Final-Recipient",
            "field-body rfc822; a\r\n b",
            "field-name Action",
            "field-body failed",
            "field-body :",
            "field-body c",
        ];
        assert_eq!(names("deep-latch/delivery-status", fields), expected);
        assert_eq!(
            names("deep-latch/delivery-status", ""),
            Vec::<String>::new()
        );
    }

    #[test]
    fn names_the_strings_of_an_id() {
        let expected = [
            "string (field) \"a\\\"b\"",
            "nstring (value) NIL",
            "string (field) {2}\r\n()",
            "nstring (value) \"\"",
        ];
        let found = names("deep-latch/imap-id", "(\"a\\\"b\" nil {2}\r\n() \"\")");
        assert_eq!(found[0], expected[0]);
        assert_eq!(found[1], "nstring (value) nil");
        assert_eq!(found[2..], expected[2..]);
        let cut_off = names("deep-latch/imap-id", "({99999999999999999999}\r\nb");
        assert_eq!(cut_off.len(), 1);
        assert!(
            cut_off[0].ends_with(" octets needed, 25 left"),
            "{cut_off:?}"
        );
        assert_eq!(names("deep-latch/imap-id", "(\"a"), Vec::<String>::new());
    }

    #[test]
    fn names_the_parameters_of_a_report() {
        let expected = [
            "\"CLIENT\" CLIENT",
            "esmtp-keyword name",
            "esmtp-value a=b",
            "esmtp-param =",
            "esmtp-keyword tls",
        ];
        assert_eq!(
            names("deep-latch/smtp-client", "CLIENT name=a=b = tls="),
            expected
        );
    }
}
