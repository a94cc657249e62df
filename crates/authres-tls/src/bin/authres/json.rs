//! `authres json`

use std::io::{self, Write};

use authres_tls::{
    AuthenticationResults, ParseError, ResInfo, TlsResInfo,
    strip::Disguise,
    syntax::{Body, Comment, Diagnostic, DiagnosticKind, Form, Number, Property, Span},
    tls::{TlsDiagnostic, TlsDiagnosticKind, TlsLint, TlsProperty},
};
use serde::Serialize;

use crate::{
    Verdict,
    analysis::Analysis,
    arguments::Read,
    explain::element,
    input::{Found, Input},
    source::Source,
    tls_view::View,
    visible,
};

/// First byte, and the byte after the last.
type Place = [usize; 2];

#[derive(Serialize)]
struct Field {
    message: usize,
    field: usize,
    line: usize,
    name: Option<&'static str>,
    line_ends: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    hidden_by: Option<&'static str>,
    value: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<Reading>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lenient: Option<Reading>,
    tree: Option<Tree>,
}

#[derive(Serialize)]
struct Reading {
    accepted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Why>,
}

#[derive(Serialize)]
struct Why {
    kind: &'static str,
    field: &'static str,
    offset: usize,
}

#[derive(Serialize)]
struct Tree {
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<Digits>,
    authserv_id: Text,
    version: Option<Digits>,
    body: &'static str,
    comments: Vec<Remark>,
    results: Vec<Outcome>,
    diagnostics: Vec<LetThrough>,
    tls_lints: Vec<Lint>,
}

#[derive(Serialize)]
struct Digits {
    value: Option<u32>,
    span: Place,
}

#[derive(Serialize)]
struct Text {
    value: String,
    raw: String,
    form: &'static str,
    span: Place,
}

#[derive(Serialize)]
struct Remark {
    after: &'static str,
    #[serde(flatten)]
    text: Text,
}

#[derive(Serialize)]
struct Outcome {
    method: Text,
    method_version: Option<Digits>,
    result: Text,
    reason: Option<Text>,
    properties: Vec<Item>,
    comments: Vec<Remark>,
    span: Place,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls: Option<Tls>,
}

#[derive(Serialize)]
struct Item {
    ptype: Option<Text>,
    property: Text,
    value: Text,
    span: Place,
}

#[derive(Serialize)]
struct LetThrough {
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'static str>,
    field: &'static str,
    offset: usize,
}

#[derive(Serialize)]
struct Lint {
    kind: &'static str,
    span: Place,
}

/// The typed view of a `tls` result.
#[derive(Serialize)]
struct Tls {
    result: Option<&'static str>,
    properties: Vec<TlsItem>,
    diagnostics: Vec<TlsLetThrough>,
}

#[derive(Serialize)]
struct TlsItem {
    property: &'static str,
    #[serde(flatten)]
    view: View,
}

#[derive(Serialize)]
struct TlsLetThrough {
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'static str>,
    span: Place,
}

/// Writes one document for a file, field by field.
pub(crate) fn run(
    arguments: &Read,
    quiet: bool,
    source: &Source,
    out: &mut dyn Write,
) -> io::Result<Verdict> {
    let mut reader = source.open()?;
    let input = Input::new(&mut *reader, arguments.input)?;
    let file = visible::json(&serde_json::to_string(&source.name)?);
    let kind = input.kind.name();
    write!(
        out,
        "{{\n  \"file\": {file},\n  \"input\": \"{kind}\",\n  \"fields\": ["
    )?;
    let mut refused = false;
    let mut separator = "\n    ";
    let ended = input.each(|found| {
        let field = field(found, arguments);
        refused |= field.tree.is_none();
        let text = visible::json(&serde_json::to_string_pretty(&field)?);
        write!(out, "{separator}{}", text.replace('\n', "\n    "))?;
        separator = ",\n    ";
        Ok(())
    });
    // What was begun is ended, also if the file cannot be read to its end.
    let end = if separator == "\n    " { "]" } else { "\n  ]" };
    write!(out, "{end}")?;
    if let Ok(ended) = &ended
        && !ended.not_searched.is_empty()
    {
        let list = serde_json::to_string(&ended.not_searched)?;
        write!(out, ",\n  \"not_searched\": {list}")?;
    }
    writeln!(out, "\n}}")?;
    let ended = ended?;
    refused |= !ended.not_searched.is_empty();
    if let Some(warning) = ended.warning.filter(|_| !quiet) {
        out.flush()?;
        crate::warn(&format!("{}: {warning}", source.name));
    }
    Ok(Verdict::of(refused))
}

