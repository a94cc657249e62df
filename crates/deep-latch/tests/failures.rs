//! Every latched tag against every kind of fault: a latch is named only where its meaning in section 11.2 is
//! not met, and a certificate, a transport and a latch that fails are distinguished. Over TLS on loopback, and
//! nothing secret leaves the client.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::{fmt, sync::Arc, time::Duration};

use deep_latch::{
    Facilities, Host, ImapClient, LatchRecord, LatchSession, PopClient, SecurityTag, SmtpClient,
    client::{Client, ClientOptions, Protocol, TlsStart},
    connection::{LatchConnector, MailStream, Pause, Rewound, RunError},
    facility::OnTlsaMismatch,
    facts::DaneVerdict,
    failure::{Action, CertificateFault, HandshakeFault, Stage},
    store::{Account, LatchStore, MemoryLatchStore},
    verifier::OnCertificateFailure,
};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::{
    RootCertStore, ServerConfig,
    client::WebPkiServerVerifier,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;

const HOST: &str = "mail.example.com";

/// The command that the application would send next.
const PASSWORD: &str = "correct horse";

/// A fault of the server, or of the path to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// The connection is reset when the handshake begins.
    Reset,
    /// The connection is closed when the handshake begins.
    Closed,
    /// The server does not answer before the time limit.
    Silent,
    /// The server ends the handshake with this alert.
    Alert(u8),
    /// The server answers with TLS 1.1.
    Tls11,
    /// The server uses its protocol without TLS.
    Clear,
    /// A certificate of another name.
    AnotherName,
    /// A certificate that has expired.
    Expired,
    /// A certificate of an authority that is not trusted.
    AnotherAuthority,
    /// A good certificate that the TLSA records contradict.
    TlsaDiffers,
}

const FAULTS: [Fault; 13] = [
    Fault::Reset,
    Fault::Closed,
    Fault::Silent,
    // internal_error, access_denied, certificate_required
    Fault::Alert(80),
    Fault::Alert(49),
    Fault::Alert(116),
    // protocol_version
    Fault::Alert(70),
    Fault::Tls11,
    Fault::Clear,
    Fault::AnotherName,
    Fault::Expired,
    Fault::AnotherAuthority,
    Fault::TlsaDiffers,
];

/// The client's report of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Latch(Stage),
    Certificate(CertificateFault),
    Transport,
    Handshake(HandshakeFault),
    TimeIsOver,
}

/// The meaning of section 11.2 for a tag; no tag if none is latched.
fn expected(latched: Option<&str>, fault: Fault) -> Said {
    let cert = latched == Some("tls-cert");
    let dane = latched == Some("tls-dane-tlsa");
    match fault {
        Fault::Reset | Fault::Closed => Said::Transport,
        Fault::Silent => Said::TimeIsOver,
        Fault::Alert(80 | 49 | 116) => Said::Handshake(HandshakeFault::Server),
        // "TLS was successfully negotiated": of each tag.
        Fault::Alert(_) | Fault::Tls11 | Fault::Clear => match latched {
            Some(_) => Said::Latch(Stage::HandshakeFailed),
            None => Said::Handshake(HandshakeFault::Negotiation),
        },
        // "and the server certificate was successfully verified by the client using PKIX, and the server
        // certificate identity was verified"; no TLSA record vouches for it either.
        Fault::AnotherName | Fault::Expired | Fault::AnotherAuthority if cert || dane => {
            Said::Latch(Stage::Handshake)
        }
        // "This tag does not indicate the server certificate was valid."
        Fault::AnotherName => Said::Certificate(CertificateFault::Identity),
        Fault::Expired | Fault::AnotherAuthority => Said::Certificate(CertificateFault::Chain),
        Fault::TlsaDiffers if dane => Said::Latch(Stage::Handshake),
        Fault::TlsaDiffers => Said::Certificate(CertificateFault::Dane),
    }
}

struct World {
    roots: Arc<RootCertStore>,
    trusted: Issuer<'static, KeyPair>,
    other: Issuer<'static, KeyPair>,
}

impl World {
    fn new() -> Self {
        let authority = |name: &str| {
            let key = KeyPair::generate().unwrap();
            let mut params = CertificateParams::new(Vec::new()).unwrap();
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            let common_name = rcgen::DnType::CommonName;
            params.distinguished_name.push(common_name, name);
            let certificate = params.self_signed(&key).unwrap().der().clone();
            (Issuer::new(params, key), certificate)
        };
        let (trusted, root) = authority("trusted");
        let (other, _) = authority("other");
        let mut roots = RootCertStore::empty();
        roots.add(root).unwrap();
        Self {
            roots: Arc::new(roots),
            trusted,
            other,
        }
    }

