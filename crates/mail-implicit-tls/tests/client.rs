//! Connections of an account to servers on loopback that behave well, badly and hostilely.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

#[path = "support/site.rs"]
mod site;

use std::{
    io,
    net::Ipv4Addr,
    sync::{Arc, Mutex, mpsc},
    thread,
    time::{Duration, Instant},
};

use mail_implicit_tls::{
    account::{Account, AccountSetup, Host, LowPrivacy, Server},
    client::{Closed, Connector},
    dialogue::DialogueError,
    dns::{
        Answer, AnswerFuture, Denial, DnsName, Dnssec, Question, Record, RecordKind, Records,
        Resolve, Tlsa,
    },
    failure::{Action, Cause, Stage, TlsFailure},
    privacy::PrivacyLevel,
    service::{Protocol, Security, Service},
    verdict::{
        CertificateUsage, ChainProblem, ChainVerdict, DaneVerdict, IdentityVerdict, Verdict,
    },
};
use rustls::{
    ClientConfig, HandshakeKind, ServerConfig,
    pki_types::{ServerName, UnixTime},
    server::WebPkiClientVerifier,
    sign::{CertifiedKey, SingleCertAndKey},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsAcceptor, TlsConnector, server::TlsStream};

use self::site::{HOST, Site, account_of};

const GREETING: &[u8] = b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hello\r\n";

/// Listens on a free port.
async fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

fn server(service: Service, port: u16) -> Server {
    let host = Host::parse(HOST).unwrap();
    Server::new(service, host)
        .with_port(port)
        .with_address(Ipv4Addr::LOCALHOST.into())
}

fn high(server: &Server) -> Account {
    account_of("alice", server)
}

fn low(server: &Server, low: LowPrivacy) -> Account {
    AccountSetup::new(site::id("bob"))
        .low(low)
        .server(server.clone())
        .build()
        .unwrap()
}

/// Accepts one TLS connection and sends these octets.
async fn serve_tls(
    listener: TcpListener,
    config: Arc<ServerConfig>,
    octets: &'static [u8],
) -> TlsStream<TcpStream> {
    let (tcp, _) = listener.accept().await.unwrap();
    let mut stream = TlsAcceptor::from(config).accept(tcp).await.unwrap();
    stream.write_all(octets).await.unwrap();
    stream.flush().await.unwrap();
    stream
}

/// Connects and returns the cause of the failure.
async fn cause(connector: &Connector, account: &Account, server: &Server) -> Cause {
    connector
        .connect(account, server)
        .await
        .unwrap_err()
        .cause()
        .clone()
}

#[tokio::test]
async fn connects_privately_in_one_call() {
    let site = Site::new();
    let (listener, port) = listener().await;
    let serving = tokio::spawn(serve_tls(listener, site.server_config(), GREETING));
    let server = server(Service::IMAPS, port);
    let connection = site
        .connector()
        .connect(&high(&server), &server)
        .await
        .unwrap();
    assert_eq!(connection.indication().level(), Some(PrivacyLevel::High));
    assert_eq!(connection.capabilities().mechanisms(), ["PLAIN"]);
    assert!(connection.verdict().unwrap().is_verified());
    assert_eq!(
        connection.cipher_suite().map(|suite| suite >> 8),
        Some(0x13)
    );
    assert!(connection.group().is_some());
    assert!(!connection.is_resumed());
    let mut far = serving.await.unwrap();
    assert_eq!(
        far.get_ref().1.alpn_protocol(),
        None,
        "no application protocol is offered"
    );
    assert_eq!(far.get_ref().1.server_name(), Some(HOST));
    let mut stream = connection.into_stream_with_greeting();
    stream.write_all(b"a NOOP\r\n").await.unwrap();
    stream.flush().await.unwrap();
    let mut command = [0; 8];
    far.read_exact(&mut command).await.unwrap();
    assert_eq!(&command, b"a NOOP\r\n");
    far.write_all(b"a OK\r\n").await.unwrap();
    far.shutdown().await.unwrap();
    let mut all = Vec::new();
    stream.read_to_end(&mut all).await.unwrap();
    assert_eq!(all, [GREETING, b"a OK\r\n"].concat());
    assert_eq!(stream.closed(), Some(Closed::Clean));
}

#[tokio::test]
async fn sends_a_close_alert_and_does_not_wait() {
    let site = Site::new();
    let (listener, port) = listener().await;
    let serving = tokio::spawn(serve_tls(listener, site.server_config(), GREETING));
    let server = server(Service::IMAPS, port);
    let connection = site
        .connector()
        .connect(&high(&server), &server)
        .await
        .unwrap();
    let mut far = serving.await.unwrap();
    connection.into_stream().shutdown().await.unwrap();
    let mut rest = Vec::new();
    // Without the alert, rustls reports an unexpected end.
    assert_eq!(far.read_to_end(&mut rest).await.unwrap(), 0);
}

#[tokio::test]
async fn reports_a_truncated_session() {
    let site = Site::new();
    let (listener, port) = listener().await;
    let serving = tokio::spawn(serve_tls(listener, site.server_config(), GREETING));
    let server = server(Service::IMAPS, port);
    let connection = site
        .connector()
        .connect(&high(&server), &server)
        .await
        .unwrap();
    let (mut tcp, _) = serving.await.unwrap().into_inner();
    tcp.shutdown().await.unwrap();
    let mut stream = connection.into_stream();
    let error = stream.read_to_end(&mut Vec::new()).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    assert_eq!(stream.closed(), Some(Closed::Truncated));
}

#[tokio::test]
async fn refuses_a_server_that_is_not_verified_and_offers_no_way_around() {
    let site = Site::new();
    for (config, expired, named) in [
        (
            site.config_for(&site.issue(&["other.example"])),
            false,
            false,
        ),
        (site.config_for(&site.expired()), true, true),
    ] {
        let (listener, port) = listener().await;
        let serving = tokio::spawn(async move {
            let (tcp, _) = listener.accept().await.unwrap();
            TlsAcceptor::from(config).accept(tcp).await.map(|_| ())
        });
        let server = server(Service::IMAPS, port);
        let failure = site
            .connector()
            .connect(&high(&server), &server)
            .await
            .unwrap_err();
        let Cause::NotVerified(verdict) = failure.cause() else {
            panic!("{failure}")
        };
        assert_eq!(matches!(verdict.chain, ChainVerdict::Refused(_)), expired);
        assert_eq!(
            matches!(verdict.identity, IdentityVerdict::Matches { .. }),
            named
        );
        assert_eq!(
            failure.actions(),
            [Action::WorkOffline, Action::TryAgainLater]
        );
        assert!(serving.await.unwrap().is_err());
    }
}

