//! The shared part of the examples: a certificate for `localhost`, services and clients that use it.

#![allow(dead_code, reason = "no example uses all of it")]

use std::{convert::Infallible, sync::Arc};

use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::{
    RootCertStore,
    crypto::ring::default_provider,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
};
use tokenbind_http::{
    client::{self, HttpClient, HttpsConnector},
    keys::MemoryKeyStore,
    server,
    tls::{ServerConfigs, VersionPreference, client_config},
};
use tokenbind_wire::{KeyParameters, TokenBindingAlpn, TokenBindingId};
use tokio::net::TcpListener;

pub(crate) type Error = Box<dyn std::error::Error + Send + Sync>;
pub(crate) type Result<T> = std::result::Result<T, Error>;

/// An error unless the condition holds: the examples check what they claim.
pub(crate) fn must(holds: bool, what: &str) -> Result<()> {
    if holds { Ok(()) } else { Err(what.into()) }
}

/// The first 8 digits of the SHA-256 of the key, which is the same whether the client's binding is
/// the provided or the referred one, and of which kind the key is.
pub(crate) fn short(id: &TokenBindingId) -> String {
    let digits: String = hex::encode(id.key_id_sha256()).chars().take(8).collect();
    let kind = id.view().key_parameters();
    format!("{digits} ({})", kind.map_or("unknown", KeyParameters::name))
}

/// A certificate and its key.
pub(crate) struct Localhost {
    pub(crate) certificate: CertificateDer<'static>,
    private_key: Vec<u8>,
}

impl Localhost {
    pub(crate) fn new() -> Result<Self> {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["localhost".to_owned()])?;
        Ok(Self {
            certificate: cert.into(),
            private_key: signing_key.serialize_der(),
        })
    }

    pub(crate) fn private_key(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.private_key.clone()).into()
    }

    /// A service's acceptor with these Token Binding identifiers.
    pub(crate) fn acceptor(&self, alpn: &[TokenBindingAlpn]) -> Result<server::Acceptor> {
        let preference = VersionPreference::TokenBinding;
        let configs = ServerConfigs::build(default_provider(), alpn, preference, |builder| {
            builder
                .with_no_client_auth()
                .with_single_cert(vec![self.certificate.clone()], self.private_key())
        })?;
        Ok(server::Acceptor::new(configs))
    }

    /// A client with keys of its own that offers these identifiers. With none it is a client that
    /// does not know Token Binding.
    pub(crate) fn connector(&self, alpn: &[TokenBindingAlpn]) -> Result<client::Connector> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone())?;
        let config = client_config(default_provider(), alpn, |builder| {
            builder.with_root_certificates(roots).with_no_client_auth()
        })?;
        let state = client::State::new(MemoryKeyStore::new(), client::Options::default());
        Ok(client::Connector::new(Arc::new(config), Arc::new(state)))
    }

    /// Makes an HTTP client with such a connector.
    pub(crate) fn client(&self, alpn: &[TokenBindingAlpn]) -> Result<HttpClient> {
        let connector = self.connector(alpn)?;
        Ok(HttpClient::new(HttpsConnector::new(connector)))
    }
}

/// Serves until the process ends.
pub(crate) fn serve(
    listener: TcpListener,
    acceptor: server::Acceptor,
    handle: impl Fn(server::Request) -> Response<String> + Clone + Send + Sync + 'static,
) {
    let service = tower::service_fn(move |request| {
        let response = handle(request);
        async move { Ok::<_, Infallible>(response) }
    });
    let server = server::Server::new(acceptor);
    tokio::spawn(async move { server.serve(listener, service).await });
}

/// A request without a body.
pub(crate) fn get(url: &str) -> Result<Request<Full<bytes::Bytes>>> {
    Ok(Request::get(url).body(Full::default())?)
}

/// A response's body; once it was read, its connection takes the next request.
pub(crate) async fn text(response: Response<Incoming>) -> Result<String> {
    let body = response.into_body().collect().await?.to_bytes();
    Ok(String::from_utf8(body.to_vec())?)
}
