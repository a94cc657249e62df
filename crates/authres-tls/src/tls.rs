//! The `tls` method: a typed view of its results (draft-martin-authentication-results-tls-03 section 2). Each
//! value is parsed when its method is called.

#[cfg(feature = "cipher-names")]
mod canonical;
mod cipher_suite;
pub mod dn;
pub(crate) mod error;
pub(crate) mod escape;
mod fingerprint;
mod keyword;
mod lint;
pub mod san;
mod version;

pub use {
    cipher_suite::CipherSuite,
    error::{ConflictError, PropertyError, ValueError, ValueErrorKind},
    fingerprint::{Fingerprint, FingerprintAlgorithm},
    keyword::{Strength, TlsProperty, TlsResult, Verification, Word},
    lint::{TlsLint, TlsLintKind},
    version::ProtocolVersion,
};

use core::fmt;

use self::{
    cipher_suite::is_description,
    dn::DistinguishedName,
    keyword::{PERMERERROR, word},
    san::AltNames,
};
use crate::syntax::{AuthenticationResults, Property, ResInfo, Span, Text};

/// The method's name.
const METHOD: &str = "tls";

/// The version of the method that this crate implements (RFC 8601 section 2.2: the default version is 1).
const METHOD_VERSION: u32 = 1;

/// The error of a result that is not a known result of the `tls` method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotTlsError {
    /// The result belongs to another method.
    OtherMethod,
    /// The version of the method is unknown. By RFC 8601 section 2.6 such a result must be ignored.
    UnsupportedMethodVersion {
        /// The place of the version.
        span: Span,
    },
}

impl NotTlsError {
    /// Returns the name in conformance vectors and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OtherMethod => "other-method",
            Self::UnsupportedMethodVersion { .. } => "unsupported-method-version",
        }
    }
}

impl fmt::Display for NotTlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherMethod => f.write_str("method: not tls"),
            Self::UnsupportedMethodVersion { span } => {
                write!(f, "method-version: not 1 at byte {}", span.start())
            }
        }
    }
}

impl core::error::Error for NotTlsError {}

/// A result of the `tls` method, of a known version.
///
/// ```
/// use authres_tls::{AuthenticationResults, Options, TlsResInfo, tls::{TlsResult, Verification}};
///
/// let value = b"mx.example.net; tls=pass cert.verif=CA cert.client=\"CN=smtp.example.com\" \
///     key.ciphersuite=TLS_AES_128_GCM_SHA256 tls.v=TLSv1.3 key.length=128";
/// let header = AuthenticationResults::parse(value, &Options::strict())?;
/// let tls = TlsResInfo::all(&header).next().ok_or("no tls result")??;
/// assert_eq!(tls.result(), Some(TlsResult::Pass));
/// assert_eq!(tls.cert_verif()?.and_then(|it| it.known()), Some(Verification::Ca));
/// assert_eq!(tls.key_length()?, Some(128));
/// let client = tls.cert_client()?.ok_or("no subject")?;
/// assert_eq!(client.values("CN").next().as_deref(), Some("smtp.example.com"));
/// // `TLSv1.3` is accepted with a diagnostic: the draft writes `TLS1.3`.
/// assert_eq!(tls.diagnostics().count(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct TlsResInfo<'h, 'a>(ResInfo<'h, 'a>);

impl<'h, 'a> TryFrom<ResInfo<'h, 'a>> for TlsResInfo<'h, 'a> {
    type Error = NotTlsError;

    fn try_from(result: ResInfo<'h, 'a>) -> Result<Self, NotTlsError> {
        if !result.method().eq_ignore_case(METHOD) {
            return Err(NotTlsError::OtherMethod);
        }
        match result.method_version() {
            Some(version) if version.value() != Some(METHOD_VERSION) => {
                let span = version.span();
                Err(NotTlsError::UnsupportedMethodVersion { span })
            }
            _ => Ok(Self(result)),
        }
    }
}

