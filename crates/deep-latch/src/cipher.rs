//! `tls-cipher`, draft-newman-email-deep-02 section 6: the cipher suite of a connection, as a proxy
//! reports it in IMAP ID and CLIENT, and as a Received field records it.

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
/// The ABNF names its parts `tls-cipher-suite-name` and `tls-cipher-suite-hex` in one rule and
/// `tls-cipher-name` and `tls-cipher-hex` in the next; they are the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TlsCipher<'a>(Cow<'a, str>);

impl<'a> TlsCipher<'a> {
    /// Reads a cipher suite that is the whole of `text`. The name is not looked up.
    ///
    /// # Errors
    /// When it is neither a name nor `0x` and four hexadecimal digits.
    pub fn parse(text: &'a str) -> Result<Self, ParseError> {
        rules::whole(text, "tls-cipher", tls_cipher)
    }

    /// The number, in the four-digit form: for a suite whose name is not known.
    #[must_use]
    pub fn from_number(number: u16) -> TlsCipher<'static> {
        TlsCipher(Cow::Owned(alloc::format!("0x{number:04X}")))
    }

    /// As it is spelt.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The number, when it is written as one.
    #[must_use]
    pub fn number(&self) -> Option<u16> {
        let digits = self
            .0
            .strip_prefix("0x")
            .or_else(|| self.0.strip_prefix("0X"))?;
        u16::from_str_radix(digits, 16).ok()
    }

    /// The same, independent of the text it was read from.
    #[must_use]
    pub fn into_owned(self) -> TlsCipher<'static> {
        TlsCipher(Cow::Owned(self.0.into_owned()))
    }
}

impl fmt::Display for TlsCipher<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Reads `tls-cipher-clause`, draft-newman-email-deep-02 section 6, that is the whole of `text`: of a Received
/// field, from the white space or comments before `tls` on.
///
/// ```
/// # use deep_latch::parse_tls_clause;
/// let cipher = parse_tls_clause(" (over TLS)\r\n tls TLS_DHE_RSA_WITH_AES_128_CBC_SHA")?;
/// assert_eq!(cipher.as_str(), "TLS_DHE_RSA_WITH_AES_128_CBC_SHA");
/// # Ok::<(), deep_latch::ParseError>(())
/// ```
///
/// # Errors
/// When it is not such a clause.
pub fn parse_tls_clause(text: &str) -> Result<TlsCipher<'_>, ParseError> {
    rules::whole(text, "tls-cipher-clause", tls_cipher_clause)
}

/// Reads `tls-cipher-clause`, draft-newman-email-deep-02 section 6, that `text` begins with, and returns what
/// follows it too.
///
/// ```
/// # use deep_latch::split_tls_clause;
/// let (cipher, rest) = split_tls_clause(" tls 0x1301; Tue, 1 Jul 2014 10:00:00 +0000")?;
/// assert_eq!((cipher.number(), rest), (Some(0x1301), "; Tue, 1 Jul 2014 10:00:00 +0000"));
/// # Ok::<(), deep_latch::ParseError>(())
/// ```
///
/// # Errors
/// When it does not begin so.
pub fn split_tls_clause(text: &str) -> Result<(TlsCipher<'_>, &str), ParseError> {
    rules::prefix(text, "tls-cipher-clause", tls_cipher_clause)
}

/// Writes `tls-cipher-clause`, draft-newman-email-deep-02 section 6, with the space before it.
///
/// ```
/// # use deep_latch::{TlsCipher, tls_clause};
/// assert_eq!(tls_clause(&TlsCipher::from_number(0x1301)), " tls 0x1301");
/// ```
#[must_use]
pub fn tls_clause(cipher: &TlsCipher<'_>) -> String {
    alloc::format!(" tls {cipher}")
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
