//! Bodies and trailers.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use http_body_util::BodyExt;
use hyper::body::Frame;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::{
    loopback::soon,
    setup::{BOTH, Backend, Frames, H2, SPOOFED, Setup, data, send},
};

#[tokio::test]
async fn streams_bodies_both_ways() {
    let setup = Setup::start("streamed", &[]).await;
    for alpn in BOTH {
        let (client, _) = setup.client(alpn);
        let (frames, body) = Frames::open();
        // HTTP/1.1 sends the head with the first piece.
        frames.send(data("piece 0")).await.unwrap();
        let request = setup.request("/").method(Method::POST).body(body).unwrap();
        let mut response = send(&client, request).await.into_body();
        for n in 0..5 {
            // Each piece comes back before the next one is sent.
            let frame = soon(response.frame()).await.unwrap().unwrap();
            assert_eq!(frame.into_data().unwrap(), format!("piece {n}"));
            frames.send(data(format!("piece {}", n + 1))).await.unwrap();
        }
        drop(frames);
        let rest = soon(response.collect()).await.unwrap().to_bytes();
        assert_eq!(rest, "piece 5");
    }
}

#[tokio::test]
async fn returns_large_bodies_whole() {
    let setup = Setup::start("large", &[]).await;
    let piece: Bytes = (0..=u8::MAX).cycle().take(1 << 19).collect();
    for alpn in BOTH {
        let (client, _) = setup.client(alpn);
        let body = Frames::of((0..16).map(|_| data(piece.clone())));
        let request = setup.request("/").method(Method::PUT).body(body).unwrap();
        let response = send(&client, request).await;
        let body = soon(response.into_body().collect())
            .await
            .unwrap()
            .to_bytes();
        assert!(body == piece.repeat(16), "{} bytes", body.len());
    }
}

#[tokio::test]
async fn forwards_trailers_both_ways_without_reserved_names() {
    let setup = Setup::start("trailers", &[]).await;
    for alpn in BOTH {
        let (client, _) = setup.client(alpn);
        let mut trailers = HeaderMap::new();
        trailers.insert("x-sum", HeaderValue::from_static("42"));
        for name in SPOOFED
            .iter()
            .chain(&["x-forwarded-for", "x_forwarded_for"])
        {
            let name = HeaderName::from_static(name);
            trailers.insert(name, HeaderValue::from_static("forged"));
        }
        let named: Vec<_> = trailers.keys().map(HeaderName::as_str).collect();
        let request = setup
            .request("/")
            .method(Method::POST)
            .header("te", "trailers")
            .header("trailer", named.join(", "));
        let body = Frames::of([data("body"), Frame::trailers(trailers.clone())]);
        let response = send(&client, request.body(body).unwrap()).await;
        let body = soon(response.into_body().collect()).await.unwrap();
        let mut expected = HeaderMap::new();
        expected.insert("x-sum", HeaderValue::from_static("42"));
        assert_eq!(body.trailers(), Some(&expected), "{alpn:?}");
        assert_eq!(body.to_bytes(), "body");
        assert_eq!(setup.backend.last().trailers, expected, "{alpn:?}");
    }
}

#[tokio::test]
async fn removes_reserved_names_from_trailers_of_the_backend() {
    let backend = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = backend.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut stream, _) = backend.accept().await.unwrap();
        // The request fits in one read; its head is all of it.
        let _ = stream.read(&mut [0; 4096]).await.unwrap();
        let response = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\
            X-Sum: 1\r\nSec_Provided_Token_Binding_ID: x\r\nToken-Binding: x\r\n\r\n";
        stream.write_all(response.as_bytes()).await.unwrap();
    });
    let seen = Arc::default();
    let setup = Setup::before("backend_trailers", Backend { port, seen }, &[]).await;
    let (client, _) = setup.client(H2);
    let request = setup.request("/").header("te", "trailers");
    let response = send(&client, request.body(Frames::of([])).unwrap()).await;
    let body = soon(response.into_body().collect()).await.unwrap();
    let mut expected = HeaderMap::new();
    expected.insert("x-sum", HeaderValue::from_static("1"));
    assert_eq!(body.trailers(), Some(&expected));
}
