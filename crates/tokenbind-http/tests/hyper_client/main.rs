//! The client over hyper: what arrives at servers on loopback.

#![cfg(all(feature = "client", feature = "hyper"))]
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod connections;
mod disclosure;
mod requests;

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use http::{Method, Request, Response, StatusCode, Version, header};
use http_body_util::Full;
use test_support::loopback::{Pki, Seen, Server, get, ok, soon, text};
use tokenbind_http::{
    client::{ClientError, Disclosed, HttpClient, MAX_REDIRECTS, RequestError, RequestOptions},
    federation::{Disclosure, WithheldReason},
    header::INCLUDE_REFERER_TOKEN_BINDING_ID,
    keys::{Key, KeyStore, KeyStoreError, MemoryKeyStore, Reset},
    origin::{Origin, OriginError, Scope, ScopeRule},
};
use tokenbind_wire::{
    KeyParameters, PublicKey, Sign, SignError, Signature, SignedOctets, TokenBindingAlpn,
};

const H2: &[TokenBindingAlpn] = &[TokenBindingAlpn::H2P256];
const HTTP11: &[TokenBindingAlpn] = &[TokenBindingAlpn::Http11P256];
const NONE: &[TokenBindingAlpn] = &[];

/// Counts signatures, so that what is written twice shows.
#[derive(Clone, Default)]
struct Counting {
    keys: Arc<MemoryKeyStore>,
    signatures: Arc<AtomicUsize>,
}

struct CountingKey(Key, Arc<AtomicUsize>);

impl Sign for CountingKey {
    fn public_key(&self) -> &PublicKey {
        self.0.public_key()
    }

    fn sign(&self, octets: &SignedOctets) -> Result<Signature, SignError> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.sign(octets)
    }
}

impl KeyStore for Counting {
    fn key(&self, scope: &Scope, parameters: KeyParameters) -> Result<Key, KeyStoreError> {
        let key = self.keys.key(scope, parameters)?;
        Ok(Arc::new(CountingKey(key, self.signatures.clone())))
    }

    fn reset(&self, scope: Option<&Scope>) -> Result<(), KeyStoreError> {
        self.keys.reset(scope)
    }
}

fn redirect(status: u16, location: &str) -> Response<Full<bytes::Bytes>> {
    let response = Response::builder().status(status);
    let response = response.header(header::LOCATION, location);
    response.body(Full::default()).unwrap()
}

/// A redirect that permits to reveal the binding.
fn permitting(status: u16, location: &str) -> Response<Full<bytes::Bytes>> {
    let mut response = redirect(status, location);
    let value = http::HeaderValue::from_static("true");
    let headers = response.headers_mut();
    headers.insert(INCLUDE_REFERER_TOKEN_BINDING_ID, value);
    response
}

type Answer = Response<hyper::body::Incoming>;

async fn run(client: &HttpClient, request: Request<Full<bytes::Bytes>>) -> Answer {
    let response = client.request(request, RequestOptions::default());
    soon(response).await.unwrap()
}

async fn fetch(client: &HttpClient, url: &str) -> Answer {
    run(client, get(url)).await
}
