//! Services and clients on loopback: real TLS and HTTP, and a record of each request on arrival.

use std::{
    convert::Infallible,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, Version};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer},
};
use tokenbind_http::{
    ProvidedTokenBinding, ReferredTokenBinding,
    client::{self, HttpClient, HttpsConnector},
    keys::{KeyStore, MemoryKeyStore},
    origin::Origin,
    server::{self, serve_connection},
    tls::{ServerConfigs, VersionPreference, client_config},
};
use tokenbind_wire::TokenBindingAlpn;
use tokio::{net::TcpListener, time::timeout};
use tower::service_fn;

use crate::pki::{Certificate, Identity};

/// The longest time that a test waits.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Awaits a future, at most for [`PATIENCE`].
pub async fn soon<F: Future>(future: F) -> F::Output {
    timeout(PATIENCE, future).await.unwrap()
}

/// A certificate for `localhost` and `127.0.0.1`, and clients that trust it.
pub struct Pki {
    /// The certificate.
    pub certificate: CertificateDer<'static>,
    identity: Identity,
}

impl Default for Pki {
    fn default() -> Self {
        Self::new()
    }
}

impl Pki {
    /// Makes a self-signed certificate.
    #[must_use]
    pub fn new() -> Self {
        let certificate = Certificate::server(&["localhost", "127.0.0.1"]);
        let identity = certificate.common_name("localhost").self_signed();
        Self {
            certificate: identity.certificate(),
            identity,
        }
    }

    /// Returns the private key.
    #[must_use]
    pub fn private_key(&self) -> PrivateKeyDer<'static> {
        self.identity.private_key()
    }

    /// Returns the certificate and its key as PEM, for programs.
    #[must_use]
    pub fn pem(&self) -> [String; 2] {
        [self.identity.pem().to_owned(), self.identity.key_pem()]
    }

    /// Returns an acceptor that negotiates Token Binding.
    #[must_use]
    pub fn acceptor(&self, alpn: &[TokenBindingAlpn]) -> server::Acceptor {
        let provider = rustls::crypto::ring::default_provider();
        let preference = VersionPreference::TokenBinding;
        let configs = ServerConfigs::build(provider, alpn, preference, |builder| {
            builder
                .with_no_client_auth()
                .with_single_cert(vec![self.certificate.clone()], self.private_key())
        });
        server::Acceptor::new(configs.unwrap())
    }

    /// Returns a connector of a client with this state.
    #[must_use]
    pub fn connector(
        &self,
        alpn: &[TokenBindingAlpn],
        state: Arc<client::State>,
    ) -> client::Connector {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        let provider = rustls::crypto::ring::default_provider();
        let config = client_config(provider, alpn, |builder| {
            builder.with_root_certificates(roots).with_no_client_auth()
        });
        client::Connector::new(Arc::new(config.unwrap()), state)
    }

    /// Returns a client with these keys, and its state.
    #[must_use]
    pub fn client_with(
        &self,
        alpn: &[TokenBindingAlpn],
        keys: impl KeyStore + 'static,
    ) -> (HttpClient, Arc<client::State>) {
        let state = Arc::new(client::State::new(keys, client::Options::default()));
        let connector = self.connector(alpn, state.clone());
        (HttpClient::new(HttpsConnector::new(connector)), state)
    }

    /// Returns a client with keys of its own.
    #[must_use]
    pub fn client(&self) -> HttpClient {
        self.client_with(&TokenBindingAlpn::ALL, MemoryKeyStore::new())
            .0
    }
}

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The number of the connection, from 1.
    pub connection: usize,
    /// The method.
    pub method: Method,
    /// The URI, as it was sent.
    pub uri: String,
    /// The version of HTTP.
    pub version: Version,
    /// The fields.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
    /// The provided binding.
    pub provided: Option<ProvidedTokenBinding>,
    /// The referred binding.
    pub referred: Option<ReferredTokenBinding>,
}

impl Seen {
    /// Returns the path and the query of the URI.
    #[must_use]
    pub fn path(&self) -> &str {
        let path = self.uri.find("://").map_or(0, |scheme| scheme + 3);
        let path = &self.uri[path..];
        &path[path.find('/').unwrap()..]
    }

    /// Returns the value of a field.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Returns the key id of the provided binding.
    #[must_use]
    pub fn key_id(&self) -> Vec<u8> {
        self.provided.as_ref().unwrap().id().key_id().to_vec()
    }

    /// Returns the key id of the referred binding, which is empty if its key is not supported.
    #[must_use]
    pub fn referred_key_id(&self) -> Option<Vec<u8>> {
        self.referred.as_ref().map(|referred| match referred {
            ReferredTokenBinding::Verified(id) => id.key_id().to_vec(),
            ReferredTokenBinding::Unsupported(_) => vec![],
        })
    }
}

/// A service on a port of loopback.
pub struct Server {
    /// The URL of the service, without a path.
    pub base: String,
    /// The origin of the service.
    pub origin: Origin,
    /// The port.
    pub port: u16,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    /// Starts a service that answers each request with the result of `answer`.
    pub async fn start(
        acceptor: server::Acceptor,
        answer: impl Fn(&Seen) -> Response<Full<Bytes>> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let (answer, record) = (Arc::new(answer), seen.clone());
        tokio::spawn(async move {
            let connections = AtomicUsize::new(0);
            while let Ok((stream, _)) = listener.accept().await {
                let connection = connections.fetch_add(1, Ordering::Relaxed) + 1;
                let (acceptor, answer) = (acceptor.clone(), answer.clone());
                let record = record.clone();
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else {
                        return;
                    };
                    let service = service_fn(move |request: server::Request| {
                        let (answer, record) = (answer.clone(), record.clone());
                        async move {
                            let seen = look(connection, request).await;
                            record.lock().unwrap().push(seen.clone());
                            Ok::<_, Infallible>(answer(&seen))
                        }
                    });
                    // The client ends it, or a test that expects it to fail looks at the client.
                    drop(serve_connection(stream, service).await);
                });
            }
        });
        let base = format!("https://127.0.0.1:{port}");
        Self {
            origin: base.parse().unwrap(),
            base,
            port,
            seen,
        }
    }

    /// Returns all requests so far, in their order.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Returns the last request.
    #[must_use]
    pub fn last(&self) -> Seen {
        self.seen().pop().unwrap()
    }

    /// Returns the URL of a path.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }
}

async fn look(connection: usize, request: server::Request) -> Seen {
    let (parts, body) = request.into_parts();
    Seen {
        connection,
        method: parts.method,
        uri: parts.uri.to_string(),
        version: parts.version,
        headers: parts.headers,
        body: body.collect().await.unwrap().to_bytes(),
        provided: parts.extensions.get().cloned(),
        referred: parts.extensions.get().cloned(),
    }
}

/// Returns a GET request without a body.
#[must_use]
pub fn get(url: &str) -> Request<Full<Bytes>> {
    Request::get(url).body(Full::default()).unwrap()
}

/// Returns a response with the body `ok`.
#[must_use]
pub fn ok() -> Response<Full<Bytes>> {
    Response::new(Full::from("ok"))
}

/// Reads a response to its end: only then its connection takes another request.
pub async fn text(response: Response<Incoming>) -> String {
    let body = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(body.to_vec()).unwrap()
}
