//! The request for a configuration file as a server receives it, and the failures that state that there is none.

use std::{net::Ipv4Addr, sync::Arc};

use mail_implicit_tls::{
    dns::{LookupFailure, host::HostFailure},
    failure::{Cause, TlsFailure},
    setup::{
        address::MailAddress,
        autoconfig::{
            Location,
            fetch::{Fetch, FetchProblem, MAX_LOCATION_BYTES, RefusedRedirect, Step},
            https::{FetchError, FetchFailure, Fetcher},
        },
    },
};
use rustls::ServerConfig;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

use crate::site::Site;

/// A server must not have to guess: no encoding, one request for a connection, and HTTP/1.1.
#[tokio::test]
async fn sends_one_request_without_encoding_over_http_1_1() {
    let site = Site::new();
    let identity = site.issue(&["autoconfig.example.org", "example.org"]);
    let mut config = ServerConfig::clone(&site.config_for(&identity));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move {
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let mut seen = Vec::new();
        for _ in 0..2 {
            let (tcp, _) = listener.accept().await.unwrap();
            let mut stream = acceptor.accept(tcp).await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                request.push(stream.read_u8().await.unwrap());
            }
            let response = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
            stream.write_all(response).await.unwrap();
            stream.shutdown().await.unwrap();
            let alpn = stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec);
            seen.push((String::from_utf8(request).unwrap(), alpn));
        }
        seen.sort();
        seen
    });
    let user = MailAddress::parse("alice@example.org").unwrap();
    let fetcher = Fetcher::new(&site.connector()).with_address(address);
    assert!(fetcher.fetch(&user).await.unwrap_err().is_absent());
    let request = |target: &str, host: &str| {
        let text = format!(
            "GET {target} HTTP/1.1\r\nhost: {host}\r\naccept: application/xml, text/xml\r\n\
             accept-encoding: identity\r\nconnection: close\r\n\r\n"
        );
        (text, Some(b"http/1.1".to_vec()))
    };
    assert_eq!(
        serving.await.unwrap(),
        [
            request(
                "/.well-known/autoconfig/mail/config-v1.1.xml",
                "example.org"
            ),
            request("/mail/config-v1.1.xml", "autoconfig.example.org"),
        ]
    );
}

#[test]
fn takes_no_failure_for_a_statement_that_there_is_no_file() {
    let refused = FetchFailure::Refused;
    let lookup = |failure| FetchFailure::Connection(Cause::Lookup(failure));
    for (failure, expected) in [
        (refused(FetchProblem::NotFound), true),
        (FetchFailure::Name, true),
        (lookup(HostFailure::NoAddress), true),
        (lookup(HostFailure::Address(LookupFailure::Bogus)), false),
        (
            FetchFailure::Connection(Cause::Tls(TlsFailure::Closed)),
            false,
        ),
        (FetchFailure::Http, false),
        (FetchFailure::Timeout, false),
        (refused(FetchProblem::Status(503)), false),
        (refused(FetchProblem::TooLong), false),
        (
            refused(FetchProblem::Redirect(RefusedRedirect::Host)),
            false,
        ),
    ] {
        let absent = refused(FetchProblem::NotFound);
        let error = FetchError {
            failures: vec![
                (Location::AutoconfigHost, failure.clone()),
                (Location::WellKnown, absent),
            ],
        };
        assert_eq!(error.is_absent(), expected, "{failure:?}");
    }
}

#[test]
fn follows_a_location_up_to_the_limit() {
    let user = MailAddress::parse("alice@example.org").unwrap();
    for (length, is_followed) in [(MAX_LOCATION_BYTES, true), (MAX_LOCATION_BYTES + 1, false)] {
        let fetch = Fetch::new(Location::WellKnown, &user).unwrap();
        let location = format!("/{}", "a".repeat(length - 1));
        let step = fetch.head(302, [("Location", location.as_bytes())]);
        match step {
            Ok(Step::Redirect(next)) if is_followed => assert_eq!(next.target(), location),
            Err(problem) if !is_followed => {
                assert_eq!(problem, FetchProblem::Redirect(RefusedRedirect::Location));
            }
            step => panic!("{length}: {step:?}"),
        }
    }
}
