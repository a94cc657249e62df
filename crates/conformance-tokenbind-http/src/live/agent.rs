//! A user agent: its keys, and the client on top of them.

use std::sync::Arc;

use axum::body::Bytes;
use conformance::outcome::{Checked, Failure};
use http::{HeaderMap, Request, StatusCode, Version};
use http_body_util::{BodyExt, Full};
use rustls::{ClientConfig, RootCertStore, client::Resumption, crypto::ring};
use tokenbind_http::{
    client::{self, Disclosed, HttpClient, HttpsConnector, RequestOptions},
    federation::{Disclosure, Permission},
    keys::{Key, KeyStore, MemoryKeyStore},
    origin::{Origin, ScopeRule},
    tls::client_config,
};
use tokenbind_wire::{
    KeyParameters, PointEncoding, TokenBindingAlpn, TokenBindingId, TokenBindingType,
};
use tokio::net::TcpStream;

use super::{
    raw::Raw,
    site::{IDENTITY, Site},
};

/// A user agent.
pub(super) struct Agent {
    pub(super) keys: Arc<MemoryKeyStore>,
    pub(super) state: Arc<client::State>,
    pub(super) client: HttpClient,
    config: Arc<ClientConfig>,
}

/// The answer to a request.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) version: Version,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) disclosure: Option<Disclosure>,
    /// The connection it came over.
    pub(super) binding: Arc<client::Connection>,
}

impl Agent {
    /// One that offers these identifiers, under TLS 1.2 and 1.3.
    pub(super) fn new(alpn: &[TokenBindingAlpn]) -> Checked<Self> {
        Ok(Self::with(config(alpn)?, Arc::default()))
    }

    /// One with this configuration and these keys.
    pub(super) fn with(config: ClientConfig, keys: Arc<MemoryKeyStore>) -> Self {
        let config = Arc::new(config);
        let state = client::State::new(keys.clone(), client::Options::default());
        let state = Arc::new(state);
        let tls = client::Connector::new(config.clone(), state.clone());
        Self {
            keys,
            state,
            client: HttpClient::new(HttpsConnector::new(tls)),
            config,
        }
    }

    /// One with the same keys that remembers no TLS session.
    pub(super) fn without_sessions(&self) -> Self {
        let mut config = ClientConfig::clone(&self.config);
        config.resumption = Resumption::in_memory_sessions(4);
        Self::with(config, self.keys.clone())
    }

    /// This agent's key for an origin.
    pub(super) fn key(&self, origin: &Origin, parameters: KeyParameters) -> Checked<Key> {
        let scope = ScopeRule::Origin.scope(origin);
        Ok(self.keys.key(&scope, parameters)?)
    }

    /// Its identifier, in hex.
    pub(super) fn id(
        &self,
        origin: &Origin,
        parameters: KeyParameters,
        tokenbinding_type: TokenBindingType,
    ) -> Checked<String> {
        let key = self.key(origin, parameters)?;
        let id = TokenBindingId::try_new(tokenbinding_type, key.public_key(), PointEncoding::X962)?;
        Ok(hex::encode(id.as_bytes()))
    }

    pub(super) fn provided(&self, origin: &Origin, parameters: KeyParameters) -> Checked<String> {
        self.id(origin, parameters, TokenBindingType::PROVIDED)
    }

    pub(super) fn referred(&self, origin: &Origin, parameters: KeyParameters) -> Checked<String> {
        self.id(origin, parameters, TokenBindingType::REFERRED)
    }

    /// Sends a request and follows no redirect.
    pub(super) async fn send(
        &self,
        request: Request<Full<Bytes>>,
        permission: Option<Permission>,
    ) -> Checked<Answer> {
        let (response, binding) = self.client.send(request, permitting(permission)).await?;
        let (parts, body) = response.into_parts();
        Ok(Answer {
            status: parts.status,
            version: parts.version,
            disclosure: parts
                .extensions
                .get()
                .map(|Disclosed(disclosure)| disclosure.clone()),
            headers: parts.headers,
            body: body.collect().await?.to_bytes(),
            binding,
        })
    }

    pub(super) async fn get(&self, url: &str) -> Checked<Answer> {
        self.send(Request::get(url).body(Full::default())?, None)
            .await
    }

    /// Opens a connection to write on by hand.
    pub(super) async fn connect(&self, site: &Site) -> Checked<Raw> {
        let stream = TcpStream::connect(("127.0.0.1", site.port())).await?;
        stream.set_nodelay(true)?;
        let tls = client::Connector::new(self.config.clone(), self.state.clone());
        Ok(Raw::new(tls.connect(site.origin().clone(), stream).await?))
    }
}

/// The options of a request that has this permission.
pub(super) fn permitting(permission: Option<Permission>) -> RequestOptions {
    RequestOptions {
        permission,
        ..RequestOptions::default()
    }
}

/// A configuration that offers these identifiers and trusts the sites.
pub(super) fn config(alpn: &[TokenBindingAlpn]) -> Checked<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(IDENTITY.certificate())?;
    let finish = |builder: rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>| {
        builder.with_root_certificates(roots).with_no_client_auth()
    };
    Ok(client_config(ring::default_provider(), alpn, finish)?)
}

impl Answer {
    /// The `tls_unique` of the connection, in hex.
    pub(super) fn tls_unique(&self) -> Checked<String> {
        tls_unique(&self.binding)
    }
}

/// The `tls_unique` of a client's connection, in hex.
pub(super) fn tls_unique(binding: &client::Connection) -> Checked<String> {
    let session = binding.session();
    let session = session.ok_or_else(|| Failure::new("Token Binding was not negotiated"))?;
    Ok(hex::encode(session.tls_unique.as_bytes()))
}
