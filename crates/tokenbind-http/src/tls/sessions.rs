//! A client's TLS sessions. One call drops them. A session of TLS 1.2 is kept only if its connection has Extended
//! Master Secret.

#[cfg(feature = "client")]
use std::sync::Weak;
use std::{fmt, sync::Arc};

use rustls::{
    NamedGroup,
    client::{
        ClientSessionMemoryCache, ClientSessionStore, Resumption, Tls12ClientSessionValue,
        Tls13ClientSessionValue,
    },
    pki_types::ServerName,
};

use crate::tls_unique::{note_ems_session, saw_ems};

/// The number of servers whose sessions a client keeps by default: that of rustls.
pub(crate) const DEFAULT_TLS_SESSIONS: usize = 256;

/// Sessions in memory. A TLS 1.2 session is kept only if a [`Capture`](crate::tls_unique::Capture) saw that its connection has
/// Extended Master Secret, and resumed only if a capture sees it, so that the same is known of a resumed
/// connection as of one with a full handshake.
pub(crate) struct EmsSessions(ClientSessionMemoryCache);

impl EmsSessions {
    /// Returns a store for the sessions of so many servers.
    pub(crate) fn new(servers: usize) -> Self {
        Self(ClientSessionMemoryCache::new(servers))
    }

    /// Returns the setting of a configuration that has its own store for so many servers.
    pub(crate) fn resumption(servers: usize) -> Resumption {
        match servers {
            0 => Resumption::disabled(),
            servers => Resumption::store(Arc::new(Self::new(servers))),
        }
    }
}

impl fmt::Debug for EmsSessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmsSessions").finish_non_exhaustive()
    }
}

impl ClientSessionStore for EmsSessions {
    fn set_kx_hint(&self, server_name: ServerName<'static>, group: NamedGroup) {
        self.0.set_kx_hint(server_name, group);
    }

    fn kx_hint(&self, server_name: &ServerName<'_>) -> Option<NamedGroup> {
        self.0.kx_hint(server_name)
    }

    fn set_tls12_session(&self, server_name: ServerName<'static>, value: Tls12ClientSessionValue) {
        if saw_ems() {
            self.0.set_tls12_session(server_name, value);
        }
    }

    fn tls12_session(&self, server_name: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        let session = self.0.tls12_session(server_name)?;
        note_ems_session().then_some(session)
    }

    fn remove_tls12_session(&self, server_name: &ServerName<'static>) {
        self.0.remove_tls12_session(server_name);
    }

    fn insert_tls13_ticket(
        &self,
        server_name: ServerName<'static>,
        value: Tls13ClientSessionValue,
    ) {
        self.0.insert_tls13_ticket(server_name, value);
    }

    fn take_tls13_ticket(
        &self,
        server_name: &ServerName<'static>,
    ) -> Option<Tls13ClientSessionValue> {
        self.0.take_tls13_ticket(server_name)
    }
}

/// A store with another owner. After the owner has dropped it, no session is found and none is kept: a connection
/// that is still open cannot leave a session for a later one.
#[cfg(feature = "client")]
#[derive(Debug)]
pub(crate) struct Borrowed(pub(crate) Weak<EmsSessions>);

#[cfg(feature = "client")]
impl ClientSessionStore for Borrowed {
    fn set_kx_hint(&self, server_name: ServerName<'static>, group: NamedGroup) {
        if let Some(sessions) = self.0.upgrade() {
            sessions.set_kx_hint(server_name, group);
        }
    }

    fn kx_hint(&self, server_name: &ServerName<'_>) -> Option<NamedGroup> {
        self.0.upgrade()?.kx_hint(server_name)
    }

    fn set_tls12_session(&self, server_name: ServerName<'static>, value: Tls12ClientSessionValue) {
        if let Some(sessions) = self.0.upgrade() {
            sessions.set_tls12_session(server_name, value);
        }
    }

    fn tls12_session(&self, server_name: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.0.upgrade()?.tls12_session(server_name)
    }

    fn remove_tls12_session(&self, server_name: &ServerName<'static>) {
        if let Some(sessions) = self.0.upgrade() {
            sessions.remove_tls12_session(server_name);
        }
    }

    fn insert_tls13_ticket(
        &self,
        server_name: ServerName<'static>,
        value: Tls13ClientSessionValue,
    ) {
        if let Some(sessions) = self.0.upgrade() {
            sessions.insert_tls13_ticket(server_name, value);
        }
    }

    fn take_tls13_ticket(
        &self,
        server_name: &ServerName<'static>,
    ) -> Option<Tls13ClientSessionValue> {
        self.0.upgrade()?.take_tls13_ticket(server_name)
    }
}
