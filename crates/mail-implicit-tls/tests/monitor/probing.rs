//! Observations of servers on loopback.

use std::{net::Ipv4Addr, sync::Arc};

use mail_implicit_tls::{
    dns::{Answer, Dnssec, LookupFailure, Record},
    failure::Cause,
    monitor::{ClearText, DeepStatus, NotKnown, OldVersions, Options, ServerSource, Step},
    service::{Protocol, Service},
};
use rustls::ServerConfig;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

use crate::{
    facts::{at, ip, name},
    site::{HOST, Site},
    zone::{Zone, listener, observe, options},
};

#[tokio::test]
async fn observes_a_server_with_implicit_tls() {
    let site = Site::new();
    let (listener, port) = listener().await;
    serve(listener, site.server_config(), true);
    let zone = Zone::default().with_server(Service::IMAPS, port);
    let (observed, steps) = observe(&site, zone, &options()).await;
    let [server] = observed.servers.as_slice() else {
        panic!("{observed:?}");
    };
    assert_eq!(server.to_string(), format!("imaps {HOST}:{port}"));
    assert_eq!(server.source, ServerSource::Srv(Dnssec::Secure));
    let [address] = server.addresses.as_ref().unwrap().as_slice() else {
        panic!("{server:?}");
    };
    assert_eq!(address.address, ip("127.0.0.1"));
    assert_eq!(address.client, Ok(()));
    let tls = address.tls.as_ref().unwrap();
    assert!(tls.verdict.is_verified());
    assert_eq!(tls.version, 0x0304);
    let certificate = address.certificate.as_ref().unwrap();
    assert_eq!(certificate.der(), &*site.server().chain()[0]);
    assert_eq!(
        address.old_versions,
        Ok(OldVersions {
            up_to_1_1: None,
            tls_1_2: Some(true)
        })
    );
    assert_eq!(address.clear, None);
    assert_eq!(
        address.deep,
        Ok(DeepStatus {
            tags: Some(vec!["tls10".to_owned(), "tls-cert".to_owned()]),
            not_achieved: Vec::new(),
            has_url: Some(true),
        })
    );
    assert_eq!(
        steps,
        [
            Step::LookingUp,
            Step::Server {
                number: 1,
                of: 1,
                label: format!("imaps at {HOST}:{port} at 127.0.0.1")
            },
            Step::Signatures
        ]
    );
    let mut asked: Vec<_> = observed
        .signed
        .iter()
        .map(|it| it.question.to_string())
        .collect();
    asked.sort();
    let mut expected = [
        "_imap._tcp",
        "_imaps._tcp",
        "_pop3._tcp",
        "_pop3s._tcp",
        "_submission._tcp",
        "_submissions._tcp",
    ]
    .map(|label| format!("{label}.example.org. SRV"))
    .to_vec();
    expected.extend([
        format!("_{port}._tcp.{HOST}. TLSA"),
        format!("{HOST}. A"),
        format!("{HOST}. AAAA"),
    ]);
    expected.sort();
    assert_eq!(asked, expected);
}

/// The certificate and the status of a server that the client refuses are seen nevertheless.
#[tokio::test]
async fn observes_the_certificate_and_status_of_a_server_that_is_refused() {
    let site = Site::new();
    let (listener, port) = listener().await;
    let expired = site.expired();
    serve(listener, site.config_for(&expired), true);
    let zone = Zone::default().with_server(Service::IMAPS, port);
    let (observed, _) = observe(&site, zone, &options()).await;
    let address = &observed.servers[0].addresses.as_ref().unwrap()[0];
    assert!(
        matches!(address.client, Err(Cause::NotVerified(_))),
        "{address:?}"
    );
    let tls = address.tls.as_ref().unwrap();
    assert_eq!(
        Err(Cause::NotVerified(Box::new(tls.verdict.clone()))),
        address.client
    );
    assert_eq!(tls.version, 0x0304);
    let certificate = address.certificate.as_ref().unwrap();
    assert_eq!(certificate.der(), &*expired.chain()[0]);
    // 2001-01-01
    assert_eq!(certificate.not_after(), at(978_307_200));
    let deep = address.deep.as_ref().unwrap();
    assert_eq!(deep.not_achieved, ["tls-cert"]);
    assert_eq!(deep.has_url, None);
}

#[tokio::test]
async fn observes_logins_that_are_offered_before_starttls() {
    let site = Site::new();
    let (listener, port) = listener().await;
    serve(listener, site.server_config(), false);
    let zone = Zone::default().with_server(Service::IMAP_STARTTLS, port);
    let (observed, _) = observe(&site, zone, &options()).await;
    let address = &observed.servers[0].addresses.as_ref().unwrap()[0];
    assert!(address.client.is_ok(), "{address:?}");
    let logins = vec!["LOGIN".to_owned(), "PLAIN".to_owned()];
    let starttls = true;
    assert_eq!(address.clear, Some(Ok(ClearText { logins, starttls })));
    assert_eq!(
        address.old_versions,
        Ok(OldVersions {
            up_to_1_1: None,
            tls_1_2: Some(true)
        })
    );
}

