//! The client over hyper: what arrives at servers on loopback.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod loopback;

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use http::{Method, Request, Response, StatusCode, Version, header};
use http_body_util::Full;
use loopback::{Pki, Seen, Server, get, ok, soon, text};
use tokenbind_http::{
    client::{ClientError, Disclosed, HttpClient, MAX_REDIRECTS, RequestError, RequestOptions},
    federation::{Disclosure, WithheldReason},
    header::INCLUDE_REFERER_TOKEN_BINDING_ID,
    keys::{Key, KeyStore, KeyStoreError, MemoryKeyStore, Reset},
    origin::{Origin, OriginError, Scope, ScopeRule},
};
use tokenbind_wire::{
    KeyParameters, PublicKey, Sign, SignError, Signature, SignedOctets, TokenBindingAlpn,
};

const H2: &[TokenBindingAlpn] = &[TokenBindingAlpn::H2P256];
const HTTP11: &[TokenBindingAlpn] = &[TokenBindingAlpn::Http11P256];
const NONE: &[TokenBindingAlpn] = &[];

/// Counts signatures, so that what is written twice shows.
#[derive(Clone, Default)]
struct Counting {
    keys: Arc<MemoryKeyStore>,
    signatures: Arc<AtomicUsize>,
}

struct CountingKey(Key, Arc<AtomicUsize>);

impl Sign for CountingKey {
    fn public_key(&self) -> &PublicKey {
        self.0.public_key()
    }

    fn sign(&self, octets: &SignedOctets) -> Result<Signature, SignError> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.sign(octets)
    }
}

impl KeyStore for Counting {
    fn key(&self, scope: &Scope, parameters: KeyParameters) -> Result<Key, KeyStoreError> {
        let key = self.keys.key(scope, parameters)?;
        Ok(Arc::new(CountingKey(key, self.signatures.clone())))
    }

    fn reset(&self, scope: Option<&Scope>) -> Result<(), KeyStoreError> {
        self.keys.reset(scope)
    }
}

fn redirect(status: u16, location: &str) -> Response<Full<bytes::Bytes>> {
    let response = Response::builder().status(status);
    let response = response.header(header::LOCATION, location);
    response.body(Full::default()).unwrap()
}

/// A redirect that permits to reveal the binding.
fn permitting(status: u16, location: &str) -> Response<Full<bytes::Bytes>> {
    let mut response = redirect(status, location);
    let value = http::HeaderValue::from_static("true");
    let headers = response.headers_mut();
    headers.insert(INCLUDE_REFERER_TOKEN_BINDING_ID, value);
    response
}

type Answer = Response<hyper::body::Incoming>;

async fn run(client: &HttpClient, request: Request<Full<bytes::Bytes>>) -> Answer {
    let response = client.request(request, RequestOptions::default());
    soon(response).await.unwrap()
}

async fn fetch(client: &HttpClient, url: &str) -> Answer {
    run(client, get(url)).await
}

#[tokio::test]
async fn sends_one_header_on_all_requests_of_a_connection_signed_once() {
    for (alpn, version) in [(HTTP11, Version::HTTP_11), (H2, Version::HTTP_2)] {
        let pki = Pki::new();
        let server = Server::start(pki.acceptor(alpn), |_| ok()).await;
        let keys = Counting::default();
        let (client, _) = pki.client_with(&TokenBindingAlpn::ALL, keys.clone());
        for path in ["/1", "/2", "/3"] {
            assert_eq!(text(fetch(&client, &server.url(path)).await).await, "ok");
        }
        let seen = server.seen();
        let paths: Vec<_> = seen.iter().map(Seen::path).collect();
        assert_eq!(paths, ["/1", "/2", "/3"]);
        for request in &seen {
            assert_eq!((request.connection, request.version), (1, version));
            let header = request.headers.get("token-binding");
            assert_eq!(header, seen[0].headers.get("token-binding"));
            assert_eq!(request.key_id(), seen[0].key_id());
        }
        assert_eq!(keys.signatures.load(Ordering::Relaxed), 1, "{version:?}");
    }
}

#[tokio::test]
async fn uses_the_same_key_and_another_header_on_another_connection() {
    let pki = Pki::new();
    let server = Server::start(pki.acceptor(HTTP11), |_| ok()).await;
    let client = pki.client();
    text(fetch(&client, &server.url("/")).await).await;
    client.close_idle();
    text(fetch(&client, &server.url("/")).await).await;
    let [one, two] = &server.seen()[..] else {
        panic!("two requests");
    };
    assert_eq!((one.connection, two.connection), (1, 2));
    assert_eq!(one.key_id(), two.key_id());
    assert_ne!(one.header("token-binding"), two.header("token-binding"));
}

