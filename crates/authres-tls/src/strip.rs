//! Feature `idna`: which `Authentication-Results` fields to remove at the border (RFC 8601 section 5):
//! those that claim to be one's own, in whatever disguise. In doubt a field is removed.

use alloc::{
    borrow::Cow,
    string::{String, ToString},
    vec::Vec,
};
use core::fmt;

use crate::{
    message::{Field, fields},
    scan::{id_or_method, rest_after},
    syntax::is_supported_version,
};

/// The field's name.
pub const AUTHENTICATION_RESULTS: &str = "Authentication-Results";

/// Characters of a domain name, and of a label of one: as A-labels they take at least as many octets
/// (RFC 1035 section 2.3.4, and a full stop at the end). The time that Punycode takes grows faster than
/// the label.
const LONGEST_NAME: usize = 254;
const LONGEST_LABEL: usize = 63;

/// An authserv-id as it compares: letters without case, without a trailing dot, U-labels as A-labels.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AuthservId(String);

/// A name cannot be compared: it has labels that are no domain labels, or is too long for a domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuthservIdError;

impl fmt::Display for AuthservIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("authserv-id: not a name that can be compared")
    }
}

impl core::error::Error for AuthservIdError {}

impl AuthservId {
    /// An authserv-id, unquoted: a host or domain name, or whatever else one's servers write.
    ///
    /// # Errors
    /// When it is empty, or has A-labels or characters outside ASCII and is no domain name: longer
    /// than 254 characters or a label than 63, for one.
    pub fn try_new(text: &str) -> Result<Self, AuthservIdError> {
        let text = text.trim();
        let name = if text.is_ascii() && !has_a_label(text) {
            Cow::Borrowed(text)
        } else if is_too_long(text) {
            return Err(AuthservIdError);
        } else {
            idna::domain_to_ascii_cow(text.as_bytes(), idna::AsciiDenyList::EMPTY)
                .map_err(|_| AuthservIdError)?
        };
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        if name.is_empty() {
            return Err(AuthservIdError);
        }
        Ok(Self(name))
    }

    /// The name as it compares.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `other` is this name, or one below it.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        other
            .0
            .strip_suffix(&self.0)
            .is_some_and(|below| below.is_empty() || below.ends_with('.'))
    }
}

impl fmt::Display for AuthservId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

fn has_a_label(text: &str) -> bool {
    text.as_bytes()
        .windows(4)
        .any(|four| four.eq_ignore_ascii_case(b"xn--"))
}

fn is_too_long(text: &str) -> bool {
    let is_full_stop = |character| matches!(character, '.' | '\u{3002}' | '\u{ff0e}' | '\u{ff61}');
    let is_longer = |text: &str, limit| text.chars().nth(limit).is_some();
    is_longer(text, LONGEST_NAME)
        || text
            .split(is_full_stop)
            .any(|label| is_longer(label, LONGEST_LABEL))
}

/// Whose fields are one's own, and where the message comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StripPolicy {
    /// The authserv-ids of one's own servers.
    pub own: Vec<AuthservId>,
    /// Names below those are one's own as well. On by default.
    pub subdomains: bool,
    /// The message comes directly from a server of one's own: what it wrote stays. Off by default.
    pub from_trusted: bool,
    /// Remove also what others wrote: the border that knows no outsider it trusts. Off by default.
    pub all: bool,
}

impl StripPolicy {
    /// The policy of a border for these ids.
    #[must_use]
    pub fn new(own: impl IntoIterator<Item = AuthservId>) -> Self {
        Self {
            own: own.into_iter().collect(),
            subdomains: true,
            from_trusted: false,
            all: false,
        }
    }
}

/// Whether a field is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum StripVerdict {
    /// It stays.
    Keep,
    /// It goes, and why.
    Remove(StripReason),
}

/// Why a field is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StripReason {
    /// It claims an id of one's own.
    OwnId,
    /// It claims a name below one.
    BelowOwnId,
    /// It has no authserv-id; readers that do without would take it for one's own.
    MissingId,
    /// What stands for the id is none, or ends in a way that readers may take for another.
    UnreadableId,
    /// Its version is not one this crate knows (RFC 8601 section 5).
    UnsupportedVersion,
    /// The policy removes all.
    All,
}

impl StripReason {
    /// The name as it stands in conformance vectors and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OwnId => "own-id",
            Self::BelowOwnId => "below-own-id",
            Self::MissingId => "missing-id",
            Self::UnreadableId => "unreadable-id",
            Self::UnsupportedVersion => "unsupported-version",
            Self::All => "all",
        }
    }
}

impl StripPolicy {
    /// Whether a field with this value is removed.
    pub fn verdict(&self, value: &[u8]) -> StripVerdict {
        use StripReason::{All, BelowOwnId, MissingId, OwnId, UnreadableId, UnsupportedVersion};
        if self.from_trusted {
            return StripVerdict::Keep;
        }
        if self.all {
            return StripVerdict::Remove(All);
        }
        let Ok(id) = id_or_method(value) else {
            return StripVerdict::Remove(UnreadableId);
        };
        let Ok(after) = rest_after(value, id) else {
            return StripVerdict::Remove(UnreadableId);
        };
        if after.first() == Some(&b'=') || id.unfolded().trim().is_empty() {
            return StripVerdict::Remove(MissingId);
        }
        let Ok(text) = core::str::from_utf8(&id.unfolded_bytes()).map(ToString::to_string) else {
            return StripVerdict::Remove(UnreadableId);
        };
        let Ok(claimed) = AuthservId::try_new(&text) else {
            return StripVerdict::Remove(UnreadableId);
        };
        for own in &self.own {
            if *own == claimed {
                return StripVerdict::Remove(OwnId);
            }
            if self.subdomains && own.covers(&claimed) {
                return StripVerdict::Remove(BelowOwnId);
            }
        }
        if after.first().is_some_and(u8::is_ascii_digit) && !is_supported_version(after) {
            return StripVerdict::Remove(UnsupportedVersion);
        }
        StripVerdict::Keep
    }

    /// The fields of a message that are removed, by their places among all its fields.
    #[must_use]
    pub fn removals(&self, message: &[u8]) -> Vec<Removal> {
        let mut removals = Vec::new();
        for (index, field) in fields(message).enumerate() {
            if !is_ours(&field) {
                continue;
            }
            if let StripVerdict::Remove(reason) = self.verdict(field.value()) {
                removals.push(Removal { index, reason });
            }
        }
        removals
    }

    /// The message without the fields that are removed, all else byte for byte; and which they were.
    #[must_use]
    pub fn strip(&self, message: &[u8]) -> (Vec<u8>, Vec<Removal>) {
        let removals = self.removals(message);
        let mut out = Vec::with_capacity(message.len());
        let mut from = 0;
        let mut next = removals.iter().peekable();
        for (index, field) in fields(message).enumerate() {
            if next.next_if(|removal| removal.index == index).is_some() {
                let span = field.span();
                out.extend_from_slice(message.get(from..span.start).unwrap_or_default());
                from = span.end;
            }
        }
        out.extend_from_slice(message.get(from..).unwrap_or_default());
        (out, removals)
    }
}

/// A field that is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Removal {
    /// Its place among all fields of the message, counted from 0.
    pub index: usize,
    /// Why.
    pub reason: StripReason,
}

fn is_ours(field: &Field<'_>) -> bool {
    field
        .name()
        .eq_ignore_ascii_case(AUTHENTICATION_RESULTS.as_bytes())
}
