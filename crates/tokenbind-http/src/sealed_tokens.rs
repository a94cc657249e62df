//! Feature `sealed-tokens`: stateless security tokens, and cookies, that are bound to a client's key
//! (draft-popov-token-binding-00 section 7).

mod cookie;
mod format;
mod keys;
mod refusal;

use std::{
    fmt,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use hmac::Mac;
use tokenbind_wire::{
    ProvidedIdRef, TokenBindingIdRef,
    token::{BearerPolicy, TokenClaim, TokenVerdict},
};

use crate::{bindings::ProvidedTokenBinding, federation::TokenToIssue};

pub use cookie::{BoundCookie, CookieAttributes, CookieError, MAX_COOKIE_BYTES, SameSite};
pub use format::{MAX_EXPIRES_SECS, MAX_PAYLOAD_BYTES, MAX_SEALED_BYTES};
pub use keys::{MAX_TOKEN_KEY_BYTES, MIN_TOKEN_KEY_BYTES, TokenKeyError, TokenKeyId, TokenKeys};
pub use refusal::{TokenRefusal, TokenRefusalKind};

/// The label that separates the MACs of these tokens from all other uses of the same secret.
const LABEL: &str = "tokenbind-http sealed token";

/// The key that a new token is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IssueTo<'a> {
    /// The key of this Token Binding ID. The type of the binding does not matter: a token that a provider binds
    /// to a referred binding is accepted by the consumer, where the same key is provided.
    Key(TokenBindingIdRef<'a>),
    /// No key: a bearer token, which is accepted only with [`BearerPolicy::Honor`].
    Bearer,
}

impl<'a> From<TokenBindingIdRef<'a>> for IssueTo<'a> {
    fn from(id: TokenBindingIdRef<'a>) -> Self {
        Self::Key(id)
    }
}

impl<'a> From<&'a ProvidedTokenBinding> for IssueTo<'a> {
    fn from(binding: &'a ProvidedTokenBinding) -> Self {
        Self::Key(binding.id().view())
    }
}

impl<'a> From<&'a TokenToIssue> for IssueTo<'a> {
    fn from(token: &'a TokenToIssue) -> Self {
        match token {
            TokenToIssue::BoundTo(id) => Self::Key(id.view()),
            // balfanz-3-5-3
            TokenToIssue::Unbound(_) => Self::Bearer,
        }
    }
}

/// The reason why a token cannot be sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SealError {
    /// The payload is longer than [`MAX_PAYLOAD_BYTES`].
    PayloadTooLong {
        /// The length in bytes.
        actual: usize,
    },
    /// The expiry is before 1970 or after [`MAX_EXPIRES_SECS`].
    Expires,
}

impl fmt::Display for SealError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PayloadTooLong { actual } => write!(
                f,
                "the payload has {actual} bytes, the limit is {MAX_PAYLOAD_BYTES}"
            ),
            Self::Expires => f.write_str("the expiry is not between the years 1970 and 9999"),
        }
    }
}

impl std::error::Error for SealError {}

/// An error: the purpose of tokens is empty or longer than 255 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PurposeError;

impl fmt::Display for PurposeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the purpose of tokens is empty or longer than 255 bytes")
    }
}

impl std::error::Error for PurposeError {}

/// The decision about a sealed token.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum SealedTokenVerdict {
    /// Honor the token: it is bound to the key of this connection.
    HonorBound(OpenedToken),
    /// Honor the token, which is not bound, because the policy allows bearer tokens.
    HonorBearer(OpenedToken),
    /// Discard the token.
    Discard(TokenRefusal),
}

/// The content of a token that is honored.
#[derive(Clone, PartialEq, Eq)]
pub struct OpenedToken {
    payload: Vec<u8>,
    expires: SystemTime,
    key: TokenKeyId,
}

impl OpenedToken {
    /// Returns the application's bytes.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// Returns the application's bytes, owned.
    #[must_use]
    pub fn into_payload(self) -> Vec<u8> {
        self.payload
    }

    /// Returns the time from which on the token is refused.
    #[must_use]
    pub const fn expires(&self) -> SystemTime {
        self.expires
    }

