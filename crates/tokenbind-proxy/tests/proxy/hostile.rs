//! Clients that break rules, or take what others need.

use std::process::Command;

use http::StatusCode;
use tokenbind_http::client::RequestOptions;
use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::{
    loopback::soon,
    raw_http2::{self, HEADERS, frames, preface},
    setup::{BOTH, Backend, Frames, H2, HTTP11, Setup, answer, answer_to},
};

/// A request without or with a bad header and a good one, in one record of TLS.
#[tokio::test]
async fn checks_requests_of_one_write_in_the_order_of_their_arrival() {
    const TRIES: usize = 80;
    let allowing = &["--allow-later-requests-without-header"][..];
    for flags in [&[], allowing] {
        let setup = Setup::start(&format!("order_{}", flags.len()), flags).await;
        for number in 0..TRIES {
            let bad: &[_] = if number % 2 == 0 {
                &[]
            } else {
                &[("token-binding", "AAAA")]
            };
            let answer = answer_to(&setup, H2, |header| {
                let mut octets = preface();
                octets.extend(raw_http2::get(1, "localhost", bad));
                let good = [("token-binding", header)];
                octets.extend(raw_http2::get(3, "localhost", &good));
                octets
            });
            let frames = frames(&answer.await);
            assert!(frames.iter().all(|(_, stream)| *stream == 0), "{frames:?}");
        }
        assert_eq!(setup.backend.seen.lock().unwrap().len(), 0);
    }
}

#[tokio::test]
async fn answers_no_protocol_that_was_not_negotiated() {
    let setup = Setup::start("protocol", &[]).await;
    let answer = answer_to(&setup, HTTP11, |header| {
        let mut octets = preface();
        let good = [("token-binding", header)];
        octets.extend(raw_http2::get(1, "localhost", &good));
        octets
    });
    assert_eq!(answer.await, b"");
    let answer = answer_to(&setup, H2, |header| {
        format!("GET / HTTP/1.1\r\nHost: localhost\r\nToken-Binding: {header}\r\n\r\n").into_bytes()
    });
    let frames = frames(&answer.await);
    assert!(frames.iter().all(|(_, stream)| *stream == 0), "{frames:?}");
    assert_eq!(setup.backend.seen.lock().unwrap().len(), 0);
}

#[tokio::test]
async fn refuses_a_name_or_password_before_the_host_and_two_hosts_over_http_2() {
    let setup = Setup::start("authority", &[]).await;
    for (authority, host, sent) in [
        ("localhost", None, true),
        ("localhost:443", Some("LOCALHOST:443"), true),
        ("user@localhost", None, false),
        ("user:pass@localhost", None, false),
        ("@localhost", None, false),
        ("localhost", Some("other"), false),
        ("localhost", Some("user@localhost"), false),
    ] {
        let answer = answer_to(&setup, H2, |header| {
            let mut fields = vec![("token-binding", header)];
            fields.extend(host.map(|host| ("host", host)));
            let mut octets = preface();
            octets.extend(raw_http2::get(1, authority, &fields));
            octets.extend(raw_http2::frame(raw_http2::GOAWAY, 0, 0, &[0; 8]));
            octets
        });
        let frames = frames(&answer.await);
        // Some of them are refused by the stream's reset, by HTTP/2 itself.
        let seen = setup.backend.seen.lock().unwrap().pop();
        assert_eq!(seen.is_some(), sent, "{authority} {host:?}");
        if let Some(seen) = seen {
            assert!(frames.contains(&(HEADERS, 1)));
            assert_eq!(seen.all("host"), [authority]);
            assert_eq!(seen.all("x-forwarded-host"), [authority]);
        }
    }
}

