//! The suite `tokenbind-wire/sign`: private keys, and the messages that they sign.

use conformance::{Input, MalformedCase, Outcome, Ran, malformed, violated};
use serde::Deserialize;
use serde_json::{Value, json};
use tokenbind_wire::{
    DecodeOptions, EncodeErrorKind, EncodingProfile, MessageError, Negotiated, Outcome as Section5,
    P256Key, Position, Rsa2048Key, RustCrypto, Session, Sign, TlsUnique, TokenBindingAlpn,
    establish,
};

use super::message::message;
use crate::{
    case::{FACTS, Profile, bytes},
    oracle,
};

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

/// Signs a message.
pub(super) fn sign(input: Input) -> Ran {
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
pub(super) fn is_signed(input: &Input, expected: &Value, actual: &Value) -> bool {
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
