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

/// The TTL of a key without one, which counts for nothing.
const DEFAULT_TTL: u32 = 172_800;

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

    /// Parses DNSKEY records in the format of a zone file, one a line; TTL and class may be missing:
    /// `. 172800 IN DNSKEY 257 3 8 AwEAAa...`, `. DNSKEY 257 3 8 AwEAAa...`
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
            if record.trim_ascii().is_empty() {
                continue;
            }
            let key = key(record).ok_or(TrustAnchorError {
                line: number,
                is_too_long: false,
            })?;
            records.push_str(&key);
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

/// Returns a DNSKEY record with TTL and class, which RFC 1035 section 5.1 makes optional, in either order.
fn key(record: &str) -> Option<String> {
    let mut fields = record.split_ascii_whitespace().peekable();
    let owner = fields.next().filter(|owner| owner.ends_with('.'))?;
    let mut ttl = None;
    let mut has_class = false;
    loop {
        let field = fields.next()?;
        if field.eq_ignore_ascii_case("DNSKEY") {
            break;
        }
        match field.parse::<u32>() {
            Ok(number) if ttl.is_none() => ttl = Some(number),
            Err(_) if !has_class && field.eq_ignore_ascii_case("IN") => has_class = true,
            _ => return None,
        }
    }
    let mut numbers = String::new();
    for _ in 0..3 {
        let number: u16 = fields.next()?.parse().ok()?;
        numbers.push_str(&format!("{number} "));
    }
    let key: String = fields.collect();
    let ttl = ttl.unwrap_or(DEFAULT_TTL);
    (!key.is_empty()).then(|| format!("{owner} {ttl} IN DNSKEY {numbers}{key}\n"))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_keys_with_and_without_ttl_and_class() {
        let right = ". 60 IN DNSKEY 257 3 8 AwEAAa8=\n";
        for text in [
            ". 60 IN DNSKEY 257 3 8 AwEAAa8=",
            "; a key\n\n.  IN 60\tdnskey 257 3 8 AwEA Aa8= ; id = 20326\n",
            ". 60 DNSKEY 257 3 8 AwEAAa8=",
        ] {
            let anchors = TrustAnchors::parse(text).map(|it| it.0);
            assert_eq!(anchors, Ok(right.to_owned()), "{text}");
        }
        for text in [". DNSKEY 257 3 8 AwEAAa8=", ". IN DNSKEY 257 3 8 AwEAAa8="] {
            let anchors = TrustAnchors::parse(text).map(|it| it.0);
            assert_eq!(anchors, Ok(right.replace("60", "172800")), "{text}");
        }
    }

    #[test]
    fn rejects_what_is_no_key() {
        for (text, line) in [
            ("", 0),
            ("; nothing\n", 0),
            ("\nx 60 IN DNSKEY 257 3 8 AwEAAa8=", 2),
            (". 60 60 DNSKEY 257 3 8 AwEAAa8=", 1),
            (". IN IN DNSKEY 257 3 8 AwEAAa8=", 1),
            (". 60 CH DNSKEY 257 3 8 AwEAAa8=", 1),
            (". DS 20326 8 2 E06D", 1),
            (". DNSKEY 257 3", 1),
            (". DNSKEY 257 3 8", 1),
            (". DNSKEY 70000 3 8 AwEAAa8=", 1),
        ] {
            let error = TrustAnchors::parse(text).map(|it| it.0).unwrap_err();
            assert_eq!(error.line(), line, "{text}");
        }
    }
}
