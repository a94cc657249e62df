//! Feature `token-store`: a database that maps security tokens to Token Binding IDs
//! (draft-popov-token-binding-00 section 7). What it holds, the decision, and one in memory.

use std::{
    collections::BTreeMap,
    error::Error,
    fmt,
    future::Future,
    pin::Pin,
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use tokenbind_wire::{
    ProvidedIdRef, TokenBindingIdRef,
    token::{BearerPolicy, DiscardReason, TokenClaim, TokenVerdict},
};
use zeroize::Zeroizing;

use crate::server::TokenToIssue;

/// The longest key of a Token Binding ID that is kept, in bytes. Those of the draft's algorithms have
/// 516 at most.
pub const MAX_KEY_ID_BYTES: usize = 1024;

/// The longest subject, in bytes: that of `sub` in an ID token.
pub const MAX_TOKEN_SUBJECT_BYTES: usize = 255;

/// The most that an application can keep with a token, in bytes: as much as a browser keeps in a
/// cookie. What is larger belongs in a table of its own.
pub const MAX_TOKEN_DATA_BYTES: usize = 4096;

/// How many tokens one call lists, or purges, at most.
pub const TOKENS_PER_BATCH: usize = 1000;

/// A new security token: 256 random bits, base64url without padding, 43 characters.
///
/// This is the only copy: the store keeps its digest. It is erased when dropped and not printed.
pub struct SecurityToken(Zeroizing<String>);

impl SecurityToken {
    /// A token that nobody has seen.
    ///
    /// # Errors
    /// When the random source fails.
    pub fn generate() -> Result<Self, TokenStoreError> {
        let mut random = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *random).map_err(|_| TokenStoreErrorKind::Random)?;
        // Room for all of it, so that no copy is left behind by a reallocation.
        let mut text = Zeroizing::new(String::with_capacity(43));
        URL_SAFE_NO_PAD.encode_string(*random, &mut text);
        Ok(Self(text))
    }

    /// The token, for the client.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What the store knows it by.
    #[must_use]
    pub fn digest(&self) -> TokenDigest {
        TokenDigest::of(self.0.as_bytes())
    }
}

impl fmt::Debug for SecurityToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecurityToken").finish_non_exhaustive()
    }
}

/// SHA-256 of a security token, by which the store knows it. It cannot be used as the token.
///
/// It is no password hash: a token that an application makes itself must be random, of 128 bits or
/// more. Then the time that a search for the digest takes tells nothing of use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenDigest([u8; 32]);

impl TokenDigest {
    /// The digest of a token as the client presents it, byte by byte.
    #[must_use]
    pub fn of(presented: &[u8]) -> Self {
        Self(Sha256::digest(presented).into())
    }

    /// A digest that was kept elsewhere.
    #[must_use]
    pub const fn from_bytes(digest: [u8; 32]) -> Self {
        Self(digest)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// What a token is bound to.
#[derive(Clone, PartialEq, Eq)]
pub enum StoredBinding {
    /// This key: the Token Binding ID without its type, which is the same whether the client showed
    /// the key as its provided or as its referred one.
    KeyId(Box<[u8]>),
    /// Nothing, and that is meant: a bearer token.
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

/// Why a [`TokenRecord`] cannot be made of these values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenRecordError {
    /// The key is empty, or longer than [`MAX_KEY_ID_BYTES`].
    KeyIdLength,
    /// The subject is longer than [`MAX_TOKEN_SUBJECT_BYTES`].
    SubjectTooLong,
    /// The data are longer than [`MAX_TOKEN_DATA_BYTES`].
    DataTooLong,
    /// The time is before 1970, or too far away to be kept.
    Time,
    /// The lifetime is less than a second.
    Lifetime,
}

impl fmt::Display for TokenRecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KeyIdLength => write!(f, "key of no or more than {MAX_KEY_ID_BYTES} bytes"),
            Self::SubjectTooLong => {
                write!(f, "subject of more than {MAX_TOKEN_SUBJECT_BYTES} bytes")
            }
            Self::DataTooLong => write!(f, "data of more than {MAX_TOKEN_DATA_BYTES} bytes"),
            Self::Time => f.write_str("time before 1970 or too far away"),
            Self::Lifetime => f.write_str("lifetime of less than a second"),
        }
    }
}