fn field(found: &Found, arguments: &Read) -> Field {
    let analysis = Analysis::of(found, arguments);
    Field {
        message: found.message,
        field: found.field,
        line: found.line,
        name: found.name,
        line_ends: found.line_ends.name(),
        hidden_by: found.disguise.map(Disguise::name),
        value: String::from_utf8_lossy(found.octets()).into_owned(),
        strict: analysis.strict.map(reading),
        lenient: analysis.lenient.map(reading),
        tree: analysis.tree.as_ref().ok().map(tree),
    }
}

fn reading(verdict: Result<(), ParseError>) -> Reading {
    Reading {
        accepted: verdict.is_ok(),
        error: verdict.err().map(|error| Why {
            kind: error.kind().name(),
            field: error.field(),
            offset: error.offset(),
        }),
    }
}

fn place(span: Span) -> Place {
    [span.start(), span.end()]
}

fn digits(number: Number) -> Digits {
    Digits {
        value: number.value(),
        span: place(number.span()),
    }
}

fn text(text: authres_tls::syntax::Text<'_>) -> Text {
    Text {
        value: text.unfolded().into_owned(),
        raw: String::from_utf8_lossy(text.raw()).into_owned(),
        form: match text.form() {
            Form::Token => "token",
            Form::QuotedString => "quoted-string",
            Form::Address => "address",
            Form::Comment => "comment",
            Form::Unquoted => "unquoted",
            _ => "other",
        },
        span: place(text.span()),
    }
}

fn remark(comment: Comment<'_>) -> Remark {
    Remark {
        after: element(comment.after()),
        text: text(comment.text()),
    }
}

fn tree(tree: &AuthenticationResults<'_>) -> Tree {
    Tree {
        instance: tree.instance().map(digits),
        authserv_id: text(tree.authserv_id()),
        version: tree.version().map(digits),
        body: match tree.body() {
            Body::Results => "results",
            Body::NoResult => "none",
            Body::UnsupportedVersion => "unsupported-version",
        },
        comments: tree.comments().map(remark).collect(),
        results: tree.results().map(outcome).collect(),
        diagnostics: tree.diagnostics().iter().map(accepted).collect(),
        tls_lints: TlsResInfo::lint_all(tree).map(lint).collect(),
    }
}

fn outcome(result: ResInfo<'_, '_>) -> Outcome {
    Outcome {
        method: text(result.method()),
        method_version: result.method_version().map(digits),
        result: text(result.result()),
        reason: result.reason().map(text),
        properties: result.all_properties().map(item).collect(),
        comments: result.comments().map(remark).collect(),
        span: place(result.span()),
        tls: TlsResInfo::try_from(result).ok().map(tls),
    }
}

fn item(property: Property<'_>) -> Item {
    Item {
        ptype: property.ptype().map(text),
        property: text(property.property()),
        value: text(property.value()),
        span: place(property.span()),
    }
}

fn accepted(diagnostic: &Diagnostic) -> LetThrough {
    LetThrough {
        kind: diagnostic.kind().name(),
        why: match diagnostic.kind() {
            DiagnosticKind::BadResinfo(why) => Some(why.name()),
            _ => None,
        },
        field: diagnostic.field(),
        offset: diagnostic.offset(),
    }
}

fn lint(lint: TlsLint) -> Lint {
    Lint {
        kind: lint.kind().name(),
        span: place(lint.span()),
    }
}

fn tls(tls: TlsResInfo<'_, '_>) -> Tls {
    let view = |property: TlsProperty| {
        let view = View::of(tls, property)?;
        let property = property.name();
        Some(TlsItem { property, view })
    };
    Tls {
        result: tls.result().map(|it| it.name()),
        properties: TlsProperty::ALL.into_iter().filter_map(view).collect(),
        diagnostics: tls.diagnostics().map(accepted_tls).collect(),
    }
}

fn accepted_tls(diagnostic: TlsDiagnostic) -> TlsLetThrough {
    use TlsDiagnosticKind::{BadAltName, BadDn, BadFingerprint, BadKeyLength};
    TlsLetThrough {
        kind: diagnostic.kind().name(),
        why: match diagnostic.kind() {
            BadDn(why) | BadAltName(why) | BadFingerprint(why) | BadKeyLength(why) => {
                Some(why.name())
            }
            _ => None,
        },
        span: place(diagnostic.span()),
    }
}
