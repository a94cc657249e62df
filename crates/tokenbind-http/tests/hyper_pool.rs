//! The connections that the client over hyper keeps: when they are used again, and what happens if
//! the server closes them meanwhile.

#![cfg(all(feature = "client", feature = "hyper"))]
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use std::{convert::Infallible, error::Error, sync::mpsc, thread, time::Duration};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::Full;
use test_support::loopback::{Pki, Server, get, ok, soon, text};
use tokenbind_http::{
    ProvidedTokenBinding, ReferredTokenBinding,
    client::{Disclosed, HttpClient, RequestError, RequestOptions},
    federation::Disclosure,
    server::{self, serve_connection},
};
use tokenbind_wire::TokenBindingAlpn;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    runtime::Builder,
    time::timeout,
};
use tower::service_fn;

const H2: &[TokenBindingAlpn] = &[TokenBindingAlpn::H2P256];
const HTTP11: &[TokenBindingAlpn] = &[TokenBindingAlpn::Http11P256];

async fn fetch(client: &HttpClient, url: &str) -> Result<String, RequestError> {
    let response = client.request(get(url), RequestOptions::default());
    Ok(text(soon(response).await?).await)
}

/// On several threads a connection may take a moment longer until it takes the next request, also if
/// the response was read to its end.
#[tokio::test]
async fn waits_for_a_busy_connection_or_a_new_one() {
    let pki = Pki::new();
    let acceptor = pki.acceptor(HTTP11);
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let url = format!("https://127.0.0.1:{port}/");
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let stream = acceptor.accept(stream).await.unwrap();
        let large = || Response::new(Full::<Bytes>::from(vec![b'x'; 1 << 20]));
        let service = service_fn(move |_| async move { Ok::<_, Infallible>(large()) });
        let _ended = serve_connection(stream, service).await;
        // Other connections wait in the backlog for their handshakes.
        drop(listener);
    });
    let client = pki.client();
    let first = client.request(get(&url), RequestOptions::default());
    let first = soon(first).await.unwrap();
    let (first, second) = tokio::join!(text(first), fetch(&client, &url));
    assert_eq!((first.len(), second.unwrap().len()), (1 << 20, 1 << 20));
}

/// The bindings of a request.
async fn bindings(request: server::Request) -> Result<Response<Full<Bytes>>, Infallible> {
    let provided = request.extensions().get::<ProvidedTokenBinding>();
    let referred = request.extensions().get::<ReferredTokenBinding>();
    let said = match (provided, referred) {
        (Some(_), None) => "provided",
        (Some(_), Some(ReferredTokenBinding::Verified(_))) => "provided and referred",
        _ => "neither",
    };
    Ok(Response::new(Full::from(said)))
}

/// A server on a thread of its own, which closes its first connection on request, and signals when it
/// has.
struct Closing {
    url: String,
    close: mpsc::Sender<()>,
    closed: mpsc::Receiver<()>,
}

impl Closing {
    fn start(acceptor: server::Acceptor) -> Self {
        let (url_is, url) = mpsc::channel();
        let (close, told) = mpsc::channel();
        let (has_closed, closed) = mpsc::channel();
        let mut runtime = Builder::new_current_thread();
        let runtime = runtime.enable_all().build().unwrap();
        thread::spawn(move || {
            runtime.block_on(async {
                let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
                let port = listener.local_addr().unwrap().port();
                url_is.send(format!("https://127.0.0.1:{port}/")).unwrap();
                let accept = || async {
                    let (stream, _) = listener.accept().await.unwrap();
                    acceptor.accept(stream).await.unwrap()
                };
                let told = async {
                    while told.try_recv().is_err() {
                        tokio::time::sleep(Duration::from_millis(1)).await;
                    }
                };
                let service = service_fn(bindings);
                tokio::select! {
                    ended = serve_connection(accept().await, service) => panic!("{ended:?}"),
                    () = told => {}
                }
                has_closed.send(()).unwrap();
                let _ended = serve_connection(accept().await, service).await;
            });
        });
        let url = url.recv().unwrap();
        Self { url, close, closed }
    }

