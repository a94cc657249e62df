//! Headers of requests and responses.

use http::{HeaderName, HeaderValue, Request, StatusCode};
use tokenbind_http::client::RequestOptions;
use tokenbind_wire::{TokenBindingAlpn, TokenBindingType};

use crate::{
    loopback::{Server, ok, soon},
    setup::{BOTH, Frames, H2, HTTP11, PROVIDED, REFERRED, SPOOFED, Setup, id, send, spoofed},
};

#[tokio::test]
async fn sends_the_verified_identifier_once_and_nothing_forged() {
    let setup = Setup::start("verified", &[]).await;
    for alpn in BOTH {
        let (client, keys) = setup.client(alpn);
        let response = send(&client, spoofed(setup.request("/"))).await;
        assert_eq!(response.status(), StatusCode::OK);
        let seen = setup.backend.last();
        let provided = id(&keys, &setup.origin, TokenBindingType::PROVIDED);
        assert_eq!(seen.all(PROVIDED), [provided]);
        let like = |name: &&HeaderName| {
            name.as_str()
                .replace(['_', '.'], "-")
                .contains("token-binding")
        };
        let names: Vec<_> = seen.headers.keys().filter(like).collect();
        assert_eq!(names, [PROVIDED], "{alpn:?}");
    }
}

#[tokio::test]
async fn sends_the_referred_identifier_of_a_script() {
    let setup = Setup::start("referred", &[]).await;
    let (client, keys) = setup.client(&TokenBindingAlpn::ALL);
    let consumer = Server::start(setup.pki.acceptor(HTTP11), |_| ok()).await;
    let page = Request::get(consumer.url("/")).body(Frames::of([]));
    send(&client, page.unwrap()).await;
    let options = RequestOptions {
        with_referer_token_binding_id: Some(consumer.origin.clone()),
        ..RequestOptions::default()
    };
    soon(client.send(spoofed(setup.request("/")), options))
        .await
        .unwrap();
    let seen = setup.backend.last();
    let provided = id(&keys, &setup.origin, TokenBindingType::PROVIDED);
    let referred = id(&keys, &consumer.origin, TokenBindingType::REFERRED);
    assert_eq!(seen.all(PROVIDED), [provided]);
    assert_eq!(seen.all(REFERRED), [referred]);
}

#[tokio::test]
async fn sends_no_identifier_without_token_binding() {
    let setup = Setup::start("unbound", &[]).await;
    let (client, _) = setup.client(&[]);
    let response = send(&client, spoofed(setup.request("/"))).await;
    assert_eq!(response.status(), StatusCode::OK);
    let seen = setup.backend.last();
    for name in SPOOFED {
        assert_eq!(seen.all(name), [""; 0], "{name}");
    }
}

#[tokio::test]
async fn keeps_its_own_headers_if_a_clients_connection_header_names_them() {
    let setup = Setup::start("connection", &[]).await;
    let (client, keys) = setup.client(HTTP11);
    let request = setup
        .request("/")
        .header(
            "connection",
            "Sec-Provided-Token-Binding-ID, X-Forwarded-For",
        )
        .header("connection", "x-hop")
        .header("x-hop", "1")
        .header("keep-alive", "timeout=5")
        .header("proxy-authorization", "Basic x")
        .header("proxy-connection", "keep-alive")
        .header("upgrade", "websocket")
        .header("x-mine", "kept");
    send(&client, request.body(Frames::of([])).unwrap()).await;
    let seen = setup.backend.last();
    let provided = id(&keys, &setup.origin, TokenBindingType::PROVIDED);
    assert_eq!(seen.all(PROVIDED), [provided]);
    assert_eq!(seen.all("x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(seen.all("x-mine"), ["kept"]);
    for name in [
        "connection",
        "x-hop",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "upgrade",
    ] {
        assert_eq!(seen.all(name), [""; 0], "{name}");
    }
}

#[tokio::test]
async fn replaces_what_a_client_sends_about_its_address() {
    let setup = Setup::start("forwarded", &[]).await;
    for (alpn, via) in [(HTTP11, "1.1 tokenbind-proxy"), (H2, "2 tokenbind-proxy")] {
        let (client, _) = setup.client(alpn);
        let mut request = setup.request("/path?query");
        for name in [
            "forwarded",
            "x-forwarded-for",
            "x_forwarded_for",
            "x.forwarded.for",
            "x-forwarded-proto",
            "x-forwarded-host",
            "x-forwarded-port",
            "x-real-ip",
            "x_real_ip",
        ] {
            request = request.header(name, "forged");
        }
        let request = request
            .header("via", "1.0 before")
            .header("cookie", "a=1")
            .header("cookie", "b=2");
        send(&client, request.body(Frames::of([])).unwrap()).await;
        let seen = setup.backend.last();
        let host = setup.url.strip_prefix("https://").unwrap();
        assert_eq!(
            (seen.method.as_str(), seen.target.as_str()),
            ("GET", "/path?query")
        );
        assert_eq!(seen.all("host"), [host]);
        assert_eq!(seen.all("x-forwarded-for"), ["127.0.0.1"]);
        assert_eq!(seen.all("x-forwarded-proto"), ["https"]);
        assert_eq!(seen.all("x-forwarded-host"), [host]);
        assert_eq!(seen.all("via"), [format!("1.0 before, {via}")]);
        assert_eq!(seen.all("cookie"), ["a=1; b=2"]);
        let forged = seen
            .headers
            .values()
            .filter(|value| *value == "forged")
            .count();
        assert_eq!(forged, 0);
    }
}

#[tokio::test]
async fn removes_headers_of_the_backend_that_are_for_the_proxy() {
    let setup = Setup::start("response", &[]).await;
    for alpn in BOTH {
        let (client, _) = setup.client(alpn);
        let request = setup.request("/").body(Frames::of([])).unwrap();
        let response = send(&client, request).await;
        let headers = response.headers();
        for name in ["x-hop", "keep-alive", "proxy-authenticate", "connection"]
            .iter()
            .chain(&SPOOFED)
        {
            assert!(!headers.contains_key(*name), "{name}");
        }
        let permission = headers.get("include-referer-token-binding-id");
        assert_eq!(permission, Some(&HeaderValue::from_static("true")));
        assert_eq!(
            headers.get("x-mine"),
            Some(&HeaderValue::from_static("kept"))
        );
    }
}