#[tokio::test]
async fn sends_no_request_on_a_connection_of_http_1_whose_response_is_being_read() {
    let pki = Pki::new();
    let server = Server::start(pki.acceptor(HTTP11), |_| {
        Response::new(Full::from(vec![b'x'; 1 << 20]))
    })
    .await;
    let client = pki.client();
    let first = fetch(&client, &server.url("/first")).await;
    let second = fetch(&client, &server.url("/second")).await;
    assert_eq!(text(second).await.len(), 1 << 20);
    assert_eq!(text(first).await.len(), 1 << 20);
    let connections: Vec<_> = server.seen().iter().map(|seen| seen.connection).collect();
    assert_eq!(connections, [1, 2]);
}

#[tokio::test]
async fn sends_no_header_to_a_server_without_token_binding() {
    let pki = Pki::new();
    let server = Server::start(pki.acceptor(NONE), |_| ok()).await;
    let mut request = get(&server.url("/"));
    let forged = http::HeaderValue::from_static("AAAA");
    request.headers_mut().insert("token-binding", forged);
    assert_eq!(text(run(&pki.client(), request).await).await, "ok");
    assert_eq!(server.last().header("token-binding"), None);
    assert_eq!(server.last().provided, None);
}

#[tokio::test]
async fn replaces_a_header_of_the_caller() {
    let pki = Pki::new();
    let server = Server::start(pki.acceptor(HTTP11), |_| ok()).await;
    let mut request = get(&server.url("/"));
    for forged in ["AAAA", "BBBB"] {
        let forged = http::HeaderValue::from_static(forged);
        request.headers_mut().append("token-binding", forged);
    }
    assert_eq!(text(run(&pki.client(), request).await).await, "ok");
    let values = server
        .last()
        .headers
        .get_all("token-binding")
        .iter()
        .count();
    assert_eq!(values, 1);
}

#[tokio::test]
async fn sends_no_user_and_password_of_the_url() {
    for alpn in [HTTP11, H2] {
        let pki = Pki::new();
        let server = Server::start(pki.acceptor(alpn), |_| ok()).await;
        let url = format!("https://user:secret@127.0.0.1:{}/path?q", server.port);
        text(fetch(&pki.client(), &url).await).await;
        let seen = server.last();
        assert!(!format!("{seen:?}").contains("secret"), "{}", seen.uri);
        assert_eq!(seen.path(), "/path?q");
        let host = format!("127.0.0.1:{}", server.port);
        if alpn == H2 {
            assert_eq!(seen.uri, format!("https://{host}/path?q"));
        } else {
            assert_eq!(seen.header("host"), Some(host.as_str()));
        }
    }
}

#[tokio::test]
async fn sends_the_host_of_the_url() {
    for alpn in [HTTP11, H2] {
        let pki = Pki::new();
        let server = Server::start(pki.acceptor(alpn), |_| ok()).await;
        let mut request = get(&server.url("/"));
        let other = http::HeaderValue::from_static("other.example");
        request.headers_mut().insert(header::HOST, other);
        text(run(&pki.client(), request).await).await;
        let host = format!("127.0.0.1:{}", server.port);
        let expected = (alpn == HTTP11).then_some(host.as_str());
        assert_eq!(server.last().header("host"), expected);
    }
}

