//! The client's side: one key an origin, one header a connection, what a permission reveals, and
//! what a reset undoes.

#![cfg(feature = "client")]
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod header;
mod reset;
#[path = "../support/sessions.rs"]
mod sessions;

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, OnceLock, Weak,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    time::Duration,
};

use sessions::{Keys, P256, RSA, id, origin, p256, rsa, server, session};
use tokenbind_http::{
    ReferredTokenBinding, TokenBindings,
    client::{self, ClearCookies, ClientError, RequestHeader},
    federation::{Disclosure, Party, WithheldReason},
    keys::{Key, KeyStore, KeyStoreError, KeyStoreErrorKind, MemoryKeyStore, Reset},
    origin::Scope,
    server::{self, RequestOutcome},
};
use tokenbind_wire::{KeyParameters, RustCrypto, Session, TokenBindingId, TokenBindingType};

const RP: &str = "https://rp.example";
const IDP: &str = "https://idp.example";

fn client(keys: impl KeyStore + 'static) -> client::State {
    client::State::new(keys, client::Options::default())
}

/// Cookies that note what was cleared, and may fail.
#[derive(Default)]
struct Cookies {
    cleared: Mutex<Vec<Reset>>,
    failing: Option<KeyStoreError>,
}

impl ClearCookies for Cookies {
    fn clear(&self, which: &Reset) -> Result<(), KeyStoreError> {
        self.cleared.lock().unwrap().push(which.clone());
        self.failing.clone().map_or(Ok(()), Err)
    }
}

/// The server of the other end.
fn verified(server: &mut server::ConnectionState, header: &RequestHeader) -> TokenBindings {
    let value = header.value.as_ref().expect("a header");
    match server.request([value.as_bytes()], &RustCrypto) {
        RequestOutcome::Bound(bindings) => bindings,
        other => panic!("not bound: {other:?}"),
    }
}

/// The identifier a server sees on a new connection.
fn seen(state: &client::State, at: &str, session: Session) -> TokenBindingId {
    let binding = state.connection(origin(at), Some(session));
    let header = binding.header(state, None).unwrap();
    verified(&mut server(session), &header)
        .provided()
        .id()
        .clone()
}

fn redirect(from: &client::Connection) -> tokenbind_http::federation::Permission {
    from.redirect_permission(302, [b"true".as_slice()]).unwrap()
}

/// A store with one answer for all.
struct Same(Result<Key, KeyStoreError>);

impl KeyStore for Same {
    fn key(&self, _: &Scope, _: KeyParameters) -> Result<Key, KeyStoreError> {
        self.0.clone()
    }

    fn reset(&self, _: Option<&Scope>) -> Result<(), KeyStoreError> {
        self.0.as_ref().map(drop).map_err(Clone::clone)
    }
}