    /// The client's only thread waits here, so that it notices nothing.
    fn close(&self) {
        self.close.send(()).unwrap();
        self.closed.recv().unwrap();
    }
}

/// A request that was perhaps sent, and may be sent again.
#[tokio::test]
async fn sends_an_idempotent_request_again_if_the_server_closed_the_connection() {
    for alpn in [HTTP11, H2] {
        let pki = Pki::new();
        let server = Closing::start(pki.acceptor(alpn));
        let client = pki.client();
        assert_eq!(fetch(&client, &server.url).await.unwrap(), "provided");
        // Until the connection takes the next request.
        tokio::time::sleep(Duration::from_millis(50)).await;
        server.close();
        assert_eq!(fetch(&client, &server.url).await.unwrap(), "provided");
    }
}

#[tokio::test]
async fn carries_a_permission_with_the_request_over_another_connection() {
    for alpn in [HTTP11, H2] {
        let pki = Pki::new();
        let consumer = Server::start(pki.acceptor(alpn), |_| ok()).await;
        let provider = Closing::start(pki.acceptor(alpn));
        let client = pki.client();
        fetch(&client, &consumer.url("/")).await.unwrap();
        assert_eq!(fetch(&client, &provider.url).await.unwrap(), "provided");
        tokio::time::sleep(Duration::from_millis(50)).await;
        provider.close();
        let options = RequestOptions {
            with_referer_token_binding_id: Some(consumer.origin.clone()),
            ..RequestOptions::default()
        };
        let response = soon(client.request(get(&provider.url), options)).await;
        let response = response.unwrap();
        let disclosed = response.extensions().get::<Disclosed>();
        let Some(Disclosed(Disclosure::Reveal(referral))) = disclosed else {
            panic!("{disclosed:?}");
        };
        assert_eq!(referral.consumer(), &consumer.origin);
        assert_eq!(text(response).await, "provided and referred");
    }
}

/// Answers one request, reads a second one, and closes. Whether another connection was opened then.
async fn closes_instead_of_answering(listener: TcpListener, acceptor: server::Acceptor) -> bool {
    let (stream, _) = listener.accept().await.unwrap();
    let mut stream = acceptor.accept(stream).await.unwrap();
    let mut octets = [0; 4096];
    assert!(stream.read(&mut octets).await.unwrap() > 0);
    let response = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    stream.write_all(response).await.unwrap();
    stream.flush().await.unwrap();
    assert!(stream.read(&mut octets).await.unwrap() > 0);
    drop(stream);
    let another = listener.accept();
    timeout(Duration::from_millis(200), another).await.is_ok()
}

/// A request that was perhaps processed: only the caller knows if it may be sent twice.
#[tokio::test]
async fn sends_a_request_of_another_method_once() {
    for (method, sent_again) in [(Method::POST, false), (Method::PUT, true)] {
        let pki = Pki::new();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let url = format!("https://127.0.0.1:{port}/");
        let server = closes_instead_of_answering(listener, pki.acceptor(HTTP11));
        let server = tokio::spawn(server);
        let client = pki.client();
        assert_eq!(fetch(&client, &url).await.unwrap(), "ok");
        let request = Request::builder().method(&method).uri(&url);
        let request = request.body(Full::default()).unwrap();
        let sent = client.request(request, RequestOptions::default());
        match soon(sent).await {
            // Over the first connection, or over the second, whose handshake nobody does.
            Err(RequestError::Http(error)) if !sent_again => {
                assert!(
                    error.is_incomplete_message() || error.source().is_some(),
                    "{error:?}"
                );
            }
            Err(RequestError::Connect(_)) if sent_again => {}
            other => panic!("{method}: {other:?}"),
        }
        assert_eq!(server.await.unwrap(), sent_again, "{method}");
    }
}
