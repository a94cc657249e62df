//! Reports that a server has received.

use alloc::{collections::BTreeMap, string::String};
use core::{error::Error, fmt};
use std::time::SystemTime;

use super::{MAX_REPORT_ACCOUNT_BYTES, MAX_SOFTWARE_BYTES, MAX_TAGS_PER_CLIENT, to_seconds};
use crate::{host::Host, protocol::MailProtocol, report::ClientReport, tag::SecurityTag};

/// A report that a server has received, with its account, host, protocol and time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedReport<'a> {
    account: &'a str,
    host: &'a Host,
    protocol: MailProtocol,
    seconds: i64,
    name: &'a str,
    version: &'a str,
    tags: BTreeMap<String, Mention>,
}

/// The lists of a report that contain a tag.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Mention {
    /// `latch` or `latch-fail` contains the tag: a tag that failed is latched.
    pub latched: bool,
    /// `security-tags` contains the tag.
    pub supported: bool,
    /// `latch-fail` contains the tag.
    pub failed: bool,
}

/// The reason why a report cannot be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReportError {
    /// The account is empty, or longer than [`MAX_REPORT_ACCOUNT_BYTES`].
    AccountLength,
    /// The client's name is longer than [`MAX_SOFTWARE_BYTES`].
    NameTooLong,
    /// The client's version is longer than [`MAX_SOFTWARE_BYTES`].
    VersionTooLong,
    /// Account, name or version has a NUL, which databases cannot keep.
    Nul,
    /// More than [`MAX_TAGS_PER_CLIENT`] tags.
    TooManyTags,
    /// The time is before 1970, or too late to be kept.
    Time,
}

impl fmt::Display for ReportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AccountLength => {
                write!(
                    f,
                    "account: empty or longer than {MAX_REPORT_ACCOUNT_BYTES} bytes"
                )
            }
            Self::NameTooLong => write!(f, "name: longer than {MAX_SOFTWARE_BYTES} bytes"),
            Self::VersionTooLong => write!(f, "version: longer than {MAX_SOFTWARE_BYTES} bytes"),
            Self::Nul => f.write_str("NUL in account, name or version"),
            Self::TooManyTags => write!(f, "tags: more than {MAX_TAGS_PER_CLIENT}"),
            Self::Time => f.write_str("time: before 1970 or too late to be kept"),
        }
    }
}

impl Error for ReportError {}

impl<'a> ReceivedReport<'a> {
    /// Creates a record of a report: its account, the host of the provider that it was sent to, the protocol, and the time.
    ///
    /// `account` is the authenticated account, or another key for a client that has not logged in, e.g. its address:
    /// any client can send reports before login or without TLS, so they should be kept under keys that no account has. A
    /// tag of `latch-fail` is latched (section 7.1).
    ///
    /// # Errors
    /// Returns [`ReportError`] if a value exceeds its limit. Values are not truncated: to count the client in spite of
    /// that, remove the name or version from the report.
    pub fn try_new(
        account: &'a str,
        host: &'a Host,
        protocol: MailProtocol,
        at: SystemTime,
        report: &'a ClientReport,
    ) -> Result<Self, ReportError> {
        let name = report.name.as_deref().unwrap_or_default();
        let version = report.version.as_deref().unwrap_or_default();
        if !(1..=MAX_REPORT_ACCOUNT_BYTES).contains(&account.len()) {
            return Err(ReportError::AccountLength);
        }
        if name.len() > MAX_SOFTWARE_BYTES {
            return Err(ReportError::NameTooLong);
        }
        if version.len() > MAX_SOFTWARE_BYTES {
            return Err(ReportError::VersionTooLong);
        }
        if [account, name, version]
            .iter()
            .any(|text| text.contains('\0'))
        {
            return Err(ReportError::Nul);
        }
        let mut tags: BTreeMap<String, Mention> = BTreeMap::new();
        let mut mention = |listed: &[SecurityTag<'_>], set: fn(&mut Mention)| {
            for tag in listed {
                set(tags.entry(tag.to_lowercase()).or_default());
            }
        };
        mention(&report.latch, |tag| tag.latched = true);
        mention(&report.latch_fail, |tag| {
            tag.latched = true;
            tag.failed = true;
        });
        mention(&report.security_tags, |tag| tag.supported = true);
        if tags.len() > MAX_TAGS_PER_CLIENT {
            return Err(ReportError::TooManyTags);
        }
        Ok(Self {
            account,
            host,
            protocol,
            seconds: to_seconds(at).map_err(|_| ReportError::Time)?,
            name,
            version,
            tags,
        })
    }

    /// Returns the account.
    #[must_use]
    pub const fn account(&self) -> &'a str {
        self.account
    }

    /// Returns the host that the report was sent to.
    #[must_use]
    pub const fn host(&self) -> &'a Host {
        self.host
    }

    /// Returns the protocol that the report was sent by.
    #[must_use]
    pub const fn protocol(&self) -> MailProtocol {
        self.protocol
    }

    /// Returns the time, in seconds since 1970.
    #[must_use]
    pub const fn seconds(&self) -> i64 {
        self.seconds
    }

    /// Returns the name of the client software; empty if it was not reported.
    #[must_use]
    pub const fn name(&self) -> &'a str {
        self.name
    }

    /// Returns the version of the client software; empty if it was not reported.
    #[must_use]
    pub const fn version(&self) -> &'a str {
        self.version
    }

    /// Returns the tags of the report, in lower case and in alphabetical order.
    #[must_use]
    pub fn tags(&self) -> impl ExactSizeIterator<Item = (&str, Mention)> {
        self.tags.iter().map(|(tag, mention)| (&**tag, *mention))
    }
}
