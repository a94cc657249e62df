//! `tls-cipher`, draft-newman-email-deep-02 section 6: the cipher suite of a connection, as a proxy
//! reports it in IMAP ID and CLIENT, and as a Received field records it.

use alloc::borrow::Cow;
use core::fmt;

use crate::{error::ParseError, rules};

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
        let rule = match text.starts_with('0') {
            true => rules::tls_cipher_hex,
            false => rules::tls_cipher_name,
        };
        rules::whole(text, "tls-cipher", rule).map(|text| Self(Cow::Borrowed(text)))
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
