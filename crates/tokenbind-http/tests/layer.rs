//! The layer: what a service sees of a request, and what it never sees.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod sessions;

use std::{
    convert::Infallible,
    future::{Ready, ready},
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
};

use http::{HeaderMap, Request, Response, StatusCode};
use sessions::{Counting, P256, header, id, p256, server, session};
use tokenbind_http::{
    ProvidedTokenBinding, ReferredTokenBinding, RequestOutcome, ServerOptions,
    TokenBindingConnection, TokenBindingLayer,
};
use tokenbind_wire::{RustCrypto, Session, TokenBindingId, TokenBindingType};
use tower_layer::Layer;
use tower_service::Service;

type Seen = (Option<TokenBindingId>, Option<ReferredTokenBinding>);

/// Notes the extensions it gets.
#[derive(Clone, Default)]
struct Application(Arc<Mutex<Vec<Seen>>>);

impl Service<Request<()>> for Application {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Ready<Result<Response<String>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<()>) -> Self::Future {
        let extensions = request.extensions();
        let provided = extensions.get::<ProvidedTokenBinding>();
        self.0.lock().unwrap().push((
            provided.map(|provided| provided.id().clone()),
            extensions.get().cloned(),
        ));
        ready(Ok(Response::new("served".to_owned())))
    }
}

fn connection(session: Option<Session>) -> TokenBindingConnection {
    let verifier = Arc::new(Counting::default());
    TokenBindingConnection::new(session, verifier, ServerOptions::default(), None)
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

#[test]
fn the_service_gets_the_bindings_and_nothing_that_was_there_before() {
    let session = session(P256, 1);
    let (key, consumer) = (p256(), p256());
    let plain = header(&session, &*key, None);
    let federated = header(&session, &*key, Some(&*consumer));
    let application = Application::default();
    let layer = TokenBindingLayer::for_connection(connection(Some(session)));
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
    let layer = TokenBindingLayer::for_connection(connection(None));
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
fn a_refused_request_does_not_reach_the_service() {
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
        let layer = TokenBindingLayer::for_connection(connection.clone());
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
fn the_connection_is_the_layers_or_the_requests() {
    let (one, other) = (session(P256, 1), session(P256, 2));
    let key = p256();
    let value = header(&one, &*key, None);
    let application = Application::default();
    let mut shared = TokenBindingLayer::new().layer(application.clone());

    // Nothing can be said of a request whose connection is not known.
    let error = StatusCode::INTERNAL_SERVER_ERROR;
    assert_eq!(answer(&mut shared, request(&[&value])), refused(error));
    assert_eq!(answer(&mut shared, request(&[])), refused(error));
    assert_eq!(*application.0.lock().unwrap(), []);

    let on = |connection: &TokenBindingConnection| {
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
    let mut fixed = TokenBindingLayer::for_connection(first).layer(application.clone());
    assert_eq!(answer(&mut fixed, on(&second)), served());
    assert_eq!(application.0.lock().unwrap().len(), 3);
}

#[cfg(feature = "axum")]
#[test]
fn axum_tells_the_connection_as_connect_info() {
    use axum::extract::ConnectInfo;
    let session = session(P256, 1);
    let value = header(&session, &*p256(), None);
    let mut shared = TokenBindingLayer::new().layer(Application::default());
    let mut request = request(&[&value]);
    let info = ConnectInfo(connection(Some(session)));
    request.extensions_mut().insert(info);
    assert_eq!(answer(&mut shared, request), served());
}