impl<'h, 'a> TlsResInfo<'h, 'a> {
    /// Returns the `tls` results of a field, in their order. A field should have at most one.
    pub fn all(
        header: &'h AuthenticationResults<'a>,
    ) -> impl Iterator<Item = Result<Self, NotTlsError>> + use<'h, 'a> {
        header
            .results()
            .map(Self::try_from)
            .filter(|result| !matches!(result, Err(NotTlsError::OtherMethod)))
    }

    /// Returns the result as written, with its reason, its comments and all its properties.
    #[must_use]
    pub const fn res_info(self) -> ResInfo<'h, 'a> {
        self.0
    }

    /// Returns the result. `None` if the draft does not define it; such a result must be treated as absent.
    #[must_use]
    pub fn result(self) -> Option<TlsResult> {
        TlsResult::from_text(self.0.result())
    }

    /// Returns the values of a property in their order.
    pub fn values(self, property: TlsProperty) -> impl Iterator<Item = Text<'a>> + use<'h, 'a> {
        let properties = self.0.properties();
        properties
            .filter(move |it| property.is(*it))
            .map(Property::value)
    }

    /// Returns the value of a property as written.
    ///
    /// # Errors
    /// Returns a [`ConflictError`] if the property appears more than once.
    pub fn value(self, property: TlsProperty) -> Result<Option<Text<'a>>, ConflictError> {
        let mut values = self.values(property);
        match (values.next(), values.next()) {
            (Some(first), Some(second)) => {
                Err(ConflictError::new(property, first.span(), second.span()))
            }
            (first, _) => Ok(first),
        }
    }

    fn name(self, property: TlsProperty) -> Result<Option<DistinguishedName<'a>>, PropertyError> {
        let value = self.value(property)?;
        Ok(value.map(DistinguishedName::from_text).transpose()?)
    }

    fn names(self, property: TlsProperty) -> Result<Option<AltNames<'a>>, PropertyError> {
        let value = self.value(property)?;
        Ok(value.map(AltNames::from_text).transpose()?)
    }

    /// Returns `cert.client`: the subject of the client's certificate.
    ///
    /// # Errors
    /// Returns [`PropertyError::Conflict`] if the property appears more than once, and [`PropertyError::Value`] if the
    /// value is not a distinguished name.
    pub fn cert_client(self) -> Result<Option<DistinguishedName<'a>>, PropertyError> {
        self.name(TlsProperty::CertClient)
    }

    /// Returns `cert.server`: the subject of the server's certificate.
    ///
    /// # Errors
    /// Returns [`PropertyError::Conflict`] if the property appears more than once, and [`PropertyError::Value`] if the
    /// value is not a distinguished name.
    pub fn cert_server(self) -> Result<Option<DistinguishedName<'a>>, PropertyError> {
        self.name(TlsProperty::CertServer)
    }

    /// Returns `cert.clientalt`: the subject alternative names of the client's certificate.
    ///
    /// # Errors
    /// Returns [`PropertyError::Conflict`] if the property appears more than once, and [`PropertyError::Value`] if the
    /// value is not a list of names.
    pub fn cert_client_alt(self) -> Result<Option<AltNames<'a>>, PropertyError> {
        self.names(TlsProperty::CertClientAlt)
    }

    /// Returns `cert.serveralt`: the subject alternative names of the server's certificate.
    ///
    /// # Errors
    /// Returns [`PropertyError::Conflict`] if the property appears more than once, and [`PropertyError::Value`] if the
    /// value is not a list of names.
    pub fn cert_server_alt(self) -> Result<Option<AltNames<'a>>, PropertyError> {
        self.names(TlsProperty::CertServerAlt)
    }

    /// Returns `cert.clientissuer`: the issuer of the client's certificate.
    ///
    /// # Errors
    /// Returns [`PropertyError::Conflict`] if the property appears more than once, and [`PropertyError::Value`] if the
    /// value is not a distinguished name.
    pub fn cert_client_issuer(self) -> Result<Option<DistinguishedName<'a>>, PropertyError> {
        self.name(TlsProperty::CertClientIssuer)
    }

    /// Returns `cert.serverissuer`: the issuer of the server's certificate.
    ///
    /// # Errors
    /// Returns [`PropertyError::Conflict`] if the property appears more than once, and [`PropertyError::Value`] if the
    /// value is not a distinguished name.
    pub fn cert_server_issuer(self) -> Result<Option<DistinguishedName<'a>>, PropertyError> {
        self.name(TlsProperty::CertServerIssuer)
    }

    /// Returns `cert.verif`: the authority that verified the client's certificate.
    ///
    /// # Errors
    /// Returns a [`ConflictError`] if the property appears more than once.
    pub fn cert_verif(self) -> Result<Option<Word<'a, Verification>>, ConflictError> {
        let value = self.value(TlsProperty::CertVerif)?;
        Ok(value.map(|text| word(text, &Verification::ALL, Verification::name)))
    }

    /// Returns `tls.v`: the protocol version, in any known spelling.
    ///
    /// # Errors
    /// Returns a [`ConflictError`] if the property appears more than once.
    pub fn tls_v(self) -> Result<Option<Word<'a, ProtocolVersion>>, ConflictError> {
        Ok(self.value(TlsProperty::TlsV)?.map(version))
    }

    /// Returns `key.ciphersuite`: the cipher suite, by its IANA description or its OpenSSL name.
    ///
    /// # Errors
    /// Returns a [`ConflictError`] if the property appears more than once.
    #[cfg(feature = "cipher-names")]
    #[cfg_attr(docsrs, doc(cfg(feature = "cipher-names")))]
    pub fn key_ciphersuite(self) -> Result<Option<Word<'a, CipherSuite>>, ConflictError> {
        let value = self.value(TlsProperty::KeyCiphersuite)?;
        Ok(value.map(|text| {
            CipherSuite::from_name(&text.unfolded()).map_or(Word::Other(text), Word::Known)
        }))
    }

    /// Returns `key.fingerprint`: the fingerprint of the key.
    ///
    /// # Errors
    /// Returns [`PropertyError::Conflict`] if the property appears more than once, and [`PropertyError::Value`] if the
    /// value is not a fingerprint.
    pub fn key_fingerprint(self) -> Result<Option<Fingerprint>, PropertyError> {
        let value = self.value(TlsProperty::KeyFingerprint)?;
        Ok(value
            .map(|text| Fingerprint::parse(&text.collapsed()))
            .transpose()?)
    }

    /// Returns `key.length`: the length of the key in bits.
    ///
    /// # Errors
    /// Returns [`PropertyError::Conflict`] if the property appears more than once, and [`PropertyError::Value`] if the
    /// value is not a number that fits into a `u32`.
    pub fn key_length(self) -> Result<Option<u32>, PropertyError> {
        let value = self.value(TlsProperty::KeyLength)?;
        Ok(value.map(key_length).transpose()?)
    }

    /// Returns `key.strength`: the server's rating of the encryption, read without regard to case.
    ///
    /// # Errors
    /// Returns a [`ConflictError`] if the property appears more than once.
    pub fn key_strength(self) -> Result<Option<Word<'a, Strength>>, ConflictError> {
        let value = self.value(TlsProperty::KeyStrength)?;
        Ok(value.map(|text| word(text, &Strength::ALL, Strength::name)))
    }

    /// Returns the deviations that are accepted: first those of the result, then those of the properties in their
    /// order.
    pub fn diagnostics(self) -> impl Iterator<Item = TlsDiagnostic> + use<'h, 'a> {
        let text = self.0.result();
        let result = match self.result() {
            None => Some(TlsDiagnosticKind::UnknownResult),
            Some(_) if text.eq_ignore_case(PERMERERROR) => Some(TlsDiagnosticKind::ResultAlias),
            Some(_) => None,
        };
        let result = result.map(|kind| TlsDiagnostic::new(kind, text.span()));
        let mut seen = [false; TlsProperty::ALL.len()];
        let properties = self.0.properties().flat_map(move |it| {
            let property = TlsProperty::of(it);
            let mut places = TlsProperty::ALL.into_iter().zip(&mut seen);
            let seen = places.find(|(it, _)| Some(*it) == property);
            let again = seen.is_some_and(|(_, seen)| core::mem::replace(seen, true));
            let kinds = [
                again.then_some(TlsDiagnosticKind::DuplicateProperty),
                property.and_then(|property| value_diagnostic(property, it.value())),
            ];
            let span = it.value().span();
            kinds
                .into_iter()
                .flatten()
                .map(move |kind| TlsDiagnostic::new(kind, span))
        });
        result.into_iter().chain(properties)
    }
}

