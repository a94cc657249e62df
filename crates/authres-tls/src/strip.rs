//! Feature `strip`: removal of `Authentication-Results` fields at the border MTA (RFC 8601 section 5):
//! a field that claims a local authserv-id, in any disguise. In doubt a field is removed.

use alloc::{
    borrow::Cow,
    string::{String, ToString},
    vec::Vec,
};
use core::{fmt, ops::Range, str::FromStr};

use crate::{
    slice,
    syntax::{
        is_supported_version,
        scan::{id_or_method, rest_after, skip_cfws},
    },
};

mod begun;
mod count;
mod stripper;
mod token;

pub use stripper::Stripper;

/// The field's name.
pub const AUTHENTICATION_RESULTS: &str = "Authentication-Results";

/// The largest numbers of characters of a domain name and of a label: encoded as A-labels they take at least as
/// many octets (RFC 1035 section 2.3.4, and a full stop at the end). The limits are checked first, because the
/// time of Punycode grows faster than the label.
const LONGEST_NAME: usize = 254;
const LONGEST_LABEL: usize = 63;

/// An authserv-id in the form in which ids are compared: in lower case, without a trailing dot, with A-labels in
/// place of U-labels.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AuthservId(String);

/// An error: the text is empty, or is neither ASCII nor a valid domain name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuthservIdError;

impl fmt::Display for AuthservIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("authserv-id: empty, or not a valid domain name")
    }
}

impl core::error::Error for AuthservIdError {}

impl AuthservId {
    /// Converts an unquoted authserv-id: a host or domain name, or another ASCII text that local servers use.
    ///
    /// # Errors
    /// Returns an error if the text is empty, or if it has A-labels or characters outside ASCII and is not a
    /// valid domain name. A name longer than 254 characters, or with a label longer than 63, is not valid.
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

    /// Returns the name in the form in which ids are compared.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns `true` if `other` is this name, or a name below it.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        other
            .0
            .strip_suffix(&self.0)
            .is_some_and(|below| below.is_empty() || below.ends_with('.'))
    }
}

impl FromStr for AuthservId {
    type Err = AuthservIdError;

    fn from_str(text: &str) -> Result<Self, AuthservIdError> {
        Self::try_new(text)
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

/// The fields that a border MTA removes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StripScope {
    /// Fields that claim one of these authserv-ids, the ids of the local servers, or that readers may treat as such
    /// a field.
    OwnIds(Vec<AuthservId>),
    /// All `Authentication-Results` fields, for a border that trusts no other server.
    All,
    /// No field: the message comes directly from a trusted server.
    None,
}

/// The policy of a border MTA.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StripPolicy {
    /// The fields that are removed.
    pub scope: StripScope,
    /// Names below the local authserv-ids are local as well. On by default.
    pub subdomains: bool,
}

impl StripPolicy {
    /// Returns the policy of a border MTA for these local authserv-ids.
    #[must_use]
    pub fn new(own: impl IntoIterator<Item = AuthservId>) -> Self {
        Self::of(StripScope::OwnIds(own.into_iter().collect()))
    }

    /// Returns the policy with this scope.
    #[must_use]
    pub const fn of(scope: StripScope) -> Self {
        Self {
            scope,
            subdomains: true,
        }
    }
}

/// The decision on a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum StripVerdict {
    /// The field stays.
    Keep,
    /// The field is removed, for this reason.
    Remove(StripReason),
}

/// The reason for which a field is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StripReason {
    /// The field claims a local authserv-id.
    OwnId,
    /// The field claims a name below a local authserv-id.
    BelowOwnId,
    /// The field has no authserv-id. Readers that accept this may treat it as a local field.
    MissingId,
    /// The authserv-id cannot be parsed, or is followed by text that other readers may read as a part of it.
    UnreadableId,
    /// This crate does not know the field's version (RFC 8601 section 5).
    UnsupportedVersion,
    /// The policy removes all.
    All,
}

impl StripReason {
    /// Returns the name that conformance vectors and logs use.
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

/// The certainty that all readers end a value at the same place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// At a line feed that no white space follows, or at the end of the message.
    Certain,
    /// At another line break, or because it is too long: some reader may see more of it.
    Doubtful,
}

impl StripPolicy {
    /// Decides on a field with this value. A line break of any kind that does not fold ends the value for some
    /// readers. The field stays only if it may stay for those readers as well.
    pub fn verdict(&self, value: &[u8]) -> StripVerdict {
        let verdict = self.judge(value, End::Certain);
        match (verdict, token::value_end(value)) {
            (StripVerdict::Keep, Some(end)) => self.judge(slice::to(value, end), End::Doubtful),
            _ => verdict,
        }
    }

