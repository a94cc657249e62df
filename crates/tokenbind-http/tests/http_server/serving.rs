//! Tests of served requests and handshakes.

use super::*;

#[tokio::test]
async fn shows_handlers_the_clients_key_over_both_versions_of_http() {
    let pki = Pki::new();
    for (alpn, version) in [
        (TokenBindingAlpn::Http11P256, Version::HTTP_11),
        (TokenBindingAlpn::H2P256, Version::HTTP_2),
    ] {
        let service = Service::start(&pki, &[alpn], FOR_EVER).await;
        let client = pki.client();
        let (status, over, key) = service.get(&client, "/key").await;
        assert_eq!((status, over, key.len()), (StatusCode::OK, version, 64));
        assert_eq!(service.get(&client, "/key").await.2, key);
        assert_ne!(service.get(&pki.client(), "/key").await.2, key);
        assert_eq!(service.get(&client, "/bound").await.2, "bound");
    }
}

#[tokio::test]
async fn shows_handlers_clients_without_token_binding_and_addresses() {
    let pki = Pki::new();
    let service = Service::start(&pki, &TokenBindingAlpn::ALL, FOR_EVER).await;
    let (plain, _) = pki.client_with(&[], MemoryKeyStore::new());
    assert_eq!(service.get(&plain, "/key").await.2, "none");
    let (status, ..) = service.get(&plain, "/bound").await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    for (client, bound) in [(plain, "false"), (pki.client(), "true")] {
        let (_, _, answer) = service.get(&client, "/address").await;
        let (address, negotiated) = answer.split_once(' ').unwrap();
        let address: SocketAddr = address.parse().unwrap();
        assert!(address.ip().is_loopback() && address.port() != service.address.port());
        assert_eq!(negotiated, bound);
    }
}

#[tokio::test]
async fn serves_others_while_a_handshake_does_not_finish() {
    let pki = Pki::new();
    let service = Service::start(&pki, &TokenBindingAlpn::ALL, FOR_EVER).await;
    let silent = [service.connect().await, service.connect().await];
    let mut halfway = service.connect().await;
    halfway.write_all(&[22, 3, 1, 0, 200]).await.unwrap();
    let mut plain = service.connect().await;
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    drop(service.connect().await);
    let client = pki.client();
    assert_eq!(service.get(&client, "/bound").await.2, "bound");
    drop((silent, halfway, plain));
}

#[tokio::test]
async fn ends_a_server_handshake_that_takes_too_long() {
    let pki = Pki::new();
    let limit = Duration::from_millis(50);
    let service = Service::start(&pki, &TokenBindingAlpn::ALL, limit).await;
    let mut silent = service.connect().await;
    let mut halfway = service.connect().await;
    halfway.write_all(&[22, 3, 1, 0, 200]).await.unwrap();
    for stream in [&mut silent, &mut halfway] {
        // Closed, with whatever was not read yet thrown away.
        let end = soon(stream.read(&mut [0; 1])).await;
        assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
    }
}

#[tokio::test]
async fn keeps_a_silent_connection_longer_than_a_handshake() {
    let pki = Pki::new();
    let limit = Duration::from_millis(500);
    let service = Service::start(&pki, &[TokenBindingAlpn::H2P256], limit).await;
    let client = pki.client();
    let (_, _, first) = service.get(&client, "/address").await;
    sleep(limit * 2).await;
    // The same port: the same connection.
    assert_eq!(service.get(&client, "/address").await.2, first);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn serves_many_connections_at_once_with_their_own_keys() {
    const MANY: usize = 200;
    let pki = Pki::new();
    let service = Service::start(&pki, &TokenBindingAlpn::ALL, FOR_EVER).await;
    let url = format!("https://{}/key", service.address);
    let clients: Vec<_> = (0..MANY)
        .map(|_| {
            let (client, request) = (pki.client(), loopback::get(&url));
            tokio::spawn(async move {
                let response = client.request(request, RequestOptions::default());
                text(soon(response).await.unwrap()).await
            })
        })
        .collect();
    let mut keys = HashSet::new();
    for client in clients {
        keys.insert(client.await.unwrap());
    }
    assert_eq!(keys.len(), MANY);
}

#[tokio::test]
async fn closes_the_connection_without_an_answer_to_a_refused_request() {
    let pki = Pki::new();
    let alpn = &[TokenBindingAlpn::Http11P256];
    let service = Service::start(&pki, alpn, FOR_EVER).await;
    let state = client::State::new(MemoryKeyStore::new(), client::Options::default());
    let connector = pki.connector(alpn, state.into());
    for header in ["", "Token-Binding: AAAA\r\n", "Token-Binding: \r\n"] {
        let origin = format!("https://{}", service.address).parse().unwrap();
        let connected = connector.connect(origin, service.connect().await).await;
        let mut stream = connected.unwrap().stream;
        let request = format!("GET /key HTTP/1.1\r\nHost: a\r\n{header}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let end = soon(stream.read_to_end(&mut answer)).await;
        // There was no close_notify.
        let end = end.unwrap_err().kind();
        assert_eq!(end, std::io::ErrorKind::UnexpectedEof, "{header:?}");
        assert_eq!(answer, b"");
    }
}

#[tokio::test]
async fn stops_without_waiting_for_handshakes() {
    let pki = Pki::new();
    let service = Service::start(&pki, &TokenBindingAlpn::ALL, FOR_EVER).await;
    let mut silent = service.connect().await;
    assert_eq!(service.get(&pki.client(), "/bound").await.2, "bound");
    service.end.send(()).unwrap();
    assert_eq!(soon(service.server).await.unwrap(), 0);
    assert_eq!(soon(silent.read(&mut [0; 1])).await.unwrap(), 0);
}
