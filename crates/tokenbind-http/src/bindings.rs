//! The bindings of a request, as a server hands them to its application.

use std::{fmt, sync::Arc};

use tokenbind_wire::{SignatureAndHashAlgorithm, TokenBindingId};

/// The binding of the client with this server: the `provided_token_binding` of
/// draft-popov-token-binding-00 section 6.2, its signature verified on the request's connection.
///
/// A server hands it to the application as a request extension.
#[derive(Clone, PartialEq, Eq)]
pub struct ProvidedTokenBinding(Arc<TokenBindingId>);

impl ProvidedTokenBinding {
    pub(crate) const fn new(id: Arc<TokenBindingId>) -> Self {
        Self(id)
    }

    /// Returns the Token Binding ID.
    #[must_use]
    pub fn id(&self) -> &TokenBindingId {
        &self.0
    }
}

impl fmt::Debug for ProvidedTokenBinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ProvidedTokenBinding")
            .field(&self.0)
            .finish()
    }
}

/// The binding of the client with another server, the token consumer: the `referred_token_binding`
/// of a request (draft-balfanz-https-token-binding-00 section 3).
///
/// A server hands it to the application as a request extension.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum ReferredTokenBinding {
    /// A binding whose signature was verified on the request's connection.
    Verified(Arc<TokenBindingId>),
    /// A binding of an algorithm that this server does not support (section 3.5).
    Unsupported(SignatureAndHashAlgorithm),
}

/// The bindings of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenBindings {
    provided: ProvidedTokenBinding,
    referred: Option<ReferredTokenBinding>,
}

impl TokenBindings {
    pub(crate) const fn new(
        provided: ProvidedTokenBinding,
        referred: Option<ReferredTokenBinding>,
    ) -> Self {
        Self { provided, referred }
    }

    /// Returns the Provided Token Binding.
    #[must_use]
    pub const fn provided(&self) -> &ProvidedTokenBinding {
        &self.provided
    }

    /// Returns the Referred Token Binding, if the client sent one.
    #[must_use]
    pub const fn referred(&self) -> Option<&ReferredTokenBinding> {
        self.referred.as_ref()
    }
}
