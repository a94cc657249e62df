//! The suite `authres-tls/strip`: which fields a border removes (RFC 8601 section 5).

use authres_tls::{
    AuthservId, StripPolicy,
    strip::{StripScope, StripVerdict},
};
use conformance::{Input, Outcome, Ran, Written, malformed};
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StripInput {
    value: Written,
    own: Vec<String>,
    subdomains: Option<bool>,
    #[serde(default)]
    from_trusted: bool,
    #[serde(default)]
    all: bool,
}

pub(crate) fn strip(input: Input) -> Ran {
    let case: StripInput = input.parse()?;
    let own: Result<Vec<_>, _> = case
        .own
        .iter()
        .map(|own| AuthservId::try_new(own))
        .collect();
    let own = own.map_err(malformed)?;
    let mut policy = match (case.from_trusted, case.all) {
        (true, _) => StripPolicy::of(StripScope::None),
        (false, true) => StripPolicy::of(StripScope::All),
        (false, false) => StripPolicy::new(own),
    };
    policy.subdomains = case.subdomains.unwrap_or(policy.subdomains);
    let value = String::from(case.value);
    Ok(Outcome::Accept(match policy.verdict(value.as_bytes()) {
        StripVerdict::Keep => json!({"remove": false}),
        StripVerdict::Remove(reason) => json!({"remove": true, "reason": reason.name()}),
    }))
}
