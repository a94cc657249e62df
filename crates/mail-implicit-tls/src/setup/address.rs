//! Addresses of users, as typed for account setup.

use std::fmt;

use crate::name::DomainName;

/// The greatest length of a local part, in octets (RFC 5321 section 4.5.3.1.1).
pub const MAX_LOCAL_PART_BYTES: usize = 64;

/// A local part as messages describe it.
const LOCAL_PART: &str = "1 to 64 bytes without spaces and control characters";
const _: () = assert!(MAX_LOCAL_PART_BYTES == 64);

/// The mail address of a user: `alice@example.org`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MailAddress {
    local_part: String,
    domain: DomainName,
}

impl MailAddress {
    /// Parses an address. The domain follows the last `@`; U-labels become A-labels.
    ///
    /// # Errors
    /// Returns an error if the local part is empty, longer than [`MAX_LOCAL_PART_BYTES`] or has white space or control
    /// characters, or the domain is not a domain name.
    pub fn parse(text: &str) -> Result<Self, MailAddressError> {
        let Some((local_part, domain)) = text.rsplit_once('@') else {
            return Err(MailAddressError {
                part: Part::At,
                offset: text.len(),
            });
        };
        let excluded = |character: char| character.is_control() || character.is_whitespace();
        if let Some(offset) = local_part.find(excluded) {
            return Err(MailAddressError {
                part: Part::Local,
                offset,
            });
        }
        if local_part.is_empty() || local_part.len() > MAX_LOCAL_PART_BYTES {
            let offset = local_part.len().min(MAX_LOCAL_PART_BYTES);
            return Err(MailAddressError {
                part: Part::Local,
                offset,
            });
        }
        let begin = local_part.len().saturating_add(1);
        let domain = DomainName::parse(domain).map_err(|error| MailAddressError {
            part: Part::Domain,
            offset: begin.saturating_add(error.offset()),
        })?;
        Ok(Self {
            local_part: local_part.to_owned(),
            domain,
        })
    }

    /// Returns the part before the `@`.
    #[must_use]
    pub fn local_part(&self) -> &str {
        &self.local_part
    }

    /// Returns the mail domain.
    #[must_use]
    pub const fn domain(&self) -> &DomainName {
        &self.domain
    }
}

impl fmt::Display for MailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.local_part, self.domain)
    }
}

/// A text that is not a mail address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MailAddressError {
    part: Part,
    offset: usize,
}

/// The part of an address that is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Part {
    Local,
    At,
    Domain,
}

impl MailAddressError {
    /// Returns the offset in octets of what an address excludes.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.offset
    }
}

impl fmt::Display for MailAddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (field, expected) = match self.part {
            Part::Local => ("mail-address.local-part", LOCAL_PART),
            Part::At => ("mail-address", "@ and a domain name"),
            Part::Domain => ("mail-address.domain", "a domain name"),
        };
        write!(f, "{field}: {expected} expected at byte {}", self.offset)
    }
}

impl std::error::Error for MailAddressError {}
