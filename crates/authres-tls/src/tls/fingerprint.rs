//! `key.fingerprint`: octets in hexadecimal, in the spellings of different writers
//! (draft-martin-authentication-results-tls-03 section 2.2).

use crate::slice;
use core::fmt;

use super::error::{ValueError, ValueErrorKind};

const FIELD: &str = "key.fingerprint";

/// No fingerprint is longer than SHA-512's.
const MOST_OCTETS: usize = 64;

/// A hash function of fingerprints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FingerprintAlgorithm {
    /// MD5
    Md5,
    /// SHA-1
    Sha1,
    /// SHA-224
    Sha224,
    /// SHA-256
    Sha256,
    /// SHA-384
    Sha384,
    /// SHA-512
    Sha512,
}

impl FingerprintAlgorithm {
    const ALL: [Self; 6] = [
        Self::Md5,
        Self::Sha1,
        Self::Sha224,
        Self::Sha256,
        Self::Sha384,
        Self::Sha512,
    ];

    /// Returns its name, in lower case and without a hyphen.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Md5 => "md5",
            Self::Sha1 => "sha1",
            Self::Sha224 => "sha224",
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
        }
    }

    /// Returns the number of octets of a fingerprint.
    #[must_use]
    pub const fn octets(self) -> usize {
        match self {
            Self::Md5 => 16,
            Self::Sha1 => 20,
            Self::Sha224 => 28,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    /// The algorithm that a prefix names: `SHA256`, `sha-256`, `SHA256 Fingerprint`.
    fn from_prefix(prefix: &str) -> Option<Self> {
        let prefix = prefix.trim_matches(' ');
        let name = match prefix.len().checked_sub("fingerprint".len()) {
            Some(at) => match prefix.split_at_checked(at) {
                Some((name, last)) if last.eq_ignore_ascii_case("fingerprint") => name,
                _ => prefix,
            },
            None => prefix,
        };
        let letters = || {
            name.bytes()
                .filter(|octet| !matches!(octet, b' ' | b'-' | b'_'))
        };
        Self::ALL.into_iter().find(|it| {
            letters().count() == it.name().len()
                && letters()
                    .zip(it.name().bytes())
                    .all(|(a, b)| a.eq_ignore_ascii_case(&b))
        })
    }
}

impl fmt::Display for FingerprintAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A fingerprint: 1 to 64 octets.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint {
    octets: [u8; MOST_OCTETS],
    length: usize,
    algorithm: Option<FingerprintAlgorithm>,
    folded: bool,
}

impl Fingerprint {
    /// Returns the fingerprint of a SHA-256 digest.
    #[must_use]
    pub fn sha256(digest: [u8; 32]) -> Self {
        let mut octets = [0; MOST_OCTETS];
        for (to, from) in octets.iter_mut().zip(digest) {
            *to = from;
        }
        let (length, algorithm) = (digest.len(), Some(FingerprintAlgorithm::Sha256));
        Self {
            octets,
            length,
            algorithm,
            folded: false,
        }
    }

    /// Parses octets in hexadecimal, in upper or lower case, with or without colons and white space between them, and
    /// perhaps an algorithm before them as in `SHA256:` or `sha256 Fingerprint=`.
    ///
    /// ```
    /// # use authres_tls::tls::{Fingerprint, FingerprintAlgorithm};
    /// let fingerprint = Fingerprint::parse("68:B3:29:DA:98:93:E3:40:99:C7:D8: AD:5C:B9:C9:40")?;
    /// assert_eq!(fingerprint.as_bytes().len(), 16);
    /// assert_eq!(fingerprint.algorithm(), None);
    /// assert_eq!(fingerprint.guessed_algorithm(), Some(FingerprintAlgorithm::Md5));
    /// # Ok::<(), authres_tls::tls::ValueError>(())
    /// ```
    ///
    /// # Errors
    /// When it is anything else, or not of the length of the algorithm it names.
    pub fn parse(text: &str) -> Result<Self, ValueError> {
        let (algorithm, start) = prefix(text)?;
        let mut octets = [0; MOST_OCTETS];
        let (mut places, mut length, mut folded) = (octets.iter_mut(), 0_usize, false);
        let mut rest = slice::from(text.as_bytes(), start);
        let error =
            |kind, rest: &[u8]| ValueError::new(kind, FIELD, text.len().saturating_sub(rest.len()));
        rest = blanks(rest);
        loop {
            let [high, low, behind @ ..] = rest else {
                return Err(error(ValueErrorKind::Expected, rest));
            };
            let (Some(high), Some(low)) = (digit(*high), digit(*low)) else {
                return Err(error(ValueErrorKind::Expected, rest));
            };
            let Some(place) = places.next() else {
                let limit = MOST_OCTETS;
                return Err(error(ValueErrorKind::Limit { limit }, rest));
            };
            *place = high << 4 | low;
            length = length.saturating_add(1);
            rest = blanks(behind);
            let mut blank = rest.len() != behind.len();
            if rest.is_empty() {
                break;
            }
            if let [b':', behind @ ..] = rest {
                rest = blanks(behind);
                blank |= rest.len() != behind.len();
            }
            folded |= blank;
        }
        if algorithm.is_some_and(|it| it.octets() != length) {
            return Err(ValueError::new(ValueErrorKind::Length, FIELD, start));
        }
        Ok(Self {
            octets,
            length,
            algorithm,
            folded,
        })
    }

    /// Returns the octets.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        slice::to(&self.octets, self.length)
    }

    /// Returns the algorithm, if the value names it.
    #[must_use]
    pub const fn algorithm(&self) -> Option<FingerprintAlgorithm> {
        self.algorithm
    }

    /// Returns the algorithm with this number of octets. This is a guess: other algorithms have digests of the same
    /// length.
    #[must_use]
    pub fn guessed_algorithm(&self) -> Option<FingerprintAlgorithm> {
        let mut all = FingerprintAlgorithm::ALL.into_iter();
        all.find(|it| it.octets() == self.length)
    }

    /// Returns `true` if white space appeared between the octets, as folding leaves it.
    #[must_use]
    pub const fn is_folded(&self) -> bool {
        self.folded
    }
}

impl fmt::Display for Fingerprint {
    /// Writes the octets as appendix A.1 does: in upper case, with colons.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, octet) in self.as_bytes().iter().enumerate() {
            let colon = if place == 0 { "" } else { ":" };
            write!(f, "{colon}{octet:02X}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

/// Returns the algorithm before the octets, and the offset of the octets.
fn prefix(text: &str) -> Result<(Option<FingerprintAlgorithm>, usize), ValueError> {
    let Some(at) = text.find([':', '=']) else {
        return Ok((None, 0));
    };
    let name = slice::text(slice::to(text.as_bytes(), at));
    if name
        .bytes()
        .all(|octet| digit(octet).is_some() || octet == b' ')
    {
        return Ok((None, 0));
    }
    match FingerprintAlgorithm::from_prefix(name) {
        Some(algorithm) => Ok((Some(algorithm), at.saturating_add(1))),
        None => Err(ValueError::new(ValueErrorKind::UnknownAlgorithm, FIELD, 0)),
    }
}

fn blanks(text: &[u8]) -> &[u8] {
    let mut rest = text;
    while let [b' ' | b'\t', behind @ ..] = rest {
        rest = behind;
    }
    rest
}

const fn digit(octet: u8) -> Option<u8> {
    match octet {
        b'0'..=b'9' => octet.checked_sub(b'0'),
        b'a'..=b'f' => octet.checked_sub(b'a' - 10),
        b'A'..=b'F' => octet.checked_sub(b'A' - 10),
        _ => None,
    }
}
