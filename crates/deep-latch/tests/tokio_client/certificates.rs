//! Certificates, resumption, judges and TLSA records.

use super::*;

/// Connects an account with a connector over POP, and returns the kind of the handshake.
async fn handshake_kind(
    world: &World,
    connector: &LatchConnector,
    account: &str,
    store: &dyn LatchStore,
) -> Option<HandshakeKind> {
    let account = Account::try_new(account).unwrap();
    let record = store.load(&account, &host()).await.unwrap();
    let session = LatchSession::try_new(record, Facilities::new()).unwrap();
    let mut client = PopClient::new(session, options(TlsStart::Implicit));
    let tls = &[("", "+OK hi\r\n"), ("CAPA", "+OK\r\nDEEP tls12\r\n.\r\n")];
    let (tcp, _) = serve(Some(world.acceptor.clone()), &[], tls).await;
    let (_, stream) = connector
        .connect(&mut client, tcp, store, &account)
        .await
        .unwrap();
    match stream.get_ref() {
        MailStream::Tls(stream) => stream.get_ref().1.handshake_kind(),
        MailStream::Clear(_) => None,
    }
}

#[tokio::test]
async fn resumes_sessions_of_the_same_account_and_latches() {
    let world = World::good();
    let (connector, store) = (world.connector(), MemoryLatchStore::default());
    let kind = async |account| handshake_kind(&world, &connector, account, &store).await;
    let (full, resumed) = (Some(HandshakeKind::Full), Some(HandshakeKind::Resumed));
    assert_eq!(kind("alice").await, full);
    // tls12 was latched, so the configuration is another.
    assert_eq!(kind("alice").await, full);
    assert_eq!(kind("alice").await, resumed);
    assert_eq!(kind("bob").await, full);
    assert_eq!(kind("alice").await, resumed);
    let lax = connector.clone();
    let lax = lax.on_certificate_failure(OnCertificateFailure::GoOn);
    assert_eq!(handshake_kind(&world, &lax, "alice", &store).await, full);
}

/// Judges all servers alike.
#[derive(Debug)]
struct Judge(ServerVerdicts);

