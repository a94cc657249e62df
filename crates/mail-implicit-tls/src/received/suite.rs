//! `tls-cipher`, draft-newman-email-deep-02 section 6.

use std::{borrow::Cow, fmt};

use super::{ReceivedError, ReceivedErrorKind};

/// `tls-cipher`: the registered name of a cipher suite, or `0x` and four hexadecimal digits.
///
/// ```text
/// tls-cipher      = tls-cipher-name / tls-cipher-hex
/// tls-cipher-name = ALPHA *(ALPHA / DIGIT / "_")
/// tls-cipher-hex  = "0x" 4HEXDIG
/// ```
///
/// The draft also calls the parts `tls-cipher-suite-name` and `tls-cipher-suite-hex`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CipherSuite<'a>(Cow<'a, str>);

/// Suites that current TLS libraries negotiate, by number: those of TLS 1.3, and of TLS 1.2 with forward secrecy and
/// authenticated encryption. Feature `cipher-names` adds the rest of the registry.
const KNOWN: [(u16, &str); 15] = [
    (0x1301, "TLS_AES_128_GCM_SHA256"),
    (0x1302, "TLS_AES_256_GCM_SHA384"),
    (0x1303, "TLS_CHACHA20_POLY1305_SHA256"),
    (0x1304, "TLS_AES_128_CCM_SHA256"),
    (0x1305, "TLS_AES_128_CCM_8_SHA256"),
    (0xc02b, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"),
    (0xc02c, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"),
    (0xc02f, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"),
    (0xc030, "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"),
    (0xcca8, "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"),
    (0xcca9, "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"),
    (0x009e, "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256"),
    (0x009f, "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384"),
    (0xccaa, "TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256"),
    (0x0033, "TLS_DHE_RSA_WITH_AES_128_CBC_SHA"),
];

impl<'a> CipherSuite<'a> {
    const FIELD: &'static str = "tls-cipher";

    /// Parses a name or number. The name is not looked up.
    ///
    /// # Errors
    /// Returns [`ReceivedErrorKind::Expected`] for another text.
    pub fn parse(text: &'a str) -> Result<Self, ReceivedError> {
        let fails = |offset| {
            Err(ReceivedError::new(
                ReceivedErrorKind::Expected,
                Self::FIELD,
                offset,
            ))
        };
        if let Some(digits) = hex_digits(text) {
            let wrong = digits.bytes().position(|digit| !digit.is_ascii_hexdigit());
            return match (wrong, digits.len()) {
                (None, 4) => Ok(Self(text.into())),
                (wrong, length) => fails(wrong.unwrap_or(length).min(4).saturating_add(2)),
            };
        }
        let is_name = |(index, octet): (usize, u8)| {
            octet.is_ascii_alphabetic() || index > 0 && (octet.is_ascii_digit() || octet == b'_')
        };
        match text.bytes().enumerate().position(|it| !is_name(it)) {
            Some(offset) => fails(offset),
            None if text.is_empty() => fails(0),
            None => Ok(Self(text.into())),
        }
    }

    /// Returns the suite with this number: by its registered name, or by number if the name is not known.
    #[must_use]
    pub fn from_number(number: u16) -> CipherSuite<'static> {
        CipherSuite(match known(number) {
            Some(name) => name.into(),
            None => format!("0x{number:04X}").into(),
        })
    }

    /// Returns the name or number as it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the number, if the suite is written as one or its name is known.
    #[must_use]
    pub fn number(&self) -> Option<u16> {
        match hex_digits(&self.0) {
            Some(digits) => u16::from_str_radix(digits, 16).ok(),
            None => number_of(&self.0),
        }
    }

    /// Returns the same suite, independent of the text that it was read from.
    #[must_use]
    pub fn into_owned(self) -> CipherSuite<'static> {
        CipherSuite(self.0.into_owned().into())
    }
}

fn hex_digits(text: &str) -> Option<&str> {
    text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"))
}

fn known(number: u16) -> Option<&'static str> {
    let known = KNOWN.iter().find(|(it, _)| *it == number);
    known.map(|(_, name)| *name).or_else(|| registered(number))
}

fn number_of(name: &str) -> Option<u16> {
    let known = KNOWN.iter().find(|(_, it)| *it == name);
    known
        .map(|(number, _)| *number)
        .or_else(|| registered_number(name))
}

#[cfg(feature = "cipher-names")]
fn registered(number: u16) -> Option<&'static str> {
    tls_parser::TlsCipherSuite::from_id(number).map(|suite| suite.name)
}

#[cfg(not(feature = "cipher-names"))]
const fn registered(_number: u16) -> Option<&'static str> {
    None
}

#[cfg(feature = "cipher-names")]
fn registered_number(name: &str) -> Option<u16> {
    tls_parser::TlsCipherSuite::from_name(name).map(|suite| suite.id.0)
}

#[cfg(not(feature = "cipher-names"))]
const fn registered_number(_name: &str) -> Option<u16> {
    None
}

impl fmt::Display for CipherSuite<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