impl TlsProperty {
    /// Returns the property of the draft with this name.
    fn of(property: Property<'_>) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.is(property))
    }

    /// Returns `true` if the names are equal. Keywords have no quotes and escapes. The property is compared first,
    /// because it differs more often than the ptype.
    fn is(self, property: Property<'_>) -> bool {
        let same = |text: Text<'_>, name: &str| text.raw().eq_ignore_ascii_case(name.as_bytes());
        same(property.property(), self.property())
            && property.ptype().is_some_and(|it| same(it, self.ptype()))
    }
}

fn version(text: Text<'_>) -> Word<'_, ProtocolVersion> {
    ProtocolVersion::from_spelling(&text.collapsed()).map_or(Word::Other(text), Word::Known)
}

/// Returns the first number of `256/256`, a form that Postfix and others write: the bits in use, of the bits that the
/// algorithm has.
fn used_bits(text: &str) -> Option<&str> {
    let is_number =
        |text: &str| !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_digit());
    let (used, all) = text.split_once('/')?;
    (is_number(used) && is_number(all)).then_some(used)
}

fn key_length(text: Text<'_>) -> Result<u32, ValueError> {
    const FIELD: &str = "key.length";
    let text = text.collapsed();
    let text = used_bits(&text).unwrap_or(&text);
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    if text.is_empty() || digits != text.len() {
        return Err(ValueError::new(ValueErrorKind::Expected, FIELD, digits));
    }
    let limit = usize::try_from(u32::MAX).unwrap_or(usize::MAX);
    text.parse()
        .map_err(|_| ValueError::new(ValueErrorKind::Limit { limit }, FIELD, 0))
}

