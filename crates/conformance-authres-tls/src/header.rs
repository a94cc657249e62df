//! The suites of `authres-tls`: RFC 8601, and draft-martin-authentication-results-tls-03 on it.

use authres_tls::{
    AuthenticationResults, Options, ParseError, ResInfo,
    syntax::{Body, Diagnostic, Mode, Number},
};
use conformance::{Case, Expected, Input, Outcome, Ran, Suite, Written, violated};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::oracle;

/// The suites.
pub(crate) const SUITES: &[Suite] = &[
    Suite {
        name: "authres-tls/header",
        run: header,
        import: Some(import_header),
        is_right: None,
    },
    Suite {
        name: "authres-tls/lenient",
        run: lenient,
        import: None,
        is_right: None,
    },
];

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ModeName {
    #[default]
    Strict,
    Lenient,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HeaderInput {
    value: Written,
    #[serde(default)]
    mode: ModeName,
    #[serde(default)]
    eai: bool,
    #[serde(default)]
    arc: bool,
    #[serde(default)]
    bare_lf: bool,
}

fn header(input: Input) -> Ran {
    let case: HeaderInput = input.parse()?;
    let value = String::from(case.value);
    let mode = match case.mode {
        ModeName::Strict => Mode::Strict,
        ModeName::Lenient => Mode::Lenient,
    };
    oracle::header(value.as_bytes()).map_err(violated)?;
    let options = Options {
        mode,
        ..Options::default()
    };
    let options = options.with_utf8(case.eai).with_bare_lf(case.bare_lf);
    let parse = if case.arc {
        AuthenticationResults::parse_arc
    } else {
        AuthenticationResults::parse
    };
    Ok(match parse(value.as_bytes(), &options) {
        Ok(header) => Outcome::Accept(json!({"parsed": parsed(&header)})),
        Err(error) => rejected(error),
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LenientInput {
    value: Written,
    #[serde(default)]
    eai: bool,
    #[serde(default)]
    bare_lf: bool,
}

fn lenient(input: Input) -> Ran {
    let case: LenientInput = input.parse()?;
    let value = String::from(case.value);
    let options = Options::lenient()
        .with_utf8(case.eai)
        .with_bare_lf(case.bare_lf);
    Ok(
        match AuthenticationResults::parse(value.as_bytes(), &options) {
            Ok(header) => {
                let diagnostics: Vec<_> = header.diagnostics().iter().map(diagnostic).collect();
                Outcome::Accept(json!({"diagnostics": diagnostics}))
            }
            Err(error) => rejected(error),
        },
    )
}

fn diagnostic(diagnostic: &Diagnostic) -> Value {
    let kind = diagnostic.kind();
    let mut out = json!({
        "kind": kind.name(),
        "field": diagnostic.field(),
        "offset": diagnostic.offset(),
    });
    if let (Some(why), Some(out)) = (kind.why(), out.as_object_mut()) {
        out.insert("why".into(), why.name().into());
    }
    out
}

pub(crate) fn rejected(error: ParseError) -> Outcome {
    Outcome::reject(error.kind().name(), error.field(), error.offset())
}

fn number(number: Option<Number>, value: &[u8]) -> Value {
    let Some(number) = number else {
        return Value::Null;
    };
    match number.value() {
        Some(number) => number.into(),
        // Larger than any version: as serde_json reads the digits. Or no number: as text.
        None => {
            let raw = value.get(number.span().range()).unwrap_or_default();
            let number = serde_json::from_slice(raw).ok().filter(Value::is_number);
            number.unwrap_or_else(|| String::from_utf8_lossy(raw).into())
        }
    }
}

/// The tree in the form of the vectors: a result's lists are left out where they are empty.
fn parsed(header: &AuthenticationResults<'_>) -> Value {
    let value = header.as_bytes();
    let mut out = Map::new();
    out.insert("authserv_id".into(), header.authserv_id().unfolded().into());
    out.insert("version".into(), number(header.version(), value));
    if header.instance().is_some() {
        out.insert("instance".into(), number(header.instance(), value));
    }
    if header.body() == Body::UnsupportedVersion {
        return out.into();
    }
    out.insert("no_result".into(), (header.body() == Body::NoResult).into());
    let comments: Vec<_> = header
        .comments()
        .map(|comment| comment.text().unfolded())
        .collect();
    out.insert("comments".into(), json!(comments));
    out.insert(
        "results".into(),
        header
            .results()
            .map(|result| result_of(result, value))
            .collect(),
    );
    out.into()
}

fn result_of(result: ResInfo<'_, '_>, value: &[u8]) -> Value {
    let keyword = |text: authres_tls::syntax::Text<'_>| text.unfolded().to_ascii_lowercase();
    let mut out = Map::new();
    out.insert("method".into(), keyword(result.method()).into());
    if result.method_version().is_some() {
        out.insert(
            "method_version".into(),
            number(result.method_version(), value),
        );
    }
    out.insert("result".into(), keyword(result.result()).into());
    if let Some(reason) = result.reason() {
        out.insert("reason".into(), reason.unfolded().into());
    }
    let comments: Vec<_> = result
        .comments()
        .map(|comment| comment.text().unfolded())
        .collect();
    let props: Vec<_> = result
        .properties()
        .map(|it| {
            let ptype = it.ptype().map(keyword).unwrap_or_default();
            json!([ptype, keyword(it.property()), it.value().unfolded()])
        })
        .collect();
    let extra: Vec<_> = result
        .undotted()
        .map(|it| json!([keyword(it.property()), it.value().unfolded()]))
        .collect();
    for (name, list) in [
        ("comments", json!(comments)),
        ("props", json!(props)),
        ("extra", json!(extra)),
    ] {
        if list != json!([]) {
            out.insert(name.into(), list);
        }
    }
    out.into()
}

/// Brings what others may spell in another way into the one form: `version`, `no_result` and `comments` are
/// there, a result's lists only where they are not empty.
fn import_header(case: &mut Case) {
    let Expected::Accept(expected) = &mut case.expected else {
        return;
    };
    let Some(parsed) = expected
        .pointer_mut("/parsed")
        .and_then(Value::as_object_mut)
    else {
        return;
    };
    parsed.entry("version").or_insert(Value::Null);
    let Some(results) = parsed.get_mut("results").and_then(Value::as_array_mut) else {
        return;
    };
    for result in results.iter_mut().filter_map(Value::as_object_mut) {
        result.retain(|_, value| *value != json!([]));
    }
    parsed.entry("comments").or_insert_with(|| json!([]));
    parsed.entry("no_result").or_insert(Value::Bool(false));
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use conformance::{Origin, VectorFile, Verdict};

    fn check(accept: Value, origin: Origin) -> Verdict {
        let case = json!({
            "name": "a",
            "requirements": [],
            "input": {"value": "a.example; spf=pass (b) smtp.mailfrom=c.example; dkim=none"},
            "accept": accept,
        });
        let file =
            json!({"suite": "authres-tls/header", "source": "t", "count": 1, "cases": [case]});
        let file = VectorFile::parse(Path::new("x.json"), &file.to_string(), origin);
        SUITES[0].check(&file.expect("valid").cases[0], origin)
    }

    #[test]
    fn reads_lists_and_defaults_that_foreign_files_spell_in_another_way() {
        let spf = json!({
            "method": "spf",
            "result": "pass",
            "comments": ["b"],
            "props": [["smtp", "mailfrom", "c.example"]],
        });
        let own = json!({"parsed": {
            "authserv_id": "a.example",
            "version": null,
            "no_result": false,
            "comments": [],
            "results": [spf, {"method": "dkim", "result": "none"}],
        }});
        let dkim =
            json!({"method": "dkim", "result": "none", "comments": [], "props": [], "extra": []});
        let foreign = json!({"parsed": {"authserv_id": "a.example", "results": [spf, dkim]}});
        for (accept, origin) in [
            (&own, Origin::Own),
            (&own, Origin::Foreign),
            (&foreign, Origin::Foreign),
        ] {
            assert_eq!(check(accept.clone(), origin), Verdict::Passed);
        }
        assert_eq!(
            check(foreign, Origin::Own),
            Verdict::Differs(json!({"accept": own}))
        );
    }
}