    /// Returns the id of the key that sealed the token. If it is not [`TokenKeys::current`], issue the token
    /// again before the key is retired.
    #[must_use]
    pub const fn key(&self) -> TokenKeyId {
        self.key
    }
}

impl fmt::Debug for OpenedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenedToken")
            .field("expires", &self.expires)
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

/// Seals and opens the tokens of one purpose: `HMAC-SHA-256` over the purpose, the identifier of
/// the client's key, the expiry and the payload, each with its length; base64url, so that a token fits
/// in a cookie, a header or a URL.
///
/// A token proves that this server, or one that shares its keys, issued it to the client on the
/// connection. The payload is not encrypted: the client can read it. A token is valid until it expires. To
/// revoke single tokens, keep a list of them, or use the feature `token-store`.
///
/// Tokens of one purpose are refused for another, so give each use its own purpose.
///
/// ```
/// use std::{sync::Arc, time::{Duration, SystemTime}};
/// use tokenbind_http::sealed_tokens::{BoundTokens, SealedTokenVerdict, TokenKeyId, TokenKeys};
/// use tokenbind_wire::{PointEncoding, TokenBindingId};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let secret = [7; 32];
/// # let id = hex::decode("0004030017410460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb67903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299")?;
/// # let thief = hex::decode("000403001741046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c2964fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5")?;
/// # let client = TokenBindingId::from_bytes(&id, PointEncoding::X962)?;
/// # let thief = TokenBindingId::from_bytes(&thief, PointEncoding::X962)?;
/// // Once: a secret of 32 random bytes, the same on all servers.
/// let keys = Arc::new(TokenKeys::try_new(TokenKeyId(1), &secret)?);
/// let sessions = BoundTokens::try_new(keys, "session")?;
///
/// // On a request: `client` is what was established on its connection.
/// let now = SystemTime::now();
/// let token = sessions.seal(client.view(), b"user 17", now + Duration::from_secs(3600))?;
///
/// // On a later request.
/// match sessions.open(token.as_bytes(), client.provided(), now) {
///     SealedTokenVerdict::HonorBound(token) => assert_eq!(token.payload(), b"user 17"),
///     other => panic!("{other:?}"),
/// }
/// // Stolen.
/// match sessions.open(token.as_bytes(), thief.provided(), now) {
///     SealedTokenVerdict::Discard(why) => assert_eq!(why.kind().name(), "mismatch"),
///     other => panic!("{other:?}"),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct BoundTokens {
    keys: Arc<TokenKeys>,
    purpose: Arc<str>,
    /// The input of the MAC before the token: label, purpose, cookie name, each with its length.
    context: Arc<[u8]>,
    bearer_policy: BearerPolicy,
}

impl BoundTokens {
    /// Creates tokens of this purpose, e.g. `"session"`. Bearer tokens are discarded.
    ///
    /// # Errors
    /// [`PurposeError`] if the purpose is empty or longer than 255 bytes.
    pub fn try_new(keys: Arc<TokenKeys>, purpose: &str) -> Result<Self, PurposeError> {
        if purpose.is_empty() {
            return Err(PurposeError);
        }
        let context = context(purpose, "").ok_or(PurposeError)?;
        Ok(Self {
            keys,
            purpose: purpose.into(),
            context,
            bearer_policy: BearerPolicy::Discard,
        })
    }

    /// Sets another policy for bearer tokens.
    #[must_use]
    pub const fn bearer_policy(mut self, policy: BearerPolicy) -> Self {
        self.bearer_policy = policy;
        self
    }

    /// Returns the keys.
    #[must_use]
    pub fn keys(&self) -> &TokenKeys {
        &self.keys
    }

    /// Returns the tokens of a cookie, which are refused in another cookie and outside of cookies; `None` if the
    /// name is longer than 255 bytes.
    pub(crate) fn of_cookie(&self, name: &str) -> Option<Self> {
        Some(Self {
            context: context(&self.purpose, name)?,
            ..self.clone()
        })
    }

