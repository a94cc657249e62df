//! One connection of a client: its header, with or without a referred binding.

use std::{
    fmt,
    sync::{Arc, Condvar, Mutex, OnceLock, PoisonError},
    thread::{self, ThreadId},
};

use tokenbind_wire::{Session, sign_message};

use crate::{
    client::state::{ClientError, Opening, State},
    federation::{Disclosure, Party, Permission, Referral, WithheldReason},
    header,
    origin::Origin,
};

/// One connection of a client, which writes the header of each request.
pub struct Connection {
    origin: Origin,
    session: Option<Session>,
    generation: u64,
    /// Without a referred binding. Read without waiting for whoever writes it.
    header: OnceLock<Arc<str>>,
    /// The thread that writes the header. The lock is not held meanwhile: the key store may call back.
    writer: Mutex<Option<ThreadId>>,
    /// Notified when the writer changes.
    written: Condvar,
    /// The first header as a value of `http`, which most requests repeat.
    #[cfg(feature = "hyper")]
    pub(super) header_value: OnceLock<http::HeaderValue>,
}

/// The header of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestHeader {
    /// The value of `Token-Binding`; `None` if Token Binding was not negotiated: send no such header.
    pub value: Option<Arc<str>>,
    /// The decision about the permission to reveal a binding, if there was a permission.
    pub disclosure: Option<Disclosure>,
}

impl State {
    /// Returns the connection with `origin` that was noted as `opening`, and on which `session` was negotiated;
    /// `None` if Token Binding was not negotiated.
    #[must_use]
    pub fn opened(&self, opening: Opening, origin: Origin, session: Option<Session>) -> Connection {
        let Opening { generation } = opening;
        self.note(&origin, session.as_ref(), generation);
        Connection::new(origin, session, generation)
    }

    /// Returns a new connection with `origin`, on which `session` was negotiated in a handshake that resumed no TLS
    /// session, or one that is known to be younger than the latest [`reset`](Self::reset). Use
    /// [`opening`](Self::opening) and [`opened`](Self::opened) otherwise.
    #[must_use]
    pub fn connection(&self, origin: Origin, session: Option<Session>) -> Connection {
        self.opened(self.opening(), origin, session)
    }
}

impl Connection {
    const fn new(origin: Origin, session: Option<Session>, generation: u64) -> Self {
        Self {
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

    /// Returns the origin and the negotiated key parameters.
    #[must_use]
    pub fn party(&self) -> Party {
        Party {
            origin: self.origin.clone(),
            negotiated: self
                .session
                .map(|session| session.negotiated.key_parameters()),
        }
    }

    /// Returns the origin.
    #[must_use]
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Returns the session: what was negotiated, and `tls_unique` of the connection.
    #[must_use]
    pub const fn session(&self) -> Option<&Session> {
        self.session.as_ref()
    }

    /// Returns `true` if the keys were not reset since the connection was opened. If they were, close it.
    #[must_use]
    pub fn is_current(&self, state: &State) -> bool {
        state.is_current(self.generation)
    }

    /// Returns the permission that a response on this connection gives (section 3.3). `values` must be the
    /// values of all its `Include-Referer-Token-Binding-ID` headers.
    ///
    /// # Errors
    /// As [`Permission::by_redirect`].
    pub fn redirect_permission<'v>(
        &self,
        status: u16,
        values: impl IntoIterator<Item = &'v [u8]>,
    ) -> Result<Permission, WithheldReason> {
        let permission = Permission::by_redirect(status, values, &self.party())?;
        Ok(permission.of_generation(self.generation))
    }

    /// Returns the permission that a response of hyper on this connection gives (section 3.3).
    ///
    /// # Errors
    /// As [`Permission::by_redirect`].
    #[cfg(feature = "hyper")]
    #[cfg_attr(docsrs, doc(cfg(feature = "hyper")))]
    pub fn response_permission<B>(
        &self,
        response: &http::Response<B>,
    ) -> Result<Permission, WithheldReason> {
        let values = response
            .headers()
            .get_all(header::INCLUDE_REFERER_TOKEN_BINDING_ID);
        let values = values.iter().map(http::HeaderValue::as_bytes);
        self.redirect_permission(response.status().as_u16(), values)
    }

    /// Returns the header without a referred binding, if it was written before. Costs no signature.
    #[must_use]
    pub fn written_header(&self) -> Option<Arc<str>> {
        self.header.get().cloned()
    }

    /// Returns the header of the next request. Without a referred binding it is written once and reused.
    ///
    /// May make a key, read it from a file, and sign: some milliseconds, for a new RSA key up to
    /// seconds.
    ///
    /// # Errors
    /// A [`ClientError`] if the request needs a header that cannot be written: do not send the request.
    pub fn header(
        &self,
        state: &State,
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

    /// Returns the header without a referred binding.
    fn plain(&self, state: &State, session: &Session) -> Result<Arc<str>, ClientError> {
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
        state: &State,
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
        Ok(header::encode(&octets).into())
    }
}

/// The thread that writes a connection's header.
struct OneWriter<'b> {
    binding: &'b Connection,
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

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("origin", &self.origin)
            .field(
                "negotiated",
                &self.session.map(|session| session.negotiated),
            )
            .finish_non_exhaustive()
    }
}
