//! Fields that cases of several suites have, also those of `tokenbind-http`.

use conformance::{Input, MalformedCase, malformed, octets::from_hex};
use serde::Deserialize;
use tokenbind_wire::{
    EncodingProfile, Negotiated, Position, ProtocolVersion, Session, TlsFacts, TlsUnique,
    TokenBindingAlpn,
};

/// Reads octets in hex.
///
/// # Errors
/// Blames the case if the text is not hex.
pub fn bytes(hex: &str) -> Result<Vec<u8>, MalformedCase> {
    from_hex(hex)
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "lowercase")]
enum Point {
    #[default]
    X962,
    Bare64,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "lowercase")]
enum SignatureForm {
    #[default]
    Der,
    Raw64,
}

/// The encodings of points and of signatures.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    #[serde(default)]
    point: Point,
    #[serde(default)]
    signature: SignatureForm,
}

impl From<Profile> for EncodingProfile {
    fn from(profile: Profile) -> Self {
        use tokenbind_wire::{PointEncoding, SignatureEncoding};
        Self::new(
            match profile.point {
                Point::X962 => PointEncoding::X962,
                Point::Bare64 => PointEncoding::Bare64,
            },
            match profile.signature {
                SignatureForm::Der => SignatureEncoding::Der,
                SignatureForm::Raw64 => SignatureEncoding::Raw64,
            },
        )
    }
}

/// The facts under which a case of suite `message` was negotiated.
pub const FACTS: TlsFacts = TlsFacts {
    version: ProtocolVersion::TLS1_2,
    extended_master_secret: true,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MessageInput {
    message: Option<String>,
    #[serde(default)]
    profile: Profile,
    #[serde(default)]
    negotiated: Option<String>,
    #[serde(default)]
    tls_unique: Option<String>,
    #[serde(default = "yes")]
    first: bool,
}

const fn yes() -> bool {
    true
}

/// The input of a case of suite `message`.
#[derive(Clone, Debug)]
pub struct Message {
    /// The session; `None` if Token Binding was not negotiated.
    pub session: Option<Session>,
    /// The message that the client sent, if there is one.
    pub sent: Option<Vec<u8>>,
    /// The position of the message among those of the client.
    pub position: Position,
    /// The encodings.
    pub profile: EncodingProfile,
}

impl Message {
    /// Reads the input of a case.
    ///
    /// # Errors
    /// Blames the case if it is not of the suite's form.
    pub fn read(input: Input) -> Result<Self, MalformedCase> {
        let case: MessageInput = input.parse()?;
        let session = match case.negotiated {
            None => None,
            Some(alpn) => {
                let alpn = TokenBindingAlpn::parse(alpn.as_bytes())
                    .ok_or_else(|| malformed("negotiated: not a Token Binding identifier"))?;
                let unique = case
                    .tls_unique
                    .ok_or_else(|| malformed("tls_unique is missing"))?;
                Some(Session {
                    negotiated: Negotiated::try_new(alpn, FACTS).map_err(malformed)?,
                    tls_unique: TlsUnique::from_engine(&bytes(&unique)?, FACTS)
                        .map_err(malformed)?,
                })
            }
        };
        Ok(Self {
            session,
            sent: case.message.as_deref().map(bytes).transpose()?,
            position: if case.first {
                Position::First
            } else {
                Position::Later
            },
            profile: case.profile.into(),
        })
    }
}
