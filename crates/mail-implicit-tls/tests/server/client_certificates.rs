//! Certificates of clients (draft-newman-email-deep-02 section 9.1.1).

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use accept_loop::AcceptLoop;
use mail_implicit_tls::{
    server::MapCertificate,
    service::{Security, Service},
};
use rustls::{
    ClientConfig, SignatureScheme,
    client::ResolvesClientCert,
    pki_types::{CertificateDer, ServerName},
    server::WebPkiClientVerifier,
    sign::CertifiedKey,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use crate::{
    running::{IMPLICIT, Running, acceptor, connect_by},
    site::{HOST, Site, account_of},
};

struct ByName;

impl MapCertificate for ByName {
    fn identity(&self, chain: &[CertificateDer<'_>]) -> Option<String> {
        let octets = chain.first()?;
        let has = |name: &[u8]| octets.windows(name.len()).any(|window| window == name);
        has(b"alice").then(|| "alice".to_owned())
    }
}

#[tokio::test]
async fn maps_certificates_of_clients_and_lets_the_others_in_without() {
    let site = Site::new();
    let stranger = Site::new();
    let roots = Arc::new(site.roots());
    let verifier = WebPkiClientVerifier::builder_with_provider(roots, site.provider())
        .build()
        .unwrap();
    let acceptor = acceptor(Service::IMAPS, &site)
        .with_client_certificates(verifier, Arc::new(ByName))
        .unwrap();
    let running = Running::start(acceptor, AcceptLoop::new()).await;
    for (certificate, expected) in [
        (None, ""),
        (Some(site.client("alice")), "alice"),
        (Some(site.client("mallory")), ""),
        (Some(stranger.client("alice")), ""),
    ] {
        let server = running.server(Service::IMAPS);
        let account = account_of("alice", &server);
        let connector = match certificate {
            Some(key) => site.connector().with_client_certificate(
                account.id().clone(),
                server.host.clone(),
                key,
            ),
            None => site.connector(),
        };
        let connection = connect_by(&connector, &running, Service::IMAPS).await;
        let greeting = format!("* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] {expected}");
        assert_eq!(connection.greeting().lines, [greeting]);
    }
}

/// A client's certificates, with the number of requests for one.
#[derive(Debug)]
struct Counting(AtomicUsize);

impl ResolvesClientCert for Counting {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.0.fetch_add(1, Ordering::Relaxed);
        None
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// Section 9.1.1: "Servers MUST NOT request a client certificate during the TLS handshake unless the server is
/// configured to accept some client certificates as sufficient". rustls asks the client's resolver if, and only if, a
/// `CertificateRequest` was received.
#[tokio::test]
async fn requests_certificates_only_if_some_are_sufficient_to_log_in() {
    let site = Site::new();
    for service in IMPLICIT.into_iter().chain([Service::IMAP_STARTTLS]) {
        for maps in [false, true] {
            let mut acceptor = acceptor(service, &site);
            if maps {
                let roots = Arc::new(site.roots());
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, site.provider());
                acceptor = acceptor
                    .with_client_certificates(verifier.build().unwrap(), Arc::new(ByName))
                    .unwrap();
            }
            let running = Running::start(acceptor, AcceptLoop::new()).await;
            for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
                let requests = Arc::new(Counting(AtomicUsize::new(0)));
                let config = ClientConfig::builder_with_provider(site.provider())
                    .with_protocol_versions(&[version])
                    .unwrap()
                    .with_root_certificates(site.roots())
                    .with_client_cert_resolver(requests.clone());
                let mut tcp = TcpStream::connect(running.address).await.unwrap();
                if service.security == Security::StartTls {
                    tcp.write_all(b"a STARTTLS\r\n").await.unwrap();
                    let mut last = [0; 1];
                    for end in [b'\n'; 2] {
                        while last[0] != end {
                            tcp.read_exact(&mut last).await.unwrap();
                        }
                        last = [0];
                    }
                }
                let name = ServerName::try_from(HOST).unwrap();
                let stream = TlsConnector::from(Arc::new(config))
                    .connect(name, tcp)
                    .await
                    .unwrap();
                assert_eq!(stream.get_ref().1.protocol_version(), Some(version.version));
                let requested = requests.0.load(Ordering::Relaxed);
                assert_eq!(requested, usize::from(maps), "{service}, {version:?}");
            }
        }
    }
}
