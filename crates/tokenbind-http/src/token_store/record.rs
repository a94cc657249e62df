//! The record of a token, and the decision about it.

use std::{
    error::Error,
    fmt,
    time::{Duration, SystemTime},
};

use tokenbind_wire::{
    ProvidedIdRef, TokenBindingIdRef,
    token::{BearerPolicy, DiscardReason, TokenClaim, TokenVerdict},
};

use crate::{federation::TokenToIssue, token_store::error::TokenStoreErrorKind};

/// The longest key of a Token Binding ID that is kept, in bytes. A key of the draft's algorithms has at most
/// 516.
pub const MAX_KEY_ID_BYTES: usize = 1024;

/// The longest subject, in bytes: the limit of `sub` in an ID token.
pub const MAX_TOKEN_SUBJECT_BYTES: usize = 255;

/// The longest data that an application can keep with a token, in bytes: as much as a browser keeps in a
/// cookie. Larger data belong in a table of the application.
pub const MAX_TOKEN_DATA_BYTES: usize = 4096;

/// The key that a stored token is bound to.
#[derive(Clone, PartialEq, Eq)]
pub enum StoredBinding {
    /// This key: the Token Binding ID without its type, so that the provided and the referred binding of a key
    /// are the same.
    KeyId(Box<[u8]>),
    /// No key, on purpose: a bearer token.
    Unbound,
}

impl From<TokenBindingIdRef<'_>> for StoredBinding {
    fn from(id: TokenBindingIdRef<'_>) -> Self {
        Self::KeyId(id.key_id().into())
    }
}

impl From<&TokenToIssue> for StoredBinding {
    fn from(token: &TokenToIssue) -> Self {
        match token {
            TokenToIssue::BoundTo(id) => id.view().into(),
            TokenToIssue::Unbound(_) => Self::Unbound,
        }
    }
}

impl fmt::Debug for StoredBinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::KeyId(_) => "KeyId(..)",
            Self::Unbound => "Unbound",
        })
    }
}

/// The reason why a [`TokenRecord`] cannot be made from given values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenRecordError {
    /// The key is empty, or longer than [`MAX_KEY_ID_BYTES`].
    KeyIdLength,
    /// The subject is longer than [`MAX_TOKEN_SUBJECT_BYTES`].
    SubjectTooLong,
    /// The data are longer than [`MAX_TOKEN_DATA_BYTES`].
    DataTooLong,
    /// A time is before 1970, or too far in the future to be kept.
    Time,
    /// The lifetime is less than a second.
    Lifetime,
}

impl fmt::Display for TokenRecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KeyIdLength => write!(
                f,
                "the key is empty or longer than {MAX_KEY_ID_BYTES} bytes"
            ),
            Self::SubjectTooLong => {
                write!(
                    f,
                    "the subject is longer than {MAX_TOKEN_SUBJECT_BYTES} bytes"
                )
            }
            Self::DataTooLong => write!(f, "the data are longer than {MAX_TOKEN_DATA_BYTES} bytes"),
            Self::Time => f.write_str("the time is before 1970 or too far in the future"),
            Self::Lifetime => f.write_str("the lifetime is less than a second"),
        }
    }
}

impl Error for TokenRecordError {}

/// The values of a [`TokenRecord`] as a database holds them.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenRecordParts {
    /// The key that the token is bound to.
    pub binding: StoredBinding,
    /// The subject, which identifies the user the token was issued to.
    pub subject: Box<[u8]>,
    /// The data that the application keeps with the token.
    pub data: Box<[u8]>,
    /// The time when the token was issued.
    pub issued_at: SystemTime,
    /// The time from which on the token is discarded.
    pub expires_at: SystemTime,
    /// The time when the token was revoked, if it was.
    pub revoked_at: Option<SystemTime>,
}

impl fmt::Debug for TokenRecordParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenRecordParts")
            .field("binding", &self.binding)
            .finish_non_exhaustive()
    }
}

/// The record of a token in a store.
///
/// Times are kept in whole seconds, rounded down, so that a token never lives longer than requested. Subject,
/// data and key are not printed.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenRecord {
    pub(super) binding: StoredBinding,
    pub(super) subject: Box<[u8]>,
    pub(super) data: Box<[u8]>,
    pub(super) issued_at: SystemTime,
    pub(super) expires_at: SystemTime,
    pub(super) revoked_at: Option<SystemTime>,
}

impl TokenRecord {
    /// Creates the record of a token that is issued at `now` and expires after `lifetime`, without data.
    ///
    /// `subject` identifies the user the token is issued to;
    /// [`revoke_all`](crate::token_store::TokenStore::revoke_all) finds tokens by it. It may be empty.
    ///
    /// # Errors
    /// A [`TokenRecordError`] if a value is beyond its limit.
    pub fn try_new(
        binding: StoredBinding,
        subject: &[u8],
        now: SystemTime,
        lifetime: Duration,
    ) -> Result<Self, TokenRecordError> {
        if let StoredBinding::KeyId(key_id) = &binding
            && !(1..=MAX_KEY_ID_BYTES).contains(&key_id.len())
        {
            return Err(TokenRecordError::KeyIdLength);
        }
        if subject.len() > MAX_TOKEN_SUBJECT_BYTES {
            return Err(TokenRecordError::SubjectTooLong);
        }
        let expires_at = now.checked_add(lifetime).ok_or(TokenRecordError::Time)?;
        let issued_at = whole_seconds(now).ok_or(TokenRecordError::Time)?;
        let expires_at = whole_seconds(expires_at).ok_or(TokenRecordError::Time)?;
        if expires_at <= issued_at {
            return Err(TokenRecordError::Lifetime);
        }
        Ok(Self {
            binding,
            subject: subject.into(),
            data: Box::default(),
            issued_at,
            expires_at,
            revoked_at: None,
        })
    }

