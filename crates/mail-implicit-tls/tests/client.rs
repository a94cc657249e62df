//! Connections of an account to servers on loopback that behave well, badly and hostilely.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

#[path = "support/site.rs"]
mod site;

use std::{io, net::Ipv4Addr, sync::Arc, time::Duration};

use mail_implicit_tls::{
    account::{Account, AccountSetup, Host, LowPrivacy, Server},
    client::{Closed, Connector},
    dialogue::DialogueError,
    failure::{Action, Cause, Stage, TlsFailure},
    privacy::PrivacyLevel,
    service::{Protocol, Security, Service},
    verdict::{ChainProblem, ChainVerdict, IdentityVerdict},
};
use rustls::{ServerConfig, server::WebPkiClientVerifier};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

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

/// What the server says within TLS after `STARTTLS`, by command.
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
