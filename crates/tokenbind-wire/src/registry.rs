//! Registry numbers as open types, so that unknown numbers are kept, and the registrations of
//! draft-popov-token-binding-00 section 8 as data.

use core::fmt;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($int:ty) { $($(#[$vdoc:meta])* $const:ident = $value:literal, $spelling:literal;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        #[cfg_attr(feature = "serde", serde(transparent))]
        pub struct $name(pub $int);

        impl $name {
            $($(#[$vdoc])* pub const $const: Self = Self($value);)*

            /// Returns the draft's spelling, or `None` if the draft does not name the number.
            #[must_use]
            #[expect(clippy::allow_attributes, reason = "ExtensionType has no numbers yet")]
            #[allow(clippy::match_single_binding, reason = "ExtensionType has no numbers yet")]
            pub const fn name(self) -> Option<&'static str> {
                match self {
                    $(Self::$const => Some($spelling),)*
                    _ => None,
                }
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self.name() {
                    Some(name) => write!(f, "{name}({})", self.0),
                    None => write!(f, concat!(stringify!($name), "({})"), self.0),
                }
            }
        }
    };
}

number! {
    /// `TokenBindingType`, draft-popov-token-binding-00 section 4.
    TokenBindingType(u8) {
        /// The client's binding with the server of the connection.
        PROVIDED = 0, "provided_token_binding";
        /// The client's binding with another server.
        REFERRED = 1, "referred_token_binding";
    }
}

number! {
    /// `HashAlgorithm`, of the TLS registry; the draft uses `sha256`.
    HashAlgorithm(u8) {
        /// SHA-256.
        SHA256 = 4, "sha256";
    }
}

number! {
    /// `SignatureAlgorithm`, of the TLS registry; the draft uses `rsa` and `ecdsap256`.
    SignatureAlgorithm(u8) {
        /// RSASSA-PKCS1-v1_5.
        RSA = 1, "rsa";
        /// ECDSA.
        ECDSA_P256 = 3, "ecdsap256";
    }
}

number! {
    /// `NamedCurve`, of the TLS registry; the draft uses `secp256r1`.
    NamedCurve(u16) {
        /// NIST P-256.
        SECP256R1 = 23, "secp256r1";
    }
}

number! {
    /// `ExtensionType`, draft-popov-token-binding-00 section 4. No number is registered.
    ExtensionType(u8) {}
}

/// `SignatureAndHashAlgorithm`, draft-popov-token-binding-00 section 4.
///
/// ```text
/// struct {
///     HashAlgorithm hash;
///     SignatureAlgorithm signature;
/// } SignatureAndHashAlgorithm;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct SignatureAndHashAlgorithm {
    /// The hash.
    pub hash: HashAlgorithm,
    /// The signature algorithm, which also selects the form of the key.
    pub signature: SignatureAlgorithm,
}

impl SignatureAndHashAlgorithm {
    /// `{sha256, rsa}`.
    pub const RSA_SHA256: Self = Self::new(HashAlgorithm::SHA256, SignatureAlgorithm::RSA);
    /// `{sha256, ecdsap256}`.
    pub const ECDSA_P256_SHA256: Self =
        Self::new(HashAlgorithm::SHA256, SignatureAlgorithm::ECDSA_P256);

    /// Returns the pair of these two.
    #[must_use]
    pub const fn new(hash: HashAlgorithm, signature: SignatureAlgorithm) -> Self {
        Self { hash, signature }
    }
}

/// One line of a registry that section 8 establishes or adds to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registration<V: 'static> {
    /// The number, or the ALPN identification sequence.
    pub value: V,
    /// The description.
    pub description: &'static str,
    /// The specification.
    pub specification: &'static str,
}

impl<V> Registration<V> {
    const fn new(value: V, description: &'static str) -> Self {
        Self {
            value,
            description,
            specification: "draft-popov-token-binding-00",
        }
    }
}

/// The registry "Token Binding Types" (section 8).
pub const TOKEN_BINDING_TYPES: &[Registration<TokenBindingType>] = &[
    Registration::new(TokenBindingType::PROVIDED, "provided_token_binding"),
    Registration::new(TokenBindingType::REFERRED, "referred_token_binding"),
];

/// The registry "Token Binding Extensions" (section 8), which begins empty.
pub const TOKEN_BINDING_EXTENSIONS: &[Registration<ExtensionType>] = &[];

/// The registrations in "Application Layer Protocol Negotiation (ALPN) Protocol IDs" (section 8).
pub const ALPN_PROTOCOL_IDS: &[Registration<&[u8]>] = &[
    Registration::new(
        b"h2_tb_p256",
        "HTTP/2 with Token Binding using ECDSA key and NIST P256 curve",
    ),
    Registration::new(
        b"h2_tb_rsa2048",
        "HTTP/2 with Token Binding using 2048-bit RSA key",
    ),
    Registration::new(
        b"http/1.1_tb_p256",
        "HTTP/1.1 with Token Binding using ECDSA key and NIST P256 curve",
    ),
    Registration::new(
        b"http/1.1_tb_rsa2048",
        "HTTP/1.1 with Token Binding using 2048-bit RSA key",
    ),
];
