//! HTTP/2: what a repeated header costs on the wire (section 2).

#![cfg(all(feature = "client", feature = "hyper"))]
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

#[path = "support/peers.rs"]
mod peers;
#[path = "support/sessions.rs"]
mod sessions;

use std::{
    convert::Infallible,
    io,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use rustls::{
    RootCertStore,
    crypto::ring::default_provider,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use sessions::{Keys, RSA};
use tokenbind_http::{
    ProvidedTokenBinding,
    client::{self, HttpClient, HttpsConnector, RequestOptions},
    server::{self, serve_connection},
    tls::{ServerConfigs, VersionPreference, client_config},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
};

#[tokio::test]
async fn sends_a_repeated_header_in_http2_as_an_index() {
    let (certificate, key) = peers::certificate();
    let preference = VersionPreference::TokenBinding;
    let configs = ServerConfigs::build(default_provider(), &[RSA], preference, |builder| {
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.clone()));
        builder
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key)
    });
    let acceptor = server::Acceptor::new(configs.unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let read = Arc::new(AtomicUsize::new(0));
    let at_request = Arc::new(Mutex::new(Vec::new()));
    let (counter, seen) = (read.clone(), at_request.clone());
    let serving = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let read = counter.clone();
        let stream = acceptor.accept(Counted { stream, read }).await.unwrap();
        let service = tower::service_fn(move |request: server::Request| {
            assert!(request.extensions().get::<ProvidedTokenBinding>().is_some());
            let total = counter.load(Ordering::Acquire);
            seen.lock().unwrap().push(total);
            async { Ok::<_, Infallible>(Response::new(Full::new(Bytes::new()))) }
        });
        serve_connection(stream, service).await
    });

    let config = client_config(default_provider(), &[RSA], |builder| {
        let mut roots = RootCertStore::empty();
        roots.add(certificate).unwrap();
        builder.with_root_certificates(roots).with_no_client_auth()
    });
    let state = Arc::new(client::State::new(
        Keys::default(),
        client::Options::default(),
    ));
    let tls = client::Connector::new(Arc::new(config.unwrap()), state);
    let client = HttpClient::<Full<Bytes>>::new(HttpsConnector::new(tls));
    let mut header = 0;
    for _ in 0..4 {
        let request = Request::get(format!("https://localhost:{port}/")).body(Full::default());
        let sent = client
            .send(request.unwrap(), RequestOptions::default())
            .await;
        let (response, binding) = sent.unwrap();
        assert_eq!(response.version(), http::Version::HTTP_2);
        header = binding.written_header().unwrap().len();
    }
    client.close_idle();
    drop(client);
    serving.abort();
    let totals = at_request.lock().unwrap().clone();
    assert_eq!((totals.len(), header), (4, 703));
    let later: Vec<_> = totals
        .windows(2)
        .map(|pair| pair[1].abs_diff(pair[0]))
        .collect();
    assert!(later.iter().all(|bytes| *bytes < 200), "{later:?} bytes");
}

/// A stream whose bytes read are counted.
struct Counted {
    stream: TcpStream,
    read: Arc<AtomicUsize>,
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        let new = buffer.filled().len().abs_diff(before);
        self.read.fetch_add(new, Ordering::AcqRel);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, buffer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
