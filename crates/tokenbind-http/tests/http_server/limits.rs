//! Tests of the limits of connections.

use super::*;

#[tokio::test]
async fn replaces_silent_connections_so_that_others_are_served() {
    let pki = Pki::new();
    let mut service = Service::with(&pki, &TokenBindingAlpn::ALL, |server| {
        server.handshake_timeout(FOR_EVER).max_connections(4)
    })
    .await;
    let mut silent = Vec::new();
    for _ in 0..40 {
        silent.push(service.connect().await);
    }
    let began = Instant::now();
    assert_eq!(service.get(&pki.client(), "/bound").await.2, "bound");
    assert!(began.elapsed() < Duration::from_secs(20));
    for stream in silent.iter_mut().take(36) {
        ended(stream).await;
    }
    let event = soon(service.events.recv()).await.unwrap();
    assert!(
        event.ends_with(": gave way to a later connection"),
        "{event}"
    );
}

#[tokio::test]
async fn replaces_silent_connections_before_handshakes() {
    let pki = Pki::new();
    let service = Service::with(&pki, &TokenBindingAlpn::ALL, |server| {
        server.handshake_timeout(FOR_EVER).max_connections(2)
    })
    .await;
    let mut halfway = service.connect().await;
    halfway.write_all(&[22, 3, 1, 0, 200]).await.unwrap();
    sleep(Duration::from_millis(200)).await;
    let mut silent = service.connect().await;
    let client = pki.client();
    assert_eq!(service.get(&client, "/bound").await.2, "bound");
    ended(&mut silent).await;
    let read = timeout(SLOW, halfway.read(&mut [0; 1])).await;
    let _: Elapsed = read.expect_err("the handshake was not replaced yet");
    // The client's connection is kept, so the handshake has to go.
    let other = pki.client();
    assert_eq!(service.get(&other, "/bound").await.2, "bound");
    ended(&mut halfway).await;
}

#[tokio::test]
async fn replaces_a_connection_without_a_request() {
    let pki = Pki::new();
    for alpn in [TokenBindingAlpn::Http11P256, TokenBindingAlpn::H2P256] {
        let service = Service::with(&pki, &[alpn], |server| {
            server.idle_timeout(FOR_EVER).max_connections(2)
        })
        .await;
        let mut streams = Vec::new();
        for _ in 0..2 {
            let stream = service.connect().await;
            streams.push(handshake(&pki, &[alpn], &service, stream).await.0);
        }
        assert_eq!(service.get(&pki.client(), "/bound").await.2, "bound");
        let mut rest = Vec::new();
        let first = streams.first_mut().unwrap();
        let _ended = soon(first.read_to_end(&mut rest)).await;
    }
}

#[tokio::test]
async fn keeps_served_connections_at_the_limit() {
    let pki = Pki::new();
    let service = Service::with(&pki, &[TokenBindingAlpn::Http11P256], |server| {
        server.handshake_timeout(FOR_EVER).max_connections(1)
    })
    .await;
    let first = pki.client();
    let (_, _, address) = service.get(&first, "/address").await;
    let url = format!("https://{}/bound", service.address);
    let second = tokio::spawn(async move {
        let client = pki.client();
        let response = client.request(loopback::get(&url), RequestOptions::default());
        text(soon(response).await.unwrap()).await
    });
    sleep(SLOW).await;
    assert_eq!(service.get(&first, "/address").await.2, address);
    assert!(!second.is_finished());
    first.close_idle();
    drop(first);
    assert_eq!(soon(second).await.unwrap(), "bound");
}

#[tokio::test]
async fn limits_connections_of_an_address_and_serves_another() {
    let pki = Pki::new();
    let alpn = &[TokenBindingAlpn::Http11P256];
    let mut service = Service::with(&pki, alpn, |server| {
        server
            .handshake_timeout(FOR_EVER)
            .max_connections_per_address(2)
    })
    .await;
    let clients = [pki.client(), pki.client()];
    for client in &clients {
        service.get(client, "/bound").await;
    }
    ended(&mut service.connect().await).await;
    let event = soon(service.events.recv()).await.unwrap();
    assert!(
        event.ends_with(": too many connections of this address"),
        "{event}"
    );

    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 2], 0).into()).unwrap();
    let stream = socket.connect(service.address).await.unwrap();
    let (mut stream, header) = handshake(&pki, alpn, &service, stream).await;
    let answer = ask(&mut stream, "/address", &header).await;
    assert!(answer.contains("127.0.0.2:"), "{answer}");
}