    /// Decides on a field of any name, as an MTA passes it to a milter: the value has no line break at its end.
    /// The field is removed if a reader that treats a control character in it as a line break would find an
    /// `Authentication-Results` field inside that must be removed.
    ///
    /// ```
    /// # use authres_tls::{AuthservId, StripPolicy, strip::{StripReason, StripVerdict}};
    /// let policy = StripPolicy::new([AuthservId::try_new("example.org").unwrap()]);
    /// let forged = b"a\rAuthentication-Results: example.org; dkim=pass";
    /// let verdict = policy.field_verdict(b"Subject", forged);
    /// assert_eq!(verdict, StripVerdict::Remove(StripReason::OwnId));
    /// ```
    pub fn field_verdict(&self, name: &[u8], value: &[u8]) -> StripVerdict {
        let field = [name, b":", value].concat();
        let removals = self.removals(&field);
        let first = removals.first().map(|removal| removal.reason);
        first.map_or(StripVerdict::Keep, StripVerdict::Remove)
    }

    fn judge(&self, value: &[u8], end: End) -> StripVerdict {
        use StripReason::{All, BelowOwnId, MissingId, OwnId, UnreadableId, UnsupportedVersion};
        let own = match &self.scope {
            StripScope::None => return StripVerdict::Keep,
            StripScope::All => return StripVerdict::Remove(All),
            StripScope::OwnIds(own) => own,
        };
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
        for own in own {
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
        // Where a reader may see more of the value, only a `;` proves that the id is complete.
        if end == End::Doubtful && !after_version(after).starts_with(b";") {
            return StripVerdict::Remove(UnreadableId);
        }
        StripVerdict::Keep
    }

    /// Returns the parts of a message that are removed, in order.
    #[must_use]
    pub fn removals(&self, message: &[u8]) -> Vec<Removal> {
        self.strip(message).removals
    }

    /// Removes fields from a message; every other octet stays unchanged. For a long message, use a
    /// [`Stripper`], which reads it piece by piece.
    ///
    /// A line of the header begins after each character that some reader treats as a line break: LF, CR,
    /// VT, FF, the separators 0x1C to 0x1E, NUL, NEL, U+2028 and U+2029.
    ///
    /// ```
    /// # use authres_tls::{AuthservId, StripPolicy};
    /// let policy = StripPolicy::new([AuthservId::try_new("example.org").unwrap()]);
    /// let forged = b"Subject: a\rAuthentication-Results: example.org; dkim=pass\r\n\r\nbody";
    /// let stripped = policy.strip(forged);
    /// assert_eq!(stripped.message, b"Subject: a\r\n\r\nbody");
    /// assert_eq!(stripped.removals[0].span, 10..57);
    /// ```
    #[must_use]
    pub fn strip(&self, message: &[u8]) -> Stripped {
        let mut stripper = Stripper::new(self);
        let mut stripped = Vec::with_capacity(message.len());
        // Pieces, so that no second copy of the message is made.
        for piece in message.chunks(1 << 16) {
            stripper.push(piece, &mut stripped);
        }
        stripper.finish(&mut stripped);
        Stripped {
            message: stripped,
            removals: stripper.take_removals(),
        }
    }
}

/// Returns the text after a version, if there is one, and after the white space and comments that follow it.
fn after_version(after: &[u8]) -> &[u8] {
    let digits = after.iter().take_while(|octet| octet.is_ascii_digit());
    let after = slice::from(after, digits.count());
    skip_cfws(after).unwrap_or_default()
}

/// A message without the fields that were removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stripped {
    /// The octets that stay.
    pub message: Vec<u8>,
    /// The parts that were removed, in order.
    pub removals: Vec<Removal>,
}

/// A field that was removed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Removal {
    /// The number of fields before the one removed, as [`fields`](crate::message::fields) counts them. A field hidden
    /// in another field has the number of that field.
    pub index: usize,
    /// The number of line feeds before the part removed.
    pub line: usize,
    /// The octets of the message that were removed, one line break among them.
    pub span: Range<usize>,
    /// The field's value in the message, as far as it was read.
    pub value: Range<usize>,
    /// The reason.
    pub reason: StripReason,
    /// The disguise of the field, if only some readers see it.
    pub disguise: Option<Disguise>,
}

/// The way in which a field hides from readers that follow RFC 5322.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Disguise {
    /// The field begins after a character that only some readers treat as a line break.
    LineBreak,
    /// The field's name contains characters that some readers ignore.
    Name,
}

impl Disguise {
    /// Returns the name that reports use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::LineBreak => "line-break",
            Self::Name => "name",
        }
    }
}