impl Error for TokenRecordError {}

/// What a store holds of a token.
///
/// Times are kept in whole seconds, what is over is cut off: a token never lives longer than asked.
/// Subject, data and key are not printed.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenRecord {
    pub(crate) binding: StoredBinding,
    pub(crate) subject: Box<[u8]>,
    pub(crate) data: Box<[u8]>,
    pub(crate) issued_at: SystemTime,
    pub(crate) expires_at: SystemTime,
    pub(crate) revoked_at: Option<SystemTime>,
}

impl TokenRecord {
    /// A token that is issued `now` to live for `lifetime`, without data.
    ///
    /// `subject` is whom the application takes the bearer for: what
    /// [`revoke_all`](TokenStore::revoke_all) finds tokens by. It may be empty.
    ///
    /// # Errors
    /// When a value is over its limit.
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

    /// The same, with what else the application keeps with the token.
    ///
    /// # Errors
    /// When `data` is over its limit.
    pub fn with_data(mut self, data: &[u8]) -> Result<Self, TokenRecordError> {
        if data.len() > MAX_TOKEN_DATA_BYTES {
            return Err(TokenRecordError::DataTooLong);
        }
        self.data = data.into();
        Ok(self)
    }

    /// What the token is bound to.
    #[must_use]
    pub const fn binding(&self) -> &StoredBinding {
        &self.binding
    }

    /// Whom the application takes the bearer for.
    #[must_use]
    pub fn subject(&self) -> &[u8] {
        &self.subject
    }

    /// What the application keeps with the token.
    #[must_use]
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// When it was issued.
    #[must_use]
    pub const fn issued_at(&self) -> SystemTime {
        self.issued_at
    }

    /// From when on it is discarded.
    #[must_use]
    pub const fn expires_at(&self) -> SystemTime {
        self.expires_at
    }

    /// When it was revoked, if it was.
    #[must_use]
    pub const fn revoked_at(&self) -> Option<SystemTime> {
        self.revoked_at
    }

    /// Section 7, with expiry and revocation before it.
    ///
    /// `connection` is the identifier of the *provided* binding that was established. A token is not
    /// held against a clock that is behind the one it was issued by: of a fleet's clocks, one is.
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

/// What to do with a token that a client presents.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum StoredTokenVerdict {
    /// Honor it: it is bound to the key of this connection.
    HonorBound(TokenRecord),
    /// Honor it, though it is not bound: the policy says so.
    HonorBearer(TokenRecord),
    /// Discard it.
    Discard(StoredTokenDiscardReason),
}

/// Why a token is discarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoredTokenDiscardReason {
    /// The store does not hold it: forged, mistyped, or purged.
    Unknown,
    /// It was revoked.
    Revoked,
    /// Its time is over.
    Expired,
    /// It is not for this connection.
    Binding(DiscardReason),
    /// The store did not answer. Nothing is known of the token; the client may ask again.
    Store(TokenStoreErrorKind),
}

impl StoredTokenDiscardReason {
    /// The reason's name, for logs.
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

/// What went wrong in a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenStoreErrorKind {
    /// The store holds this token already; it is left as it was.
    Conflict,
    /// A given time is before 1970, or too far away to be kept.
    Time,
    /// The random source failed.
    Random,
    /// The database, or its directory, does not exist.
    Missing,
    /// The database cannot be reached, is busy for too long, or failed. A change may have been made.
    Unavailable,
    /// The database is damaged or empty, or holds something that is no token of this crate's.
    Unreadable,
    /// The database's schema is of a version this crate does not know, or was changed.
    Version,
    /// The database is set up so that what it has confirmed can be lost.
    NotDurable,
    /// The database's files belong to another user, or are open to other users.
    Exposed,
    /// The database's server is elsewhere, and the connection would not verify who it is.
    UnverifiedServer,
}

