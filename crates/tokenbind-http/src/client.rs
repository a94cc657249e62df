//! The client's side of draft-balfanz-https-token-binding-00: one key an origin, one header a
//! connection, referred bindings only where permitted. Without I/O.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    thread::{self, ThreadId},
};

use tokenbind_wire::{
    EncodeError, EncodingProfile, KeyParameters, MessageError, Session, TokenBindingId,
    TokenBindingType, sign_message,
};

#[cfg(feature = "rustls")]
use rustls::{ClientConfig, client::Resumption};

#[cfg(feature = "rustls")]
use crate::tls_sessions::{Borrowed, EmsSessions};
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientOptions {
    /// The encodings the servers expect.
    pub profile: EncodingProfile,
    /// For which origins one key is used.
    pub scope: ScopeRule,
    /// The number of servers whose TLS sessions are kept, in memory, by connectors of feature `tokio` and by
    /// configurations of feature `rustls` that `ClientState::tls_config` makes: 256 by default. With 0 no session is
    /// resumed.
    pub tls_sessions: usize,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            profile: EncodingProfile::default(),
            scope: ScopeRule::default(),
            tls_sessions: 256,
        }
    }
}

/// Cookies, as far as they go together with keys.
pub trait ClearCookies {
    /// Removes the cookies of these origins; of all hosts of the domain where
    /// `ScopeRule::RegistrableDomain` lets them share a key. Also drops TLS sessions that are not in the
    /// [`ClientState`]'s own store, e.g. of another TLS engine.
    ///
    /// No lock is held during the call: it may call the [`ClientState`].
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
            Self::Message(_) => f.write_str("the Token Binding message cannot be made"),
        }
    }
}

