//! One connection of a client to a server with a fault.

use super::*;

pub(super) struct World {
    pub(super) trusted: Authority,
    pub(super) other: Authority,
}

impl World {
    pub(super) fn new() -> Self {
        Self {
            trusted: Authority::new("trusted"),
            other: Authority::new("other"),
        }
    }

    pub(super) fn acceptor(&self, fault: Fault) -> TlsAcceptor {
        let name = match fault {
            Fault::AnotherName => "mail.example.net",
            _ => HOST,
        };
        let certificate = Certificate::server(&[name]);
        let certificate = match fault {
            Fault::Expired => certificate.expired(),
            _ => certificate,
        };
        let identity = certificate.issue(match fault {
            Fault::AnotherAuthority => &self.other,
            _ => &self.trusted,
        });
        let provider = Arc::new(ring::default_provider());
        let config = identity.server_config(provider, rustls::DEFAULT_VERSIONS);
        TlsAcceptor::from(Arc::new(config))
    }

    pub(super) fn connector(&self, dane: DaneVerdict) -> LatchConnector {
        let provider = Arc::new(ring::default_provider());
        LatchConnector::new(provider.clone(), self.trusted.verifier(provider))
            .dane(Arc::new(move |_: &[CertificateDer<'_>]| dane))
    }
}

/// A `ServerHello` of TLS 1.1 with `TLS_RSA_WITH_AES_128_CBC_SHA`.
pub(super) fn hello_of_tls11() -> Vec<u8> {
    let mut hello = vec![
        0x16, 0x03, 0x02, 0x00, 0x2a, 0x02, 0x00, 0x00, 0x26, 0x03, 0x02,
    ];
    hello.extend([0x0b; 32]);
    hello.extend([0x00, 0x00, 0x2f, 0x00]);
    hello
}

/// A dialogue in clear until TLS begins, and the answers over TLS by what a line begins with.
pub(super) struct Speech {
    pub(super) clear: &'static [(&'static str, &'static str)],
    pub(super) greeting: &'static str,
    pub(super) answers: &'static [(&'static str, &'static str)],
}

/// Serves one connection. All that the client said over TLS comes back.
pub(super) fn serve(
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
pub(super) async fn log_in(mut stream: Rewound<MailStream<TcpStream>>) {
    let _ = stream
        .write_all(format!("LOGIN {PASSWORD}\r\n").as_bytes())
        .await;
    let _ = stream.shutdown().await;
}

pub(super) async fn connect<P: Protocol>(
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
pub(super) enum Speaks {
    Imap,
    Pop,
    Smtp,
}

impl Speaks {
    pub(super) fn speech(self, start: TlsStart) -> Speech {
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
pub(super) async fn visit(
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
