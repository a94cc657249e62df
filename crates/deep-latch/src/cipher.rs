//! `tls-cipher`, draft-newman-email-deep-02 section 6: the cipher suite of a connection, as a proxy
//! reports it in IMAP ID and CLIENT, and as a Received field records it.

#[cfg(feature = "cipher-names")]
#[cfg_attr(docsrs, doc(cfg(feature = "cipher-names")))]
mod strength;

use alloc::{borrow::Cow, string::String};
use core::fmt;

use nom::{Parser, bytes::complete::tag_no_case};

use crate::{
    error::ParseError,
    rules::{self, Failure, Read},
};

/// `tls-cipher`, draft-newman-email-deep-02 section 6: the registered name of a cipher suite, or its
/// number.
///
/// ```abnf
/// tls-cipher      = tls-cipher-name / tls-cipher-hex
/// tls-cipher-name = ALPHA *(ALPHA / DIGIT / "_")
/// tls-cipher-hex  = "0x" 4HEXDIG
/// ```
///
/// The ABNF of the draft names its parts `tls-cipher-suite-name` and `tls-cipher-suite-hex` in one rule and
/// `tls-cipher-name` and `tls-cipher-hex` in the next; they are the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TlsCipher<'a>(Cow<'a, str>);

impl<'a> TlsCipher<'a> {
    /// Parses a cipher suite that is the whole of `text`. The name is not looked up.
    ///
    /// # Errors
    /// Returns an error if `text` is neither a name nor `0x` and four hexadecimal digits.
    pub fn parse(text: &'a str) -> Result<Self, ParseError> {
        rules::whole(text, "tls-cipher", tls_cipher)
    }

    /// Creates the four-digit form of a number: for a suite whose name is not known.
    #[must_use]
    pub fn from_number(number: u16) -> TlsCipher<'static> {
        TlsCipher(Cow::Owned(alloc::format!("0x{number:04X}")))
    }

    /// Returns the name or number in the spelling that was read.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the number, if the suite is written as a number.
    #[must_use]
    pub fn number(&self) -> Option<u16> {
        let digits = self
            .0
            .strip_prefix("0x")
            .or_else(|| self.0.strip_prefix("0X"))?;
        u16::from_str_radix(digits, 16).ok()
    }

    /// Returns the cipher suite with its own copy of the text.
    #[must_use]
    pub fn into_owned(self) -> TlsCipher<'static> {
        TlsCipher(Cow::Owned(self.0.into_owned()))
    }

    /// Parses the cipher suite of a `tls-cipher-clause` that is the whole of `text`: the part of a Received field
    /// from the white space or comment before `tls`.
    ///
    /// ```abnf
    /// tls-cipher-clause = CFWS "tls" FWS tls-cipher
    /// ```
    ///
    /// ```
    /// # use deep_latch::TlsCipher;
    /// let clause = " (over TLS)\r\n tls TLS_DHE_RSA_WITH_AES_128_CBC_SHA";
    /// let cipher = TlsCipher::parse_clause(clause)?;
    /// assert_eq!(cipher.as_str(), "TLS_DHE_RSA_WITH_AES_128_CBC_SHA");
    /// # Ok::<(), deep_latch::ParseError>(())
    /// ```
    ///
    /// # Errors
    /// Returns an error if `text` is not such a clause.
    pub fn parse_clause(text: &'a str) -> Result<Self, ParseError> {
        rules::whole(text, "tls-cipher-clause", tls_cipher_clause)
    }

    /// Parses the cipher suite of the `tls-cipher-clause` at the beginning of `text`. Returns the text after the
    /// clause too.
    ///
    /// ```
    /// # use deep_latch::TlsCipher;
    /// let (cipher, rest) = TlsCipher::split_clause(" tls 0x1301; Tue, 1 Jul 2014 10:00:00 +0000")?;
    /// assert_eq!((cipher.number(), rest), (Some(0x1301), "; Tue, 1 Jul 2014 10:00:00 +0000"));
    /// # Ok::<(), deep_latch::ParseError>(())
    /// ```
    ///
    /// # Errors
    /// Returns an error if `text` does not begin with such a clause.
    pub fn split_clause(text: &'a str) -> Result<(Self, &'a str), ParseError> {
        rules::prefix(text, "tls-cipher-clause", tls_cipher_clause)
    }

    /// Writes the `tls-cipher-clause` of the cipher suite, with the space before it.
    ///
    /// ```
    /// # use deep_latch::TlsCipher;
    /// assert_eq!(TlsCipher::from_number(0x1301).to_clause(), " tls 0x1301");
    /// ```
    #[must_use]
    pub fn to_clause(&self) -> String {
        alloc::format!(" tls {self}")
    }
}

impl fmt::Display for TlsCipher<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `tls-cipher-clause = CFWS "tls" FWS tls-cipher`
fn tls_cipher_clause(input: &str) -> Read<'_, TlsCipher<'_>> {
    const FIELD: &str = "tls-cipher-clause";
    let (at, ()) = rules::cfws(input, FIELD)?;
    let (rest, _) = tag_no_case("tls")
        .parse(at)
        .map_err(|_: nom::Err<Failure>| Failure::expected(FIELD, at).error())?;
    let (rest, ()) = rules::fws(rest, FIELD)?;
    tls_cipher(rest)
}

/// `tls-cipher = tls-cipher-name / tls-cipher-hex`
fn tls_cipher(input: &str) -> Read<'_, TlsCipher<'_>> {
    let (rest, text) = match input.starts_with('0') {
        true => rules::tls_cipher_hex(input),
        false => rules::tls_cipher_name(input),
    }?;
    Ok((rest, TlsCipher(Cow::Borrowed(text))))
}