#[tokio::test]
async fn names_a_chain_without_its_intermediate() {
    let site = Site::new();
    let (listener, port) = listener().await;
    let config = Site::new().server_config();
    tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.unwrap();
        let _ = TlsAcceptor::from(config).accept(tcp).await;
    });
    let server = server(Service::IMAPS, port);
    let Cause::NotVerified(verdict) = cause(&site.connector(), &high(&server), &server).await
    else {
        panic!("not verified expected")
    };
    let ChainVerdict::Refused(problems) = &verdict.chain else {
        panic!("{verdict}")
    };
    assert!(
        problems.contains(&ChainProblem::UnknownIssuer),
        "{problems:?}"
    );
    assert!(
        problems.contains(&ChainProblem::IntermediateMissing),
        "{problems:?}"
    );
}

#[tokio::test]
async fn recognises_a_port_that_speaks_without_tls() {
    let site = Site::new();
    for (service, greeting) in [
        (Service::IMAPS, "* OK hello\r\n"),
        (Service::POP3S, "+OK hello\r\n"),
        (Service::SUBMISSIONS, "220 mail.example ESMTP\r\n"),
        (Service::SUBMISSIONS, "554 no\r\n"),
    ] {
        let (listener, port) = listener().await;
        tokio::spawn(async move {
            let (mut tcp, _) = listener.accept().await.unwrap();
            tcp.write_all(greeting.as_bytes()).await.unwrap();
            let _ = tcp.read_to_end(&mut Vec::new()).await;
        });
        let server = server(service, port);
        assert_eq!(
            cause(&site.connector(), &high(&server), &server).await,
            Cause::SpeaksClearText
        );
    }
}

#[tokio::test]
async fn reports_silence_where_a_greeting_is_expected() {
    let site = Site::new();
    let (listener, port) = listener().await;
    let _silent = tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.unwrap();
        tokio::time::sleep(Duration::from_secs(60)).await;
        drop(tcp);
    });
    let server = server(Service::IMAP_STARTTLS, port);
    let connector = site.connector().with_deadline(Duration::from_millis(300));
    let failure = connector
        .connect(&high(&server), &server)
        .await
        .unwrap_err();
    assert_eq!(failure.cause(), &Cause::Timeout(Stage::Greeting));
    assert!(failure.to_string().contains("implicit TLS"), "{failure}");
}

