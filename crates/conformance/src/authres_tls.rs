//! The suites of `authres-tls`: RFC 8601, and draft-martin-authentication-results-tls-03 on it.

mod real;
mod strip;
mod write;

use authres_tls::{
    AuthenticationResults, Body, Diagnostic, Mode, Number, Options, ParseError, ResInfo,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    oracle,
    suite::{Input, MalformedCase, Outcome, Suite},
};

/// The suites.
pub(crate) const SUITES: &[Suite] = &[
    Suite {
        name: "authres-tls/header",
        run: header,
        normalise_accept: normalise_header,
    },
    Suite {
        name: "authres-tls/lenient",
        run: lenient,
        normalise_accept: |value| value,
    },
    Suite {
        name: "authres-tls/real",
        run: real::real,
        normalise_accept: |value| value,
    },
    Suite {
        name: "authres-tls/strip",
        run: strip::strip,
        normalise_accept: |value| value,
    },
    Suite {
        name: "authres-tls/write",
        run: write::write,
        normalise_accept: |value| value,
    },
];

type Ran = Result<Outcome, MalformedCase>;

/// How the value is given: as text, or too long to write out.
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum Written {
    Text(String),
    Recipe(Recipe),
}

/// `prefix`, `repeat` so many times, and so on.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Recipe {
    #[serde(default)]
    prefix: String,
    repeat: String,
    count: usize,
    #[serde(default)]
    suffix_repeat: String,
    #[serde(default)]
    suffix_count: usize,
    #[serde(default)]
    suffix: String,
}

impl From<Written> for String {
    fn from(written: Written) -> Self {
        match written {
            Written::Text(text) => text,
            Written::Recipe(recipe) => [
                recipe.prefix,
                recipe.repeat.repeat(recipe.count),
                recipe.suffix_repeat.repeat(recipe.suffix_count),
                recipe.suffix,
            ]
            .concat(),
        }
    }
}

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
    oracle::authres_tls::header(value.as_bytes()).map_err(MalformedCase)?;
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

fn rejected(error: ParseError) -> Outcome {
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

/// The tree in the corpus's form. Comments and properties that are not there stand as empty lists,
/// which [`normalise_header`] puts in where an expected value leaves them out.
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
    let keyword = |text: authres_tls::Text<'_>| text.unfolded().to_ascii_lowercase();
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
    out.insert("comments".into(), json!(comments));
    out.insert("props".into(), json!(props));
    out.insert("extra".into(), json!(extra));
    out.into()
}

/// What may be left out: empty lists.
fn normalise_header(mut expected: Value) -> Value {
    let empty = || Value::Array(Vec::new());
    if let Some(results) = expected
        .pointer_mut("/parsed/results")
        .and_then(Value::as_array_mut)
    {
        for result in results.iter_mut().filter_map(Value::as_object_mut) {
            for name in ["comments", "props", "extra"] {
                result.entry(name).or_insert_with(empty);
            }
            if let Some(version) = result.remove("version") {
                result.insert("method_version".into(), version);
            }
            if let Some(props) = result.remove("properties") {
                result.insert("props".into(), props);
            }
            // Absent is the same as null.
            for name in ["reason", "method_version"] {
                if result.get(name) == Some(&Value::Null) {
                    result.remove(name);
                }
            }
        }
    }
    if let Some(parsed) = expected
        .pointer_mut("/parsed")
        .and_then(Value::as_object_mut)
    {
        parsed.entry("version").or_insert(Value::Null);
        if parsed.contains_key("results") {
            parsed.entry("comments").or_insert_with(empty);
            parsed.entry("no_result").or_insert(Value::Bool(false));
        }
    }
    expected
}