impl TokenStoreErrorKind {
    /// The kind's name, for logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Conflict => "conflict",
            Self::Time => "time",
            Self::Random => "random",
            Self::Missing => "missing",
            Self::Unavailable => "unavailable",
            Self::Unreadable => "unreadable",
            Self::Version => "version",
            Self::NotDurable => "not-durable",
            Self::Exposed => "exposed",
            Self::UnverifiedServer => "unverified-server",
        }
    }
}

/// A store's error: its kind, the file or server, and what the database said as its source.
#[derive(Debug)]
pub struct TokenStoreError {
    kind: TokenStoreErrorKind,
    place: Option<Box<str>>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl TokenStoreError {
    /// An error of a store.
    #[must_use]
    pub fn new(kind: TokenStoreErrorKind, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            source: Some(source.into()),
            ..kind.into()
        }
    }

    /// Returns the kind of the error.
    #[must_use]
    pub const fn kind(&self) -> TokenStoreErrorKind {
        self.kind
    }

    /// Returns the path of the database, quoted, or its server as `HOST:PORT/DATABASE`.
    #[must_use]
    pub fn place(&self) -> Option<&str> {
        self.place.as_deref()
    }
}

impl From<TokenStoreErrorKind> for TokenStoreError {
    fn from(kind: TokenStoreErrorKind) -> Self {
        Self {
            kind,
            place: None,
            source: None,
        }
    }
}

#[cfg(any(feature = "sqlx-postgres", feature = "sqlx-sqlite"))]
impl TokenStoreError {
    pub(crate) fn of_database(error: durable_store::Error) -> Self {
        use durable_store::ErrorKind;
        let kind = match error.kind() {
            ErrorKind::Missing => TokenStoreErrorKind::Missing,
            ErrorKind::Damaged | ErrorKind::Unreadable => TokenStoreErrorKind::Unreadable,
            ErrorKind::Version => TokenStoreErrorKind::Version,
            ErrorKind::NotDurable | ErrorKind::Linked => TokenStoreErrorKind::NotDurable,
            ErrorKind::Exposed => TokenStoreErrorKind::Exposed,
            ErrorKind::UnverifiedServer => TokenStoreErrorKind::UnverifiedServer,
            _ => TokenStoreErrorKind::Unavailable,
        };
        let place = error.place().map(String::into_boxed_str);
        // Of kinds that became one, the source says which it was.
        let source = match error.kind() {
            ErrorKind::Locked | ErrorKind::Linked | ErrorKind::NotRegular => {
                Some(Box::new(error).into())
            }
            _ => error.into_source(),
        };
        Self {
            kind,
            place,
            source,
        }
    }
}

impl fmt::Display for TokenStoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            TokenStoreErrorKind::Conflict => "the token is in the store already",
            TokenStoreErrorKind::Time => "time before 1970 or too far away",
            TokenStoreErrorKind::Random => "the random source failed",
            TokenStoreErrorKind::Missing => "the token database does not exist",
            TokenStoreErrorKind::Unavailable => "the token database did not answer",
            TokenStoreErrorKind::Unreadable => "the token database holds what cannot be read",
            TokenStoreErrorKind::Version => "the token database is of an unknown version",
            TokenStoreErrorKind::NotDurable => {
                "the token database is set up to lose what it confirmed"
            }
            TokenStoreErrorKind::Exposed => "the token database is open to other users",
            TokenStoreErrorKind::UnverifiedServer => {
                "the token database is elsewhere and would not be verified"
            }
        })?;
        match &self.place {
            Some(place) => write!(f, ": {place}"),
            None => Ok(()),
        }
    }
}

impl Error for TokenStoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self.source.as_deref()?)
    }
}