    /// Creates a record from the values that a database holds, for stores outside of this crate. Times are
    /// rounded down to whole seconds.
    ///
    /// # Errors
    /// A [`TokenRecordError`] if a value is beyond its limit, as no record of this crate is.
    pub fn try_from_parts(parts: TokenRecordParts) -> Result<Self, TokenRecordError> {
        let TokenRecordParts {
            binding,
            subject,
            data,
            issued_at,
            expires_at,
            revoked_at,
        } = parts;
        let lifetime = expires_at.duration_since(issued_at);
        let lifetime = lifetime.map_err(|_| TokenRecordError::Lifetime)?;
        let record = Self::try_new(binding, &subject, issued_at, lifetime)?.with_data(&data)?;
        let revoked_at = match revoked_at {
            Some(time) => Some(whole_seconds(time).ok_or(TokenRecordError::Time)?),
            None => None,
        };
        Ok(Self {
            revoked_at,
            ..record
        })
    }

    /// Sets the data that the application keeps with the token.
    ///
    /// # Errors
    /// [`TokenRecordError::DataTooLong`].
    pub fn with_data(mut self, data: &[u8]) -> Result<Self, TokenRecordError> {
        if data.len() > MAX_TOKEN_DATA_BYTES {
            return Err(TokenRecordError::DataTooLong);
        }
        self.data = data.into();
        Ok(self)
    }

    /// Returns the key that the token is bound to.
    #[must_use]
    pub const fn binding(&self) -> &StoredBinding {
        &self.binding
    }

    /// Returns the subject, which identifies the user the token was issued to.
    #[must_use]
    pub fn subject(&self) -> &[u8] {
        &self.subject
    }

    /// Returns the data that the application keeps with the token.
    #[must_use]
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// Returns the time when the token was issued.
    #[must_use]
    pub const fn issued_at(&self) -> SystemTime {
        self.issued_at
    }

    /// Returns the time from which on the token is discarded.
    #[must_use]
    pub const fn expires_at(&self) -> SystemTime {
        self.expires_at
    }

    /// Returns the time when the token was revoked, if it was.
    #[must_use]
    pub const fn revoked_at(&self) -> Option<SystemTime> {
        self.revoked_at
    }

    /// Checks revocation and expiry, then the binding (section 7).
    ///
    /// `connection` is the identifier of the *provided* binding that was established. A clock that is behind
    /// the issuer's is tolerated, because servers' clocks differ: the time of issue is not compared.
    pub fn check(
        self,
        connection: Option<ProvidedIdRef<'_>>,
        bearer_policy: BearerPolicy,
        now: SystemTime,
    ) -> StoredTokenVerdict {
        if self.revoked_at.is_some() {
            return StoredTokenVerdict::Discard(StoredTokenDiscardReason::Revoked);
        }
        if self.expires_at <= now {
            return StoredTokenVerdict::Discard(StoredTokenDiscardReason::Expired);
        }
        let claim = match &self.binding {
            StoredBinding::KeyId(key_id) => TokenClaim::KeyId(key_id),
            StoredBinding::Unbound => TokenClaim::Bearer,
        };
        match claim.check(connection, bearer_policy) {
            TokenVerdict::HonorBound => StoredTokenVerdict::HonorBound(self),
            TokenVerdict::HonorBearer => StoredTokenVerdict::HonorBearer(self),
            TokenVerdict::Discard(reason) => {
                StoredTokenVerdict::Discard(StoredTokenDiscardReason::Binding(reason))
            }
        }
    }
}

impl fmt::Debug for TokenRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenRecord")
            .field("binding", &self.binding)
            .field("issued_at", &self.issued_at)
            .field("expires_at", &self.expires_at)
            .field("revoked_at", &self.revoked_at)
            .finish_non_exhaustive()
    }
}

/// The decision about a token that a client presents.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum StoredTokenVerdict {
    /// Honor the token: it is bound to the key of this connection.
    HonorBound(TokenRecord),
    /// Honor the token, which is not bound, because the policy allows bearer tokens.
    HonorBearer(TokenRecord),
    /// Discard the token.
    Discard(StoredTokenDiscardReason),
}

/// The reason why a token is discarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoredTokenDiscardReason {
    /// The store does not contain the token: it is forged, mistyped, or purged.
    Unknown,
    /// The token was revoked.
    Revoked,
    /// The token has expired.
    Expired,
    /// The token is not bound to the key of this connection.
    Binding(DiscardReason),
    /// The store did not answer. The token may be valid; the client may try again.
    Store(TokenStoreErrorKind),
}

impl StoredTokenDiscardReason {
    /// Returns the reason's name, for logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
            Self::Binding(reason) => reason.name(),
            Self::Store(kind) => kind.name(),
        }
    }
}

/// Rounds a time down to whole seconds, if a database can keep it.
pub(super) fn whole_seconds(time: SystemTime) -> Option<SystemTime> {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    i64::try_from(since.as_secs()).ok()?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(since.as_secs()))
}
