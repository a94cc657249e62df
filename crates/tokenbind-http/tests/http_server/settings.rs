//! Tests of time limits, settings, events.

use super::*;

#[tokio::test]
async fn closes_an_idle_connection_with_or_without_a_request() {
    let pki = Pki::new();
    let idle = Duration::from_millis(300);
    for alpn in [TokenBindingAlpn::Http11P256, TokenBindingAlpn::H2P256] {
        let service = Service::with(&pki, &[alpn], |server| server.idle_timeout(idle)).await;
        let client = pki.client();
        let (_, _, address) = service.get(&client, "/address").await;
        let stream = service.connect().await;
        // Of HTTP/2 not even the preface comes: it is cut some seconds later.
        let (mut silent, _) = handshake(&pki, &[alpn], &service, stream).await;
        let mut rest = Vec::new();
        let _ended = soon(silent.read_to_end(&mut rest)).await;
        // The client notices, and takes another one.
        assert_ne!(
            service.get(&client, "/address").await.2,
            address,
            "{alpn:?}"
        );
    }
}

#[tokio::test]
async fn keeps_a_connection_with_a_request_under_way() {
    let pki = Pki::new();
    let idle = Duration::from_millis(500);
    for alpn in [TokenBindingAlpn::Http11P256, TokenBindingAlpn::H2P256] {
        let service = Service::with(&pki, &[alpn], |server| server.idle_timeout(idle)).await;
        let client = pki.client();
        for (path, answer) in [("/slow", "slow"), ("/drip", "dripdrip")] {
            let (_, _, before) = service.get(&client, "/address").await;
            assert_eq!(service.get(&client, path).await.2, answer);
            // It was not told to close meanwhile.
            assert_eq!(service.get(&client, "/address").await.2, before, "{alpn:?}");
        }
    }
}

#[tokio::test]
async fn applies_hypers_settings_to_each_version() {
    let pki = Pki::new();
    let alpn = &[TokenBindingAlpn::Http11P256];
    let service = Service::with(&pki, alpn, |server| {
        server.http1(|http1| {
            http1.title_case_headers(true);
        })
    })
    .await;
    let stream = service.connect().await;
    let (mut stream, header) = handshake(&pki, alpn, &service, stream).await;
    let answer = ask(&mut stream, "/bound", &header).await;
    assert!(answer.contains("\r\nContent-Length: 5\r\n"), "{answer}");

    let service = Service::with(&pki, &[TokenBindingAlpn::H2P256], |server| {
        server.http2(|http2| {
            http2.max_header_list_size(1000);
        })
    })
    .await;
    let client = pki.client();
    let request = http::Request::get(format!("https://{}/key", service.address));
    let request = request.header("x-long", "x".repeat(1000));
    let request = request.body(http_body_util::Full::default()).unwrap();
    let response = soon(client.request(request, RequestOptions::default())).await;
    // A client may know the limit and not even send it.
    let status = response.map(|response| response.status());
    assert!(!matches!(status, Ok(StatusCode::OK)), "{status:?}");
    assert_eq!(service.get(&client, "/bound").await.2, "bound");
}

#[tokio::test]
async fn cuts_a_request_that_is_not_answered_in_time_at_shutdown() {
    let pki = Pki::new();
    let alpn = &[TokenBindingAlpn::Http11P256];
    let limit = Duration::from_millis(100);
    let service = Service::with(&pki, alpn, |server| server.shutdown_timeout(limit)).await;
    let stream = service.connect().await;
    let (mut stream, header) = handshake(&pki, alpn, &service, stream).await;
    let asked = tokio::spawn(async move { ask(&mut stream, "/slow", &header).await });
    sleep(limit).await;
    service.end.send(()).unwrap();
    assert_eq!(soon(service.server).await.unwrap(), 1);
    // Nothing was answered.
    assert_eq!(soon(asked).await.unwrap_or_default(), "");
}

#[tokio::test]
async fn reports_failures() {
    let pki = Pki::new();
    let alpn = &[TokenBindingAlpn::Http11P256];
    let limit = Duration::from_millis(200);
    let mut service = Service::with(&pki, alpn, |server| server.handshake_timeout(limit)).await;
    let silent = service.connect().await;
    let event = soon(service.events.recv()).await.unwrap();
    assert!(event.ends_with(": handshake timed out"), "{event}");
    drop(silent);
    let mut plain = service.connect().await;
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let event = soon(service.events.recv()).await.unwrap();
    assert!(event.contains(": handshake failed: "), "{event}");
    let stream = service.connect().await;
    let (mut stream, _) = handshake(&pki, alpn, &service, stream).await;
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    let event = soon(service.events.recv()).await.unwrap();
    assert!(event.contains(": terminated: "), "{event}");
}
