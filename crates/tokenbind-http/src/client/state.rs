//! A client's keys, and which origin each belongs to.

#[cfg(feature = "rustls")]
use std::sync::Arc;
use std::{
    collections::HashMap,
    error::Error,
    fmt,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

#[cfg(feature = "rustls")]
use rustls::{ClientConfig, client::Resumption};
use tokenbind_wire::{
    EncodeError, EncodingProfile, KeyParameters, MessageError, Session, TokenBindingId,
    TokenBindingType,
};

#[cfg(feature = "rustls")]
use crate::tls::sessions::{Borrowed, EmsSessions};
use crate::{
    federation::{Party, Permission, WithheldReason},
    keys::{Key, KeyStore, KeyStoreError, Reset},
    origin::{Origin, Scope, ScopeRule},
};

/// A client's encodings, and the origins that share a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// The encodings the servers expect.
    pub profile: EncodingProfile,
    /// The origins that share one key.
    pub scope: ScopeRule,
    /// The number of servers whose TLS sessions are kept, in memory, by connectors of feature `tokio` and by
    /// configurations of feature `rustls` that `State::tls_config` makes: 256 by default. With 0 no session is
    /// resumed.
    pub tls_sessions: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            profile: EncodingProfile::default(),
            scope: ScopeRule::default(),
            tls_sessions: 256,
        }
    }
}

/// The application's cookie store, which [`State::reset`] clears together with the keys (section 4.2).
pub trait ClearCookies {
    /// Removes cookies.
    ///
    /// `which` names the origins whose cookies are removed: all, or those of one origin. If
    /// `ScopeRule::RegistrableDomain` lets the hosts of a domain share a key, the cookies of all hosts of
    /// the origin's domain must be removed. Also drops TLS sessions that are not in the [`State`]'s own
    /// store, e.g. those of another TLS engine.
    ///
    /// No lock is held during the call, so that it may call the [`State`].
    ///
    /// # Errors
    /// An error if some cookies may be left. The keys are reset in any case, and [`State::reset`] returns
    /// this error.
    fn clear(&self, which: &Reset) -> Result<(), KeyStoreError>;
}

/// The reason why a header cannot be written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientError {
    /// The key store failed.
    KeyStore(KeyStoreError),
    /// The key store returned a key of other parameters than requested.
    KeyParameters,
    /// The key store returned one key for two origins (balfanz-4-2-3).
    SharedKey,
    /// The keys were reset while the connection was open: open a new connection.
    KeysReset,
    /// The public key cannot be encoded in a message.
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
            Self::KeysReset => f.write_str("the keys were reset after the connection was opened"),
            Self::Encode(error) => error.fmt(f),
            Self::Message(error) => error.fmt(f),
        }
    }
}

impl Error for ClientError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::KeyStore(error) => error.source(),
            Self::Encode(error) => error.source(),
            Self::Message(error) => error.source(),
            Self::KeyParameters | Self::SharedKey | Self::KeysReset => None,
        }
    }
}

impl From<KeyStoreError> for ClientError {
    fn from(error: KeyStoreError) -> Self {
        Self::KeyStore(error)
    }
}

/// The state that a client's connections share: keys, the scope that each belongs to, and the parameters
/// last negotiated with each origin.
pub struct State {
    keys: Box<dyn KeyStore>,
    pub(super) options: Options,
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
    /// The scope of each key, by the key's SHA-256.
    owners: HashMap<[u8; 32], Scope>,
    negotiated: HashMap<Origin, KeyParameters>,
}

impl State {
    /// Creates the state of a client with these keys.
    #[must_use]
    pub fn new(keys: impl KeyStore + 'static, options: Options) -> Self {
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
    pub(super) fn is_current(&self, generation: u64) -> bool {
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

    /// Notes the parameters of a connection with `origin` that was opened in this generation.
    pub(super) fn note(&self, origin: &Origin, session: Option<&Session>, generation: u64) {
        let mut known = self.known();
        match session {
            Some(session) if self.is_current(generation) => {
                let parameters = session.negotiated.key_parameters();
                known.negotiated.insert(origin.clone(), parameters);
            }
            Some(_) => {}
            None => {
                known.negotiated.remove(origin);
            }
        }
    }

    /// Returns the configuration for one connection, whose TLS sessions are those of this client:
    /// [`reset`](Self::reset) drops them, and a connection that is still open then adds no session.
    ///
    /// `config` is that of [`client_config`](crate::tls::client_config); its `resumption` is replaced, see
    /// [`Options::tls_sessions`]. Make the [`ClientConnection`](rustls::ClientConnection) inside the scope of a
    /// [`Capture`](crate::tls_unique::Capture), and call [`opening`](Self::opening) before.
    #[cfg(feature = "rustls")]
    #[cfg_attr(docsrs, doc(cfg(feature = "rustls")))]
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

    /// Returns an origin with the parameters negotiated on the latest connection with it. A page that makes
    /// a request across origins (section 3.4) has no connection of its own.
    #[must_use]
    pub fn party(&self, origin: &Origin) -> Party {
        Party {
            origin: origin.clone(),
            negotiated: self.known().negotiated.get(origin).copied(),
        }
    }

    /// Returns the permission that a page of `consumer` gives with the request option
    /// `with_referer_token_binding_id` (section 3.4).
    ///
    /// # Errors
    /// [`WithheldReason::NotAsked`] if the option is `false`; [`WithheldReason::ConsumerNotNegotiated`] if
    /// Token Binding was not negotiated on the latest connection with `consumer`.
    pub fn script_permission(
        &self,
        with_referer_token_binding_id: bool,
        consumer: &Origin,
    ) -> Result<Permission, WithheldReason> {
        // First, so that a reset in between outdates the permission.
        let generation = self.generation();
        let permission =
            Permission::by_script(with_referer_token_binding_id, &self.party(consumer))?;
        Ok(permission.of_generation(generation))
    }

    /// Resets keys, cookies and TLS sessions together (section 4.2). Connections opened before the end of the reset
    /// cannot be used afterwards: [`Connection::header`](super::Connection::header) returns [`ClientError::KeysReset`]. During the reset it
    /// does so on every connection.
    ///
    /// TLS sessions are dropped for all origins: a server that resumes one recognizes the client, also by another
    /// name of its own. Dropped are those of connectors and of [`tls_config`](Self::tls_config); others are left to
    /// [`ClearCookies::clear`]. No lock is held while keys and cookies are reset.
    ///
    /// # Errors
    /// The error of the cookie store, else that of the key store. The other store was reset in any case; try
    /// again.
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

    /// Forgets the owners of keys, the negotiated parameters, and TLS sessions.
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

    pub(super) fn share_a_key(&self, one: &Origin, other: &Origin) -> bool {
        let rule = self.options.scope;
        rule.scope(one) == rule.scope(other)
    }

    /// Returns the key for an origin, after a check that no other scope has it.
    pub(super) fn key(
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

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// A reset between its beginning and its end. Connections opened before it or during it are not current afterwards.
struct ResetInProgress<'s> {
    state: &'s State,
    scope: Option<&'s Scope>,
}

impl<'s> ResetInProgress<'s> {
    fn begin(state: &'s State, scope: Option<&'s Scope>) -> Self {
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

/// A connection that is being opened: see [`State::opening`].
#[derive(Clone, Copy, Debug)]
pub struct Opening {
    pub(super) generation: u64,
}