#[tokio::test]
async fn keeps_one_deadline_over_a_greeting_octet_by_octet() {
    let site = Site::new();
    let (listener, port) = listener().await;
    let config = site.server_config();
    tokio::spawn(async move {
        let mut stream = serve_tls(listener, config, b"").await;
        for octet in b"* OK slow".iter().cycle() {
            if stream.write_all(&[*octet]).await.is_err() || stream.flush().await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    let server = server(Service::IMAPS, port);
    let connector = site.connector().with_deadline(Duration::from_millis(600));
    assert_eq!(
        cause(&connector, &high(&server), &server).await,
        Cause::Timeout(Stage::Greeting)
    );
}

#[tokio::test]
async fn recognises_what_is_not_tls_and_a_connection_that_ends() {
    let site = Site::new();
    for (answer, expected) in [
        (
            b"\x00\x01garbage that is no record".as_slice(),
            TlsFailure::NotTls,
        ),
        (b"".as_slice(), TlsFailure::Closed),
        // A fatal alert: protocol_version, and handshake_failure.
        (
            b"\x15\x03\x01\x00\x02\x02\x46".as_slice(),
            TlsFailure::Version,
        ),
        (
            b"\x15\x03\x01\x00\x02\x02\x28".as_slice(),
            TlsFailure::Alert(40),
        ),
    ] {
        let (listener, port) = listener().await;
        tokio::spawn(async move {
            let (mut tcp, _) = listener.accept().await.unwrap();
            let mut hello = [0; 5];
            tcp.read_exact(&mut hello).await.unwrap();
            tcp.write_all(answer).await.unwrap();
            tcp.shutdown().await.unwrap();
            let _ = tcp.read_to_end(&mut Vec::new()).await;
        });
        let server = server(Service::IMAPS, port);
        assert_eq!(
            cause(&site.connector(), &high(&server), &server).await,
            Cause::Tls(expected)
        );
    }
}

/// Plays a server that is upgraded, up to the reply to the upgrade; `injected` follows that reply at once.
async fn upgrade(tcp: &mut TcpStream, service: Service, injected: &[u8]) {
    let (lines, reply): (&[(&str, usize)], &[u8]) = match service.protocol {
        Protocol::Imap => (
            &[("* OK [CAPABILITY IMAP4rev1 STARTTLS] hi\r\n", 12)],
            b"c OK go\r\n",
        ),
        Protocol::Pop => (
            &[("+OK hi\r\n", 6), ("+OK\r\nSTLS\r\n.\r\n", 6)],
            b"+OK go\r\n",
        ),
        Protocol::Submission => (
            &[("220 hi\r\n", 18), ("250-hi\r\n250 STARTTLS\r\n", 10)],
            b"220 go\r\n",
        ),
    };
    for (line, command) in lines {
        tcp.write_all(line.as_bytes()).await.unwrap();
        tcp.read_exact(&mut vec![0; *command]).await.unwrap();
    }
    tcp.write_all(&[reply, injected].concat()).await.unwrap();
}

/// The server's lines within TLS after `STARTTLS`, by command.
const fn after_upgrade(protocol: Protocol) -> (usize, &'static [u8]) {
    match protocol {
        Protocol::Imap => (14, b"* CAPABILITY IMAP4rev1 X-TLS\r\nt OK\r\n"),
        Protocol::Pop => (6, b"+OK\r\nX-TLS\r\n.\r\n"),
        Protocol::Submission => (18, b"250-hi\r\n250-X-TLS\r\n250 AUTH PLAIN\r\n"),
    }
}

const UPGRADED: [Service; 3] = [
    Service::IMAP_STARTTLS,
    Service::POP3_STARTTLS,
    Service::SUBMISSION_STARTTLS,
];

#[tokio::test]
async fn upgrades_and_reads_capabilities_again() {
    let site = Site::new();
    for service in UPGRADED {
        let (listener, port) = listener().await;
        let config = site.server_config();
        let serving = tokio::spawn(async move {
            let (mut tcp, _) = listener.accept().await.unwrap();
            upgrade(&mut tcp, service, b"").await;
            let mut stream = TlsAcceptor::from(config).accept(tcp).await.unwrap();
            let (command, reply) = after_upgrade(service.protocol);
            stream.read_exact(&mut vec![0; command]).await.unwrap();
            stream.write_all(reply).await.unwrap();
            stream.flush().await.unwrap();
            stream
        });
        let server = server(service, port);
        let connection = site
            .connector()
            .connect(&high(&server), &server)
            .await
            .unwrap();
        assert!(connection.capabilities().arguments("X-TLS").is_some());
        assert!(!connection.capabilities().has_starttls());
        assert_eq!(connection.indication().level(), Some(PrivacyLevel::High));
        let mut far = serving.await.unwrap();
        far.shutdown().await.unwrap();
        let mut all = String::new();
        connection
            .into_stream_with_greeting()
            .read_to_string(&mut all)
            .await
            .unwrap();
        assert!(
            all.ends_with(" ready\r\n") && !all.contains("hi"),
            "{all:?}"
        );
    }
}

#[tokio::test]
async fn refuses_injected_octets_at_once_and_late() {
    let site = Site::new();
    for service in UPGRADED {
        for late in [false, true] {
            let (listener, port) = listener().await;
            let config = site.server_config();
            tokio::spawn(async move {
                let (mut tcp, _) = listener.accept().await.unwrap();
                let injected: &[u8] = b"* CAPABILITY AUTH=EVIL\r\n";
                upgrade(&mut tcp, service, if late { b"" } else { injected }).await;
                if late {
                    // The ClientHello is on its way; the injected octets come before the ServerHello.
                    tcp.read_exact(&mut [0; 5]).await.unwrap();
                    tcp.write_all(injected).await.unwrap();
                }
                let _ = TlsAcceptor::from(config).accept(tcp).await;
            });
            let server = server(service, port);
            let expected = match late {
                false => Cause::Dialogue(DialogueError::Injected),
                true => Cause::Tls(TlsFailure::NotTls),
            };
            assert_eq!(
                cause(&site.connector(), &high(&server), &server).await,
                expected
            );
        }
    }
}

#[tokio::test]
async fn judges_the_server_after_an_upgrade() {
    let site = Site::new();
    let config = site.config_for(&site.issue(&["other.example"]));
    let (listener, port) = listener().await;
    tokio::spawn(async move {
        let (mut tcp, _) = listener.accept().await.unwrap();
        upgrade(&mut tcp, Service::IMAP_STARTTLS, b"").await;
        let _ = TlsAcceptor::from(config).accept(tcp).await;
    });
    let server = server(Service::IMAP_STARTTLS, port);
    assert!(matches!(
        cause(&site.connector(), &high(&server), &server).await,
        Cause::NotVerified(_)
    ));
}

#[tokio::test]
async fn resumes_sessions_of_one_account_only() {
    let site = Site::new();
    let (listener, port) = listener().await;
    let config = site.server_config();
    let serving = tokio::spawn(async move {
        for _ in 0..3 {
            let (tcp, _) = listener.accept().await.unwrap();
            let mut stream = TlsAcceptor::from(config.clone()).accept(tcp).await.unwrap();
            stream.write_all(GREETING).await.unwrap();
            let _ = stream.read_to_end(&mut Vec::new()).await;
        }
    });
    let server = server(Service::IMAPS, port);
    let connector = site.connector();
    let mut resumed = Vec::new();
    for account in [high(&server), high(&server), account_of("carol", &server)] {
        let connection = connector.connect(&account, &server).await.unwrap();
        assert_eq!(connection.indication().level(), Some(PrivacyLevel::High));
        resumed.push(connection.is_resumed());
        connection.into_stream().shutdown().await.unwrap();
    }
    assert_eq!(resumed, [false, true, false]);
    serving.await.unwrap();
}

#[tokio::test]
async fn sends_a_client_certificate_only_to_its_host_and_on_request() {
    let site = Site::new();
    let certificate = site.client("alice");
    let roots = Arc::new(site.roots());
    let verifier = WebPkiClientVerifier::builder_with_provider(roots, site.provider())
        .allow_unauthenticated()
        .build();
    let requesting = Arc::new(site.with_client_verifier(verifier.unwrap()));
    for (requests, host, expected) in [
        (true, HOST, true),
        (true, "other.example.org", false),
        (false, HOST, false),
    ] {
        let (listener, port) = listener().await;
        let config = if requests {
            requesting.clone()
        } else {
            site.server_config()
        };
        let serving = tokio::spawn(serve_tls(listener, config, GREETING));
        let server = server(Service::IMAPS, port);
        let account = high(&server);
        let connector = site.connector().with_client_certificate(
            account.id().clone(),
            Host::parse(host).unwrap(),
            certificate.clone(),
        );
        connector.connect(&account, &server).await.unwrap();
        let far = serving.await.unwrap();
        assert_eq!(far.get_ref().1.peer_certificates().is_some(), expected);
    }
}

#[tokio::test]
async fn offers_its_application_protocol_by_option() {
    let site = Site::new();
    let (listener, port) = listener().await;
    let mut config = ServerConfig::clone(&site.server_config());
    config.alpn_protocols = vec![b"imap".to_vec()];
    let serving = tokio::spawn(serve_tls(listener, Arc::new(config), GREETING));
    let server = server(Service::IMAPS, port);
    site.connector()
        .offer_alpn()
        .connect(&high(&server), &server)
        .await
        .unwrap();
    assert_eq!(
        serving.await.unwrap().get_ref().1.alpn_protocol(),
        Some(b"imap".as_slice())
    );
}

#[tokio::test]
async fn makes_no_second_attempt_without_alpn() {
    let site = Site::new();
    let (listener, port) = listener().await;
    let mut config = ServerConfig::clone(&site.server_config());
    config.alpn_protocols = vec![b"other".to_vec()];
    let serving = tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.unwrap();
        let _ = TlsAcceptor::from(Arc::new(config)).accept(tcp).await;
        tokio::time::timeout(Duration::from_millis(300), listener.accept())
            .await
            .is_err()
    });
    let server = server(Service::IMAPS, port);
    let failure = cause(&site.connector().offer_alpn(), &high(&server), &server).await;
    assert_eq!(failure, Cause::Tls(TlsFailure::Alert(120)));
    assert!(serving.await.unwrap(), "one attempt expected");
}

#[tokio::test]
async fn never_speaks_in_clear_text_for_a_private_account() {
    let site = Site::new();
    let (listener, port) = listener().await;
    let serving = tokio::spawn(async move {
        tokio::time::timeout(Duration::from_millis(300), listener.accept())
            .await
            .is_err()
    });
    let server = server(Service::IMAP_CLEAR, port);
    // An account at the high level cannot be set up with such a server: nothing connects.
    let refused = AccountSetup::new(site::id("alice"))
        .server(server.clone())
        .build();
    assert!(refused.is_err());
    let account = account_of("alice", &self::server(Service::IMAPS, port));
    assert_eq!(
        cause(&site.connector(), &account, &server).await,
        Cause::ClearText
    );
    assert!(serving.await.unwrap(), "no connection expected");
}

#[tokio::test]
async fn connects_in_clear_text_after_tls_failed_only_at_the_low_level() {
    let site = Site::new();
    let fallback = LowPrivacy {
        ignore_certificate: false,
        clear_text_fallback: true,
    };
    for (permitted, expected) in [(fallback, true), (LowPrivacy::default(), false)] {
        let (listener, port) = listener().await;
        tokio::spawn(async move {
            loop {
                let (mut tcp, _) = listener.accept().await.unwrap();
                tcp.write_all(b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] no tls here\r\n")
                    .await
                    .unwrap();
                let _ = tcp.read_to_end(&mut Vec::new()).await;
            }
        });
        let server = server(Service::IMAP_STARTTLS, port);
        let result = site
            .connector()
            .connect(&low(&server, permitted), &server)
            .await;
        match result {
            Ok(connection) => {
                assert!(expected);
                assert_eq!(connection.service(), Service::IMAP_CLEAR);
                assert_eq!(connection.indication().level(), None);
            }
            Err(failure) => {
                assert!(!expected);
                assert_eq!(failure.cause(), &Cause::Dialogue(DialogueError::NoStartTls));
            }
        }
    }
}

#[tokio::test]
async fn never_falls_back_to_clear_text_because_of_a_certificate() {
    let site = Site::new();
    let config = site.config_for(&site.issue(&["other.example"]));
    let (listener, port) = listener().await;
    let serving = tokio::spawn(async move {
        let (mut tcp, _) = listener.accept().await.unwrap();
        upgrade(&mut tcp, Service::IMAP_STARTTLS, b"").await;
        let _ = TlsAcceptor::from(config).accept(tcp).await;
        tokio::time::timeout(Duration::from_millis(300), listener.accept())
            .await
            .is_err()
    });
    let server = server(Service::IMAP_STARTTLS, port);
    let fallback = LowPrivacy {
        ignore_certificate: false,
        clear_text_fallback: true,
    };
    let cause = cause(&site.connector(), &low(&server, fallback), &server).await;
    assert!(matches!(cause, Cause::NotVerified(_)), "{cause}");
    assert!(serving.await.unwrap(), "one attempt expected");
}

/// The certificate is genuine, and the server has another key: a fault of the certificate, not of the negotiation.
#[tokio::test]
async fn never_falls_back_to_clear_text_because_of_a_key() {
    let site = Site::new();
    let key = site.issue(&[HOST]).key();
    let key = site.provider().key_provider.load_private_key(key).unwrap();
    let chain = vec![site.server().certificate.clone()];
    let stolen = SingleCertAndKey::from(CertifiedKey::new(chain, key));
    let mut config = ServerConfig::clone(&site.server_config());
    config.cert_resolver = Arc::new(stolen);
    let config = Arc::new(config);
    for ignore_certificate in [false, true] {
        let (listener, port) = listener().await;
        let config = config.clone();
        let serving = tokio::spawn(async move {
            let (mut tcp, _) = listener.accept().await.unwrap();
            upgrade(&mut tcp, Service::IMAP_STARTTLS, b"").await;
            let _ = TlsAcceptor::from(config).accept(tcp).await;
            tokio::time::timeout(Duration::from_millis(300), listener.accept())
                .await
                .is_err()
        });
        let server = server(Service::IMAP_STARTTLS, port);
        let fallback = LowPrivacy {
            ignore_certificate,
            clear_text_fallback: true,
        };
        let cause = cause(&site.connector(), &low(&server, fallback), &server).await;
        let refused = Verdict {
            chain: ChainVerdict::Refused(vec![ChainProblem::Signature]),
            ..Verdict::default()
        };
        assert_eq!(cause, Cause::NotVerified(Box::new(refused)));
        assert!(serving.await.unwrap(), "one attempt expected");
    }
}

/// A setting of the connector counts for the servers that it connected to before, too.
#[tokio::test]
async fn applies_what_is_set_between_two_connections() {
    let site = Site::new();
    let roots = Arc::new(site.roots());
    let verifier = WebPkiClientVerifier::builder_with_provider(roots, site.provider())
        .allow_unauthenticated()
        .build();
    let mut config = site.with_client_verifier(verifier.unwrap());
    config.alpn_protocols = vec![b"imap".to_vec()];
    let config = Arc::new(config);
    let (listener, port) = listener().await;
    let serving = tokio::spawn(async move {
        let mut seen = Vec::new();
        for _ in 0..3 {
            let (tcp, _) = listener.accept().await.unwrap();
            let mut stream = TlsAcceptor::from(config.clone()).accept(tcp).await.unwrap();
            stream.write_all(GREETING).await.unwrap();
            let _ = stream.read_to_end(&mut Vec::new()).await;
            let tls = stream.get_ref().1;
            seen.push((
                tls.alpn_protocol().is_some(),
                tls.peer_certificates().is_some(),
            ));
        }
        seen
    });
    let server = server(Service::IMAPS, port);
    let account = high(&server);
    let connect = async |connector: &Connector| {
        let connection = connector.connect(&account, &server).await.unwrap();
        connection.into_stream().shutdown().await.unwrap();
    };
    let connector = site.connector();
    connect(&connector).await;
    let connector = connector.offer_alpn();
    connect(&connector).await;
    let (id, host) = (account.id().clone(), server.host.clone());
    let connector = connector.with_client_certificate(id, host, site.client("alice"));
    connect(&connector).await;
    let expected = [(false, false), (true, false), (true, true)];
    assert_eq!(serving.await.unwrap(), expected);
}

#[tokio::test]
async fn shows_no_high_level_for_a_certificate_that_was_not_verified() {
    let site = Site::new();
    let config = site.config_for(&site.issue(&["other.example"]));
    let (listener, port) = listener().await;
    let _serving = tokio::spawn(serve_tls(listener, config, GREETING));
    let server = server(Service::IMAPS, port);
    let ignore = LowPrivacy {
        ignore_certificate: true,
        clear_text_fallback: false,
    };
    let connection = site
        .connector()
        .connect(&low(&server, ignore), &server)
        .await
        .unwrap();
    assert_eq!(connection.indication().level(), Some(PrivacyLevel::Low));
    assert_eq!(connection.service().security, Security::Implicit);
}

/// Reads the record of the ClientHello and leaves it in the stream.
async fn client_hello(tcp: &TcpStream) -> Vec<u8> {
    let mut record = vec![0; 16_384];
    loop {
        let count = tcp.peek(&mut record).await.unwrap();
        let length = usize::from(u16::from_be_bytes([record[3], record[4]])) + 5;
        if count >= length && length > 5 {
            record.truncate(length);
            return record;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Splits octets that follow their length, in a number of this size.
fn split_vector(octets: &[u8], size: usize) -> (&[u8], &[u8]) {
    let length = octets[..size]
        .iter()
        .fold(0, |length, octet| length * 256 + usize::from(*octet));
    octets[size..].split_at(length)
}

/// The cipher suites and the extensions of a ClientHello.
fn offers(record: &[u8]) -> (Vec<u16>, Vec<(u16, Vec<u8>)>) {
    const HEADERS: usize = 5 + 4 + 2 + 32;
    let (_session, rest) = split_vector(&record[HEADERS..], 1);
    let (suites, rest) = split_vector(rest, 2);
    let (_compression, rest) = split_vector(rest, 1);
    let (mut rest, _) = split_vector(rest, 2);
    let number = |octets: &[u8]| u16::from_be_bytes([octets[0], octets[1]]);
    let mut extensions = Vec::new();
    while !rest.is_empty() {
        let (content, next) = split_vector(&rest[2..], 2);
        extensions.push((number(rest), content.to_vec()));
        rest = next;
    }
    (suites.chunks(2).map(number).collect(), extensions)
}

fn extension(record: &[u8], number: u16) -> Option<Vec<u8>> {
    let (_, extensions) = offers(record);
    let mut extensions = extensions.into_iter();
    extensions
        .find(|(it, _)| *it == number)
        .map(|(_, content)| content)
}

/// Returns the ClientHello of a connection that the server then closes.
async fn hello_of(connector: &Connector, service: Service) -> Vec<u8> {
    let (listener, port) = listener().await;
    let serving = tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.unwrap();
        client_hello(&tcp).await
    });
    let server = server(service, port);
    cause(connector, &high(&server), &server).await;
    serving.await.unwrap()
}

/// The extension `application_layer_protocol_negotiation`.
const ALPN: u16 = 16;

#[tokio::test]
async fn offers_no_application_protocol_unless_told() {
    let site = Site::new();
    for (service, offered) in [
        (Service::IMAPS, Some(b"\0\x05\x04imap".to_vec())),
        (Service::POP3S, Some(b"\0\x05\x04pop3".to_vec())),
        (Service::SUBMISSIONS, None),
    ] {
        let hello = hello_of(&site.connector(), service).await;
        assert_eq!(extension(&hello, ALPN), None);
        // The test reads extensions: SNI is there.
        assert!(extension(&hello, 0).is_some());
        let hello = hello_of(&site.connector().offer_alpn(), service).await;
        assert_eq!(extension(&hello, ALPN), offered);
    }
}

/// Section 9.1 demands `TLS_RSA_WITH_AES_128_CBC_SHA` and, of IMAP, `TLS_RSA_WITH_RC4_128_MD5`. RFC 7465 prohibits RC4, RFC
/// 9325 section 4.1 advises against key transport by RSA, and no provider of rustls has either.
#[tokio::test]
async fn lacks_the_cipher_suites_that_later_documents_prohibit() {
    const RSA_AES_128_CBC_SHA: u16 = 0x002f;
    const RSA_RC4_128_MD5: u16 = 0x0004;
    /// `TLS_EMPTY_RENEGOTIATION_INFO_SCSV`, which is a signal and no suite.
    const RENEGOTIATION: u16 = 0x00ff;

    let site = Site::new();
    let provider = site.provider();
    let suites: Vec<_> = provider
        .cipher_suites
        .iter()
        .map(|suite| u16::from(suite.suite()))
        .collect();
    assert_eq!(
        suites,
        [
            0x1302, // TLS_AES_256_GCM_SHA384
            0x1301, // TLS_AES_128_GCM_SHA256
            0x1303, // TLS_CHACHA20_POLY1305_SHA256
            0xc02c, // TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384
            0xc02b, // TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
            0xcca9, // TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
            0xc030, // TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384
            0xc02f, // TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
            0xcca8, // TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256
        ]
    );
    for required in [RSA_AES_128_CBC_SHA, RSA_RC4_128_MD5] {
        assert!(!suites.contains(&required));
    }
    // The client offers what the provider has, and nothing else.
    let hello = hello_of(&site.connector(), Service::IMAPS).await;
    let (mut offered, _) = offers(&hello);
    offered.retain(|suite| *suite != RENEGOTIATION);
    assert_eq!(offered, suites);
}

/// The extensions `pre_shared_key` and `early_data`.
const PRE_SHARED_KEY: u16 = 41;
const EARLY_DATA: u16 = 42;

#[tokio::test]
async fn sends_no_early_data_when_it_resumes() {
    let site = Site::new();
    let (listener, port) = listener().await;
    let mut config = ServerConfig::clone(&site.server_config());
    config.max_early_data_size = 16_384;
    let config = Arc::new(config);
    let serving = tokio::spawn(async move {
        let mut hellos = Vec::new();
        for _ in 0..4 {
            let (tcp, _) = listener.accept().await.unwrap();
            hellos.push(client_hello(&tcp).await);
            let mut stream = TlsAcceptor::from(config.clone()).accept(tcp).await.unwrap();
            stream.write_all(GREETING).await.unwrap();
            stream.flush().await.unwrap();
            let _ = stream.read_to_end(&mut Vec::new()).await;
        }
        hellos
    });
    let server = server(Service::IMAPS, port);
    let connector = site.connector();
    for resumed in [false, true] {
        let connection = connector.connect(&high(&server), &server).await.unwrap();
        assert_eq!(connection.is_resumed(), resumed);
        connection.into_stream().shutdown().await.unwrap();
    }
    // The same server to a client that sends early data.
    let mut eager = ClientConfig::builder_with_provider(site.provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(site.roots())
        .with_no_client_auth();
    eager.enable_early_data = true;
    let eager = TlsConnector::from(Arc::new(eager));
    for _ in 0..2 {
        let tcp = TcpStream::connect((Ipv4Addr::LOCALHOST, port))
            .await
            .unwrap();
        let name = ServerName::try_from(HOST).unwrap();
        let mut stream = eager.connect(name, tcp).await.unwrap();
        stream.read_exact(&mut [0; 4]).await.unwrap();
        stream.shutdown().await.unwrap();
    }
    let hellos = serving.await.unwrap();
    let has = |number| -> Vec<_> {
        let hellos = hellos.iter();
        hellos
            .map(|hello| extension(hello, number).is_some())
            .collect()
    };
    assert_eq!(has(PRE_SHARED_KEY), [false, true, false, true]);
    assert_eq!(has(EARLY_DATA), [false, false, false, true]);
}

#[tokio::test]
async fn refuses_a_resumed_session_whose_certificate_expired() {
    let site = Site::new();
    let (listener, port) = listener().await;
    let expiry = UnixTime::now().as_secs() + 5;
    let config = site.config_for(&site.expiring_at(expiry));
    let serving = tokio::spawn(async move {
        let mut kinds = Vec::new();
        for _ in 0..2 {
            let (tcp, _) = listener.accept().await.unwrap();
            let mut stream = TlsAcceptor::from(config.clone()).accept(tcp).await.unwrap();
            kinds.push(stream.get_ref().1.handshake_kind());
            let _ = stream.write_all(GREETING).await;
            let _ = stream.read_to_end(&mut Vec::new()).await;
        }
        kinds
    });
    let server = server(Service::IMAPS, port);
    let connector = site.connector();
    let connection = connector.connect(&high(&server), &server).await.unwrap();
    connection.into_stream().shutdown().await.unwrap();
    while UnixTime::now().as_secs() <= expiry {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let Cause::NotVerified(verdict) = cause(&connector, &high(&server), &server).await else {
        panic!("not verified expected")
    };
    let ChainVerdict::Refused(problems) = &verdict.chain else {
        panic!("{verdict}")
    };
    assert!(
        matches!(problems.as_slice(), [ChainProblem::Expired { .. }]),
        "{problems:?}"
    );
    assert!(matches!(verdict.identity, IdentityVerdict::Matches { .. }));
    assert_eq!(
        serving.await.unwrap(),
        [Some(HandshakeKind::Full), Some(HandshakeKind::Resumed)]
    );
}

/// A resolver with one signed host, whose TLSA record can be replaced. It notes the questions.
#[derive(Default)]
struct OneHost {
    asked: Mutex<Vec<String>>,
    tlsa: Mutex<Option<Tlsa>>,
}

impl OneHost {
    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

impl Resolve for OneHost {
    fn lookup<'a>(&'a self, question: &'a Question) -> AnswerFuture<'a> {
        self.asked.lock().unwrap().push(question.to_string());
        let record = match question.kind {
            RecordKind::A => Some(Record::Address(Ipv4Addr::LOCALHOST.into())),
            RecordKind::Tlsa => self.tlsa.lock().unwrap().clone().map(Record::Tlsa),
            _ => None,
        };
        let answer = match record {
            Some(record) => Answer::Records(Records {
                records: vec![record],
                owner: DnsName::clone(&question.name),
                dnssec: Dnssec::Secure,
                ttl: Duration::from_secs(86_400),
            }),
            None => Answer::Denied {
                denial: Denial::NoData,
                dnssec: Dnssec::Secure,
            },
        };
        Box::pin(async move { answer })
    }
}

/// A record of usage 3 for the whole certificate.
fn dane_ee(certificate: &[u8]) -> Tlsa {
    Tlsa {
        usage: 3,
        selector: 0,
        matching_type: 0,
        association: certificate.to_vec(),
    }
}

/// A record may expire, or change, while a session lasts: each connection asks again, however long its TTL is.
#[tokio::test]
async fn asks_for_records_again_on_each_connection() {
    let site = Site::new();
    let (listener, port) = listener().await;
    let config = site.server_config();
    tokio::spawn(async move {
        loop {
            let (tcp, _) = listener.accept().await.unwrap();
            let accepted = TlsAcceptor::from(config.clone()).accept(tcp).await;
            let Ok(mut stream) = accepted else { continue };
            let _ = stream.write_all(GREETING).await;
            let _ = stream.read_to_end(&mut Vec::new()).await;
        }
    });
    let server = Server::new(Service::IMAPS, Host::parse(HOST).unwrap()).with_port(port);
    let account = AccountSetup::new(site::id("alice"))
        .dane(true)
        .server(server.clone())
        .build()
        .unwrap();
    let resolver = Arc::new(OneHost::default());
    let connector = site.connector().with_resolver(resolver.clone());
    let questions = [
        format!("{HOST}. A"),
        format!("{HOST}. AAAA"),
        format!("_{port}._tcp.{HOST}. TLSA"),
    ];
    let dane = |verdict: &Verdict| verdict.dane.clone();
    let matches = DaneVerdict::Matches {
        usage: CertificateUsage::DaneEe,
        covers_identity: false,
    };
    *resolver.tlsa.lock().unwrap() = Some(dane_ee(&site.server().certificate));
    for _ in 0..2 {
        let connection = connector.connect(&account, &server).await.unwrap();
        assert_eq!(dane(connection.verdict().unwrap()), matches);
        assert_eq!(connection.peer().unwrap().port(), port);
        connection.into_stream().shutdown().await.unwrap();
        let mut asked = resolver.asked();
        asked.sort_unstable_by_key(|it| questions.iter().position(|question| question == it));
        assert_eq!(asked, questions);
    }
    // The record is another one now.
    *resolver.tlsa.lock().unwrap() = Some(dane_ee(&Site::new().root()));
    let Cause::NotVerified(verdict) = cause(&connector, &account, &server).await else {
        panic!("not verified expected")
    };
    assert!(matches!(dane(&verdict), DaneVerdict::Differs(_)));
    assert_eq!(resolver.asked().len(), 3);
}

#[tokio::test]
async fn asks_again_without_tlsa_before_it_falls_back_to_clear_text() {
    let site = Site::new();
    let (listener, port) = listener().await;
    tokio::spawn(async move {
        loop {
            let (mut tcp, _) = listener.accept().await.unwrap();
            let _ = tcp.write_all(b"* OK no TLS here\r\n").await;
            let _ = tcp.read_to_end(&mut Vec::new()).await;
        }
    });
    let server = Server::new(Service::IMAPS, Host::parse(HOST).unwrap()).with_port(port);
    let fallback = LowPrivacy {
        ignore_certificate: false,
        clear_text_fallback: true,
    };
    let resolver = Arc::new(OneHost::default());
    let connector = site
        .connector()
        .with_resolver(resolver.clone())
        .with_deadline(Duration::from_secs(2));
    let account = AccountSetup::new(site::id("bob"))
        .dane(true)
        .low(fallback)
        .server(server.clone())
        .build()
        .unwrap();
    // The clear port of loopback has no server, or one that is none of this test.
    let result = connector.connect(&account, &server).await;
    if let Err(failure) = result {
        assert_eq!(failure.cause(), &Cause::SpeaksClearText);
    }
    let count = |question: String| {
        resolver
            .asked
            .lock()
            .unwrap()
            .iter()
            .filter(|it| **it == question)
            .count()
    };
    assert_eq!(count(format!("{HOST}. A")), 2);
    assert_eq!(count(format!("_{port}._tcp.{HOST}. TLSA")), 1);
    assert_eq!(count(format!("_143._tcp.{HOST}. TLSA")), 0);
}

#[tokio::test]
async fn leaves_half_of_the_time_for_clear_text() {
    const DEADLINE: Duration = Duration::from_secs(2);

    let site = Site::new();
    let fallback = LowPrivacy {
        ignore_certificate: false,
        clear_text_fallback: true,
    };
    for is_low in [true, false] {
        let (listener, port) = listener().await;
        let _serving = tokio::spawn(async move {
            let (mut silent, _) = listener.accept().await.unwrap();
            upgrade(&mut silent, Service::IMAP_STARTTLS, b"").await;
            let (mut clear, _) = listener.accept().await.unwrap();
            clear.write_all(GREETING).await.unwrap();
            tokio::time::sleep(Duration::from_secs(60)).await;
            drop(silent);
        });
        let server = server(Service::IMAP_STARTTLS, port);
        let connector = site.connector().with_deadline(DEADLINE);
        let begin = Instant::now();
        if is_low {
            let account = low(&server, fallback);
            let connection = connector.connect(&account, &server).await.unwrap();
            assert_eq!(connection.service(), Service::IMAP_CLEAR);
            assert_eq!(connection.indication().level(), None);
            assert!(begin.elapsed() >= DEADLINE / 2);
        } else {
            let failed = cause(&connector, &high(&server), &server).await;
            assert_eq!(failed, Cause::Timeout(Stage::Handshake));
            assert!(begin.elapsed() >= DEADLINE);
        }
    }
}

#[tokio::test]
async fn reports_the_end_of_a_connection_in_clear_text_as_truncated() {
    let site = Site::new();
    let (listener, port) = listener().await;
    tokio::spawn(async move {
        for _ in 0..2 {
            let (mut tcp, _) = listener.accept().await.unwrap();
            tcp.write_all(GREETING).await.unwrap();
            let mut octet = [0];
            if tcp.read_exact(&mut octet).await.is_ok() {
                tcp.write_all(b"* BYE\r\n").await.unwrap();
            }
        }
    });
    let server = server(Service::IMAP_STARTTLS, port);
    let fallback = LowPrivacy {
        ignore_certificate: false,
        clear_text_fallback: true,
    };
    let account = low(&server, fallback);
    let connection = site.connector().connect(&account, &server).await.unwrap();
    assert!(connection.verdict().is_none() && connection.version().is_none());
    let ending = connection.ending();
    let mut stream = connection.into_stream();
    stream.write_all(b"x").await.unwrap();
    let mut all = Vec::new();
    stream.read_to_end(&mut all).await.unwrap();
    assert_eq!(all, b"* BYE\r\n");
    assert_eq!(stream.closed(), Some(Closed::Truncated));
    assert_eq!(ending.closed(), Some(Closed::Truncated));
}

/// Servers that end TCP without a close alert after the protocol ended the session are common.
#[tokio::test]
async fn accepts_an_end_without_alert_after_the_session_and_notes_it() {
    let site = Site::new();
    for (service, greeting, end) in [
        (
            Service::IMAPS,
            GREETING,
            b"* BYE closing\r\na OK done\r\n".as_slice(),
        ),
        (Service::POP3S, b"+OK\r\n", b"+OK closing\r\n"),
        (
            Service::SUBMISSIONS,
            b"220 hi\r\n",
            b"221 2.0.0 closing\r\n",
        ),
    ] {
        for is_expected in [true, false] {
            let (listener, port) = listener().await;
            let config = site.server_config();
            tokio::spawn(async move {
                let mut stream = serve_tls(listener, config, greeting).await;
                let (command, reply) = after_upgrade(service.protocol);
                if service.protocol != Protocol::Imap {
                    stream.read_exact(&mut vec![0; command]).await.unwrap();
                    stream.write_all(reply).await.unwrap();
                    stream.flush().await.unwrap();
                }
                stream.read_exact(&mut [0; 6]).await.unwrap();
                stream.write_all(end).await.unwrap();
                stream.flush().await.unwrap();
                let (mut tcp, _) = stream.into_inner();
                tcp.shutdown().await.unwrap();
            });
            let server = server(service, port);
            let connection = site
                .connector()
                .connect(&high(&server), &server)
                .await
                .unwrap();
            let ending = connection.ending();
            let mut stream = connection.into_stream();
            stream.write_all(b"QUIT\r\n").await.unwrap();
            stream.flush().await.unwrap();
            let mut last = vec![0; end.len()];
            stream.read_exact(&mut last).await.unwrap();
            assert_eq!(last, end);
            if is_expected {
                ending.expect();
            }
            let mut rest = Vec::new();
            let read = stream.read_to_end(&mut rest).await;
            assert_eq!(
                read.map_err(|error| error.kind()),
                match is_expected {
                    true => Ok(0),
                    false => Err(io::ErrorKind::UnexpectedEof),
                }
            );
            assert_eq!(rest, b"");
            assert_eq!(ending.closed(), Some(Closed::Truncated));
        }
    }
}

/// Sends an answer to the ClientHello and keeps TCP open, or closes it. Returns the failure, or nothing if there is none
/// in time.
fn failure_after(answer: &'static [u8], closes: bool) -> Option<Cause> {
    let (sender, receiver) = mpsc::channel();
    // A thread of its own, since a loop without an end would keep the runtime from ending.
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let cause = runtime.unwrap().block_on(async {
            let site = Site::new();
            let (listener, port) = listener().await;
            let _serving = tokio::spawn(async move {
                let (mut tcp, _) = listener.accept().await.unwrap();
                client_hello(&tcp).await;
                tcp.write_all(answer).await.unwrap();
                if closes {
                    tcp.shutdown().await.unwrap();
                }
                let _ = tcp.read_to_end(&mut Vec::new()).await;
                tokio::time::sleep(Duration::from_secs(60)).await;
            });
            let server = server(Service::IMAPS, port);
            let connector = site.connector().with_deadline(Duration::from_secs(1));
            cause(&connector, &high(&server), &server).await
        });
        let _ = sender.send(cause);
    });
    receiver.recv_timeout(Duration::from_secs(20)).ok()
}

/// RUSTSEC-2024-0336. An alert before the keys is unauthenticated: as a warning it does not end the handshake.
#[test]
fn ends_a_handshake_in_which_the_server_closes_tls() {
    const WARNING: &[u8] = b"\x15\x03\x03\x00\x02\x01\x00";
    const FATAL: &[u8] = b"\x15\x03\x03\x00\x02\x02\x00";
    for (alert, closes, expected) in [
        (WARNING, true, Cause::Tls(TlsFailure::Closed)),
        (WARNING, false, Cause::Timeout(Stage::Handshake)),
        (FATAL, true, Cause::Tls(TlsFailure::Closed)),
        (FATAL, false, Cause::Tls(TlsFailure::Closed)),
    ] {
        assert_eq!(failure_after(alert, closes), Some(expected), "{alert:?}");
    }
}

#[test]
fn names_a_server_that_offers_tls_1_1_at_most() {
    // A ServerHello of TLS 1.1, 1.0 and SSL 3.0, with TLS_RSA_WITH_AES_128_CBC_SHA; and the alert protocol_version.
    const HELLO_1_1: &[u8] = b"\x16\x03\x02\x00\x2a\x02\x00\x00\x26\x03\x02\
        rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr\x00\x00\x2f\x00";
    const HELLO_1_0: &[u8] = b"\x16\x03\x01\x00\x2a\x02\x00\x00\x26\x03\x01\
        rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr\x00\x00\x2f\x00";
    const HELLO_SSL: &[u8] = b"\x16\x03\x00\x00\x2a\x02\x00\x00\x26\x03\x00\
        rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr\x00\x00\x2f\x00";
    const ALERT: &[u8] = b"\x15\x03\x02\x00\x02\x02\x46";
    for answer in [HELLO_1_1, HELLO_1_0, HELLO_SSL, ALERT] {
        let cause = failure_after(answer, false).unwrap();
        assert_eq!(cause, Cause::Tls(TlsFailure::Version), "{answer:?}");
        assert_eq!(cause.to_string(), "the server offers TLS 1.1 at most");
    }
    // Other alerts do not tell the version.
    let cause = failure_after(b"\x15\x03\x02\x00\x02\x02\x28", false).unwrap();
    assert_eq!(
        cause.to_string(),
        "the server ended the TLS handshake with alert 40"
    );
}

#[cfg(feature = "bundled-roots")]
#[tokio::test]
async fn refuses_a_private_authority_with_the_bundled_ones() {
    use mail_implicit_tls::verifier::Trust;

    let trust = Trust::of_mozilla();
    assert!(trust.len() > 50 && !trust.is_empty());
    let site = Site::new();
    let (listener, port) = listener().await;
    let config = site.server_config();
    tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.unwrap();
        let _ = TlsAcceptor::from(config).accept(tcp).await;
    });
    let server = server(Service::IMAPS, port);
    let connector = Connector::new(site.provider(), Arc::new(trust));
    let Cause::NotVerified(verdict) = cause(&connector, &high(&server), &server).await else {
        panic!("not verified expected")
    };
    let ChainVerdict::Refused(problems) = &verdict.chain else {
        panic!("{verdict}")
    };
    assert!(problems.contains(&ChainProblem::UnknownIssuer));
    assert!(matches!(verdict.identity, IdentityVerdict::Matches { .. }));
}
