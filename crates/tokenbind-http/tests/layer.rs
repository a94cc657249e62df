//! The layer: what a service sees of a request, and what it never sees.

#![cfg(all(feature = "client", feature = "tower"))]
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

#[path = "support/sessions.rs"]
mod sessions;

use std::{
    convert::Infallible,
    future::{Ready, ready},
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, Version};
use http_body_util::{BodyExt, Full};
use hyper::body::Body;
use sessions::{Counting, P256, header, id, p256, server, session};
use tokenbind_http::{
    ProvidedTokenBinding, ReferredTokenBinding,
    server::{self, RequestOutcome},
};
use tokenbind_wire::{RustCrypto, Session, TokenBindingAlpn, TokenBindingId, TokenBindingType};
use tower_layer::Layer;
use tower_service::Service;

#[test]
fn hands_the_service_the_bindings_and_removes_earlier_ones() {
    let session = session(P256, 1);
    let (key, consumer) = (p256(), p256());
    let plain = header(&session, &*key, None);
    let federated = header(&session, &*key, Some(&*consumer));
    let application = Application::default();
    let layer = server::Layer::for_connection(connection(Some(session)));
    let mut service = layer.layer(application.clone());
    assert_eq!(answer(&mut service, request(&[&federated])), served());
    assert_eq!(answer(&mut service, request(&[&plain])), served());

    // What an outer layer or a client library left in the request.
    let mut stale = request(&[&plain]);
    let referred = ReferredTokenBinding::Verified(id(TokenBindingType::REFERRED, &*key).into());
    stale.extensions_mut().insert(referred.clone());
    assert_eq!(answer(&mut service, stale), served());

    let RequestOutcome::Bound(bindings) = server(session).request([plain.as_bytes()], &RustCrypto)
    else {
        panic!("not bound");
    };
    let layer = server::Layer::for_connection(connection(None));
    let mut unbound = layer.layer(application.clone());
    let mut stale = request(&[]);
    stale.extensions_mut().insert(bindings.provided().clone());
    stale.extensions_mut().insert(referred);
    assert_eq!(answer(&mut unbound, stale), served());

    let provided = Some(id(TokenBindingType::PROVIDED, &*key));
    let verified =
        ReferredTokenBinding::Verified(id(TokenBindingType::REFERRED, &*consumer).into());
    let expected = [
        (provided.clone(), Some(verified)),
        (provided.clone(), None),
        (provided, None),
        (None, None),
    ];
    assert_eq!(*application.0.lock().unwrap(), expected);
}

#[test]
fn keeps_a_refused_request_from_the_service() {
    let session = session(P256, 1);
    let plain = header(&session, &*p256(), None);
    for (negotiated, values) in [
        (Some(session), vec![]),
        (Some(session), vec!["not base64url!"]),
        (Some(session), vec![plain.as_str(); 2]),
        (None, vec![plain.as_str()]),
    ] {
        let connection = connection(negotiated);
        let application = Application::default();
        let layer = server::Layer::for_connection(connection.clone());
        let mut service = layer.layer(application.clone());
        let bad = StatusCode::BAD_REQUEST;
        assert_eq!(answer(&mut service, request(&values)), refused(bad));
        assert!(connection.is_terminated());
        // Nor does a good one after it, nor one through another service of the connection.
        let mut clone = service.clone();
        assert_eq!(answer(&mut service, request(&[&plain])), refused(bad));
        assert_eq!(answer(&mut clone, request(&[&plain])), refused(bad));
        assert_eq!(*application.0.lock().unwrap(), []);
    }
}

#[test]
fn takes_the_connection_of_the_layer_or_of_the_request() {
    let (one, other) = (session(P256, 1), session(P256, 2));
    let key = p256();
    let value = header(&one, &*key, None);
    let application = Application::default();
    let mut shared = server::Layer::new().layer(application.clone());

    // Nothing can be said of a request whose connection is not known.
    let error = StatusCode::INTERNAL_SERVER_ERROR;
    assert_eq!(answer(&mut shared, request(&[&value])), refused(error));
    assert_eq!(answer(&mut shared, request(&[])), refused(error));
    assert_eq!(*application.0.lock().unwrap(), []);

    let on = |connection: &server::Connection| {
        let mut request = request(&[&value]);
        request.extensions_mut().insert(connection.clone());
        request
    };
    let (first, second) = (connection(Some(one)), connection(Some(other)));
    assert_eq!(answer(&mut shared, on(&first)), served());
    let bad = StatusCode::BAD_REQUEST;
    assert_eq!(answer(&mut shared, on(&second)), refused(bad));
    assert_eq!(answer(&mut shared, on(&first)), served());
    assert_eq!(
        (first.is_terminated(), second.is_terminated()),
        (false, true)
    );

    // The layer's own counts.
    let mut fixed = server::Layer::for_connection(first).layer(application.clone());
    assert_eq!(answer(&mut fixed, on(&second)), served());
    assert_eq!(application.0.lock().unwrap().len(), 3);
}