#[tokio::test]
async fn observes_a_server_that_refuses_the_monitor() {
    let site = Site::new();
    let (listener, port) = listener().await;
    tokio::spawn(async move {
        while let Ok((mut tcp, _)) = listener.accept().await {
            let _ = tcp.write_all(b"421 come back later\r\n").await;
        }
    });
    let zone = Zone::default().with_server(Service::SUBMISSION_STARTTLS, port);
    let (observed, _) = observe(&site, zone, &options()).await;
    let address = &observed.servers[0].addresses.as_ref().unwrap()[0];
    assert_eq!(address.clear, Some(Err(NotKnown::Refuses)));
    assert_eq!(address.old_versions, Err(NotKnown::NotTried));
    assert_eq!(address.certificate, None);
}

/// Without TLSA records a client does not connect; the certificate is known nevertheless.
#[tokio::test]
async fn observes_the_certificate_where_the_lookup_of_tlsa_records_fails() {
    let site = Site::new();
    let (listener, port) = listener().await;
    serve(listener, site.server_config(), true);
    let mut zone = Zone::default().with_server(Service::IMAPS, port);
    let failed = Answer::Failed(LookupFailure::ServerFailure);
    zone.0.insert(format!("_{port}._tcp.{HOST}. TLSA"), failed);
    let (observed, _) = observe(&site, zone, &options()).await;
    let server = &observed.servers[0];
    assert_eq!(server.tlsa, Some(Err(LookupFailure::ServerFailure)));
    let address = &server.addresses.as_ref().unwrap()[0];
    assert!(
        matches!(address.client, Err(Cause::Lookup(_))),
        "{address:?}"
    );
    assert!(address.certificate.is_some());
}

#[tokio::test]
async fn observes_servers_that_the_operator_names() {
    let site = Site::new();
    let (listener, port) = listener().await;
    serve(listener, site.server_config(), true);
    let zone = Zone::default().with(HOST, "A", Record::Address(Ipv4Addr::LOCALHOST.into()));
    let options = Options {
        servers: vec![(Service::IMAPS, name(HOST), port)],
        ..options()
    };
    let (observed, _) = observe(&site, zone, &options).await;
    assert_eq!(observed.servers.len(), 1);
    assert_eq!(observed.servers[0].source, ServerSource::Named);
    let address = &observed.servers[0].addresses.as_ref().unwrap()[0];
    assert!(address.client.is_ok(), "{address:?}");
}

const STATUS: &str = "tls10 tls-cert <https://status.example.org/>";

fn reply(protocol: Protocol, line: &str, is_tls: bool) -> String {
    let tag = line.split(' ').next().unwrap();
    let upgrade = if is_tls { "" } else { " STARTTLS" };
    match protocol {
        Protocol::Imap if line.contains(" ID ") => {
            format!("* ID (\"deep\" \"{STATUS}\")\r\n{tag} OK done\r\n")
        }
        Protocol::Imap if line.contains("STARTTLS") => format!("{tag} OK go\r\n"),
        Protocol::Imap => {
            format!("* CAPABILITY IMAP4rev1 AUTH=PLAIN DEEP ID{upgrade}\r\n{tag} OK done\r\n")
        }
        Protocol::Pop => "+OK\r\n".to_owned(),
        Protocol::Submission => "250-hi\r\n250 AUTH PLAIN\r\n".to_owned(),
    }
}

/// Answers commands, up to `STARTTLS` in clear text.
async fn converse(
    stream: &mut BufReader<impl AsyncRead + AsyncWrite + Unpin>,
    protocol: Protocol,
    greeting: &str,
    is_tls: bool,
) -> Option<()> {
    let mut answer = greeting.to_owned();
    loop {
        stream.write_all(answer.as_bytes()).await.ok()?;
        stream.flush().await.ok()?;
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        answer = reply(protocol, line.trim_end(), is_tls);
        if line.contains("STARTTLS") && !is_tls {
            stream.write_all(answer.as_bytes()).await.ok()?;
            stream.flush().await.ok()?;
            return Some(());
        }
    }
}

/// Serves IMAP with implicit TLS, or with STARTTLS.
fn serve(listener: TcpListener, config: Arc<ServerConfig>, is_implicit: bool) {
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let acceptor = TlsAcceptor::from(config.clone());
            tokio::spawn(async move {
                let protocol = Protocol::Imap;
                let mut tcp = tcp;
                let mut greeting = "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN DEEP ID] hi\r\n";
                if !is_implicit {
                    let mut clear = BufReader::new(tcp);
                    let in_clear = "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN STARTTLS] hi\r\n";
                    converse(&mut clear, protocol, in_clear, false).await?;
                    tcp = clear.into_inner();
                    greeting = "";
                }
                let stream = acceptor.accept(tcp).await.ok()?;
                converse(&mut BufReader::new(stream), protocol, greeting, true).await
            });
        }
    });
}