    /// Seals a token for `to` under the current key. Returns at most [`MAX_SEALED_BYTES`] characters of
    /// base64url. The token is refused from `expires` on, whose fraction of a second is dropped.
    ///
    /// # Errors
    /// [`SealError::PayloadTooLong`] if the payload is longer than [`MAX_PAYLOAD_BYTES`];
    /// [`SealError::Expires`] if the expiry is not between 1970 and [`MAX_EXPIRES_SECS`].
    pub fn seal<'a>(
        &self,
        to: impl Into<IssueTo<'a>>,
        payload: &[u8],
        expires: SystemTime,
    ) -> Result<String, SealError> {
        let expires_secs = unix_secs(expires).ok_or(SealError::Expires)?;
        let (key, mac) = self.keys.sealing();
        let key_id_sha256 = match to.into() {
            IssueTo::Key(id) => Some(id.key_id_sha256()),
            IssueTo::Bearer => None,
        };
        let mut octets = format::signed_octets(key, key_id_sha256.as_ref(), expires_secs, payload)?;
        let mac = mac.chain_update(&self.context).chain_update(&octets);
        octets.extend_from_slice(&mac.finalize().into_bytes());
        Ok(format::encode(&octets))
    }

    /// Checks a token against the connection it came over (section 7).
    ///
    /// `connection` is the identifier of the *provided* binding that was established, e.g. that of
    /// [`ProvidedTokenBinding`]. The MAC is compared first; before that, only the version and the id of the
    /// key are read. MAC and identifier are compared in constant time.
    pub fn open(
        &self,
        sealed: &[u8],
        connection: Option<ProvidedIdRef<'_>>,
        now: SystemTime,
    ) -> SealedTokenVerdict {
        match self.check(sealed, connection, now) {
            Ok(verdict) => verdict,
            Err(refusal) => SealedTokenVerdict::Discard(refusal),
        }
    }

    fn check(
        &self,
        sealed: &[u8],
        connection: Option<ProvidedIdRef<'_>>,
        now: SystemTime,
    ) -> Result<SealedTokenVerdict, TokenRefusal> {
        let octets = format::decode(sealed)?;
        let envelope = format::envelope(&octets)?;
        let mac = self.keys.opening(envelope.key);
        let mac = mac.ok_or_else(|| envelope.refuse_key())?;
        mac.chain_update(&self.context)
            .chain_update(envelope.signed)
            .verify_slice(envelope.mac)
            .map_err(|_| envelope.refuse_mac())?;

        let body = format::body(&envelope)?;
        // With a clock that is wrong by decades, expiry cannot be decided.
        let now_secs = unix_secs(now);
        let now_secs = now_secs.ok_or_else(|| body.refuse_expires(TokenRefusalKind::Clock))?;
        if now_secs >= body.expires_secs {
            return Err(body.refuse_expires(TokenRefusalKind::Expired));
        }
        let claim = match body.key_id_sha256 {
            Some(sha256) => TokenClaim::KeyIdSha256(sha256),
            None => TokenClaim::Bearer,
        };
        let opened = || OpenedToken {
            payload: body.payload.to_vec(),
            expires: body.expires,
            key: envelope.key,
        };
        // popov-7-1, popov-7-2, popov-7-3
        match claim.check(connection, self.bearer_policy) {
            TokenVerdict::HonorBound => Ok(SealedTokenVerdict::HonorBound(opened())),
            TokenVerdict::HonorBearer => Ok(SealedTokenVerdict::HonorBearer(opened())),
            TokenVerdict::Discard(reason) => Err(body.refuse_binding(reason)),
        }
    }
}

impl fmt::Debug for BoundTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoundTokens")
            .field("keys", &self.keys)
            .field("purpose", &self.purpose)
            .field("bearer_policy", &self.bearer_policy)
            .finish_non_exhaustive()
    }
}

/// Returns the input of the MAC before the token; `None` if a part is longer than 255 bytes.
fn context(purpose: &str, cookie: &str) -> Option<Arc<[u8]>> {
    let mut context = Vec::new();
    for part in [LABEL, purpose, cookie] {
        context.push(u8::try_from(part.len()).ok()?);
        context.extend_from_slice(part.as_bytes());
    }
    Some(context.into())
}

/// Returns whole seconds since 1970, if the time is in the range of `SealedToken.expires`.
fn unix_secs(time: SystemTime) -> Option<u64> {
    let secs = time.duration_since(UNIX_EPOCH).ok()?.as_secs();
    (secs <= MAX_EXPIRES_SECS).then_some(secs)
}
