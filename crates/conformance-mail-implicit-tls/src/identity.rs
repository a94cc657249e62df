//! The suite `mail-implicit-tls/identity`: the names of a certificate, under the rules of each RFC.

use std::net::IpAddr;

use conformance::{Input, Outcome, Ran, malformed, octets::from_hex, violated};
use mail_implicit_tls::{
    identity::{
        Disregarded, NameConstraints, Options, PresentedIdentity, ReferenceIdentity, Rules,
        judge_certificate,
    },
    name::DomainName,
    service::Service,
    verdict::{IdentityVerdict, Mismatch},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::oracle;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    certificate: String,
    rules: Rules,
    expected: Vec<Reference>,
    #[serde(default)]
    srv_id_as_utf8_string: bool,
    #[serde(default)]
    constraints: Vec<Constraints>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "lowercase")]
enum Reference {
    Dns(DomainName),
    Srv(String, DomainName),
    Ip(IpAddr),
}

/// The constraints of one certificate of the path.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Constraints {
    #[serde(default)]
    permitted: Vec<String>,
    #[serde(default)]
    excluded: Vec<String>,
}

pub(super) fn identity(input: Input) -> Ran {
    let case: Case = input.parse()?;
    let certificate = from_hex(&case.certificate)?;
    let expected: Result<Vec<_>, _> = case.expected.into_iter().map(reference).collect();
    let expected = expected?;
    let mut constraints = NameConstraints::none();
    for Constraints {
        permitted,
        excluded,
    } in &case.constraints
    {
        let permitted = permitted.iter().map(String::as_bytes);
        constraints.add(permitted, excluded.iter().map(String::as_bytes));
    }
    let mut options = Options::from(case.rules);
    options.srv_id_as_utf8_string = case.srv_id_as_utf8_string;
    oracle::names(&certificate).map_err(violated)?;
    let verdict = judge_certificate(options, &expected, &certificate, &constraints);
    Ok(Outcome::Accept(written(&verdict)))
}

fn reference(reference: Reference) -> Result<ReferenceIdentity, conformance::MalformedCase> {
    Ok(match reference {
        Reference::Dns(name) => ReferenceIdentity::Dns(name),
        Reference::Ip(address) => ReferenceIdentity::Ip(address),
        Reference::Srv(name, domain) => {
            let named = |service: &&Service| service.name() == name;
            let service = Service::ALL.iter().find(named);
            let service = service.ok_or_else(|| malformed(format!("unknown service {name}")))?;
            ReferenceIdentity::Srv(*service, domain)
        }
    })
}

fn written(verdict: &IdentityVerdict) -> Value {
    match verdict {
        IdentityVerdict::NotChecked => Value::Null,
        IdentityVerdict::Matches {
            reference,
            presented,
        } => json!({"reference": reference.to_string(), "presented": presented.to_string()}),
        IdentityVerdict::Differs(mismatch) => mismatch_written(mismatch),
    }
}

fn mismatch_written(mismatch: &Mismatch) -> Value {
    if mismatch.unreadable {
        return json!({"unreadable": true});
    }
    let presented: Vec<_> = mismatch.presented.iter().map(ToString::to_string).collect();
    let disregarded = mismatch.disregarded.iter();
    let disregarded: Vec<_> = disregarded.map(disregarded_written).collect();
    json!({"differs": presented, "disregarded": disregarded, "omitted": mismatch.omitted})
}

fn disregarded_written((name, reason): &(PresentedIdentity<'_>, Disregarded)) -> Value {
    let reason = match reason {
        Disregarded::Kind => "kind",
        Disregarded::HasHostNames => "has-host-names",
        Disregarded::Malformed => "malformed",
        Disregarded::Wildcard => "wildcard",
        Disregarded::NameConstraints => "name-constraints",
        _ => "unknown",
    };
    json!([name.to_string(), reason])
}