#[tokio::test]
async fn keeps_method_and_body_or_turns_them_into_get_by_the_status_of_a_redirect() {
    let pki = Pki::new();
    let server = Server::start(pki.acceptor(HTTP11), |seen| {
        let path = seen.path().to_owned();
        match path.strip_prefix("/from/").map(|status| status.parse()) {
            Some(Ok(status)) => redirect(status, "/to"),
            _ => ok(),
        }
    })
    .await;
    let client = pki.client();
    for (method, status, expected, keeps) in [
        (Method::POST, 301, Method::GET, false),
        (Method::POST, 302, Method::GET, false),
        (Method::POST, 303, Method::GET, false),
        (Method::POST, 307, Method::POST, true),
        (Method::POST, 308, Method::POST, true),
        (Method::PUT, 302, Method::GET, false),
        (Method::PUT, 307, Method::PUT, true),
        (Method::DELETE, 303, Method::GET, false),
        (Method::GET, 301, Method::GET, true),
        (Method::HEAD, 303, Method::HEAD, true),
    ] {
        let body = if method == Method::POST || method == Method::PUT {
            "content"
        } else {
            ""
        };
        let request = Request::builder()
            .method(method.clone())
            .uri(server.url(&format!("/from/{status}")))
            .header(header::CONTENT_TYPE, "text/plain")
            .header("x-mine", "kept");
        let request = request.body(Full::from(body)).unwrap();
        let response = run(&client, request).await;
        assert_eq!(response.status(), StatusCode::OK);
        text(response).await;
        let seen = server.last();
        let what = format!("{method} {status}");
        assert_eq!(
            (seen.path(), seen.method.clone()),
            ("/to", expected),
            "{what}"
        );
        assert_eq!(seen.body, if keeps { body } else { "" }, "{what}");
        let content_type = seen.headers.contains_key(header::CONTENT_TYPE);
        assert_eq!(content_type, keeps, "{what}");
        assert_eq!(seen.header("x-mine"), Some("kept"), "{what}");
    }
}

#[tokio::test]
async fn resolves_a_location_against_the_request_without_its_fragment() {
    let pki = Pki::new();
    let location = Arc::new(Mutex::new(String::new()));
    let answer = location.clone();
    let server = Server::start(pki.acceptor(HTTP11), move |seen| {
        if seen.path() == "/a/b?c" {
            redirect(302, &answer.lock().unwrap())
        } else {
            ok()
        }
    })
    .await;
    let client = pki.client();
    let absolute = format!("{}/there#f", server.base);
    let network_path = format!("//127.0.0.1:{}/n", server.port);
    for (to, expected) in [
        ("/root", "/root"),
        ("sibling", "/a/sibling"),
        ("../up", "/up"),
        ("?d", "/a/b?d"),
        ("/with#fragment", "/with"),
        ("/a b", "/a%20b"),
        (absolute.as_str(), "/there"),
        (network_path.as_str(), "/n"),
    ] {
        to.clone_into(&mut location.lock().unwrap());
        text(fetch(&client, &server.url("/a/b?c")).await).await;
        assert_eq!(server.last().path(), expected, "{to}");
    }
}

#[tokio::test]
async fn refuses_a_redirect_that_cannot_be_followed() {
    let pki = Pki::new();
    let server = Server::start(pki.acceptor(HTTP11), |seen| match seen.path() {
        "/loop" => redirect(302, "/loop"),
        "/plain" => redirect(302, "http://127.0.0.1:1/"),
        "/bad" => redirect(302, "https://[/"),
        "/no-location" => Response::builder().status(302).body("x".into()).unwrap(),
        _ => redirect(304, "/loop"),
    })
    .await;
    let client = pki.client();
    let options = RequestOptions::default;
    let error = client.request(get(&server.url("/loop")), options()).await;
    assert!(matches!(error, Err(RequestError::TooManyRedirects)));
    assert_eq!(server.seen().len(), MAX_REDIRECTS + 1);
    let error = client.request(get(&server.url("/plain")), options()).await;
    let scheme = OriginError::Scheme;
    assert!(matches!(error, Err(RequestError::Origin(error)) if error == scheme));
    let error = client.request(get(&server.url("/bad")), options()).await;
    assert!(matches!(error, Err(RequestError::Location)));
    for (path, status) in [("/no-location", 302), ("/not-modified", 304)] {
        let response = fetch(&client, &server.url(path)).await;
        assert_eq!(response.status().as_u16(), status);
    }
}

#[tokio::test]
async fn drops_credentials_across_origins_and_keeps_them_within_one() {
    let pki = Pki::new();
    let other = Server::start(pki.acceptor(HTTP11), |_| ok()).await;
    let there = other.url("/there");
    let server = Server::start(pki.acceptor(HTTP11), move |seen| match seen.path() {
        "/out" => redirect(307, &there),
        "/in" => redirect(307, "/here"),
        _ => ok(),
    })
    .await;
    let client = pki.client();
    for path in ["/in", "/out"] {
        let request = Request::get(server.url(path))
            .header(header::AUTHORIZATION, "Bearer x")
            .header(header::PROXY_AUTHORIZATION, "Basic x")
            .header(header::COOKIE, "a=1")
            .header("x-mine", "kept");
        let request = request.body(Full::default()).unwrap();
        text(run(&client, request).await).await;
    }
    let here = server
        .seen()
        .into_iter()
        .find(|seen| seen.path() == "/here");
    let credentials = |seen: &Seen| {
        ["authorization", "proxy-authorization", "cookie", "x-mine"]
            .map(|name| seen.headers.contains_key(name))
    };
    assert_eq!(credentials(&here.unwrap()), [true; 4]);
    let there = other.last();
    assert_eq!(credentials(&there), [false, false, false, true]);
    assert_eq!(there.header("host"), other.base.strip_prefix("https://"));
}