/// Which tokens: those that have this in common.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum TokensOf<'a> {
    /// The key they are bound to: [`TokenBindingIdRef::key_id`]. The user has reset it.
    KeyId(&'a [u8]),
    /// The subject. The account was taken over, or closed.
    Subject(&'a [u8]),
}

impl TokensOf<'_> {
    fn include(self, record: &TokenRecord) -> bool {
        match (self, &record.binding) {
            (Self::Subject(subject), _) => *record.subject == *subject,
            (Self::KeyId(key_id), StoredBinding::KeyId(of)) => **of == *key_id,
            (Self::KeyId(_), StoredBinding::Unbound) => false,
        }
    }
}

impl fmt::Debug for TokensOf<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::KeyId(_) => "KeyId(..)",
            Self::Subject(_) => "Subject(..)",
        })
    }
}

/// How many tokens a store holds. Each is counted once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TokenCounts {
    /// Neither expired nor revoked.
    pub live: u64,
    /// Revoked and not yet expired.
    pub revoked: u64,
    /// Expired, and not yet purged.
    pub expired: u64,
}

/// The answer of a store. Dropping it unanswered is safe: what was asked is done or not done.
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A database that maps security tokens to Token Binding IDs (draft-popov-token-binding-00
/// section 7).
///
/// What a call has confirmed holds for all later calls, of all who share the database. The clock is
/// the caller's. The trait has boxed futures so that `Arc<dyn TokenStore>` is one, whichever store
/// the configuration names; beside a database's answer the allocation is nothing.
pub trait TokenStore: Send + Sync {
    /// Adds a token that the application made itself, e.g. an OAuth token; see [`TokenDigest`].
    ///
    /// # Errors
    /// [`Conflict`](TokenStoreErrorKind::Conflict) when the store holds it, and when it may not have
    /// been kept.
    fn insert<'a>(
        &'a self,
        digest: TokenDigest,
        record: &'a TokenRecord,
    ) -> StoreFuture<'a, Result<(), TokenStoreError>>;

    /// What the store holds of a token, expired and revoked ones too. It is no permission to honor
    /// the token: [`check`](Self::check) is.
    ///
    /// # Errors
    /// When the store cannot tell.
    fn look_up(
        &self,
        digest: TokenDigest,
    ) -> StoreFuture<'_, Result<Option<TokenRecord>, TokenStoreError>>;

    /// Revokes one token. False: there is none, or it was revoked before, at a time that stands.
    ///
    /// # Errors
    /// When it may not have been revoked.
    fn revoke(
        &self,
        digest: TokenDigest,
        now: SystemTime,
    ) -> StoreFuture<'_, Result<bool, TokenStoreError>>;

    /// Revokes all tokens of a key or of a subject that the store holds, all or none, and says how
    /// many of them were not revoked before.
    ///
    /// # Errors
    /// When they may not have been revoked.
    fn revoke_all<'a>(
        &'a self,
        of: TokensOf<'a>,
        now: SystemTime,
    ) -> StoreFuture<'a, Result<u64, TokenStoreError>>;

    /// Tokens of a key or of a subject, by digest: the first [`TOKENS_PER_BATCH`] after `after`.
    /// If there are fewer, they were the last.
    ///
    /// # Errors
    /// When the store cannot tell.
    fn list<'a>(
        &'a self,
        of: TokensOf<'a>,
        after: Option<TokenDigest>,
    ) -> StoreFuture<'a, Result<Vec<(TokenDigest, TokenRecord)>, TokenStoreError>>;

    /// Forgets tokens that had expired at `expired_by`, at most [`TOKENS_PER_BATCH`], and says how
    /// many: call again if it was as many. An earlier `expired_by` than now keeps them for an audit.
    ///
    /// # Errors
    /// When some may be left.
    fn purge(&self, expired_by: SystemTime) -> StoreFuture<'_, Result<u64, TokenStoreError>>;

    /// How many tokens there are. A database looks at each.
    ///
    /// # Errors
    /// When the store cannot tell.
    fn count(&self, now: SystemTime) -> StoreFuture<'_, Result<TokenCounts, TokenStoreError>>;

    /// Makes a token and adds it. When this returns it, it is kept.
    ///
    /// # Errors
    /// When it may not have been kept; nobody has seen it then.
    fn issue<'a>(
        &'a self,
        record: &'a TokenRecord,
    ) -> StoreFuture<'a, Result<SecurityToken, TokenStoreError>> {
        Box::pin(async move {
            let token = SecurityToken::generate()?;
            self.insert(token.digest(), record).await?;
            Ok(token)
        })
    }

    /// Checks a token as the client presents it, byte by byte: [`TokenRecord::check`]. A store that
    /// does not answer honors nothing.
    fn check<'a>(
        &'a self,
        presented: &'a [u8],
        connection: Option<ProvidedIdRef<'a>>,
        bearer_policy: BearerPolicy,
        now: SystemTime,
    ) -> StoreFuture<'a, StoredTokenVerdict> {
        let digest = TokenDigest::of(presented);
        Box::pin(async move {
            StoredTokenVerdict::Discard(match self.look_up(digest).await {
                Ok(Some(record)) => return record.check(connection, bearer_policy, now),
                Ok(None) => StoredTokenDiscardReason::Unknown,
                Err(error) if error.kind == TokenStoreErrorKind::Unreadable => {
                    StoredTokenDiscardReason::Binding(DiscardReason::Unreadable)
                }
                Err(error) => StoredTokenDiscardReason::Store(error.kind),
            })
        })
    }
}