/// A server of HTTP/2 may call a layer in any order.
#[test]
fn refuses_http_2_and_all_other_versions_than_http_1() {
    let http2 = TokenBindingAlpn::H2P256;
    for version in [Version::HTTP_2, Version::HTTP_3] {
        for session in [Some(session(http2, 1)), None] {
            let connection = connection(session);
            let application = Application::default();
            let layer = server::Layer::for_connection(connection.clone());
            let mut service = layer.layer(application.clone());
            let value = session.map(|session| header(&session, &*p256(), None));
            let mut request = request(&value.iter().map(String::as_str).collect::<Vec<_>>());
            *request.version_mut() = version;
            let error = StatusCode::INTERNAL_SERVER_ERROR;
            assert_eq!(answer(&mut service, request), refused(error));
            assert!(!connection.is_terminated());
            assert_eq!(*application.0.lock().unwrap(), []);
        }
    }
}

#[test]
fn terminates_a_connection_that_speaks_another_protocol_than_negotiated() {
    for (alpn, version) in [
        (TokenBindingAlpn::Http11P256, Version::HTTP_2),
        (TokenBindingAlpn::H2P256, Version::HTTP_11),
        (TokenBindingAlpn::H2P256, Version::HTTP_10),
    ] {
        let session = session(alpn, 1);
        let value = header(&session, &*p256(), None);
        let connection = connection(Some(session));
        let application = Application::default();
        let layer = server::Layer::for_connection(connection.clone());
        let mut service = layer.layer(application.clone());
        let mut request = request(&[&value]);
        *request.version_mut() = version;
        let bad = StatusCode::BAD_REQUEST;
        assert_eq!(answer(&mut service, request), refused(bad));
        let kind = connection
            .terminate_reason()
            .map(server::TerminateReason::kind);
        assert_eq!(kind, Some(server::TerminateKind::ApplicationProtocol));
        assert_eq!(*application.0.lock().unwrap(), []);
    }
}

/// Reads a body to its end.
#[derive(Clone)]
struct Reader;

impl<B: Body + Send + 'static> Service<Request<B>> for Reader
where
    B::Data: Send,
    B::Error: std::fmt::Display,
{
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<String>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        Box::pin(async {
            let read = request.into_body().collect().await;
            let trailers = read.map(|body| body.trailers().map_or(0, HeaderMap::len));
            Ok(Response::new(match trailers {
                Ok(trailers) => format!("{trailers} trailers"),
                Err(error) => error.to_string(),
            }))
        })
    }
}

#[test]
fn terminates_a_connection_with_the_field_in_a_trailer() {
    for session in [Some(session(P256, 1)), None] {
        let value = session.map(|session| header(&session, &*p256(), None));
        for (name, said) in [
            ("x-sum", "1 trailers"),
            (
                "token-binding",
                "the connection is terminated: Token-Binding: present in a trailer at byte 0",
            ),
        ] {
            let connection = connection(session);
            let layer = server::Layer::for_connection(connection.clone());
            let mut service = layer.layer(Reader);
            let mut trailers = HeaderMap::new();
            trailers.insert(name, "AAAA".parse().unwrap());
            let body = Full::new(Bytes::from("body")).with_trailers(ready(Some(Ok(trailers))));
            let mut request = Request::post("/");
            if let Some(value) = &value {
                request = request.header("Token-Binding", value);
            }
            let response = service.call(request.body(body).unwrap());
            let mut context = Context::from_waker(Waker::noop());
            let Poll::Ready(Ok(response)) = Box::pin(response).as_mut().poll(&mut context) else {
                panic!("the answer is not there at once");
            };
            assert_eq!(response.body(), said);
            let kind = connection
                .terminate_reason()
                .map(server::TerminateReason::kind);
            let terminated = name == "token-binding";
            assert_eq!(kind, terminated.then_some(server::TerminateKind::Trailer));
            assert_eq!(connection.is_terminated(), terminated);
        }
    }
}

type Seen = (Option<TokenBindingId>, Option<ReferredTokenBinding>);

/// Notes the extensions it gets.
#[derive(Clone, Default)]
struct Application(Arc<Mutex<Vec<Seen>>>);

impl<B> Service<Request<B>> for Application {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Ready<Result<Response<String>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let extensions = request.extensions();
        let provided = extensions.get::<ProvidedTokenBinding>();
        self.0.lock().unwrap().push((
            provided.map(|provided| provided.id().clone()),
            extensions.get().cloned(),
        ));
        ready(Ok(Response::new("served".to_owned())))
    }
}

fn connection(session: Option<Session>) -> server::Connection {
    let verifier = Arc::new(Counting::default());
    server::Connection::new(session, verifier, server::Options::default())
}

fn answer<S>(service: &mut S, request: Request<()>) -> (StatusCode, String, HeaderMap)
where
    S: Service<Request<()>, Response = Response<String>, Error = Infallible>,
{
    let mut context = Context::from_waker(Waker::noop());
    assert!(service.poll_ready(&mut context).is_ready());
    let mut response = Box::pin(service.call(request));
    let Poll::Ready(Ok(response)) = response.as_mut().poll(&mut context) else {
        panic!("the answer is not there at once");
    };
    let (parts, body) = response.into_parts();
    (parts.status, body, parts.headers)
}

fn request(values: &[&str]) -> Request<()> {
    let request = values.iter().fold(Request::get("/"), |request, value| {
        request.header("Token-Binding", *value)
    });
    request.body(()).unwrap()
}

fn served() -> (StatusCode, String, HeaderMap) {
    (StatusCode::OK, "served".to_owned(), HeaderMap::new())
}

fn refused(status: StatusCode) -> (StatusCode, String, HeaderMap) {
    let mut headers = HeaderMap::new();
    headers.insert("connection", "close".parse().unwrap());
    (status, String::new(), headers)
}
