//! The tower layer: what reaches a service, and what does not.

#![cfg(all(feature = "client", feature = "tower"))]
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use std::{
    convert::Infallible,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use http::{HeaderValue, Request, Response, StatusCode};
use tokenbind_http::{
    ProvidedTokenBinding, ReferredTokenBinding, client,
    keys::MemoryKeyStore,
    origin::Origin,
    server::{self, RequestBody},
};
use tokenbind_wire::{
    Negotiated, ProtocolVersion, RustCrypto, Session, TerminateKind, TlsFacts, TlsUnique,
    TokenBindingAlpn,
};
use tower::{Layer, ServiceExt, service_fn};

/// The extensions of a request that the service received.
type Seen = (Option<ProvidedTokenBinding>, Option<ReferredTokenBinding>);

#[tokio::test]
async fn refuses_all_requests_without_a_connection_with_500() {
    let client = client();
    for headers in [vec![], vec![header(&client, b"0123456789ab", false)]] {
        let answer = run(server::Layer::new(), request(&headers)).await;
        refused_with(StatusCode::INTERNAL_SERVER_ERROR, &answer);
    }
}

#[tokio::test]
async fn passes_a_bound_request_to_the_service_with_its_bindings() {
    let client = client();
    let here = session(b"0123456789ab");
    for referred in [false, true] {
        let header = header(&client, b"0123456789ab", referred);
        let mut with_extension = request(std::slice::from_ref(&header));
        with_extension
            .extensions_mut()
            .insert(connection(Some(here)));
        let answers = [
            run(server::Layer::new(), with_extension).await,
            run(
                server::Layer::for_connection(connection(Some(here))),
                request(&[header]),
            )
            .await,
        ];
        for (response, seen) in answers {
            assert_eq!(response.body(), "served");
            let (provided, with_referred) = seen.unwrap();
            assert!(provided.is_some());
            let verified = matches!(with_referred, Some(ReferredTokenBinding::Verified(_)));
            assert_eq!(verified, referred);
        }
    }
}

#[tokio::test]
async fn removes_bindings_of_an_earlier_layer() {
    let (provided, referred) = of_somebody_else().await;
    let spoof = |mut request: Request<()>| {
        request.extensions_mut().insert(provided.clone());
        request.extensions_mut().insert(referred.clone());
        request
    };

    let layer = server::Layer::for_connection(connection(None));
    let (_, seen) = run(layer, spoof(request(&[]))).await;
    assert_eq!(seen, Some((None, None)));

    let client = client();
    let header = header(&client, b"0123456789ab", false);
    let layer = server::Layer::for_connection(connection(Some(session(b"0123456789ab"))));
    let (_, seen) = run(layer, spoof(request(&[header]))).await;
    let (own, none) = seen.unwrap();
    assert_ne!(own.unwrap(), provided);
    assert_eq!(none, None);
}

#[tokio::test]
async fn prefers_the_layers_connection_to_the_requests_extension() {
    let client = client();
    let header = header(&client, b"0123456789ab", false);
    let mut with_extension = request(&[header]);
    let other = connection(Some(session(b"0123456789ab")));
    with_extension.extensions_mut().insert(other.clone());
    // The header is good on the other connection only.
    let own = connection(Some(session(b"ba9876543210")));
    let answer = run(server::Layer::for_connection(own.clone()), with_extension).await;
    refused_with(StatusCode::BAD_REQUEST, &answer);
    assert_eq!((own.is_terminated(), other.is_terminated()), (true, false));
}

#[tokio::test]
async fn refuses_good_requests_after_a_refusal_and_reports_it_once() {
    let client = client();
    let good = header(&client, b"0123456789ab", false);
    let told: Arc<Mutex<Vec<server::TerminateReason>>> = Arc::default();
    let (count, tell) = (Arc::new(AtomicUsize::new(0)), told.clone());
    let counted = count.clone();
    let connection = server::Connection::new(
        Some(session(b"0123456789ab")),
        Arc::new(RustCrypto),
        server::Options::default(),
    );
    let connection = connection.on_terminate(move |reason| {
        counted.fetch_add(1, Ordering::Relaxed);
        tell.lock().unwrap().push(reason);
    });
    let layer = || server::Layer::for_connection(connection.clone());
    let (response, _) = run(layer(), request(std::slice::from_ref(&good))).await;
    assert_eq!(response.body(), "served");
    for headers in [vec![], vec![good.clone()], vec![good.clone(), good]] {
        let answer = run(layer(), request(&headers)).await;
        refused_with(StatusCode::BAD_REQUEST, &answer);
    }
    assert_eq!(count.load(Ordering::Relaxed), 1);
    let kinds: Vec<_> = told
        .lock()
        .unwrap()
        .iter()
        .map(|told| told.kind())
        .collect();
    assert_eq!(kinds, [server::TerminateKind::MissingInLaterRequest]);
    let refusal = connection
        .terminate_reason()
        .map(server::TerminateReason::kind);
    assert_eq!(refusal, Some(server::TerminateKind::MissingInLaterRequest));
}

#[tokio::test]
async fn refuses_a_header_on_a_connection_without_token_binding() {
    let client = client();
    let header = header(&client, b"0123456789ab", false);
    let plain = connection(None);
    let layer = server::Layer::for_connection(plain.clone());
    let answer = run(layer, request(&[header])).await;
    refused_with(StatusCode::BAD_REQUEST, &answer);
    let kind = plain.terminate_reason().map(server::TerminateReason::kind);
    assert_eq!(
        kind,
        Some(server::TerminateKind::Message(TerminateKind::NotNegotiated))
    );
}

#[tokio::test]
async fn agrees_in_two_layers_on_one_connection() {
    let client = client();
    let header = header(&client, b"0123456789ab", true);
    let connection = connection(Some(session(b"0123456789ab")));
    let outer = server::Layer::for_connection(connection.clone());
    let inner = server::Layer::for_connection(connection);
    let service = outer.layer(inner.layer(service_fn(
        |request: Request<RequestBody<RequestBody<()>>>| async move {
            let bound = request.extensions().get::<ProvidedTokenBinding>().is_some();
            Ok::<_, Infallible>(Response::new(bound.to_string()))
        },
    )));
    let response = service.oneshot(request(&[header])).await.unwrap();
    assert_eq!(response.body(), "true");
}

/// A connection with Token Binding, identified by its `tls_unique`.
fn session(tls_unique: &[u8; 12]) -> Session {
    let facts = TlsFacts {
        version: ProtocolVersion::TLS1_2,
        extended_master_secret: true,
    };
    Session {
        negotiated: Negotiated::try_new(TokenBindingAlpn::Http11P256, facts).unwrap(),
        tls_unique: TlsUnique::from_engine(tls_unique, facts).unwrap(),
    }
}

fn connection(session: Option<Session>) -> server::Connection {
    server::Connection::new(session, Arc::new(RustCrypto), server::Options::default())
}

fn origin(text: &str) -> Origin {
    text.parse().unwrap()
}

fn client() -> client::State {
    client::State::new(MemoryKeyStore::new(), client::Options::default())
}

/// A header for the connection with this `tls_unique`, with a referred binding if asked for.
fn header(client: &client::State, tls_unique: &[u8; 12], referred: bool) -> HeaderValue {
    let consumer = origin("https://consumer.example");
    let permission = referred.then(|| {
        let _visited = client.connection(consumer.clone(), Some(session(b"consumer....")));
        client.script_permission(true, &consumer).unwrap()
    });
    let binding = client.connection(origin("https://here.example"), Some(session(tls_unique)));
    let header = binding.header(client, permission).unwrap();
    HeaderValue::from_str(&header.value.unwrap()).unwrap()
}

fn request(headers: &[HeaderValue]) -> Request<()> {
    let mut request = Request::new(());
    for header in headers {
        request
            .headers_mut()
            .append("token-binding", header.clone());
    }
    request
}

/// Runs a request through the layer; the response, and what the service saw if it was called.
async fn run(layer: server::Layer, request: Request<()>) -> (Response<String>, Option<Seen>) {
    let seen: Arc<Mutex<Option<Seen>>> = Arc::default();
    let record = seen.clone();
    let service = layer.layer(service_fn(move |request: Request<RequestBody<()>>| {
        let extensions = request.extensions();
        let saw = (extensions.get().cloned(), extensions.get().cloned());
        *record.lock().unwrap() = Some(saw);
        async { Ok::<_, Infallible>(Response::new("served".to_owned())) }
    }));
    let response = service.oneshot(request).await.unwrap();
    let saw = seen.lock().unwrap().take();
    (response, saw)
}

fn refused_with(status: StatusCode, (response, seen): &(Response<String>, Option<Seen>)) {
    assert_eq!(response.status(), status);
    let close = HeaderValue::from_static("close");
    assert_eq!(response.headers().get("connection"), Some(&close));
    assert_eq!((response.body().as_str(), seen), ("", &None));
}

/// The extensions of another request, as an earlier layer may leave them.
async fn of_somebody_else() -> (ProvidedTokenBinding, ReferredTokenBinding) {
    let connection = connection(Some(session(b"somebody els")));
    let header = header(&client(), b"somebody els", true);
    let layer = server::Layer::for_connection(connection);
    let (_, seen) = run(layer, request(&[header])).await;
    let (provided, referred) = seen.unwrap();
    (provided.unwrap(), referred.unwrap())
}
