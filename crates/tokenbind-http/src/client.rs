//! The client's side of draft-balfanz-https-token-binding-00: one key an origin, one header a
//! connection, referred bindings only where permitted. Without I/O.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use tokenbind_wire::{
    EncodeError, EncodingProfile, KeyParameters, MessageError, Session, TokenBindingId,
    TokenBindingType, message,
};

use crate::{
    federation::{
        Disclosure, Party, Permission, Referral, WithheldReason, redirect_permission,
        script_permission,
    },
    header::encode_header,
    key_store::{Key, KeyStore, KeyStoreError, Reset},
    origin::{Origin, Scope, ScopeRule},
};

/// How a client encodes, and for which origins it uses one key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClientOptions {
    /// The encodings the servers expect.
    pub profile: EncodingProfile,
    /// For which origins one key is used.
    pub scope: ScopeRule,
}

/// Cookies, as far as they go together with keys.
pub trait ClearCookies {
    /// Removes the cookies of these origins; of all hosts of the domain where
    /// `ScopeRule::RegistrableDomain` lets them share a key.
    ///
    /// # Errors
    /// When some may be left.
    fn clear(&self, which: &Reset) -> Result<(), KeyStoreError>;
}

/// Why there is no header to send.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientError {
    /// The key store failed.
    KeyStore(KeyStoreError),
    /// The key store returned a key of other parameters than asked for.
    KeyParameters,
    /// The key store returned one key for two origins (balfanz-4-2-3).
    SharedKey,
    /// The keys were reset while the connection was open: open another.
    KeysReset,
    /// The public key cannot stand in a message.
    Encode(EncodeError),
    /// The message cannot be built or signed.
    Message(MessageError),
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KeyStore(error) => error.fmt(f),
            Self::KeyParameters => f.write_str("the key store returned a key of other parameters"),
            Self::SharedKey => f.write_str("the key store returned one key for two origins"),
            Self::KeysReset => f.write_str("the keys were reset while the connection was open"),
            Self::Encode(error) => error.fmt(f),
            Self::Message(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ClientError {}

impl From<KeyStoreError> for ClientError {
    fn from(error: KeyStoreError) -> Self {
        Self::KeyStore(error)
    }
}

/// What a client knows besides its connections: keys, which scope each belongs to, and what was
/// negotiated with each origin last.
pub struct ClientState {
    keys: Box<dyn KeyStore>,
    options: ClientOptions,
    generation: AtomicU64,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// From the SHA-256 of a key to the scope it is of.
    owners: HashMap<[u8; 32], Scope>,
    negotiated: HashMap<Origin, KeyParameters>,
}

impl ClientState {
    /// A client with these keys.
    #[must_use]
    pub fn new(keys: impl KeyStore + 'static, options: ClientOptions) -> Self {
        Self {
            keys: Box::new(keys),
            options,
            generation: AtomicU64::new(0),
            known: Mutex::default(),
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// A new connection with `origin`, on which `session` was negotiated.
    #[must_use]
    pub fn connection(&self, origin: Origin, session: Option<Session>) -> ClientBinding {
        let mut known = self.known();
        match &session {
            Some(session) => {
                let parameters = session.negotiated.key_parameters();
                known.negotiated.insert(origin.clone(), parameters);
            }
            None => {
                known.negotiated.remove(&origin);
            }
        }
        ClientBinding {
            origin,
            session,
            generation: self.generation(),
            header: OnceLock::new(),
            writing: Mutex::new(()),
            #[cfg(feature = "hyper")]
            header_value: OnceLock::new(),
        }
    }

    /// An origin and what was negotiated on the latest connection with it: the page that makes a
    /// request across origins (section 3.4) has no connection of its own.
    #[must_use]
    pub fn party(&self, origin: &Origin) -> Party {
        Party {
            origin: origin.clone(),
            negotiated: self.known().negotiated.get(origin).copied(),
        }
    }

    /// Section 3.4: the permission that a page of `consumer` gives with the request option
    /// `with_referer_token_binding_id`.
    ///
    /// # Errors
    /// Why it gives none.
    pub fn script_permission(
        &self,
        with_referer_token_binding_id: bool,
        consumer: &Origin,
    ) -> Result<Permission, WithheldReason> {
        // First, so that a reset in between outdates the permission.
        let generation = self.generation();
        let permission = script_permission(with_referer_token_binding_id, &self.party(consumer))?;
        Ok(permission.of_generation(generation))
    }

    /// Section 4.2: resets keys and cookies together. Connections opened before are of no use
    /// afterwards: [`ClientBinding::header`] refuses them.
    ///
    /// TLS sessions are not reset: a server that resumes one knows the client again. Go on with a new
    /// configuration, or one with a new `ClientConfig::resumption`.
    ///
    /// # Errors
    /// When one of the two stores failed. The other was reset all the same; try again.
    pub fn reset(&self, which: &Reset, cookies: &dyn ClearCookies) -> Result<(), KeyStoreError> {
        let rule = self.options.scope;
        let scope = match which {
            Reset::All => None,
            Reset::Origin(origin) => Some(rule.scope(origin)),
        };
        let is_kept = |of: &Scope| scope.as_ref().is_some_and(|scope| scope != of);
        let mut known = self.known();
        self.generation.fetch_add(1, Ordering::AcqRel);
        known.owners.retain(|_, owner| is_kept(owner));
        known.negotiated.retain(|of, _| is_kept(&rule.scope(of)));
        let keys = self.keys.reset(scope.as_ref());
        cookies.clear(which).and(keys)
    }

    fn share_a_key(&self, one: &Origin, other: &Origin) -> bool {
        let rule = self.options.scope;
        rule.scope(one) == rule.scope(other)
    }

    /// The key for an origin, and proof that it is no other's.
    fn key(&self, origin: &Origin, parameters: KeyParameters) -> Result<Key, ClientError> {
        let scope = self.options.scope.scope(origin);
        let key = self.keys.key(&scope, parameters)?;
        let public_key = key.public_key();
        if public_key.parameters() != parameters {
            return Err(ClientError::KeyParameters);
        }
        let point = self.options.profile.point;
        let id = TokenBindingId::try_new(TokenBindingType::PROVIDED, public_key, point)
            .map_err(ClientError::Encode)?;
        let mut known = self.known();
        // balfanz-4-2-3
        let owner = known.owners.entry(id.key_id_sha256());
        if *owner.or_insert_with(|| scope.clone()) != scope {
            return Err(ClientError::SharedKey);
        }
        Ok(key)
    }
}

impl fmt::Debug for ClientState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientState")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// One connection of a client.
pub struct ClientBinding {
    origin: Origin,
    session: Option<Session>,
    generation: u64,
    /// Without a referred binding. Read without waiting for whoever writes it.
    header: OnceLock<Arc<str>>,
    writing: Mutex<()>,
    /// The first header as `http` has it: most often the one that repeats.
    #[cfg(feature = "hyper")]
    pub(crate) header_value: OnceLock<http::HeaderValue>,
}

/// The header of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestHeader {
    /// The value of `Token-Binding`; `None` where Token Binding was not negotiated: send none.
    pub value: Option<Arc<str>>,
    /// What became of the permission to reveal a binding, if there was one.
    pub disclosure: Option<Disclosure>,
}

impl ClientBinding {
    /// The origin, and what was negotiated.
    #[must_use]
    pub fn party(&self) -> Party {
        Party {
            origin: self.origin.clone(),
            negotiated: self
                .session
                .map(|session| session.negotiated.key_parameters()),
        }
    }

    /// The origin.
    #[must_use]
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// What was negotiated, and on which connection.
    #[must_use]
    pub const fn session(&self) -> Option<&Session> {
        self.session.as_ref()
    }

    /// Whether the keys are still those of when the connection was opened. If not, close it.
    #[must_use]
    pub fn is_current(&self, state: &ClientState) -> bool {
        self.generation == state.generation()
    }

    /// Section 3.3: the permission that a response on this connection gives, of whose
    /// `Include-Referer-Token-Binding-ID` headers `values` are all.
    ///
    /// # Errors
    /// Why it gives none.
    pub fn redirect_permission<'v>(
        &self,
        status: u16,
        values: impl IntoIterator<Item = &'v [u8]>,
    ) -> Result<Permission, WithheldReason> {
        let permission = redirect_permission(status, values, &self.party())?;
        Ok(permission.of_generation(self.generation))
    }

    /// The header without a referred binding, if it was written already: it costs nothing.
    #[must_use]
    pub fn written_header(&self) -> Option<Arc<str>> {
        self.header.get().cloned()
    }

    /// The header of the next request. Without a referred binding it is written once and reused.
    ///
    /// May make a key, read it from a file, and sign: some milliseconds, for a new RSA key up to
    /// seconds.
    ///
    /// # Errors
    /// When there must be a header and there is none: do not send the request.
    pub fn header(
        &self,
        state: &ClientState,
        permission: Option<Permission>,
    ) -> Result<RequestHeader, ClientError> {
        let current = state.generation();
        if self.generation != current {
            return Err(ClientError::KeysReset);
        }
        let disclosure = permission.map(|permission| {
            if permission.generation != current {
                return Disclosure::Withhold(WithheldReason::KeysReset);
            }
            match permission.disclose(&self.party()) {
                Disclosure::Reveal(referral)
                    if state.share_a_key(referral.consumer(), &self.origin) =>
                {
                    Disclosure::Withhold(WithheldReason::SameOrigin)
                }
                disclosure => disclosure,
            }
        });
        let Some(session) = &self.session else {
            // popov-4-9
            let value = None;
            return Ok(RequestHeader { value, disclosure });
        };
        if let Some(Disclosure::Reveal(referral)) = &disclosure {
            let value = Some(self.write(state, session, Some(referral))?);
            return Ok(RequestHeader { value, disclosure });
        }
        let value = Some(self.plain(state, session)?);
        Ok(RequestHeader { value, disclosure })
    }

    /// The header without a referred binding.
    fn plain(&self, state: &ClientState, session: &Session) -> Result<Arc<str>, ClientError> {
        if let Some(value) = self.header.get() {
            return Ok(value.clone());
        }
        let _one_writer = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(value) = self.header.get() {
            return Ok(value.clone());
        }
        let value = self.write(state, session, None)?;
        Ok(self.header.get_or_init(|| value).clone())
    }

    fn write(
        &self,
        state: &ClientState,
        session: &Session,
        referral: Option<&Referral>,
    ) -> Result<Arc<str>, ClientError> {
        // balfanz-2-4, balfanz-3-3-6
        let provided = state.key(&self.origin, session.negotiated.key_parameters())?;
        // balfanz-3-3-5, balfanz-3-5-1
        let referred = referral
            .map(|referral| state.key(referral.consumer(), referral.parameters()))
            .transpose()?;
        if !self.is_current(state) {
            // Reset while the keys were fetched: they may be new ones.
            return Err(ClientError::KeysReset);
        }
        let message = message(
            session.negotiated,
            &session.tls_unique,
            &*provided,
            referred.as_deref().map(|key| {
                let key: &dyn tokenbind_wire::Sign = key;
                key
            }),
            state.options.profile,
        );
        let message = message.map_err(ClientError::Message)?;
        let octets = message.to_vec().map_err(ClientError::Encode)?;
        Ok(encode_header(&octets).into())
    }
}

impl fmt::Debug for ClientBinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBinding")
            .field("origin", &self.origin)
            .field(
                "negotiated",
                &self.session.map(|session| session.negotiated),
            )
            .finish_non_exhaustive()
    }
}