impl ServerJudge for Judge {
    fn judge(
        &self,
        _: &Host,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> ServerVerdicts {
        self.0
    }
}

#[tokio::test]
async fn takes_the_facts_from_a_judge() {
    let world = World::good();
    let latches = async |verdicts, tag| {
        let store = MemoryLatchStore::default();
        let connector = world.connector().judge(Arc::new(Judge(verdicts)));
        let mut client = PopClient::new(session(&store).await, options(TlsStart::Implicit));
        let tls = &[
            ("", "+OK hi\r\n"),
            ("CAPA", "+OK\r\nDEEP tls-cert tls-dane-tlsa\r\n.\r\n"),
        ];
        let (tcp, _) = serve(Some(world.acceptor.clone()), &[], tls).await;
        let account = account();
        let connected = connector.connect(&mut client, tcp, &store, &account);
        assert!(connected.await.is_ok());
        assert_eq!(kept(&store).await.0, strings(tag));
    };
    let named = ServerVerdicts {
        chain: ChainVerdict::Trusted,
        identity: IdentityVerdict::Matches,
        dane: DaneVerdict::NotChecked,
    };
    latches(named, &["tls-cert"]).await;
    let usage = CertificateUsage::DaneTa;
    let dane = DaneVerdict::Matches(usage);
    let both = ServerVerdicts { dane, ..named };
    latches(both, &["tls-cert", "tls-dane-tlsa"]).await;
    let private = ServerVerdicts {
        chain: ChainVerdict::Refused,
        ..both
    };
    latches(private, &["tls-dane-tlsa"]).await;
    latches(ServerVerdicts::default(), &[]).await;
}

#[tokio::test]
async fn reports_an_unverified_certificate_and_closes_the_connection() {
    for world in [World::of(HOST, false), World::of("other.example.com", true)] {
        let store = latched(&["tls-cert"]).await;
        let mut client = ImapClient::new(session(&store).await, options(TlsStart::Implicit));
        let (tcp, served) = serve(Some(world.acceptor.clone()), &[], &IMAP[..2]).await;
        match connect(&world, &mut client, tcp, &store).await {
            Err(RunError::Refused { failure, handshake }) => {
                assert_eq!(failure.tags(), [SecurityTag::TLS_CERT]);
                assert_eq!(failure.stage(), Stage::Handshake);
                assert!(handshake.is_none());
            }
            other => panic!("{other:?}"),
        }
        let heard = served.await.unwrap().unwrap();
        let lines = strings(&["deep1 ID (\"latch-fail\" \"tls-cert\")", "deep2 LOGOUT"]);
        // With the alert that closes TLS.
        assert_eq!(heard, Heard { lines, end: Ok(()) });
        assert_eq!(kept(&store).await.0, ["tls-cert"]);
    }
}

#[tokio::test]
async fn lets_the_caller_decide_about_certificates_without_a_latch() {
    let world = World::of(HOST, false);
    let store = MemoryLatchStore::default();
    let mut client = ImapClient::new(session(&store).await, options(TlsStart::Implicit));
    let (tcp, _) = serve(Some(world.acceptor.clone()), &[], &IMAP[..2]).await;
    match connect(&world, &mut client, tcp, &store).await {
        Err(RunError::Certificate { failure, handshake }) => {
            assert_eq!(failure.fault(), CertificateFault::Chain);
            let error = handshake.unwrap();
            assert!(error.to_string().contains("UnknownIssuer"), "{error}");
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(client.demand(), Ok(Demand::RefusedCertificate(_))));

    let connector = world.connector();
    let connector = connector.on_certificate_failure(OnCertificateFailure::GoOn);
    let mut client = ImapClient::new(session(&store).await, options(TlsStart::Implicit));
    let (tcp, _) = serve(Some(world.acceptor.clone()), &[], &IMAP[..2]).await;
    let account = account();
    let connected = connector.connect(&mut client, tcp, &store, &account);
    let (pause, _) = connected.await.unwrap();
    assert_eq!(pause, Pause::LogIn);
    // Only what may latch without authentication, and no status.
    assert_eq!(kept(&store).await, (strings(&["tls12"]), None));
}

#[tokio::test]
async fn takes_the_verdict_about_tlsa_records_from_the_caller() {
    let world = World::of(HOST, false);
    let store = latched(&["tls-dane-tlsa"]).await;
    let seen = Arc::new(Mutex::new(0));
    for (verdict, good) in [
        (DaneVerdict::Matches(CertificateUsage::DaneEe), true),
        (DaneVerdict::Differs, false),
    ] {
        let counted = seen.clone();
        let connector =
            world
                .connector()
                .dane(Arc::new(move |certificates: &[CertificateDer<'_>]| {
                    *counted.lock().unwrap() += certificates.len();
                    verdict
                }));
        let mut client = PopClient::new(session(&store).await, options(TlsStart::Implicit));
        let tls = &[("", "+OK hi\r\n"), ("CAPA", "+OK\r\n.\r\n")];
        let (tcp, _) = serve(Some(world.acceptor.clone()), &[], tls).await;
        let connected = connector
            .connect(&mut client, tcp, &store, &account())
            .await;
        match connected {
            Ok((pause, _)) => assert_eq!((pause, good), (Pause::LogIn, true)),
            Err(RunError::Refused { failure, .. }) => {
                let tags = [SecurityTag::TLS_DANE_TLSA];
                assert_eq!((failure.tags(), good), (&tags[..], false));
            }
            Err(error) => panic!("{error:?}"),
        }
    }
    assert_eq!(*seen.lock().unwrap(), 2);
}

#[tokio::test]
async fn offers_the_recorded_url_after_a_failed_handshake() {
    let world = World::good();
    let store = MemoryLatchStore::default();
    let mut client = ImapClient::new(session(&store).await, options(TlsStart::Implicit));
    let (tcp, _) = serve(Some(world.acceptor.clone()), &[], &IMAP[..2]).await;
    assert!(connect(&world, &mut client, tcp, &store).await.is_ok());
    // A server that speaks something else.
    let mut client = ImapClient::new(session(&store).await, options(TlsStart::Implicit));
    let (tcp, _) = serve(None, &[("", "* OK hi\r\n"), ("\u{16}", "")], &[]).await;
    match connect(&world, &mut client, tcp, &store).await {
        Err(RunError::Refused { failure, handshake }) => {
            assert_eq!(failure.stage(), Stage::HandshakeFailed);
            assert!(!failure.may_report());
            let url = StatusUrl::parse("https://a.example/").unwrap();
            let page = Action::OpenStatusPage(url);
            assert_eq!(failure.actions().last(), Some(&page));
            assert!(handshake.is_some());
        }
        other => panic!("{other:?}"),
    }
}
