//! Tests of keys and connections of many requests.

use super::*;

#[tokio::test]
async fn sends_no_request_if_the_key_store_gives_two_origins_one_key() {
    let pki = Pki::new();
    let one = Server::start(pki.acceptor(HTTP11), |_| ok()).await;
    let two = Server::start(pki.acceptor(HTTP11), |_| ok()).await;
    let (client, _) = pki.client_with(&TokenBindingAlpn::ALL, OneKey(MemoryKeyStore::new()));
    text(fetch(&client, &one.url("/")).await).await;
    let error = client.request(get(&two.url("/")), RequestOptions::default());
    let shared = ClientError::SharedKey;
    assert!(matches!(soon(error).await, Err(RequestError::Binding(error)) if error == shared));
    assert_eq!(two.seen().len(), 0);
}

#[tokio::test]
async fn binds_many_requests_at_once_to_one_key() {
    for (alpn, version) in [(HTTP11, Version::HTTP_11), (H2, Version::HTTP_2)] {
        let pki = Pki::new();
        let server = Server::start(pki.acceptor(alpn), |_| ok()).await;
        let client = pki.client();
        let requests: Vec<_> = (0..50)
            .map(|n| {
                let (client, url) = (client.clone(), server.url(&format!("/{n}")));
                tokio::spawn(async move { text(fetch(&client, &url).await).await })
            })
            .collect();
        for request in requests {
            assert_eq!(request.await.unwrap(), "ok");
        }
        let seen = server.seen();
        let key = seen[0].key_id();
        assert_eq!(seen.len(), 50);
        assert!(seen.iter().all(|seen| seen.key_id() == key));
        assert!(seen.iter().all(|seen| seen.version == version));
    }
}

#[tokio::test]
async fn uses_no_kept_connection_that_the_server_closed() {
    let pki = Pki::new();
    let server = Server::start(pki.acceptor(HTTP11), |_| {
        let response = Response::builder().header(header::CONNECTION, "close");
        response.body("ok".into()).unwrap()
    })
    .await;
    let client = pki.client();
    for _ in 0..20 {
        assert_eq!(text(fetch(&client, &server.url("/")).await).await, "ok");
    }
    let connections: Vec<_> = server.seen().iter().map(|seen| seen.connection).collect();
    assert_eq!(connections, (1..=20).collect::<Vec<_>>());
}

/// One key for everybody.
struct OneKey(MemoryKeyStore);

impl KeyStore for OneKey {
    fn key(&self, _: &Scope, parameters: KeyParameters) -> Result<Key, KeyStoreError> {
        let origin: Origin = "https://one.example".parse().unwrap();
        self.0.key(&ScopeRule::Origin.scope(&origin), parameters)
    }

    fn reset(&self, scope: Option<&Scope>) -> Result<(), KeyStoreError> {
        self.0.reset(scope)
    }
}
