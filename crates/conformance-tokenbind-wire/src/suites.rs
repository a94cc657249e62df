//! The suites of `tokenbind-wire`: draft-popov-token-binding-00.

mod message;
mod sign;

use conformance::{Input, MalformedCase, Outcome, Ran, Suite, malformed, violated};
use serde::Deserialize;
use serde_json::{Value, json};
use tokenbind_wire::{
    DecodeError, EncodingProfile, Handshake, Negotiated, ProtocolVersion, PublicKeyRef, Selection,
    TlsFacts, TlsUnique, TokenBindingIdRef,
    token::{BearerPolicy, TokenClaim, TokenVerdict},
};

use self::{
    message::{import_message, message},
    sign::{is_signed, sign},
};
use crate::{
    case::{Profile, bytes},
    oracle,
};

/// The suites.
pub(crate) const SUITES: &[Suite] = &[
    Suite {
        name: "tokenbind-wire/message",
        run: message,
        import: Some(import_message),
        is_right: None,
    },
    Suite {
        name: "tokenbind-wire/id",
        run: id,
        import: Some(|case| case.rename("input", "id")),
        is_right: None,
    },
    Suite {
        name: "tokenbind-wire/sign",
        run: sign,
        import: None,
        is_right: Some(is_signed),
    },
    Suite {
        name: "tokenbind-wire/negotiation",
        run: negotiation,
        import: None,
        is_right: None,
    },
    Suite {
        name: "tokenbind-wire/server-choice",
        run: server_choice,
        import: None,
        is_right: None,
    },
    Suite {
        name: "tokenbind-wire/token-check",
        run: token_check,
        import: None,
        is_right: None,
    },
    Suite {
        name: "tokenbind-wire/tls-unique",
        run: tls_unique,
        import: None,
        is_right: None,
    },
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IdInput {
    id: String,
    #[serde(default)]
    profile: Profile,
}

fn decode_error(error: DecodeError) -> Outcome {
    Outcome::reject(error.kind().name(), error.field(), error.offset())
}

fn id(input: Input) -> Ran {
    let case: IdInput = input.parse()?;
    let octets = bytes(&case.id)?;
    let profile = EncodingProfile::from(case.profile);
    oracle::id(&octets, profile.point).map_err(violated)?;
    let id = match TokenBindingIdRef::from_bytes(&octets, profile.point) {
        Ok(id) => id,
        Err(error) => return Ok(decode_error(error)),
    };
    let key = match id.key() {
        PublicKeyRef::Rsa(key) => json!({"rsa": {
            "modulus": hex::encode(key.modulus()),
            "publicexponent": hex::encode(key.publicexponent()),
        }}),
        PublicKeyRef::Ecdsa(key) => json!({"ecdsa": {
            "namedcurve": key.namedcurve().0,
            "point": hex::encode(key.point()),
        }}),
        _ => return Err(violated("a key of a new kind")),
    };
    Ok(Outcome::Accept(json!({
        "type": id.tokenbinding_type().0,
        "algorithm": {"hash": id.algorithm().hash.0, "signature": id.algorithm().signature.0},
        "key": key,
        "key_id": hex::encode(id.key_id()),
        "sha256": hex::encode(id.sha256()),
        "key_id_sha256": hex::encode(id.key_id_sha256()),
    })))
}

fn facts(version: &str, extended_master_secret: bool) -> Result<TlsFacts, MalformedCase> {
    let version = match version {
        "SSLv3" => ProtocolVersion(0x0300),
        "TLSv1.0" => ProtocolVersion::TLS1_0,
        "TLSv1.1" => ProtocolVersion::TLS1_1,
        "TLSv1.2" => ProtocolVersion::TLS1_2,
        "TLSv1.3" => ProtocolVersion::TLS1_3,
        other => return Err(malformed(format!("version: {other}"))),
    };
    Ok(TlsFacts {
        version,
        extended_master_secret,
    })
}

fn parameters(negotiated: Negotiated) -> Value {
    json!({
        "application_protocol": negotiated.alpn().application_protocol().alpn(),
        "key_parameters": negotiated.key_parameters().name(),
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NegotiationInput {
    client: Vec<String>,
    server: Vec<String>,
    version: String,
    extended_master_secret: bool,
}

fn negotiation(input: Input) -> Ran {
    let case: NegotiationInput = input.parse()?;
    let facts = facts(&case.version, case.extended_master_secret)?;
    Ok(match facts.select(&case.server, &case.client) {
        Selection::TokenBinding(negotiated) => Outcome::Accept(json!({
            "selected": negotiated.alpn().as_str(),
            "token_binding": parameters(negotiated),
        })),
        Selection::Plain(selected) => Outcome::Accept(json!({
            "selected": String::from_utf8_lossy(selected),
            "token_binding": null,
        })),
        Selection::NoApplicationProtocol => Outcome::reject("no-application-protocol", "ALPN", 0),
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ServerChoiceInput {
    offered: Vec<String>,
    chosen: Option<String>,
    version: String,
    extended_master_secret: bool,
}

fn server_choice(input: Input) -> Ran {
    let case: ServerChoiceInput = input.parse()?;
    let facts = facts(&case.version, case.extended_master_secret)?;
    let chosen = case.chosen.as_deref().map(str::as_bytes);
    Ok(match facts.check_server_choice(&case.offered, chosen) {
        Ok(negotiated) => Outcome::Accept(json!({"token_binding": negotiated.map(parameters)})),
        Err(error) => Outcome::reject(error.name(), "ALPN", 0),
    })
}

#[derive(Deserialize)]
#[serde(tag = "kind", content = "value", rename_all = "kebab-case")]
enum Claim {
    Bearer,
    Id(String),
    KeyId(String),
    KeyIdSha256(String),
    Unreadable,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Policy {
    Honor,
    Discard,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenCheckInput {
    token: Claim,
    connection: Option<String>,
    bearer_policy: Policy,
}

fn token_check(input: Input) -> Ran {
    let case: TokenCheckInput = input.parse()?;
    let (Claim::Id(hex) | Claim::KeyId(hex) | Claim::KeyIdSha256(hex)) = &case.token else {
        return verdict(&case, &[]);
    };
    verdict(&case, &bytes(hex)?)
}

fn verdict(case: &TokenCheckInput, claimed: &[u8]) -> Ran {
    let connection = case.connection.as_deref().map(bytes).transpose()?;
    let connection = connection
        .as_deref()
        .map(|id| TokenBindingIdRef::from_bytes(id, EncodingProfile::default().point))
        .transpose()
        .map_err(malformed)?;
    let connection = connection.and_then(TokenBindingIdRef::provided);
    let claim = match case.token {
        Claim::Bearer => TokenClaim::Bearer,
        Claim::Id(_) => TokenClaim::Id(claimed),
        Claim::KeyId(_) => TokenClaim::KeyId(claimed),
        Claim::KeyIdSha256(_) => TokenClaim::KeyIdSha256(claimed),
        Claim::Unreadable => TokenClaim::Unreadable,
    };
    let policy = match case.bearer_policy {
        Policy::Honor => BearerPolicy::Honor,
        Policy::Discard => BearerPolicy::Discard,
    };
    Ok(match claim.check(connection, policy) {
        TokenVerdict::HonorBound => Outcome::Accept(json!({"verdict": "honor-bound"})),
        TokenVerdict::HonorBearer => Outcome::Accept(json!({"verdict": "honor-bearer"})),
        TokenVerdict::Discard(reason) => Outcome::reject(reason.name(), "TokenBindingID", 0),
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum HandshakeInput {
    Full,
    Resumed,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TlsUniqueInput {
    client_finished: String,
    server_finished: String,
    handshake: HandshakeInput,
    version: String,
    extended_master_secret: bool,
}

fn tls_unique(input: Input) -> Ran {
    let case: TlsUniqueInput = input.parse()?;
    let handshake = match case.handshake {
        HandshakeInput::Full => Handshake::Full,
        HandshakeInput::Resumed => Handshake::Resumed,
    };
    let unique = TlsUnique::from_finished(
        &bytes(&case.client_finished)?,
        &bytes(&case.server_finished)?,
        handshake,
        facts(&case.version, case.extended_master_secret)?,
    );
    Ok(match unique {
        Ok(unique) => Outcome::Accept(json!({
            "tls_unique": hex::encode(unique.as_bytes()),
            "signed_octets": hex::encode(unique.signed_octets().as_bytes()),
            "sha256": hex::encode(unique.signed_octets().sha256()),
        })),
        Err(error) => {
            let field = match error.name() {
                "protocol-version" => "TLS.version",
                "extended-master-secret" => "TLS.extended_master_secret",
                _ => "tls_unique",
            };
            Outcome::reject(error.name(), field, 0)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use conformance::{Expected, Origin, VectorFile, Verdict};

    #[test]
    fn reads_messages_that_foreign_files_spell_in_another_way() {
        let root = conformance::repository();
        let path = root.join("crates/conformance-tokenbind-wire/vectors/message.json");
        let file = VectorFile::load(&path, Origin::Own).expect("vectors");
        let own = file
            .cases
            .iter()
            .find(|case| case.name == "known-answer-g1-provided-p256-x962-der");
        let own = own.expect("the case");
        let Expected::Accept(accept) = &own.expected else {
            panic!("{own:?}");
        };
        let mut binding = accept["bindings"][0].clone();
        binding["type"] = "provided_token_binding".into();
        binding
            .as_object_mut()
            .expect("an object")
            .remove("extensions");
        let mut foreign = own.clone();
        foreign.expected = Expected::Accept(json!([binding]));
        let first = foreign.input.remove("first").expect("first");
        foreign
            .input
            .insert("options".into(), json!({"first": first}));
        foreign.rename("message", "input");

        let suite = &SUITES[0];
        assert_eq!(suite.check(own, Origin::Own), Verdict::Passed);
        assert_eq!(suite.check(own, Origin::Foreign), Verdict::Passed);
        assert_eq!(suite.check(&foreign, Origin::Foreign), Verdict::Passed);
        let unknown = "unknown field `input`";
        match suite.check(&foreign, Origin::Own) {
            Verdict::Malformed(why) => assert!(why.starts_with(unknown), "{why}"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn reads_identifiers_that_foreign_files_call_the_input() {
        let root = conformance::repository();
        let path = root.join("crates/conformance-tokenbind-wire/vectors/id.json");
        let file = VectorFile::load(&path, Origin::Own).expect("vectors");
        let suite = SUITES.iter().find(|it| it.name == file.suite);
        let suite = suite.expect("the suite");
        for own in &file.cases {
            let mut foreign = own.clone();
            foreign.rename("id", "input");
            assert_eq!(suite.check(&foreign, Origin::Foreign), Verdict::Passed);
        }
    }
}
