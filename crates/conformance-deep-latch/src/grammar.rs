//! The suites of `deep-latch`: the grammars of draft-newman-email-deep-02, and its registry.

use conformance::{Input, Outcome, Ran, Suite, Written, malformed, octets::from_hex, violated};
use deep_latch::{
    ClientReport, DeepStatus, ParseError, SecurityTag, TlsCipher,
    dsn::SecurityLatchField,
    imap::{Capabilities, IdParameters},
    pop::CapaLine,
    registry::{Origin, Registration, Registry},
    smtp::EhloLine,
    status::{DeepTag, Diagnostic, StatusOptions},
    tag::Separator,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::oracle::grammar as oracle;

/// The suites.
pub(crate) const SUITES: &[Suite] = &[
    suite("deep-latch/tag", tag),
    suite("deep-latch/status", status),
    suite("deep-latch/tls-cipher", tls_cipher),
    suite("deep-latch/imap-capability", imap_capability),
    suite("deep-latch/imap-id", imap_id),
    suite("deep-latch/pop-capa", pop_capa),
    suite("deep-latch/smtp-ehlo", smtp_ehlo),
    suite("deep-latch/smtp-client", smtp_client),
    suite("deep-latch/security-latch", security_latch),
    suite("deep-latch/registration", registration),
];

const fn suite(name: &'static str, run: fn(Input) -> Ran) -> Suite {
    Suite {
        name,
        run,
        import: None,
        is_right: None,
    }
}

fn outcome(read: Result<Value, ParseError>) -> Outcome {
    match read {
        Ok(value) => Outcome::Accept(value),
        Err(error) => Outcome::reject(error.kind().name(), error.field(), error.offset()),
    }
}

fn spelt<'t>(tags: impl IntoIterator<Item = &'t SecurityTag<'t>>) -> Vec<String> {
    tags.into_iter().map(SecurityTag::to_string).collect()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TagInput {
    text: Written,
    list: Option<ListName>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ListName {
    Space,
    Comma,
}

fn tag(input: Input) -> Ran {
    let TagInput { text, list } = input.parse()?;
    let text = String::from(text);
    oracle::tag(&text).map_err(violated)?;
    let separator = match list {
        None => {
            let tag = SecurityTag::parse(&text).map(|tag| json!({"tag": tag.as_str()}));
            return Ok(outcome(tag));
        }
        Some(ListName::Space) => Separator::Space,
        Some(ListName::Comma) => Separator::Comma,
    };
    let tags = SecurityTag::parse_list(&text, separator, "latch")
        .map(|tags| json!({"tags": spelt(&tags)}));
    Ok(outcome(tags))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StatusInput {
    text: Written,
    #[serde(default)]
    allow_extra_spaces: bool,
    #[serde(default)]
    allow_malformed_elements: bool,
}

/// A status and the deviations that were accepted.
type Warned<'t> = (DeepStatus<'t>, Vec<Diagnostic>);

type ReadStatus = for<'t> fn(&'t str, StatusOptions) -> Result<Option<Warned<'t>>, ParseError>;

/// Reads with the options of a case, and returns the elements and the diagnostics.
fn status_input(input: Input, read: ReadStatus) -> Ran {
    let case: StatusInput = input.parse()?;
    let text = String::from(case.text);
    oracle::status(text.as_bytes()).map_err(violated)?;
    let options = StatusOptions {
        allow_extra_spaces: case.allow_extra_spaces,
        allow_malformed_elements: case.allow_malformed_elements,
    };
    let noted = |diagnostic: &Diagnostic| {
        let (kind, field) = (diagnostic.kind().name(), diagnostic.field());
        json!([kind, field, diagnostic.offset()])
    };
    Ok(outcome(read(&text, options).map(|read| match read {
        Some((status, diagnostics)) => {
            let noted: Vec<_> = diagnostics.iter().map(noted).collect();
            json!({"elements": elements(&status), "diagnostics": noted})
        }
        None => Value::Null,
    })))
}

fn elements(status: &DeepStatus<'_>) -> Value {
    let element = |element: DeepTag<'_>| match element {
        DeepTag::Tag(tag) => json!({"tag": tag.as_str()}),
        DeepTag::Https(url) => json!({"https": url.as_str()}),
        DeepTag::Extension(text) => json!({"extension": text}),
    };
    status.elements().map(element).collect()
}

fn status(input: Input) -> Ran {
    status_input(input, |text, options| {
        let status = DeepStatus::parse_with(text, options)?;
        let diagnostics = status.diagnostics();
        Ok(Some((status, diagnostics)))
    })
}

fn pop_capa(input: Input) -> Ran {
    status_input(input, |line, options| {
        let line = CapaLine::parse(line, options)?;
        Ok(line.map(|line| {
            let diagnostics = line.diagnostics();
            (line.into_status(), diagnostics)
        }))
    })
}