    fn acceptor(&self, fault: Fault) -> TlsAcceptor {
        let name = match fault {
            Fault::AnotherName => "mail.example.net",
            _ => HOST,
        };
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        if fault == Fault::Expired {
            params.not_before = date_time_ymd(2000, 1, 1);
            params.not_after = date_time_ymd(2001, 1, 1);
        }
        let issuer = match fault {
            Fault::AnotherAuthority => &self.other,
            _ => &self.trusted,
        };
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, issuer).unwrap().der().clone();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate],
                PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            )
            .unwrap();
        TlsAcceptor::from(Arc::new(config))
    }

    fn connector(&self, dane: DaneVerdict) -> LatchConnector {
        let provider = Arc::new(ring::default_provider());
        let pkix =
            WebPkiServerVerifier::builder_with_provider(self.roots.clone(), provider.clone());
        LatchConnector::new(provider, pkix.build().unwrap())
            .dane(Arc::new(move |_: &[CertificateDer<'_>]| dane))
    }
}

/// A `ServerHello` of TLS 1.1 with `TLS_RSA_WITH_AES_128_CBC_SHA`.
fn hello_of_tls11() -> Vec<u8> {
    let mut hello = vec![
        0x16, 0x03, 0x02, 0x00, 0x2a, 0x02, 0x00, 0x00, 0x26, 0x03, 0x02,
    ];
    hello.extend([0x0b; 32]);
    hello.extend([0x00, 0x00, 0x2f, 0x00]);
    hello
}

/// A dialogue in clear until TLS begins, and the answers over TLS by what a line begins with.
struct Speech {
    clear: &'static [(&'static str, &'static str)],
    greeting: &'static str,
    answers: &'static [(&'static str, &'static str)],
}

/// Serves one connection. All that the client said over TLS comes back.
fn serve(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    fault: Fault,
    speech: Speech,
) -> JoinHandle<Vec<String>> {
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = BufReader::new(stream);
        for (expected, answer) in speech.clear {
            let mut line = String::new();
            if !expected.is_empty() {
                stream.read_line(&mut line).await.unwrap();
                assert!(line.contains(expected), "{line}");
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
        let mut stream = stream.into_inner();
        let mut some = [0; 4096];
        let answer = match fault {
            Fault::Reset => {
                // With what the client sends left unread, it is a reset.
                stream.readable().await.unwrap();
                return Vec::new();
            }
            Fault::Closed => {
                let _ = stream.read(&mut some).await;
                return Vec::new();
            }
            Fault::Silent => {
                let mut all = Vec::new();
                let _ = stream.read_to_end(&mut all).await;
                return Vec::new();
            }
            Fault::Alert(alert) => vec![0x15, 0x03, 0x03, 0x00, 0x02, 0x02, alert],
            Fault::Tls11 => hello_of_tls11(),
            Fault::Clear => b"* OK +OK 220 hello\r\n".to_vec(),
            _ => Vec::new(),
        };
        if !answer.is_empty() {
            let _ = stream.read(&mut some).await;
            let _ = stream.write_all(&answer).await;
            let mut rest = Vec::new();
            let _ = stream.read_to_end(&mut rest).await;
            return Vec::new();
        }
        let Ok(stream) = acceptor.accept(stream).await else {
            return Vec::new();
        };
        let mut stream = BufReader::new(stream);
        let mut said = Vec::new();
        let _ = stream.write_all(speech.greeting.as_bytes()).await;
        let _ = stream.flush().await;
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
                return said;
            }
            let find = |(begins, _): &&(&str, &str)| line.contains(begins);
            let answer = speech.answers.iter().find(find).map_or("", |found| found.1);
            said.push(line.trim_end().to_owned());
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.flush().await;
        }
    })
}

/// Logs in over the stream, as an application does.
async fn log_in(mut stream: Rewound<MailStream<TcpStream>>) {
    let _ = stream
        .write_all(format!("LOGIN {PASSWORD}\r\n").as_bytes())
        .await;
    let _ = stream.shutdown().await;
}

