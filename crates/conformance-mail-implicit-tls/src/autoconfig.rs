//! The suite `mail-implicit-tls/autoconfig`: Mozilla's configuration files.

use conformance::{Input, Outcome, Ran, violated};
use mail_implicit_tls::setup::{address::MailAddress, autoconfig::ClientConfig};
use serde::Deserialize;
use serde_json::json;

use super::oracle;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    user: String,
    file: String,
}

pub(super) fn autoconfig(input: Input) -> Ran {
    let Case { user, file } = input.parse()?;
    oracle::autoconfig(file.as_bytes()).map_err(violated)?;
    let user = MailAddress::parse(&user).map_err(|error| violated(error.to_string()))?;
    let config = match ClientConfig::parse(file.as_bytes(), &user) {
        Ok(config) => config,
        Err(error) => {
            let (kind, field, offset) = (error.kind().name(), error.field(), error.offset());
            return Ok(Outcome::reject(kind, field, offset));
        }
    };
    let servers: Vec<_> = config
        .servers
        .iter()
        .map(|server| {
            let candidate = &server.candidate;
            json!({
                "service": candidate.service().to_string(),
                "host": candidate.host().as_str(),
                "port": candidate.port(),
                "username": server.username,
                "authentication": server.authentication,
            })
        })
        .collect();
    let refused: Vec<_> = config
        .refused
        .iter()
        .map(|(index, reason)| json!([index, reason.name()]))
        .collect();
    Ok(Outcome::Accept(
        json!({"servers": servers, "refused": refused}),
    ))
}