#[tokio::test]
async fn uses_a_permission_for_one_hop() {
    let pki = Pki::new();
    let second = Server::start(pki.acceptor(HTTP11), |_| ok()).await;
    let to = second.url("/second");
    let first = Server::start(pki.acceptor(HTTP11), move |_| redirect(302, &to)).await;
    let to = first.url("/first");
    let consumer = Server::start(pki.acceptor(HTTP11), move |_| permitting(302, &to)).await;
    text(fetch(&pki.client(), &consumer.url("/")).await).await;
    let consumers_key = consumer.last().key_id();
    assert_eq!(consumer.last().referred, None);
    assert_eq!(first.last().referred_key_id(), Some(consumers_key));
    assert_eq!(second.last().referred, None);
    let keys = [consumer.last(), first.last(), second.last()].map(|seen| seen.key_id());
    assert!(keys[0] != keys[1] && keys[1] != keys[2] && keys[0] != keys[2]);
}

#[tokio::test]
async fn permits_on_301_and_302_with_one_header_only() {
    let pki = Pki::new();
    let provider = Server::start(pki.acceptor(H2), |_| ok()).await;
    let to = provider.url("/");
    let consumer = Server::start(pki.acceptor(H2), move |seen| {
        let name = INCLUDE_REFERER_TOKEN_BINDING_ID;
        let mut parts = seen.path().trim_start_matches('/').split('/');
        let mut response = redirect(parts.next().unwrap().parse().unwrap(), &to);
        for value in parts {
            let value = http::HeaderValue::from_str(value).unwrap();
            response.headers_mut().append(name, value);
        }
        response
    })
    .await;
    let client = pki.client();
    for (path, reveals) in [
        ("/301/true", true),
        ("/302/true", true),
        ("/303/true", false),
        ("/307/true", false),
        ("/308/true", false),
        ("/302", false),
        ("/302/True", false),
        ("/302/false", false),
        ("/302/1", false),
        ("/302/true/true", false),
        ("/302/true/false", false),
    ] {
        text(fetch(&client, &consumer.url(path)).await).await;
        let expected = reveals.then(|| consumer.last().key_id());
        assert_eq!(provider.last().referred_key_id(), expected, "{path}");
    }
    text(fetch(&client, &provider.url("/")).await).await;
    assert_eq!(provider.last().referred, None);
}

#[tokio::test]
async fn reveals_nothing_on_a_redirect_within_the_origin_and_reports_it() {
    let pki = Pki::new();
    let server = Server::start(pki.acceptor(HTTP11), |seen| match seen.path() {
        "/" => permitting(302, "/again"),
        _ => ok(),
    })
    .await;
    let response = fetch(&pki.client(), &server.url("/")).await;
    let withheld = Disclosure::Withhold(WithheldReason::SameOrigin);
    let disclosed = response.extensions().get().cloned();
    assert_eq!(disclosed, Some(Disclosed(withheld)));
    assert_eq!(server.last().referred, None);
}

fn script_of(consumer: &Origin) -> RequestOptions {
    RequestOptions {
        with_referer_token_binding_id: Some(consumer.clone()),
        ..RequestOptions::default()
    }
}

fn disclosure<B>(response: &Response<B>) -> Option<Disclosure> {
    let disclosed = response.extensions().get::<Disclosed>();
    disclosed.map(|disclosed| disclosed.0.clone())
}

