//! The token provider's decision: which token to issue (section 3.5).

use std::sync::Arc;

use tokenbind_wire::{SignatureAndHashAlgorithm, TokenBindingId};

use crate::bindings::ReferredTokenBinding;

/// The token that a token provider issues in answer to a request
/// (draft-balfanz-https-token-binding-00 section 3.5).
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum TokenToIssue {
    /// A token bound to the client's key with the token consumer. Compare by
    /// [`TokenBindingId::key_id`]: the consumer sees the same key under another type.
    BoundTo(Arc<TokenBindingId>),
    /// An unbound token, and the reason: balfanz-3-5-3 forbids both an error and a bound token.
    Unbound(UnboundReason),
}

/// The reason why a token is issued unbound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnboundReason {
    /// The request reveals no binding with a token consumer.
    NotReferred,
    /// The request reveals a binding whose algorithm is not supported here.
    UnsupportedAlgorithm(SignatureAndHashAlgorithm),
}

impl TokenToIssue {
    /// Decides from the request's extension [`ReferredTokenBinding`].
    pub fn from_referred(referred: Option<&ReferredTokenBinding>) -> Self {
        match referred {
            // balfanz-3-2-2
            Some(ReferredTokenBinding::Verified(id)) => Self::BoundTo(id.clone()),
            // balfanz-3-5-3
            Some(ReferredTokenBinding::Unsupported(algorithm)) => {
                Self::Unbound(UnboundReason::UnsupportedAlgorithm(*algorithm))
            }
            None => Self::Unbound(UnboundReason::NotReferred),
        }
    }
}
