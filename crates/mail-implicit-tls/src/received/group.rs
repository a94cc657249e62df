//! `dh-group`, RFC 8314 section 4.3.

use std::{borrow::Cow, fmt};

use super::{ReceivedError, ReceivedErrorKind};

/// `dh-group`: the registered name of a group of the key exchange.
///
/// ```text
/// dh-group = ALPHA *(ALPHA / DIGIT / "_" / "-")
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Group<'a>(Cow<'a, str>);

/// The registry of supported groups, without groups that were withdrawn.
const KNOWN: [(u16, &str); 20] = [
    (23, "secp256r1"),
    (24, "secp384r1"),
    (25, "secp521r1"),
    (26, "brainpoolP256r1"),
    (27, "brainpoolP384r1"),
    (28, "brainpoolP512r1"),
    (29, "x25519"),
    (30, "x448"),
    (31, "brainpoolP256r1tls13"),
    (32, "brainpoolP384r1tls13"),
    (33, "brainpoolP512r1tls13"),
    (256, "ffdhe2048"),
    (257, "ffdhe3072"),
    (258, "ffdhe4096"),
    (259, "ffdhe6144"),
    (260, "ffdhe8192"),
    (513, "MLKEM768"),
    (514, "MLKEM1024"),
    (4587, "SecP256r1MLKEM768"),
    (4588, "X25519MLKEM768"),
];

impl<'a> Group<'a> {
    const FIELD: &'static str = "dh-group";

    /// Parses a name. The name is not looked up.
    ///
    /// # Errors
    /// Returns [`ReceivedErrorKind::Expected`] for another text.
    pub fn parse(text: &'a str) -> Result<Self, ReceivedError> {
        let is_name = |(index, octet): (usize, u8)| {
            let is_inner = octet.is_ascii_digit() || octet == b'_' || octet == b'-';
            octet.is_ascii_alphabetic() || index > 0 && is_inner
        };
        let wrong = text.bytes().enumerate().position(|it| !is_name(it));
        match wrong.or(text.is_empty().then_some(0)) {
            Some(offset) => Err(ReceivedError::new(
                ReceivedErrorKind::Expected,
                Self::FIELD,
                offset,
            )),
            None => Ok(Self(text.into())),
        }
    }

    /// Returns the group with this number, if it is registered. The clause has no form for numbers.
    #[must_use]
    pub fn from_number(number: u16) -> Option<Group<'static>> {
        let known = KNOWN.iter().find(|(it, _)| *it == number);
        known.map(|(_, name)| Group((*name).into()))
    }

    /// Returns the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the same group, independent of the text that it was read from.
    #[must_use]
    pub fn into_owned(self) -> Group<'static> {
        Group(self.0.into_owned().into())
    }
}

impl fmt::Display for Group<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