/// Tokens in memory: gone with the process, and not shared with another. For tests, and for
/// servers that may forget; [`list`](TokenStore::list) and [`revoke_all`](TokenStore::revoke_all)
/// look at each token.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use tokenbind_http::{
///     MemoryTokenStore, StoredBinding, StoredTokenDiscardReason, StoredTokenVerdict, TokenRecord,
///     TokenStore,
/// };
/// use tokenbind_wire::token::BearerPolicy;
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (store, now) = (MemoryTokenStore::new(), SystemTime::now());
/// let hour = Duration::from_secs(3600);
/// let record = TokenRecord::try_new(StoredBinding::Unbound, b"alice", now, hour)?;
/// let token = store.issue(&record).await?;
/// let check = |now| store.check(token.as_str().as_bytes(), None, BearerPolicy::Honor, now);
/// assert_eq!(check(now).await, StoredTokenVerdict::HonorBearer(record));
/// assert_eq!(
///     check(now + hour).await,
///     StoredTokenVerdict::Discard(StoredTokenDiscardReason::Expired)
/// );
/// # Ok(())
/// # }
/// ```
#[derive(Default)]
pub struct MemoryTokenStore {
    tokens: Mutex<BTreeMap<TokenDigest, TokenRecord>>,
}

impl MemoryTokenStore {
    /// A store without tokens.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Does this when it is awaited.
    fn with<'a, T>(
        &'a self,
        what: impl FnOnce(&mut BTreeMap<TokenDigest, TokenRecord>) -> T + Send + 'a,
    ) -> StoreFuture<'a, T> {
        Box::pin(
            async move { what(&mut self.tokens.lock().unwrap_or_else(PoisonError::into_inner)) },
        )
    }
}