#[tokio::test]
async fn reveals_the_origin_of_a_script_for_one_request_if_both_negotiated() {
    let pki = Pki::new();
    let consumer = Server::start(pki.acceptor(HTTP11), |_| ok()).await;
    let beyond = Server::start(pki.acceptor(H2), |_| ok()).await;
    let to = beyond.url("/");
    let provider = Server::start(pki.acceptor(H2), move |seen| match seen.path() {
        "/token" => ok(),
        _ => redirect(302, &to),
    })
    .await;
    let client = pki.client();
    text(fetch(&client, &consumer.url("/page")).await).await;
    let key = consumer.last().key_id();

    let options = script_of(&consumer.origin);
    let response = soon(client.request(get(&provider.url("/token")), options)).await;
    let response = response.unwrap();
    let Some(Disclosure::Reveal(referral)) = disclosure(&response) else {
        panic!("{response:?}");
    };
    assert_eq!(referral.consumer(), &consumer.origin);
    text(response).await;
    assert_eq!(provider.last().referred_key_id(), Some(key.clone()));

    // The property is off by default, and what it permits does not outlive a redirect.
    text(fetch(&client, &provider.url("/token")).await).await;
    assert_eq!(provider.last().referred, None);
    let options = script_of(&consumer.origin);
    let response = soon(client.request(get(&provider.url("/away")), options)).await;
    assert_eq!(disclosure(response.as_ref().unwrap()), None);
    text(response.unwrap()).await;
    assert_eq!(provider.last().referred_key_id(), Some(key));
    assert_eq!(beyond.last().referred, None);
}

#[tokio::test]
async fn reveals_nothing_for_a_script_if_either_side_did_not_negotiate() {
    let pki = Pki::new();
    let bound = Server::start(pki.acceptor(HTTP11), |_| ok()).await;
    let unbound = Server::start(pki.acceptor(NONE), |_| ok()).await;
    let client = pki.client();
    let send = async |to: &Server, options| {
        let response = soon(client.request(get(&to.url("/")), options)).await;
        let response = response.unwrap();
        let withheld = disclosure(&response);
        text(response).await;
        assert_eq!(to.last().referred, None);
        withheld
    };
    let withheld = |reason| Some(Disclosure::Withhold(reason));

    let never_visited = "https://never.example".parse().unwrap();
    assert_eq!(
        send(&bound, script_of(&never_visited)).await,
        withheld(WithheldReason::ConsumerNotNegotiated)
    );
    text(fetch(&client, &unbound.url("/page")).await).await;
    assert_eq!(
        send(&bound, script_of(&unbound.origin)).await,
        withheld(WithheldReason::ConsumerNotNegotiated)
    );
    assert_eq!(
        send(&unbound, script_of(&bound.origin)).await,
        withheld(WithheldReason::ProviderNotNegotiated)
    );
    assert_eq!(
        send(&bound, script_of(&bound.origin)).await,
        withheld(WithheldReason::SameOrigin)
    );
    assert_eq!(send(&bound, RequestOptions::default()).await, None);
}

#[tokio::test]
async fn uses_up_a_permission_carried_by_hand_and_voids_it_at_a_reset() {
    let pki = Pki::new();
    let provider = Server::start(pki.acceptor(H2), |_| ok()).await;
    let to = provider.url("/");
    let consumer = Server::start(pki.acceptor(H2), move |_| permitting(301, &to)).await;
    let (client, state) = pki.client_with(&TokenBindingAlpn::ALL, MemoryKeyStore::new());
    let permitted = async || {
        let request = client.send(get(&consumer.url("/")), RequestOptions::default());
        let (response, binding) = soon(request).await.unwrap();
        let permission = binding.response_permission(&response).unwrap();
        text(response).await;
        RequestOptions {
            permission: Some(permission),
            ..RequestOptions::default()
        }
    };
    let options = permitted().await;
    let (response, _) = soon(client.send(get(&provider.url("/")), options))
        .await
        .unwrap();
    text(response).await;
    assert_eq!(
        provider.last().referred_key_id(),
        Some(consumer.last().key_id())
    );
    let (before, options) = (consumer.last().key_id(), permitted().await);
    state.reset(&Reset::All, &NoCookies).unwrap();
    let (response, _) = soon(client.send(get(&provider.url("/")), options))
        .await
        .unwrap();
    let withheld = Disclosure::Withhold(WithheldReason::KeysReset);
    assert_eq!(disclosure(&response), Some(withheld));
    text(response).await;
    assert_eq!(provider.last().referred, None);
    drop(permitted().await);
    assert_ne!(consumer.last().key_id(), before);
}

struct NoCookies;

impl tokenbind_http::client::ClearCookies for NoCookies {
    fn clear(&self, _: &Reset) -> Result<(), KeyStoreError> {
        Ok(())
    }
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
