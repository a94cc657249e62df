//! The suite `authres-tls/write`: what the writer makes of a value, or why it refuses it.

use authres_tls::{
    AuthenticationResultsBuf, ResInfoBuf, WriteError, WriteOptions,
    write::{Indent, Instance, WriteErrorKind},
};
use conformance::{Input, Outcome, Ran, malformed, violated};
use serde::Deserialize;
use serde_json::json;

use crate::oracle;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WriteInput {
    model: Model,
    #[serde(default)]
    mode: ModeName,
    soft: Option<usize>,
    hard: Option<usize>,
    first_line: Option<usize>,
    #[serde(default)]
    indent: IndentName,
    #[serde(default = "yes")]
    result_per_line: bool,
}

const fn yes() -> bool {
    true
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ModeName {
    #[default]
    Ascii,
    Utf8,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum IndentName {
    #[default]
    Tab,
    Space,
}

/// A value in the form of `parsed` in `authres-tls/header`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Model {
    instance: Option<u8>,
    authserv_id: String,
    version: Option<u8>,
    #[serde(default)]
    comments: Vec<String>,
    #[serde(default)]
    results: Vec<ResultModel>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ResultModel {
    method: String,
    method_version: Option<u32>,
    result: String,
    reason: Option<String>,
    #[serde(default)]
    comments: Vec<String>,
    #[serde(default)]
    props: Vec<(String, String, String)>,
}

pub(crate) fn write(input: Input) -> Ran {
    let case: WriteInput = input.parse()?;
    if case.model.version.is_some_and(|version| version != 1) {
        return Err(malformed("version: 1 or nothing").into());
    }
    let default = WriteOptions::default();
    let options = WriteOptions {
        utf8: matches!(case.mode, ModeName::Utf8),
        soft_limit: case.soft.unwrap_or(default.soft_limit),
        hard_limit: case.hard.unwrap_or(default.hard_limit),
        first_line: case.first_line,
        indent: match case.indent {
            IndentName::Tab => Indent::Tab,
            IndentName::Space => Indent::Space,
        },
        result_per_line: case.result_per_line,
        ..default
    };
    let model = match model(case.model) {
        Ok(model) => model,
        Err((error, result)) => return Ok(rejected(error, result)),
    };
    oracle::write(&model, &options).map_err(violated)?;
    Ok(match model.write(&options) {
        Ok(written) => Outcome::Accept(json!({"written": written})),
        Err(error) => rejected(error, None),
    })
}

/// The error, and in which result it came up while that was built.
type Refused = (WriteError, Option<usize>);

fn model(model: Model) -> Result<AuthenticationResultsBuf, Refused> {
    let outside = |error| (error, None);
    let mut header = AuthenticationResultsBuf::try_new(model.authserv_id).map_err(outside)?;
    header.version = model.version.is_some();
    let instance = model.instance.map(Instance::try_new);
    header.instance = instance.transpose().map_err(outside)?;
    for comment in model.comments {
        header = header.with_comment(comment).map_err(outside)?;
    }
    for (index, result) in model.results.into_iter().enumerate() {
        let result = result_of(result).map_err(|error| (error, Some(index)))?;
        header = header.with_result(result);
    }
    Ok(header)
}

fn result_of(model: ResultModel) -> Result<ResInfoBuf, WriteError> {
    let mut result = ResInfoBuf::try_new(model.method, model.result)?;
    result.method_version = model.method_version;
    if let Some(reason) = model.reason {
        result = result.with_reason(reason)?;
    }
    for comment in model.comments {
        result = result.with_comment(comment)?;
    }
    for (ptype, property, value) in model.props {
        result = result.with_property(ptype, property, value)?;
    }
    Ok(result)
}

/// The field with the places of result, and property or comment, e.g. `resinfo[1].pvalue[0]`.
fn rejected(error: WriteError, building: Option<usize>) -> Outcome {
    let mut field = String::new();
    if let Some(result) = error.result().or(building) {
        field.push_str(&format!("resinfo[{result}]."));
    }
    field.push_str(error.field());
    if let Some(index) = error.index() {
        field.push_str(&format!("[{index}]"));
    }
    let kind: WriteErrorKind = error.kind();
    Outcome::reject(kind.name(), &field, error.offset())
}
