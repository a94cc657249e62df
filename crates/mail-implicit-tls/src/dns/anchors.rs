//! Trust anchors of DNSSEC, for the resolvers that validate.

use std::fmt;

#[cfg(feature = "dns")]
use super::DnsName;

/// The key signing keys 20326 and 38696 of the root zone, as IANA publishes them (RFC 9718).
const ROOT_ANCHORS: &str = "\
. 172800 IN DNSKEY 257 3 8 AwEAAaz/tAm8yTn4Mfeh5eyI96WSVexTBAvkMgJzkKTOiW1vkIbzxeF3+/4RgWOq7HrxRixHlFlExOLAJr5emLvN7SWXgnLh4+B5xQlNVz8Og8kvArMtNROxVQuCaSnIDdD5LKyWbRd2n9WGe2R8PzgCmr3EgVLrjyBxWezF0jLHwVN8efS3rCj/EWgvIWgb9tarpVUDK/b58Da+sqqls3eNbuv7pr+eoZG+SrDK6nWeL3c6H5Apxz7LjVc1uTIdsIXxuOLYA4/ilBmSVIzuDWfdRUfhHdY6+cn8HFRm+2hM8AnXGXws9555KrUB5qihylGa8subX2Nn6UwNR1AkUTV74bU=
. 172800 IN DNSKEY 257 3 8 AwEAAa96jeuknZlaeSrvyAJj6ZHv28hhOKkx3rLGXVaC6rXTsDc449/cidltpkyGwCJNnOAlFNKF2jBosZBU5eeHspaQWOmOElZsjICMQMC3aeHbGiShvZsx4wMYSjH8e7Vrhbu6irwCzVBApESjbUdpWWmEnhathWu1jo+siFUiRAAxm9qyJNg/wOZqqzL/dL/q8PkcRU5oUKEpUge71M3ej2/7CPqpdVwuMoTvoB+ZOT4YeGyxMvHmbrxlFzGOHOijtzN+u1TQNatX2XBuzZNQ1K+s2CXkPIZo7s6JgZyvaBevYtxPvYLw4z9mR7K2vaF18UYH9Z9GNUUeayffKC73PYc=
";

/// The greatest length of a text of trust anchors, in octets.
pub const MAX_ANCHOR_BYTES: usize = 64 * 1024;

/// A record as messages describe it.
const EXPECTED: &str =
    "a DNSKEY record in zone file format, `. 172800 IN DNSKEY 257 3 8 AwEAAa...`,";

/// The trust anchors of DNSSEC.
#[derive(Clone, Debug)]
pub struct TrustAnchors(String);

impl TrustAnchors {
    /// Returns the anchors of the root zone of the Internet.
    #[must_use]
    pub fn iana() -> Self {
        Self(ROOT_ANCHORS.to_owned())
    }

    /// Parses DNSKEY records in the format of a zone file, one a line, with TTL and class:
    /// `. 172800 IN DNSKEY 257 3 8 AwEAAa...`
    ///
    /// # Errors
    /// Returns an error if a line is not such a record, there is no record, or the text is longer than
    /// [`MAX_ANCHOR_BYTES`].
    pub fn parse(zone: &str) -> Result<Self, TrustAnchorError> {
        if zone.len() > MAX_ANCHOR_BYTES {
            return Err(TrustAnchorError::TOO_LONG);
        }
        let mut records = String::new();
        for (number, line) in (1_usize..).zip(zone.lines()) {
            let record = line.split(';').next().unwrap_or_default();
            let mut fields = record.split_ascii_whitespace();
            let Some(owner) = fields.next() else {
                continue;
            };
            let [ttl, class, kind] = [(); 3].map(|()| fields.next().unwrap_or_default());
            let numbers = [(); 3].map(|()| fields.next().and_then(|it| it.parse::<u16>().ok()));
            let key = fields.collect::<String>();
            let valid = owner.ends_with('.')
                && ttl.parse::<u32>().is_ok()
                && class.eq_ignore_ascii_case("IN")
                && kind.eq_ignore_ascii_case("DNSKEY")
                && numbers.iter().all(Option::is_some)
                && !key.is_empty();
            if !valid {
                return Err(TrustAnchorError {
                    line: number,
                    is_too_long: false,
                });
            }
            records.push_str(record);
            records.push('\n');
        }
        match records.is_empty() {
            true => Err(TrustAnchorError::NONE),
            false => Ok(Self(records)),
        }
    }

    /// Returns the zones of the keys.
    #[cfg(feature = "dns")]
    pub(super) fn owners(&self) -> impl Iterator<Item = DnsName> {
        let owner = |line: &str| DnsName::parse(line.split_ascii_whitespace().next()?);
        self.0.lines().filter_map(owner)
    }

    /// Returns the records in the format of a zone file.
    pub(super) fn zone(&self) -> &str {
        &self.0
    }
}

/// A text that is not a list of trust anchors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TrustAnchorError {
    line: usize,
    is_too_long: bool,
}

impl TrustAnchorError {
    const NONE: Self = Self {
        line: 0,
        is_too_long: false,
    };
    const TOO_LONG: Self = Self {
        line: 0,
        is_too_long: true,
    };

    /// Returns the number of the first line that is not a record, counted from 1, or 0 if there is no record or the
    /// text is too long.
    #[must_use]
    pub const fn line(&self) -> usize {
        self.line
    }
}

impl fmt::Display for TrustAnchorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 if self.is_too_long => {
                write!(
                    f,
                    "trust anchors: at most {MAX_ANCHOR_BYTES} bytes expected"
                )
            }
            0 => write!(f, "trust anchors: no record found; {EXPECTED} expected"),
            line => write!(f, "trust anchors: {EXPECTED} expected at line {line}"),
        }
    }
}

impl std::error::Error for TrustAnchorError {}