/// Returns the deviation of a value from the form of the draft.
fn value_diagnostic(property: TlsProperty, text: Text<'_>) -> Option<TlsDiagnosticKind> {
    use TlsDiagnosticKind as Kind;
    match property {
        TlsProperty::CertClient
        | TlsProperty::CertServer
        | TlsProperty::CertClientIssuer
        | TlsProperty::CertServerIssuer => match DistinguishedName::from_text(text) {
            Err(error) => Some(Kind::BadDn(error.kind())),
            Ok(name) => (name.as_str() != text.unfolded()).then_some(Kind::DnWhitespace),
        },
        TlsProperty::CertClientAlt | TlsProperty::CertServerAlt => {
            let error = AltNames::from_text(text).err()?;
            Some(Kind::BadAltName(error.kind()))
        }
        TlsProperty::CertVerif => {
            let known = word(text, &Verification::ALL, Verification::name).known()?;
            (text.unfolded() != known.name()).then_some(Kind::CertVerifCase)
        }
        TlsProperty::TlsV => {
            let known = version(text).known()?;
            (text.unfolded() != known.name()).then_some(Kind::TlsVSpelling)
        }
        TlsProperty::KeyCiphersuite => {
            (!is_description(&text.unfolded())).then_some(Kind::CipherSuiteNotIanaName)
        }
        TlsProperty::KeyFingerprint => match Fingerprint::parse(&text.collapsed()) {
            Err(error) => Some(Kind::BadFingerprint(error.kind())),
            Ok(fingerprint) => fingerprint.is_folded().then_some(Kind::FingerprintFolded),
        },
        TlsProperty::KeyLength => match key_length(text) {
            Err(error) => Some(Kind::BadKeyLength(error.kind())),
            Ok(_) => used_bits(&text.collapsed()).map(|_| Kind::KeyLengthOfTwo),
        },
        TlsProperty::KeyStrength => {
            let known = word(text, &Strength::ALL, Strength::name).known()?;
            (text.unfolded() != known.name()).then_some(Kind::KeyStrengthCase)
        }
    }
}

