//! Pictures of Authentication-Results values, with the names of RFC 8601 section 2.2.

use authres_tls::{
    AuthenticationResults, Options,
    syntax::{Mode, Span},
};
use conformance::{Annotator, Picture, Walk, Written};
use serde_json::{Map, Value};

/// The annotators.
pub(crate) const ANNOTATORS: &[Annotator] = &[
    annotator("authres-tls/header"),
    annotator("authres-tls/lenient"),
    annotator("authres-tls/real"),
    annotator("authres-tls/strip"),
    annotator("authres-tls/tls"),
];

const fn annotator(suite: &'static str) -> Annotator {
    Annotator { suite, draw }
}

/// Draws the value. A value that even the lenient reading refuses has no fields.
fn draw(input: &Map<String, Value>) -> Vec<Picture> {
    let value = input.get("value").cloned().unwrap_or_default();
    let Ok(value) = serde_json::from_value::<Written>(value) else {
        return Vec::new();
    };
    let value = String::from(value);
    let is_arc = input.get("arc") == Some(&Value::Bool(true));
    vec![picture(&value, is_arc)]
}

fn picture(value: &str, is_arc: bool) -> Picture {
    let mut walk = Walk::text("Authentication-Results", value).with_offsets();
    let options = Options {
        mode: Mode::Lenient,
        utf8: true,
        ..Options::default()
    };
    let parsed = if is_arc {
        AuthenticationResults::parse_arc(value.as_bytes(), &options)
    } else {
        AuthenticationResults::parse(value.as_bytes(), &options)
    };
    let Ok(parsed) = parsed else {
        return walk.finish();
    };
    let mut places = Vec::new();
    let mut add = |group: String, name: &'static str, span: Span| {
        places.push((span.start(), span.end(), group, name));
    };
    let top = || "authres-payload".to_owned();
    if let Some(instance) = parsed.instance() {
        add(top(), "instance", instance.span());
    }
    add(top(), "authserv-id", parsed.authserv_id().span());
    if let Some(version) = parsed.version() {
        add(top(), "authres-version", version.span());
    }
    for (result, number) in parsed.results().zip(1..) {
        let group = || format!("resinfo {number}");
        add(group(), "Keyword (method)", result.method().span());
        if let Some(version) = result.method_version() {
            add(group(), "method-version", version.span());
        }
        add(group(), "result", result.result().span());
        if let Some(reason) = result.reason() {
            add(group(), "value (reason)", reason.span());
        }
        for property in result.all_properties() {
            if let Some(ptype) = property.ptype() {
                add(group(), "ptype", ptype.span());
            }
            add(group(), "property", property.property().span());
            add(group(), "pvalue", property.value().span());
        }
    }
    for comment in parsed.all_comments() {
        // A comment belongs to the structure before it.
        add(String::new(), "comment", comment.text().span());
    }
    places.sort();
    let mut last = String::new();
    for (start, end, group, name) in places {
        if !group.is_empty() {
            last = group;
        }
        walk.group(last.clone());
        walk.place(name, start, end);
    }
    walk.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(value: &str) -> Vec<String> {
        let spans = picture(value, false).spans.into_iter();
        spans
            .map(|it| format!("{}, {}: {}", it.group, it.name, &value[it.start..it.end]))
            .collect()
    }

    #[test]
    fn names_each_part_of_each_result() {
        let found = names("a.example 1; tls=fail (old) reason=\"x y\" tls.v=TLS1.2; spf/1=pass");
        let expected = [
            "authres-payload, authserv-id: a.example",
            "authres-payload, authres-version: 1",
            "resinfo 1, Keyword (method): tls",
            "resinfo 1, result: fail",
            "resinfo 1, comment: (old)",
            "resinfo 1, value (reason): \"x y\"",
            "resinfo 1, ptype: tls",
            "resinfo 1, property: v",
            "resinfo 1, pvalue: TLS1.2",
            "resinfo 2, Keyword (method): spf",
            "resinfo 2, method-version: 1",
            "resinfo 2, result: pass",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn shows_a_value_that_cannot_be_read_without_fields() {
        assert_eq!(names("a.example; tls=\"pass"), Vec::<String>::new());
    }
}