fn smtp_ehlo(input: Input) -> Ran {
    status_input(input, |line, options| {
        let line = EhloLine::parse(line, options)?;
        Ok(line.map(|line| {
            let diagnostics = line.diagnostics();
            (line.into_status(), diagnostics)
        }))
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CipherInput {
    text: Written,
    #[serde(default)]
    form: CipherForm,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum CipherForm {
    #[default]
    Value,
    Clause,
    Split,
}

fn tls_cipher(input: Input) -> Ran {
    let case: CipherInput = input.parse()?;
    let text = String::from(case.text);
    oracle::security_latch(text.as_bytes()).map_err(violated)?;
    let value =
        |cipher: TlsCipher<'_>| json!({"cipher": cipher.as_str(), "number": cipher.number()});
    Ok(outcome(match case.form {
        CipherForm::Value => TlsCipher::parse(&text).map(value),
        CipherForm::Clause => TlsCipher::parse_clause(&text).map(value),
        CipherForm::Split => TlsCipher::split_clause(&text).map(|(cipher, rest)| {
            let mut value = value(cipher);
            value["rest"] = rest.into();
            value
        }),
    }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TextInput {
    text: Written,
}

fn imap_capability(input: Input) -> Ran {
    let TextInput { text } = input.parse()?;
    let text = String::from(text);
    oracle::capabilities(&text).map_err(violated)?;
    Ok(outcome(Capabilities::parse(&text).map(|capabilities| {
        let list: Vec<_> = capabilities.iter().collect();
        json!({"capabilities": list, "deep": capabilities.has_deep()})
    })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IdInput {
    text: Option<Written>,
    hex: Option<String>,
    from: Option<Side>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Side {
    Server,
    Client,
}

fn imap_id(input: Input) -> Ran {
    let IdInput { text, hex, from } = input.parse()?;
    let list = match (text, hex) {
        (Some(text), None) => String::from(text).into_bytes(),
        (None, Some(octets)) => from_hex(octets)?,
        _ => return Err(malformed("one of text and hex").into()),
    };
    oracle::imap_id(&list).map_err(violated)?;
    let read = IdParameters::parse(&list);
    Ok(outcome(read.and_then(|parameters| match from {
        None => {
            let pairs: Vec<_> = parameters.pairs().collect();
            Ok(json!({"pairs": pairs}))
        }
        Some(Side::Server) => {
            let status = parameters.status(StatusOptions::default())?;
            Ok(json!({"status": status.as_ref().map(|it| it.status().as_str())}))
        }
        Some(Side::Client) => {
            ClientReport::from_id_parameters(&parameters).map(|report| reported(&report))
        }
    })))
}

/// Returns the report's fields that are not empty.
fn reported(report: &ClientReport) -> Value {
    let mut fields = Map::new();
    let tags = [
        ("latch", &report.latch),
        ("latch-fail", &report.latch_fail),
        ("security-tags", &report.security_tags),
    ];
    for (field, tags) in tags {
        if !tags.is_empty() {
            fields.insert(field.into(), json!(spelt(tags)));
        }
    }
    let texts = [
        ("name", report.name.as_deref()),
        ("version", report.version.as_deref()),
        ("tls", report.tls.as_ref().map(TlsCipher::as_str)),
    ];
    for (field, text) in texts {
        if let Some(text) = text {
            fields.insert(field.into(), text.into());
        }
    }
    json!({"report": fields})
}

fn smtp_client(input: Input) -> Ran {
    let TextInput { text } = input.parse()?;
    let line = String::from(text);
    oracle::smtp_client(line.as_bytes()).map_err(violated)?;
    Ok(outcome(
        ClientReport::parse_client_command(&line).map(|report| reported(&report)),
    ))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LatchInput {
    text: Written,
    #[serde(default)]
    body: bool,
}

fn security_latch(input: Input) -> Ran {
    let LatchInput { text, body } = input.parse()?;
    let text = String::from(text);
    oracle::security_latch(text.as_bytes()).map_err(violated)?;
    let read = match body {
        true => SecurityLatchField::parse_body(&text),
        false => SecurityLatchField::parse(&text),
    };
    Ok(outcome(
        read.map(|field| json!({"tags": spelt(field.tags())})),
    ))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RegistrationInput {
    registration: RegistrationFields,
    #[serde(default)]
    ietf: bool,
    update_by: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RegistrationFields {
    name: Written,
    description: String,
    intended_usage: String,
    reference: Option<String>,
    submitter: String,
    change_controller: String,
}

fn registration(input: Input) -> Ran {
    let case: RegistrationInput = input.parse()?;
    let fields = case.registration;
    let registration = Registration {
        name: String::from(fields.name).into(),
        description: fields.description.into(),
        intended_usage: fields.intended_usage.into(),
        reference: fields.reference.map(Into::into),
        submitter: fields.submitter.into(),
        change_controller: fields.change_controller.into(),
    };
    let origin = if case.ietf {
        Origin::Ietf
    } else {
        Origin::Other
    };
    let registry = Registry::initial();
    let findings = match case.update_by {
        Some(by) => registry.review_update(&registration, origin, &by),
        None => registry.review(&registration, origin),
    };
    let refused = findings.iter().any(|finding| finding.is_refusal());
    let findings: Vec<_> = findings.iter().map(|finding| finding.name()).collect();
    Ok(Outcome::Accept(
        json!({"findings": findings, "refused": refused}),
    ))
}
