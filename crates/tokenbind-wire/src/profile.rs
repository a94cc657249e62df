//! The encodings that the draft leaves open, as explicit choices: [`EncodingProfile`]; and the limits that a caller
//! sets: [`Limits`].

/// The encoding of a P-256 point in `ECDSAParams.point`.
///
/// Functions that read or make an identifier take it alone, since an identifier has no signature. Messages take an
/// [`EncodingProfile`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum PointEncoding {
    /// 65 bytes: 0x04, X, Y, as RFC 4492 section 5.4 encodes an uncompressed point.
    #[default]
    X962,
    /// 64 bytes: X, Y.
    Bare64,
}

/// The encoding of an ECDSA signature in `TokenBinding.signature`. RSA signatures have one encoding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum SignatureEncoding {
    /// A DER `ECDSA-Sig-Value`, as TLS 1.2 signs.
    #[default]
    Der,
    /// 64 bytes: r, s, each padded to 32 bytes.
    Raw64,
}

/// The encodings of draft-popov-token-binding-00 that two peers agree on: those of points and signatures.
///
/// The draft does not define how points and signatures are encoded. It uses structures of TLS 1.2, so the literal
/// reading is X9.62 and DER: the default. There is no auto-detection: one form is accepted, so a key has one
/// identifier.
///
/// Use it for messages, and give the same value to both sides. [`DecodeOptions`] add limits for messages of
/// untrusted peers; a [`PointEncoding`] alone suffices for identifiers. All convert into each other by `From`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct EncodingProfile {
    /// The form of P-256 points.
    pub point: PointEncoding,
    /// The form of ECDSA signatures.
    pub signature: SignatureEncoding,
}

impl EncodingProfile {
    /// All four combinations, the default first.
    pub const ALL: [Self; 4] = [
        Self::new(PointEncoding::X962, SignatureEncoding::Der),
        Self::new(PointEncoding::X962, SignatureEncoding::Raw64),
        Self::new(PointEncoding::Bare64, SignatureEncoding::Der),
        Self::new(PointEncoding::Bare64, SignatureEncoding::Raw64),
    ];

    /// Returns the profile of these two choices.
    #[must_use]
    pub const fn new(point: PointEncoding, signature: SignatureEncoding) -> Self {
        Self { point, signature }
    }
}

/// The profile of a point's encoding, for identifiers, which have no signature.
impl From<PointEncoding> for EncodingProfile {
    fn from(point: PointEncoding) -> Self {
        Self::new(point, SignatureEncoding::default())
    }
}

/// The limits of a decoder. The defaults are the limits of the wire format, except for the number of
/// bindings, which the draft does not limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct Limits {
    /// Length of the `TokenBindingMessage` in bytes, its length prefix included.
    pub message_bytes: usize,
    /// Number of `TokenBinding` structures in a message, those of unknown types included.
    pub token_bindings: usize,
    /// Length of the extensions of one `TokenBinding` in bytes.
    pub extension_bytes: usize,
}

impl Limits {
    /// The longest message the draft's length prefix can describe: 2 + 2^16 - 1 bytes.
    pub const MAX_MESSAGE_BYTES: usize = 65_537;
    /// A message needs one binding, federation two; the rest is room for future types. 64 KB can contain
    /// more than 5,000 bindings of unknown types, each of which would use ten times its bytes in memory.
    pub const MAX_TOKEN_BINDINGS: usize = 16;
    /// The longest extension list the draft's length prefix can describe: 2^16 - 1 bytes.
    pub const MAX_EXTENSION_BYTES: usize = 65_535;
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes: Self::MAX_MESSAGE_BYTES,
            token_bindings: Self::MAX_TOKEN_BINDINGS,
            extension_bytes: Self::MAX_EXTENSION_BYTES,
        }
    }
}

/// The options for reading a message: the encodings that two peers agree on, and the limits of this peer.
///
/// An [`EncodingProfile`] converts into options with the default limits; use this type to lower a limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct DecodeOptions {
    /// The encodings.
    pub profile: EncodingProfile,
    /// The limits.
    pub limits: Limits,
}

impl From<EncodingProfile> for DecodeOptions {
    fn from(profile: EncodingProfile) -> Self {
        Self {
            profile,
            limits: Limits::default(),
        }
    }
}