/// The kind of an accepted deviation of a `tls` result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TlsDiagnosticKind {
    /// `permererror`, as the table in section 3 of the draft has it, for `permerror`.
    ResultAlias,
    /// The draft does not define the result.
    UnknownResult,
    /// A property appears again.
    DuplicateProperty,
    /// A distinguished name contains runs of spaces, as folding leaves them.
    DnWhitespace,
    /// A distinguished name cannot be parsed.
    BadDn(ValueErrorKind),
    /// Alternative names cannot be parsed.
    BadAltName(ValueErrorKind),
    /// `cert.verif` is not in upper case.
    CertVerifCase,
    /// `tls.v` has another spelling than the draft's.
    TlsVSpelling,
    /// `key.ciphersuite` is not a description of the IANA registry.
    CipherSuiteNotIanaName,
    /// A fingerprint contains spaces, as folding leaves them.
    FingerprintFolded,
    /// A fingerprint cannot be parsed.
    BadFingerprint(ValueErrorKind),
    /// `key.length` is not a number.
    BadKeyLength(ValueErrorKind),
    /// `key.length` is two numbers, `256/256`: the bits in use, and the bits that the algorithm has.
    KeyLengthOfTwo,
    /// `key.strength` is not in lower case.
    KeyStrengthCase,
}

impl TlsDiagnosticKind {
    /// Returns the kind's name in conformance vectors and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ResultAlias => "result-alias:permererror",
            Self::UnknownResult => "unknown-result",
            Self::DuplicateProperty => "duplicate-property",
            Self::DnWhitespace => "dn-whitespace",
            Self::BadDn(_) => "bad-dn",
            Self::BadAltName(_) => "bad-alt-name",
            Self::CertVerifCase => "cert-verif-case",
            Self::TlsVSpelling => "tls-v-spelling",
            Self::CipherSuiteNotIanaName => "ciphersuite-not-iana-name",
            Self::FingerprintFolded => "fingerprint-folded",
            Self::BadFingerprint(_) => "bad-fingerprint",
            Self::BadKeyLength(_) => "bad-key-length",
            Self::KeyLengthOfTwo => "key-length-of-two",
            Self::KeyStrengthCase => "key-strength-case",
        }
    }
}

/// An accepted deviation of a `tls` result, and its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TlsDiagnostic {
    kind: TlsDiagnosticKind,
    span: Span,
}

impl TlsDiagnostic {
    const fn new(kind: TlsDiagnosticKind, span: Span) -> Self {
        Self { kind, span }
    }

    /// Returns the kind of the deviation.
    #[must_use]
    pub const fn kind(self) -> TlsDiagnosticKind {
        self.kind
    }

    /// Returns the place in the value of the field.
    #[must_use]
    pub const fn span(self) -> Span {
        self.span
    }
}

impl fmt::Display for TlsDiagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind.name())?;
        if let TlsDiagnosticKind::BadDn(why)
        | TlsDiagnosticKind::BadAltName(why)
        | TlsDiagnosticKind::BadFingerprint(why)
        | TlsDiagnosticKind::BadKeyLength(why) = self.kind
        {
            write!(f, " {}", why.name())?;
        }
        write!(f, " at byte {}", self.span.start())
    }
}