async fn connect<P: Protocol>(
    connector: &LatchConnector,
    mut client: Client<P>,
    tcp: TcpStream,
    store: &MemoryLatchStore,
    fault: Fault,
) -> Result<Result<(), RunError>, Said> {
    let account = Account::try_new("alice").unwrap();
    let limit = match fault {
        Fault::Silent => Duration::from_millis(200),
        _ => Duration::from_secs(20),
    };
    let connected = timeout(limit, connector.connect(&mut client, tcp, store, &account)).await;
    match connected {
        // What a caller is told to ask then: nothing is refused.
        Err(_) => match client.session().outcome() {
            deep_latch::latch::Outcome::Continue | deep_latch::latch::Outcome::StartTls => {
                Err(Said::TimeIsOver)
            }
            other => panic!("{other:?}"),
        },
        Ok(Ok((Pause::LogIn, stream))) => {
            log_in(stream).await;
            Ok(Ok(()))
        }
        Ok(Ok((pause, _))) => panic!("{pause:?}"),
        Ok(Err(error)) => Ok(Err(error)),
    }
}

#[derive(Clone, Copy, Debug)]
enum Speaks {
    Imap,
    Pop,
    Smtp,
}

impl Speaks {
    fn speech(self, start: TlsStart) -> Speech {
        let by_command = start != TlsStart::Implicit;
        match self {
            Self::Imap => Speech {
                clear: match by_command {
                    true => &[
                        ("", "* OK [CAPABILITY IMAP4rev1 STARTTLS] hi\r\n"),
                        ("STARTTLS", "deep1 OK\r\n"),
                    ],
                    false => &[],
                },
                greeting: match by_command {
                    true => "",
                    false => "* OK [CAPABILITY IMAP4rev1 ID DEEP] hi\r\n",
                },
                answers: &[
                    (
                        "deep2 CAPABILITY",
                        "* CAPABILITY IMAP4rev1 ID DEEP\r\ndeep2 OK\r\n",
                    ),
                    ("deep1 ID", "* ID NIL\r\ndeep1 OK\r\n"),
                    ("deep3 ID", "* ID NIL\r\ndeep3 OK\r\n"),
                ],
            },
            Self::Pop => Speech {
                clear: match by_command {
                    true => &[
                        ("", "+OK hi\r\n"),
                        ("CAPA", "+OK\r\nSTLS\r\n.\r\n"),
                        ("STLS", "+OK\r\n"),
                    ],
                    false => &[],
                },
                greeting: if by_command { "" } else { "+OK hi\r\n" },
                answers: &[("CAPA", "+OK\r\nDEEP\r\n.\r\n")],
            },
            Self::Smtp => Speech {
                clear: match by_command {
                    true => &[
                        ("", "220 hi\r\n"),
                        ("EHLO", "250-hi\r\n250 STARTTLS\r\n"),
                        ("STARTTLS", "220 go\r\n"),
                    ],
                    false => &[],
                },
                greeting: if by_command { "" } else { "220 hi\r\n" },
                answers: &[("EHLO", "250-hi\r\n250 DEEP\r\n"), ("CLIENT", "250 OK\r\n")],
            },
        }
    }
}

/// One connection, and what the server heard over TLS.
async fn visit(
    world: &World,
    speaks: Speaks,
    start: TlsStart,
    latched: Option<&'static str>,
    fault: Fault,
    facilities: Facilities,
    connector: impl FnOnce(LatchConnector) -> LatchConnector,
) -> (Result<Result<(), RunError>, Said>, Vec<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let tcp = TcpStream::connect(listener.local_addr().unwrap());
    let tcp = tcp.await.unwrap();
    let served = serve(listener, world.acceptor(fault), fault, speaks.speech(start));
    let dane = match fault {
        Fault::TlsaDiffers => DaneVerdict::Differs,
        _ => DaneVerdict::NoRecords,
    };
    let connector = connector(world.connector(dane));
    let tags = latched.map(|tag| SecurityTag::parse(tag).unwrap());
    let record = LatchRecord::preset(Host::try_new(HOST).unwrap(), tags);
    let store = MemoryLatchStore::default();
    let account = Account::try_new("alice").unwrap();
    store.merge(&account, &record).await.unwrap();
    let session = LatchSession::try_new(record, facilities).unwrap();
    let options = ClientOptions {
        tls: start,
        ..ClientOptions::default()
    };
    let (connector, store) = (&connector, &store);
    let connected = match speaks {
        Speaks::Imap => {
            connect(
                connector,
                ImapClient::new(session, options),
                tcp,
                store,
                fault,
            )
            .await
        }
        Speaks::Pop => {
            connect(
                connector,
                PopClient::new(session, options),
                tcp,
                store,
                fault,
            )
            .await
        }
        Speaks::Smtp => {
            let client = SmtpClient::try_new(session, options, "a.example").unwrap();
            connect(connector, client, tcp, store, fault).await
        }
    };
    (connected, served.await.unwrap())
}

