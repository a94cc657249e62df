//! The suite `authres-tls/real`: what a lenient reading finds in values as mail servers write them.

use std::collections::BTreeSet;

use authres_tls::{AuthenticationResults, Options, ResInfo, syntax::Property};
use conformance::{Input, Outcome, Ran, violated};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{header::rejected, oracle};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RealInput {
    value: String,
    #[serde(default)]
    arc: bool,
    /// The source of the value.
    #[serde(rename = "met")]
    _met: String,
}

pub(crate) fn real(input: Input) -> Ran {
    let case: RealInput = input.parse()?;
    oracle::header(case.value.as_bytes()).map_err(violated)?;
    let parse = match case.arc {
        true => AuthenticationResults::parse_arc,
        false => AuthenticationResults::parse,
    };
    Ok(match parse(case.value.as_bytes(), &Options::lenient()) {
        Ok(header) => {
            let diagnostics = header.diagnostics().iter().map(|it| it.kind().name());
            let diagnostics: BTreeSet<_> = diagnostics.collect();
            let results: Vec<_> = header.results().map(result).collect();
            Outcome::Accept(json!({"results": results, "diagnostics": diagnostics}))
        }
        Err(error) => rejected(error),
    })
}

fn result(result: ResInfo<'_, '_>) -> Value {
    let mut out = Map::new();
    out.insert("method".into(), result.method().unfolded().into());
    out.insert("result".into(), result.result().unfolded().into());
    if let Some(reason) = result.reason() {
        out.insert("reason".into(), reason.unfolded().into());
    }
    let properties: Vec<_> = result.all_properties().map(property).collect();
    out.insert("properties".into(), properties.into());
    out.into()
}

fn property(property: Property<'_>) -> Value {
    let mut name = String::new();
    if let Some(ptype) = property.ptype() {
        name.push_str(&ptype.unfolded());
        name.push('.');
    }
    name.push_str(&property.property().unfolded());
    json!([name, property.value().unfolded()])
}
