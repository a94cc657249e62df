//! The policy file of MTA-STS over https, and the records of inbound mail.

use std::sync::Arc;

use mail_implicit_tls::{
    dns::{DnsName, Dnssec, Mx, Record, host::HostFailure},
    failure::Cause,
    monitor::{Observation, Options, PolicyFile, ServerSource, TransportSecurity},
};
use rustls::ServerConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;

use crate::{
    site::Site,
    zone::{Zone, listener, observe, options},
};

#[tokio::test]
async fn fetches_the_policy_with_the_records() {
    let site = Site::new();
    let config = site.config_for(&site.issue(&["mta-sts.example.org"]));
    let response = response("200 OK", "text/plain; charset=utf-8", POLICY);
    let observed = observed(&site, config, response).await;
    assert_eq!(
        observed.transport,
        Some(TransportSecurity {
            mx: Ok(vec![Mx {
                preference: 10,
                exchange: DnsName::parse("mx.example.org").unwrap(),
            }]),
            mta_sts: Ok(vec!["v=STSv1; id=1".to_owned()]),
            policy: Some(PolicyFile::Text(POLICY.to_owned())),
            tls_rpt: Ok(Vec::new()),
        })
    );
}

#[tokio::test]
async fn refuses_policies_that_senders_refuse() {
    let long = "a".repeat(65_537);
    for (response, reason) in [
        (
            response("404 Not Found", "text/plain", POLICY),
            "the status is 404",
        ),
        // RFC 8461 section 3.3: redirects are not followed.
        (
            "HTTP/1.1 301 Moved\r\nLocation: https://example.org/\r\nContent-Length: 0\r\n\r\n"
                .to_owned(),
            "the status is 301",
        ),
        (
            response("200 OK", "text/html", POLICY),
            "its type is not text/plain",
        ),
        (
            response("200 OK", "text/plain", &long),
            "it is longer than 64 kB",
        ),
        (
            "* OK hello\r\n".to_owned(),
            "the response is not HTTP or ended early",
        ),
    ] {
        let expected = PolicyFile::Refused(reason.to_owned());
        assert_eq!(policy(response).await, expected);
    }
}

#[tokio::test]
async fn verifies_the_host_of_the_policy() {
    let site = Site::new();
    let config = site.config_for(&site.issue(&["www.example.org"]));
    let observed = observed(&site, config, response("200 OK", "text/plain", POLICY)).await;
    let policy = observed.transport.unwrap().policy.unwrap();
    assert!(
        matches!(policy, PolicyFile::Failed(Cause::NotVerified(_))),
        "{policy:?}"
    );
}

#[tokio::test]
async fn observes_the_servers_of_mx_records_if_asked_for() {
    let site = Site::new();
    let with = Options {
        mx: true,
        ..options()
    };
    let (observed, _) = observe(&site, zone(), &with).await;
    assert_eq!(observed.transport, None);
    let [server] = observed.servers.as_slice() else {
        panic!("{observed:?}");
    };
    assert_eq!(server.to_string(), "mx mx.example.org:25");
    assert_eq!(server.source, ServerSource::Mx(Dnssec::Secure));
    assert_eq!(
        server.addresses.as_ref().err(),
        Some(&HostFailure::NoAddress)
    );
    let (observed, _) = observe(&site, zone(), &options()).await;
    assert!(observed.servers.is_empty());
}

const POLICY: &str = "version: STSv1\nmode: enforce\nmx: mx.example.org\nmax_age: 604800\n";

fn zone() -> Zone {
    let text = |text: &str| Record::Txt(text.as_bytes().to_vec());
    let mx = Record::Mx(Mx {
        preference: 10,
        exchange: DnsName::parse("mx.example.org").unwrap(),
    });
    Zone::default()
        .with("_mta-sts.example.org", "TXT", text("v=STSv1; id=1"))
        .with("example.org", "MX", mx)
}

/// Observes the policies with a web server that answers each request so.
async fn observed(site: &Site, config: Arc<ServerConfig>, response: String) -> Observation {
    let (listener, port) = listener().await;
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let acceptor = TlsAcceptor::from(config.clone());
            let response = response.clone();
            tokio::spawn(async move {
                let mut stream = acceptor.accept(tcp).await.ok()?;
                let mut request = vec![0; 4096];
                let count = stream.read(&mut request).await.ok()?;
                let request = String::from_utf8_lossy(request.get(..count)?).into_owned();
                let expected = "GET /.well-known/mta-sts.txt HTTP/1.1\r\n";
                assert!(request.starts_with(expected), "{request}");
                assert!(
                    request.contains("host: mta-sts.example.org\r\n"),
                    "{request}"
                );
                stream.write_all(response.as_bytes()).await.ok()?;
                stream.shutdown().await.ok()
            });
        }
    });
    let options = Options {
        transport: true,
        policy_address: Some(([127, 0, 0, 1], port).into()),
        ..options()
    };
    observe(site, zone(), &options).await.0
}

async fn policy(response: String) -> PolicyFile {
    let site = Site::new();
    let config = site.config_for(&site.issue(&["mta-sts.example.org"]));
    let observed = observed(&site, config, response).await;
    observed.transport.unwrap().policy.unwrap()
}

fn response(status: &str, kind: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{body}")
}
