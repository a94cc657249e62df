//! Tests of requests: headers, hosts, redirects, credentials.

use super::*;

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
