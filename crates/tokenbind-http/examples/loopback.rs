//! The shared part of the examples: a certificate for `localhost`, and services and clients that use it.

#![allow(dead_code, reason = "no example uses all of it")]

use std::{net::SocketAddr, sync::Arc};

use axum::Router;
use clap::Parser;
use http::{Response, request::Builder};
use http_body_util::{BodyExt, Full};
use rustls::{RootCertStore, crypto::ring::default_provider};
use test_support::pki::{Certificate, Identity};
use tokenbind_http::{
    client::{self, HttpClient, HttpsConnector, RequestOptions},
    keys::MemoryKeyStore,
    server,
    tls::{ServerConfigs, VersionPreference, client_config},
};
use tokenbind_wire::TokenBindingAlpn;
use tokio::{net::TcpListener, task::JoinHandle};

pub(crate) type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[derive(Parser)]
pub(crate) struct Arguments {
    /// Listen here, and stay up
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) serve: Option<SocketAddr>,
}

/// Makes the certificate.
pub(crate) fn certificate() -> Identity {
    Certificate::server(&["localhost"]).self_signed()
}

/// Serves an application with these Token Binding identifiers until Ctrl-C, at a free port by default. Returns its URL.
pub(crate) async fn serve(
    application: Router,
    alpn: &[TokenBindingAlpn],
    (identity, address): (&Identity, Option<SocketAddr>),
) -> Result<(String, JoinHandle<usize>)> {
    let preference = VersionPreference::TokenBinding;
    let configs = ServerConfigs::build(default_provider(), alpn, preference, |builder| {
        let builder = builder.with_no_client_auth();
        builder.with_single_cert(identity.chain(), identity.private_key())
    })?;
    let server = server::Server::new(server::Acceptor::new(configs));
    let address = address.unwrap_or(([127, 0, 0, 1], 0).into());
    let listener = TcpListener::bind(address).await?;
    let url = format!("https://localhost:{}", listener.local_addr()?.port());
    let stop = async { drop(tokio::signal::ctrl_c().await) };
    let serve = async move { server.serve_until(listener, application, stop).await };
    Ok((url, tokio::spawn(serve)))
}

/// Makes a client with keys of its own that offers these identifiers; with none, one without Token Binding.
pub(crate) fn client(identity: &Identity, alpn: &[TokenBindingAlpn]) -> Result<HttpClient> {
    let mut roots = RootCertStore::empty();
    roots.add(identity.certificate())?;
    let config = client_config(default_provider(), alpn, |builder| {
        builder.with_root_certificates(roots).with_no_client_auth()
    })?;
    let state = client::State::new(MemoryKeyStore::new(), client::Options::default());
    let connector = client::Connector::new(Arc::new(config), Arc::new(state));
    Ok(HttpClient::new(HttpsConnector::new(connector)))
}

/// Sends a request without a body, and prints the status and the body of the response.
pub(crate) async fn fetch(
    who: &str,
    client: &HttpClient,
    request: Builder,
    options: RequestOptions,
) -> Result<Response<String>> {
    let response = client.request(request.body(Full::default())?, options);
    let (parts, body) = response.await?.into_parts();
    let body = String::from_utf8(body.collect().await?.to_bytes().to_vec())?;
    println!("{who}: {}: {body}", parts.status);
    Ok(Response::from_parts(parts, body))
}