impl TokenStore for MemoryTokenStore {
    fn insert<'a>(
        &'a self,
        digest: TokenDigest,
        record: &'a TokenRecord,
    ) -> StoreFuture<'a, Result<(), TokenStoreError>> {
        use std::collections::btree_map::Entry;
        self.with(move |tokens| match tokens.entry(digest) {
            Entry::Occupied(_) => Err(TokenStoreErrorKind::Conflict.into()),
            Entry::Vacant(free) => {
                free.insert(record.clone());
                Ok(())
            }
        })
    }

    fn look_up(
        &self,
        digest: TokenDigest,
    ) -> StoreFuture<'_, Result<Option<TokenRecord>, TokenStoreError>> {
        self.with(move |tokens| Ok(tokens.get(&digest).cloned()))
    }

    fn revoke(
        &self,
        digest: TokenDigest,
        now: SystemTime,
    ) -> StoreFuture<'_, Result<bool, TokenStoreError>> {
        self.with(move |tokens| {
            let now = whole_seconds(now).ok_or(TokenStoreErrorKind::Time)?;
            Ok(tokens
                .get_mut(&digest)
                .is_some_and(|record| revoke(record, now)))
        })
    }

    fn revoke_all<'a>(
        &'a self,
        of: TokensOf<'a>,
        now: SystemTime,
    ) -> StoreFuture<'a, Result<u64, TokenStoreError>> {
        self.with(move |tokens| {
            let now = whole_seconds(now).ok_or(TokenStoreErrorKind::Time)?;
            Ok(count(tokens.values_mut().filter_map(|record| {
                (of.include(record) && revoke(record, now)).then_some(())
            })))
        })
    }

    fn list<'a>(
        &'a self,
        of: TokensOf<'a>,
        after: Option<TokenDigest>,
    ) -> StoreFuture<'a, Result<Vec<(TokenDigest, TokenRecord)>, TokenStoreError>> {
        self.with(move |tokens| {
            Ok(tokens
                .iter()
                .filter(|(digest, _)| after.is_none_or(|after| **digest > after))
                .filter(|(_, record)| of.include(record))
                .take(TOKENS_PER_BATCH)
                .map(|(digest, record)| (*digest, record.clone()))
                .collect())
        })
    }

    fn purge(&self, expired_by: SystemTime) -> StoreFuture<'_, Result<u64, TokenStoreError>> {
        self.with(move |tokens| {
            let expired_by = whole_seconds(expired_by).ok_or(TokenStoreErrorKind::Time)?;
            let expired: Vec<_> = tokens
                .iter()
                .filter(|(_, record)| record.expires_at <= expired_by)
                .map(|(digest, _)| *digest)
                .take(TOKENS_PER_BATCH)
                .collect();
            Ok(count(
                expired.iter().filter_map(|digest| tokens.remove(digest)),
            ))
        })
    }

    fn count(&self, now: SystemTime) -> StoreFuture<'_, Result<TokenCounts, TokenStoreError>> {
        self.with(move |tokens| {
            let now = whole_seconds(now).ok_or(TokenStoreErrorKind::Time)?;
            let expired = |record: &&TokenRecord| record.expires_at <= now;
            let revoked = |record: &&TokenRecord| record.revoked_at.is_some();
            let unexpired = || tokens.values().filter(|record| !expired(record));
            Ok(TokenCounts {
                live: count(unexpired().filter(|record| !revoked(record))),
                revoked: count(unexpired().filter(revoked)),
                expired: count(tokens.values().filter(expired)),
            })
        })
    }
}

impl fmt::Debug for MemoryTokenStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryTokenStore").finish_non_exhaustive()
    }
}

fn revoke(record: &mut TokenRecord, now: SystemTime) -> bool {
    let first = record.revoked_at.is_none();
    record.revoked_at.get_or_insert(now);
    first
}

fn count(items: impl Iterator) -> u64 {
    u64::try_from(items.count()).unwrap_or(u64::MAX)
}

/// Seconds since 1970 as a database keeps them.
pub(crate) fn to_seconds(time: SystemTime) -> Option<i64> {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    i64::try_from(since.as_secs()).ok()
}

/// The time that a database has kept.
pub(crate) fn from_seconds(seconds: i64) -> Option<SystemTime> {
    let since = Duration::from_secs(u64::try_from(seconds).ok()?);
    SystemTime::UNIX_EPOCH.checked_add(since)
}

fn whole_seconds(time: SystemTime) -> Option<SystemTime> {
    to_seconds(time).and_then(from_seconds)
}
