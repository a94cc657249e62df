//! Contradictions in a `tls` result (draft-martin-authentication-results-tls-03 section 2).

use core::fmt;

use crate::syntax::{AuthenticationResults, Span};

use super::{
    TlsResInfo,
    cipher_suite::CipherSuite,
    keyword::{TlsProperty, TlsResult},
    version::ProtocolVersion,
};

/// The kind of a contradiction or omission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TlsLintKind {
    /// More than one `tls` result: it is unclear which one is valid.
    SeveralResults,
    /// A property that the draft does not define for the method.
    UnknownProperty,
    /// `none`, which means without TLS, together with properties of a TLS session.
    NoneWithProperties,
    /// Encrypted, but without `key.ciphersuite`, which is not optional.
    NoCipherSuite,
    /// `pass`, but without `cert.client`, which is not optional.
    PassWithoutClient,
    /// `pass`, but the cipher suite does not encrypt.
    PassWithoutEncryption,
    /// A cipher suite that does not exist in the protocol version.
    SuiteOfAnotherVersion,
}

impl TlsLintKind {
    /// Returns the kind's name in conformance vectors and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SeveralResults => "several-results",
            Self::UnknownProperty => "unknown-property",
            Self::NoneWithProperties => "none-with-properties",
            Self::NoCipherSuite => "no-ciphersuite",
            Self::PassWithoutClient => "pass-without-client",
            Self::PassWithoutEncryption => "pass-without-encryption",
            Self::SuiteOfAnotherVersion => "suite-of-another-version",
        }
    }
}

/// A contradiction or omission, and its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TlsLint {
    kind: TlsLintKind,
    span: Span,
}

impl TlsLint {
    const fn new(kind: TlsLintKind, span: Span) -> Self {
        Self { kind, span }
    }

    /// Returns the kind.
    #[must_use]
    pub const fn kind(self) -> TlsLintKind {
        self.kind
    }

    /// Returns the place in the value of the field.
    #[must_use]
    pub const fn span(self) -> Span {
        self.span
    }
}

impl fmt::Display for TlsLint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.kind.name(), self.span.start())
    }
}

impl<'h, 'a> TlsResInfo<'h, 'a> {
    /// Returns the contradictions in all `tls` results of a field.
    ///
    /// ```
    /// # use authres_tls::{AuthenticationResults, Options, TlsResInfo, tls::TlsLintKind};
    /// let value = b"mx.example.net; tls=none key.length=128";
    /// let header = AuthenticationResults::parse(value, &Options::strict())?;
    /// let lints = TlsResInfo::lint_all(&header).map(|lint| lint.kind());
    /// assert!(lints.eq([TlsLintKind::NoneWithProperties]));
    /// # Ok::<(), authres_tls::ParseError>(())
    /// ```
    pub fn lint_all(
        header: &'h AuthenticationResults<'a>,
    ) -> impl Iterator<Item = TlsLint> + use<'h, 'a> {
        let results = Self::all(header).filter_map(Result::ok);
        results.enumerate().flat_map(|(place, result)| {
            let again = (place > 0).then(|| {
                TlsLint::new(
                    TlsLintKind::SeveralResults,
                    result.res_info().method().span(),
                )
            });
            again.into_iter().chain(result.lints())
        })
    }

    /// Returns the contradictions in this result.
    pub fn lints(self) -> impl Iterator<Item = TlsLint> + use<'h, 'a> {
        use TlsLintKind as Kind;
        let result = self.result();
        let at = self.res_info().result().span();
        let has = |property| self.values(property).next();
        let encrypted = result.is_some_and(|result| result != TlsResult::None);
        let pass = result == Some(TlsResult::Pass);

        let suite_text = has(TlsProperty::KeyCiphersuite);
        let suite =
            suite_text.and_then(|text| CipherSuite::from_description(text.unfolded().into_owned()));
        let version = has(TlsProperty::TlsV)
            .and_then(|text| ProtocolVersion::from_spelling(&text.collapsed()));
        let first = self.res_info().properties().next();
        let of_another_version = suite.as_ref().zip(version).is_some_and(|(suite, version)| {
            suite.is_tls13() != (version == ProtocolVersion::Tls1_3)
        });

        let suite_at = suite_text.map_or(at, |text| text.span());
        let kinds = [
            first
                .filter(|_| result == Some(TlsResult::None))
                .map(|first| (Kind::NoneWithProperties, first.span())),
            (encrypted && suite_text.is_none()).then_some((Kind::NoCipherSuite, at)),
            (pass && has(TlsProperty::CertClient).is_none())
                .then_some((Kind::PassWithoutClient, at)),
            (pass && suite.is_some_and(|suite| !suite.encrypts()))
                .then_some((Kind::PassWithoutEncryption, suite_at)),
            of_another_version.then_some((Kind::SuiteOfAnotherVersion, suite_at)),
        ];
        let unknown = self
            .res_info()
            .properties()
            .filter(|property| TlsProperty::of(*property).is_none())
            .map(|property| TlsLint::new(Kind::UnknownProperty, property.span()));
        kinds
            .into_iter()
            .flatten()
            .map(|(kind, span)| TlsLint::new(kind, span))
            .chain(unknown)
    }
}