fn said(connected: &Result<Result<(), RunError>, Said>, context: &dyn fmt::Display) -> Said {
    match connected {
        Err(said) => *said,
        Ok(Ok(())) => panic!("a session: {context}"),
        Ok(Err(error)) => {
            let actions = error.actions();
            assert_eq!(
                actions,
                [Action::WorkOffline, Action::TryAgainLater],
                "{context}"
            );
            match error {
                RunError::Refused { failure, .. } => Said::Latch(failure.stage()),
                RunError::Certificate { failure, .. } => Said::Certificate(failure.fault()),
                RunError::Io(_) => Said::Transport,
                RunError::Handshake { fault, .. } => Said::Handshake(*fault),
                other => panic!("{other:?}: {context}"),
            }
        }
    }
}

const LATCHED: [Option<&str>; 5] = [
    None,
    Some("tls10"),
    Some("tls12"),
    Some("tls-cert"),
    Some("tls-dane-tlsa"),
];

#[tokio::test]
async fn names_a_latch_only_where_its_meaning_is_not_met_for_every_tag_and_fault() {
    let world = World::new();
    let mut pairs = 0;
    for speaks in [Speaks::Imap, Speaks::Pop, Speaks::Smtp] {
        for start in [TlsStart::Implicit, TlsStart::StartTls] {
            for latched in LATCHED {
                for fault in FAULTS {
                    let context = format!("{speaks:?} {start:?} {latched:?} {fault:?}");
                    let facilities = Facilities::new();
                    let visited =
                        visit(&world, speaks, start, latched, fault, facilities, |it| it).await;
                    let (connected, heard) = visited;
                    assert_eq!(
                        said(&connected, &context),
                        expected(latched, fault),
                        "{context}"
                    );
                    if let Ok(Err(RunError::Refused { failure, .. })) = &connected {
                        let tags: Vec<_> = failure.tags().iter().map(SecurityTag::as_str).collect();
                        assert_eq!(tags, Vec::from_iter(latched), "{context}");
                    }
                    // After a latch that failed, its report; else nothing at all.
                    let told = |line: &String| line.contains("latch-fail");
                    let reports = matches!(connected, Ok(Err(RunError::Refused { .. })));
                    assert!(heard.is_empty() || reports, "{context}: {heard:?}");
                    let after_tls = expected(latched, fault) == Said::Latch(Stage::Handshake);
                    let can_report = after_tls && !matches!(speaks, Speaks::Pop);
                    assert_eq!(heard.iter().any(told), can_report, "{context}: {heard:?}");
                    assert!(
                        !heard.iter().any(|line| line.contains(PASSWORD)),
                        "{context}"
                    );
                    pairs += 1;
                }
            }
        }
    }
    assert_eq!(pairs, 6 * LATCHED.len() * FAULTS.len());
}

#[tokio::test]
async fn sends_no_password_against_tlsa_records_unless_the_caller_says_so() {
    let world = World::new();
    let go_on = OnTlsaMismatch::GoOn;
    for speaks in [Speaks::Imap, Speaks::Pop, Speaks::Smtp] {
        for start in [
            TlsStart::Implicit,
            TlsStart::StartTls,
            TlsStart::StartTlsIfOffered,
        ] {
            for latched in LATCHED {
                let context = format!("{speaks:?} {start:?} {latched:?}");
                let fault = Fault::TlsaDiffers;
                // To go on with a certificate that PKIX refuses is another option.
                let careless =
                    |it: LatchConnector| it.on_certificate_failure(OnCertificateFailure::GoOn);
                let facilities = Facilities::new();
                let visited =
                    visit(&world, speaks, start, latched, fault, facilities, careless).await;
                assert_eq!(
                    said(&visited.0, &context),
                    expected(latched, fault),
                    "{context}"
                );
                assert!(
                    !visited.1.iter().any(|line| line.contains(PASSWORD)),
                    "{context}"
                );
                // With the option the password goes out, but where tls-dane-tlsa is latched.
                let facilities = Facilities::new().on_tlsa_mismatch(go_on);
                let visited =
                    visit(&world, speaks, start, latched, fault, facilities, |it| it).await;
                let sent = visited.1.iter().any(|line| line.contains(PASSWORD));
                assert_eq!(sent, latched != Some("tls-dane-tlsa"), "{context}");
                assert_eq!(matches!(visited.0, Ok(Ok(()))), sent, "{context}");
            }
        }
    }
}
