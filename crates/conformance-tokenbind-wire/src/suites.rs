//! The suites of `tokenbind-wire`: draft-popov-token-binding-00.

use conformance::{Case, Expected, Input, MalformedCase, Outcome, Ran, Suite, malformed, violated};
use serde::Deserialize;
use serde_json::{Value, json};
use tokenbind_wire::{
    DecodeError, DecodeOptions, EncodeErrorKind, EncodingProfile, Handshake, MessageError,
    Negotiated, Outcome as Section5, P256Key, Position, ProtocolVersion, PublicKeyRef, Rsa2048Key,
    RustCrypto, Selection, Session, Sign, TlsFacts, TlsUnique, TokenBindingAlpn, TokenBindingIdRef,
    establish,
    token::{BearerPolicy, TokenClaim, TokenVerdict},
};

use crate::{
    case::{FACTS, Message, Profile, bytes},
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

fn message(input: Input) -> Ran {
    let Message {
        session,
        sent,
        position,
        profile,
    } = Message::read(input)?;
    if let Some(sent) = &sent {
        oracle::message(sent, profile).map_err(violated)?;
    }
    let options = DecodeOptions::from(profile);
    oracle::backends_agree(session.as_ref(), position, sent.as_deref(), options)
        .map_err(violated)?;
    Ok(
        match establish(
            session.as_ref(),
            position,
            sent.as_deref(),
            &RustCrypto,
            options,
        ) {
            Section5::NotInUse => Outcome::Accept(json!({"outcome": "not-in-use"})),
            Section5::Unchanged => Outcome::Accept(json!({"outcome": "unchanged"})),
            Section5::Terminate(reason) => {
                Outcome::reject(reason.kind().name(), reason.field(), reason.offset())
            }
            Section5::Established(established) => {
                let message = established.message();
                let bindings: Vec<_> = message
                    .token_bindings()
                    .iter()
                    .map(|binding| {
                        let extensions: Vec<_> = binding
                            .extensions()
                            .map(|extension| {
                                json!({
                                    "type": extension.extension_type().0,
                                    "data": hex::encode(extension.extension_data()),
                                })
                            })
                            .collect();
                        json!({
                            "type": binding.id().tokenbinding_type().0,
                            "id": hex::encode(binding.id().as_bytes()),
                            "key_id": hex::encode(binding.id().key_id()),
                            "signature": hex::encode(binding.signature()),
                            "extensions": extensions,
                            "verified": established.is_verified(binding),
                        })
                    })
                    .collect();
                let unreadable = established.unreadable().map(|tail| {
                    json!({
                        "offset": message.offset_of(tail.as_bytes()),
                        "type": tail.tokenbinding_type().0,
                        "bytes": hex::encode(tail.as_bytes()),
                    })
                });
                Outcome::Accept(json!({"bindings": bindings, "unreadable": unreadable}))
            }
        },
    )
}

/// Brings what others may spell in another way into the one form: input fields in an object `options`, the message as
/// `input`, a bare array of bindings, names instead of numbers, and absent `unreadable` or `extensions`.
fn import_message(case: &mut Case) {
    if let Some(Value::Object(options)) = case.input.remove("options") {
        case.input.extend(options);
    }
    case.rename("input", "message");
    let Expected::Accept(expected) = &mut case.expected else {
        return;
    };
    if expected.is_array() {
        *expected = json!({"bindings": expected.take()});
    }
    let Some(fields) = expected.as_object_mut() else {
        return;
    };
    let Some(bindings) = fields.get_mut("bindings").and_then(Value::as_array_mut) else {
        return;
    };
    for binding in bindings.iter_mut().filter_map(Value::as_object_mut) {
        let number = match binding.get("type").and_then(Value::as_str) {
            Some("provided_token_binding" | "provided") => Some(0),
            Some("referred_token_binding" | "referred") => Some(1),
            _ => None,
        };
        if let Some(number) = number {
            binding.insert("type".into(), number.into());
        }
        binding.entry("extensions").or_insert_with(|| json!([]));
    }
    fields.entry("unreadable").or_insert(Value::Null);
}

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

/// A private key. `pkcs8` is what is imported; the numbers in it are there for whoever cannot read PKCS#8.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PrivateKey {
    pkcs8: String,
    p256: Option<String>,
    rsa2048: Option<PrivateRsa>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PrivateRsa {
    p: String,
    q: String,
    d: String,
    publicexponent: String,
}

impl PrivateKey {
    /// The key, or nothing if it is of no kind that Token Binding has.
    fn import(&self) -> Result<Option<Box<dyn Sign>>, MalformedCase> {
        let der = bytes(&self.pkcs8)?;
        let hex = |text: &String| bytes(text).map(drop);
        self.p256.as_ref().map(hex).transpose()?;
        if let Some(key) = &self.rsa2048 {
            for number in [&key.p, &key.q, &key.d, &key.publicexponent] {
                hex(number)?;
            }
        }
        if let Ok(key) = P256Key::from_pkcs8_der(&der) {
            return Ok(Some(Box::new(key)));
        }
        let key = Rsa2048Key::from_pkcs8_der(&der).ok();
        Ok(key.map(|key| -> Box<dyn Sign> { Box::new(key) }))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignInput {
    negotiated: String,
    tls_unique: String,
    #[serde(default)]
    profile: Profile,
    provided: PrivateKey,
    referred: Option<PrivateKey>,
}

fn sign(input: Input) -> Ran {
    let case: SignInput = input.parse()?;
    let alpn = TokenBindingAlpn::parse(case.negotiated.as_bytes())
        .ok_or_else(|| malformed("negotiated: not a Token Binding identifier"))?;
    let session = Session {
        negotiated: Negotiated::try_new(alpn, FACTS).map_err(malformed)?,
        tls_unique: TlsUnique::from_engine(&bytes(&case.tls_unique)?, FACTS).map_err(malformed)?,
    };
    let profile = EncodingProfile::from(case.profile);
    let Some(provided) = case.provided.import()? else {
        return Ok(Outcome::reject("key", "provided", 0));
    };
    let referred = match &case.referred {
        None => None,
        Some(key) => match key.import()? {
            None => return Ok(Outcome::reject("key", "referred", 0)),
            key => key,
        },
    };
    let built = tokenbind_wire::sign_message(
        session.negotiated,
        &session.tls_unique,
        &*provided,
        referred.as_deref(),
        profile,
    );
    let sent = match built {
        Ok(message) => message.to_vec().map_err(violated)?,
        Err(MessageError::KeyParametersMismatch { .. }) => {
            return Ok(Outcome::reject("key-parameters-mismatch", "provided", 0));
        }
        Err(MessageError::Encode(error)) => {
            return Ok(match error.kind() {
                EncodeErrorKind::Invalid(kind) => Outcome::reject(kind.name(), error.field(), 0),
                _ => return Err(violated(error)),
            });
        }
        Err(error) => return Err(violated(error)),
    };
    // A signed message verifies, with the signer's own backend and with the other.
    let options = DecodeOptions::from(profile);
    oracle::backends_agree(Some(&session), Position::First, Some(&sent), options)
        .map_err(violated)?;
    match establish(
        Some(&session),
        Position::First,
        Some(&sent),
        &RustCrypto,
        options,
    ) {
        Section5::Established(_) => Ok(Outcome::Accept(json!({"message": hex::encode(&sent)}))),
        other => Err(violated(format!("a signed message is refused: {other:?}"))),
    }
}

/// Returns `true` if the message is the expected one but for signatures that verify: those of ECDSA differ with each
/// random number.
fn is_signed(input: &Input, expected: &Value, actual: &Value) -> bool {
    let read = |sent: &Value| {
        let mut fields = input.0.clone();
        fields.retain(|name, _| ["negotiated", "tls_unique", "profile"].contains(&name.as_str()));
        fields.insert("message".into(), sent.get("message")?.clone());
        let Ok(Outcome::Accept(mut message)) = message(Input(fields)) else {
            return None;
        };
        let bindings = message.get_mut("bindings")?.as_array_mut()?;
        for binding in bindings.iter_mut().filter_map(Value::as_object_mut) {
            binding.remove("signature")?;
        }
        Some(message)
    };
    let is_alone = actual.as_object().is_some_and(|fields| fields.len() == 1);
    is_alone && read(actual).is_some_and(|actual| read(expected) == Some(actual))
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
    use conformance::{Origin, VectorFile, Verdict};

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