impl std::error::Error for ClientError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Message(error) => Some(error),
            _ => None,
        }
    }
}

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
    /// Changes where a reset begins and where it ends.
    generation: AtomicU64,
    /// The number of resets that have begun and not ended.
    resetting: AtomicUsize,
    known: Mutex<Known>,
    #[cfg(feature = "rustls")]
    tls_sessions: Mutex<Arc<EmsSessions>>,
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
            resetting: AtomicUsize::new(0),
            known: Mutex::default(),
            #[cfg(feature = "rustls")]
            tls_sessions: Mutex::new(Arc::new(EmsSessions::new(options.tls_sessions))),
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Returns `true` if keys are still those of this generation.
    fn is_current(&self, generation: u64) -> bool {
        self.resetting.load(Ordering::Acquire) == 0 && self.generation() == generation
    }

    /// Notes that a connection is about to be opened. Call it before the handshake: if keys are reset during the
    /// handshake, which may resume a TLS session from before, [`opened`](Self::opened) gives a connection that sends
    /// nothing.
    #[must_use]
    pub fn opening(&self) -> Opening {
        Opening {
            generation: self.generation(),
        }
    }

    /// Returns the connection with `origin` that was noted as `opening`, and on which `session` was negotiated.
    #[must_use]
    pub fn opened(
        &self,
        opening: Opening,
        origin: Origin,
        session: Option<Session>,
    ) -> ClientBinding {
        let Opening { generation } = opening;
        let mut known = self.known();
        match &session {
            Some(session) if self.is_current(generation) => {
                let parameters = session.negotiated.key_parameters();
                known.negotiated.insert(origin.clone(), parameters);
            }
            Some(_) => {}
            None => {
                known.negotiated.remove(&origin);
            }
        }
        drop(known);
        ClientBinding {
            origin,
            session,
            generation,
            header: OnceLock::new(),
            writer: Mutex::new(None),
            written: Condvar::new(),
            #[cfg(feature = "hyper")]
            header_value: OnceLock::new(),
        }
    }

    /// Returns a new connection with `origin`, on which `session` was negotiated in a handshake that resumed no TLS
    /// session, or one that is known to be younger than the latest [`reset`](Self::reset). Use
    /// [`opening`](Self::opening) and [`opened`](Self::opened) otherwise.
    #[must_use]
    pub fn connection(&self, origin: Origin, session: Option<Session>) -> ClientBinding {
        self.opened(self.opening(), origin, session)
    }

    /// Feature `rustls`: returns the configuration for one connection, whose TLS sessions are those of this client:
    /// [`reset`](Self::reset) drops them, and a connection that is still open then leaves none behind.
    ///
    /// `config` is that of [`client_config`](crate::client_config); its `resumption` is replaced, see
    /// [`ClientOptions::tls_sessions`]. Make the [`ClientConnection`](rustls::ClientConnection) inside the scope of a
    /// [`Capture`](crate::Capture), and call [`opening`](Self::opening) before.
    #[cfg(feature = "rustls")]
    #[must_use]
    pub fn tls_config(&self, config: &ClientConfig) -> ClientConfig {
        let mut config = config.clone();
        config.resumption = match self.options.tls_sessions {
            0 => Resumption::disabled(),
            _ => {
                let sessions = Arc::downgrade(&self.tls_sessions());
                Resumption::store(Arc::new(Borrowed(sessions)))
            }
        };
        config
    }

    #[cfg(feature = "rustls")]
    fn tls_sessions(&self) -> MutexGuard<'_, Arc<EmsSessions>> {
        self.tls_sessions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(feature = "rustls")]
    fn drop_tls_sessions(&self) {
        let new = Arc::new(EmsSessions::new(self.options.tls_sessions));
        let old = std::mem::replace(&mut *self.tls_sessions(), new);
        drop(old);
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

    /// Section 4.2: resets keys, cookies and TLS sessions together. Connections opened before the end of the reset
    /// are of no use afterwards: [`ClientBinding::header`] refuses them, and meanwhile every one.
    ///
    /// TLS sessions are dropped for all origins: a server that resumes one recognizes the client, also by another
    /// name of its own. Dropped are those of connectors and of [`tls_config`](Self::tls_config); others are left to
    /// [`ClearCookies::clear`]. No lock is held while keys and cookies are reset.
    ///
    /// # Errors
    /// When one of the two stores failed. The other was reset all the same; try again.
    pub fn reset(&self, which: &Reset, cookies: &dyn ClearCookies) -> Result<(), KeyStoreError> {
        let rule = self.options.scope;
        let scope = match which {
            Reset::All => None,
            Reset::Origin(origin) => Some(rule.scope(origin)),
        };
        let _ends_on_drop = ResetInProgress::begin(self, scope.as_ref());
        let keys = self.keys.reset(scope.as_ref());
        cookies.clear(which).and(keys)
    }

    /// Forgets which key is whose, what was negotiated, and TLS sessions.
    fn forget(&self, scope: Option<&Scope>) {
        let rule = self.options.scope;
        let is_kept = |of: &Scope| scope.is_some_and(|scope| scope != of);
        let mut known = self.known();
        known.owners.retain(|_, owner| is_kept(owner));
        known.negotiated.retain(|of, _| is_kept(&rule.scope(of)));
        drop(known);
        #[cfg(feature = "rustls")]
        self.drop_tls_sessions();
    }

    fn share_a_key(&self, one: &Origin, other: &Origin) -> bool {
        let rule = self.options.scope;
        rule.scope(one) == rule.scope(other)
    }

    /// Returns the key for an origin, and proves that it is no other's.
    fn key(
        &self,
        generation: u64,
        origin: &Origin,
        parameters: KeyParameters,
    ) -> Result<Key, ClientError> {
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
        if !self.is_current(generation) {
            // Reset while the key was fetched: it may be a new one.
            return Err(ClientError::KeysReset);
        }
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

/// A reset between its beginning and its end. Connections opened before it or during it are not current afterwards.
struct ResetInProgress<'s> {
    state: &'s ClientState,
    scope: Option<&'s Scope>,
}

impl<'s> ResetInProgress<'s> {
    fn begin(state: &'s ClientState, scope: Option<&'s Scope>) -> Self {
        state.resetting.fetch_add(1, Ordering::AcqRel);
        state.generation.fetch_add(1, Ordering::AcqRel);
        state.forget(scope);
        Self { state, scope }
    }
}

impl Drop for ResetInProgress<'_> {
    /// Also where a store panics.
    fn drop(&mut self) {
        self.state.generation.fetch_add(1, Ordering::AcqRel);
        self.state.forget(self.scope);
        self.state.resetting.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A connection that is being opened: see [`ClientState::opening`].
#[derive(Clone, Copy, Debug)]
pub struct Opening {
    generation: u64,
}

/// One connection of a client.
pub struct ClientBinding {
    origin: Origin,
    session: Option<Session>,
    generation: u64,
    /// Without a referred binding. Read without waiting for whoever writes it.
    header: OnceLock<Arc<str>>,
    /// The thread that writes the header. The lock is not held while it does: the key store may call back.
    writer: Mutex<Option<ThreadId>>,
    /// The writer changed.
    written: Condvar,
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

    /// Returns `true` if the keys are still those of when the connection was opened. If not, close it.
    #[must_use]
    pub fn is_current(&self, state: &ClientState) -> bool {
        state.is_current(self.generation)
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
        if !self.is_current(state) {
            return Err(ClientError::KeysReset);
        }
        let disclosure = permission.map(|permission| {
            if permission.generation != self.generation {
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
        let one_writer = self.one_writer();
        if let Some(value) = self.header.get() {
            return Ok(value.clone());
        }
        let value = self.write(state, session, None)?;
        let value = self.header.get_or_init(|| value).clone();
        drop(one_writer);
        Ok(value)
    }

    /// Waits until no other thread writes the header. A key store that asks this very connection for its header
    /// while it makes the key does not wait for itself.
    fn one_writer(&self) -> OneWriter<'_> {
        let current = thread::current().id();
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let other = |writer: &mut Option<ThreadId>| writer.is_some_and(|writer| writer != current);
        let waited = self.written.wait_while(writer, other);
        let mut writer = waited.unwrap_or_else(PoisonError::into_inner);
        let is_outermost = writer.is_none();
        *writer = Some(current);
        OneWriter {
            binding: self,
            is_outermost,
        }
    }

    fn write(
        &self,
        state: &ClientState,
        session: &Session,
        referral: Option<&Referral>,
    ) -> Result<Arc<str>, ClientError> {
        // balfanz-2-4, balfanz-3-3-6
        let parameters = session.negotiated.key_parameters();
        let provided = state.key(self.generation, &self.origin, parameters)?;
        // balfanz-3-3-5, balfanz-3-5-1
        let referred = referral
            .map(|referral| {
                let parameters = referral.parameters();
                state.key(self.generation, referral.consumer(), parameters)
            })
            .transpose()?;
        let message = sign_message(
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

/// The thread that writes a connection's header.
struct OneWriter<'b> {
    binding: &'b ClientBinding,
    is_outermost: bool,
}

impl Drop for OneWriter<'_> {
    /// Also where a key store panics.
    fn drop(&mut self) {
        if self.is_outermost {
            let writer = self.binding.writer.lock();
            *writer.unwrap_or_else(PoisonError::into_inner) = None;
            self.binding.written.notify_all();
        }
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
