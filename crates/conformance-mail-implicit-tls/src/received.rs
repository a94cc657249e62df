//! The suite `mail-implicit-tls/received`: the clauses of Received fields.

use conformance::{Input, Outcome, Ran, violated};
use mail_implicit_tls::received::{Received, ReceivedError, Transmission};
use serde::Deserialize;
use serde_json::{Value, json};

use super::oracle;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    body: String,
}

pub(super) fn received(input: Input) -> Ran {
    let Case { body } = input.parse()?;
    oracle::received(body.as_bytes()).map_err(violated)?;
    let received = match Received::parse(&body) {
        Ok(received) => received,
        Err(error) => {
            let (kind, field, offset) = (error.kind().name(), error.field(), error.offset());
            return Ok(Outcome::reject(kind, field, offset));
        }
    };
    let clauses = received.clauses().iter();
    let clauses: Vec<_> = clauses.map(|it| json!([it.name, it.value])).collect();
    Ok(Outcome::Accept(json!({
        "clauses": clauses,
        "date": received.date(),
        "tls": written(received.tls().map(|it| it.map(|it| it.to_string()))),
        "group": written(received.group().map(|it| it.map(|it| it.to_string()))),
        "transmission": received.transmission().map(transmission),
    })))
}

fn written(value: Result<Option<String>, ReceivedError>) -> Value {
    match value {
        Ok(Some(value)) => json!({"value": value}),
        Ok(None) => Value::Null,
        Err(error) => error.kind().name().into(),
    }
}

fn transmission(transmission: Transmission) -> Value {
    let Transmission {
        tls, authenticated, ..
    } = transmission;
    let plain = Transmission {
        tls: false,
        authenticated: false,
        ..transmission
    };
    json!({"protocol": plain.to_string(), "tls": tls, "authenticated": authenticated})
}
