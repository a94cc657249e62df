//! Fields that cases of several suites have, also those of `tokenbind-http`.

use conformance::{MalformedCase, octets::from_hex};
use serde::Deserialize;
use tokenbind_wire::{EncodingProfile, ProtocolVersion, TlsFacts};

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
