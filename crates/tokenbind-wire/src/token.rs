//! Security token validation (draft-popov-token-binding-00 section 7): [`TokenClaim::check`].

use subtle::ConstantTimeEq;

use crate::id::ProvidedIdRef;

/// The binding that a security token names as its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenClaim<'a> {
    /// The token names no binding: a bearer token.
    Bearer,
    /// The literal `TokenBindingID`, type included: the same server issued and checks the token.
    Id(&'a [u8]),
    /// The identifier without its type: the token was issued for a referred binding.
    KeyId(&'a [u8]),
    /// SHA-256 of the identifier without its type: 32 bytes, whatever the key.
    KeyIdSha256(&'a [u8]),
    /// The name of the binding cannot be read. Such a token may have been bound.
    Unreadable,
}

/// The application's policy on tokens that are not bound (section 7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BearerPolicy {
    /// Bearer tokens are discarded.
    #[default]
    Discard,
    /// Bearer tokens are honored on each connection.
    Honor,
}

/// The decision on a security token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum TokenVerdict {
    /// Honor the token: it is bound to the key of this connection.
    HonorBound,
    /// Honor the token though it is not bound, as the policy allows.
    HonorBearer,
    /// Discard the token.
    Discard(DiscardReason),
}

/// The reason why a security token is discarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DiscardReason {
    /// The token is not bound, and the policy does not honor such tokens.
    BearerNotHonored,
    /// The token's binding cannot be read.
    Unreadable,
    /// The token is bound, and the connection has no Token Binding (popov-7-2).
    NoTokenBindingEstablished,
    /// The token is bound to another identifier (popov-7-3).
    Mismatch,
}

impl DiscardReason {
    /// Returns the name of the reason in conformance vectors and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::BearerNotHonored => "bearer-not-honored",
            Self::Unreadable => "unreadable",
            Self::NoTokenBindingEstablished => "no-token-binding-established",
            Self::Mismatch => "mismatch",
        }
    }
}

impl TokenClaim<'_> {
    /// Checks a security token against the connection it came over (section 7). Identifiers are
    /// compared in constant time.
    ///
    /// `connection` is the identifier of the *provided* binding that was established, from
    /// [`VerifiedBinding::id`](crate::VerifiedBinding::id), or from a proxy that is trusted to have
    /// established it; `None` if there is no binding. [`TokenBindingIdRef::provided`] returns it, and returns
    /// `None` for a referred identifier, whose owner may be another client of another server.
    ///
    /// [`TokenBindingIdRef::provided`]: crate::TokenBindingIdRef::provided
    pub fn check(
        self,
        connection: Option<ProvidedIdRef<'_>>,
        bearer_policy: BearerPolicy,
    ) -> TokenVerdict {
        use DiscardReason::{BearerNotHonored, Mismatch, NoTokenBindingEstablished, Unreadable};

        let digest;
        let (claimed, established) = match (self, connection) {
            (Self::Bearer, _) => {
                return match bearer_policy {
                    BearerPolicy::Honor => TokenVerdict::HonorBearer,
                    BearerPolicy::Discard => TokenVerdict::Discard(BearerNotHonored),
                };
            }
            (Self::Unreadable, _) => return TokenVerdict::Discard(Unreadable),
            (_, None) => return TokenVerdict::Discard(NoTokenBindingEstablished),
            (Self::Id(id), Some(connection)) => (id, connection.id().as_bytes()),
            (Self::KeyId(key_id), Some(connection)) => (key_id, connection.id().key_id()),
            (Self::KeyIdSha256(sha256), Some(connection)) => {
                digest = connection.id().key_id_sha256();
                (sha256, digest.as_slice())
            }
        };
        if claimed.ct_eq(established).into() {
            TokenVerdict::HonorBound
        } else {
            TokenVerdict::Discard(Mismatch)
        }
    }
}
