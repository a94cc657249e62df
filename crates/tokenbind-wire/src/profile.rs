//! What the draft leaves open about encodings, as explicit choices: [`EncodingProfile`], and the
//! limits a caller sets: [`Limits`].

/// How a P-256 point stands in `ECDSAParams.point`.
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

/// How an ECDSA signature stands in `TokenBinding.signature`.
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

/// The reading of draft-popov-token-binding-00 that two peers share.
///
/// The draft does not say how points and signatures are encoded. It reuses TLS 1.2 structures, so
/// the literal reading is X9.62 and DER: the default. There is no auto-detection: what is accepted
/// is one form, so a key has one identifier.
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

    /// The profile of these two choices.
    #[must_use]
    pub const fn new(point: PointEncoding, signature: SignatureEncoding) -> Self {
        Self { point, signature }
    }
}

/// The profile of a point's form, for values without a signature: identifiers.
impl From<PointEncoding> for EncodingProfile {
    fn from(point: PointEncoding) -> Self {
        Self::new(point, SignatureEncoding::default())
    }
}

/// What a decoder takes at most. The defaults are the wire's own ceilings, but for the number of
/// bindings, which the draft does not bound.
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
    /// A message needs one binding, federation two; the rest is room for types to come. 64 KB hold
    /// more than 5,000 of unknown types, each of which would take ten times its bytes in memory.
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

/// How to read a message: the encodings two peers share and the limits of this one.
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
