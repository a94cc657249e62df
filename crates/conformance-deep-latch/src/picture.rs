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
];

const fn annotator(
    suite: &'static str,
    draw: fn(&Map<String, Value>) -> Vec<Picture>,
) -> Annotator {
    Annotator { suite, draw }
}

fn draw(input: &Map<String, Value>, title: &str, read: fn(&mut Walk)) -> Vec<Picture> {
    let text = input.get("text").cloned().unwrap_or_default();
    let Ok(text) = serde_json::from_value::<Written>(text) else {
        return Vec::new();
    };
    let mut walk = Walk::text(title, &String::from(text)).with_offsets();
    read(&mut walk);
    vec![walk.finish()]
}

/// Returns the number of octets before the first that `ends`.
fn until(walk: &Walk, ends: impl Fn(u8) -> bool) -> usize {
    let left = walk.left();
    left.iter()
        .position(|octet| ends(*octet))
        .unwrap_or(left.len())
}

fn take_line(walk: &mut Walk, name: &str) -> bool {
    let length = until(walk, |octet| octet == b' ' || octet == b',');
    let some = length > 0;
    if some {
        walk.take(name, length);
    }
    some
}

/// Reads words between spaces.
fn words(walk: &mut Walk, name: &str) {
    while !walk.left().is_empty() {
        match until(walk, |octet| octet == b' ') {
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
        let length = until(walk, |octet| octet == b' ');
        walk.take(name, length);
    }
}

/// Reads a line that announces DEEP, and its status; a line with another keyword is that keyword.
fn keyword(walk: &mut Walk) {
    let length = until(walk, |octet| octet == b' ');
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
    let verb = until(walk, |octet| octet == b' ');
    if verb > 0 {
        walk.take("\"CLIENT\"", verb);
    }
    let mut number = 0;
    while !walk.left().is_empty() {
        let length = until(walk, |octet| octet == b' ');
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn names(suite: &str, text: &str) -> Vec<String> {
        let Value::Object(input) = json!({"text": text}) else {
            return Vec::new();
        };
        let mut annotators = ANNOTATORS.iter();
        let annotator = annotators
            .find(|it| it.suite == suite)
            .expect("an annotator");
        let picture = (annotator.draw)(&input).remove(0);
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