#[tokio::test]
async fn closes_a_connection_with_a_token_binding_field_in_a_trailer() {
    let setup = Setup::start("bad_trailer", &[]).await;
    for alpn in [H2, &[]] {
        let answer = answer_to(&setup, alpn, |header| {
            let fields = [("token-binding", header)];
            let fields = if header.is_empty() { &[][..] } else { &fields };
            let mut octets = preface();
            octets.extend(raw_http2::head(1, "POST", "localhost", fields, 0));
            octets.extend(raw_http2::frame(raw_http2::DATA, 0, 1, b"body"));
            let block = raw_http2::block(&[("token-binding", "AAAA")]);
            let flags = raw_http2::END_STREAM | raw_http2::END_HEADERS;
            octets.extend(raw_http2::frame(HEADERS, flags, 1, &block));
            octets
        });
        answer.await;
        for seen in setup.backend.seen.lock().unwrap().iter() {
            assert!(seen.trailers.is_empty(), "{seen:?}");
        }
    }
}

/// The proxy may open 64 files, and more connections than that are silent, or do not finish their handshake.
#[cfg(unix)]
#[tokio::test]
async fn survives_without_descriptors_and_serves_clients_that_send_requests() {
    for (octets, test) in [(&b""[..], "silent"), (&[22, 3, 1, 0, 200], "halfway")] {
        let mut command = Command::new("sh");
        command
            .args(["-c", "ulimit -n 64 && exec \"$0\" \"$@\""])
            .arg(env!("CARGO_BIN_EXE_tokenbind-proxy"));
        let flags = ["--handshake-timeout", "1000"];
        let backend = Backend::start().await;
        let setup = Setup::run(test, backend, &flags, command).await;
        let mut hanging = Vec::new();
        for _ in 0..150 {
            let stream = TcpStream::connect(("127.0.0.1", setup.origin.port())).await;
            let mut stream = stream.unwrap();
            stream.write_all(octets).await.unwrap();
            hanging.push(stream);
        }
        for alpn in BOTH {
            // A connection whose first octet has not arrived may give way itself, so that a client tries again.
            let mut status = None;
            for _ in 0..5 {
                let (client, _) = setup.client(alpn);
                let request = setup.request("/").body(Frames::of([])).unwrap();
                let sent = client.send(request, RequestOptions::default());
                if let Ok((response, _)) = soon(sent).await {
                    status = Some(response.status());
                    break;
                }
            }
            assert_eq!(status, Some(StatusCode::OK), "{test} {alpn:?}");
        }
        drop(hanging);
        setup.proxy.signal("TERM");
        let proxy = setup.proxy;
        let ended = tokio::task::spawn_blocking(move || proxy.ended_well());
        assert!(soon(ended).await.unwrap());
    }
}

#[tokio::test]
async fn refuses_a_request_for_no_host_or_two_or_for_a_tunnel() {
    let setup = Setup::start("raw", &[]).await;
    for (request, status) in [
        ("GET / HTTP/1.1\r\nHost: a\r\n", "200"),
        ("GET / HTTP/1.1\r\n", "400"),
        ("GET / HTTP/1.1\r\nHost:\r\n", "400"),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n", "400"),
        ("GET / HTTP/1.1\r\nHost: user@a\r\n", "400"),
        ("GET / HTTP/1.1\r\nHost: a b\r\n", "400"),
        ("GET / HTTP/1.1\r\nHost: a/b\r\n", "400"),
        ("GET / HTTP/1.1\r\nHost: :80\r\n", "400"),
        ("GET https://user@a/ HTTP/1.1\r\nHost: a\r\n", "400"),
        ("GET https://a:443/ HTTP/1.1\r\nHost: b\r\n", "200"),
        ("CONNECT a:443 HTTP/1.1\r\nHost: a\r\n", "405"),
    ] {
        let rest = "Token-Binding: HEADER\r\nConnection: close\r\n\r\n";
        let answer = answer(&setup, &format!("{request}{rest}")).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{request:?}: {answer}"
        );
    }
}

#[tokio::test]
async fn closes_a_connection_with_a_bad_header_without_an_answer() {
    let setup = Setup::start("bad", &[]).await;
    for header in [
        "",
        "Token-Binding: AAAA\r\n",
        "Token-Binding: HEADER\r\nToken-Binding: HEADER\r\n",
    ] {
        let request = format!("GET / HTTP/1.1\r\nHost: a\r\n{header}\r\n");
        assert_eq!(answer(&setup, &request).await, "", "{header:?}");
    }
    assert_eq!(setup.backend.seen.lock().unwrap().len(), 0);
}
