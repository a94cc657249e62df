//! Failures of streams and stores.

use super::*;

#[tokio::test]
async fn rejects_text_injected_after_the_answer_to_stls() {
    let world = World::good();
    let store = MemoryLatchStore::default();
    let clear = &[
        ("", "+OK hi\r\n"),
        ("CAPA", "+OK\r\nSTLS\r\n.\r\n"),
        ("STLS", "+OK\r\n+OK\r\nDEEP x\r\n.\r\n"),
    ];
    let (tcp, _) = serve(Some(world.acceptor.clone()), clear, &[]).await;
    let mut client = PopClient::new(session(&store).await, options(TlsStart::StartTls));
    match connect(&world, &mut client, tcp, &store).await {
        Err(RunError::Client(ClientError::Injected)) => {}
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn fails_when_the_server_closes_the_connection() {
    let world = World::good();
    let store = MemoryLatchStore::default();
    let mut client = PopClient::new(session(&store).await, options(TlsStart::StartTls));
    let (tcp, _) = serve(None, &POP_CLEAR[..1], &[]).await;
    match connect(&world, &mut client, tcp, &store).await {
        // By a reset when what the client said was not read.
        Err(RunError::Client(ClientError::EndOfInput) | RunError::Io(_)) => {}
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn continues_in_clear_only_if_the_options_allow_it() {
    let world = World::good();
    let store = MemoryLatchStore::default();
    let clear = &[("", "+OK hi\r\n"), ("CAPA", "+OK\r\n.\r\n")];
    for tls in [TlsStart::StartTls, TlsStart::StartTlsIfOffered] {
        let mut client = PopClient::new(session(&store).await, options(tls));
        let (tcp, _) = serve(None, clear, &[]).await;
        match (tls, connect(&world, &mut client, tcp, &store).await) {
            (TlsStart::StartTls, Err(RunError::Client(ClientError::NoTls))) => {}
            (TlsStart::StartTlsIfOffered, Ok((Pause::LogIn, stream))) => {
                assert!(matches!(stream.get_ref(), MailStream::Clear(_)));
            }
            (_, other) => panic!("{other:?}"),
        }
    }
}

/// A store that is full.
struct Full;

impl LatchStore for Full {
    fn load<'a>(
        &'a self,
        _: &'a Account,
        host: &'a Host,
    ) -> StoreFuture<'a, Result<LatchRecord, LatchStoreError>> {
        Box::pin(async { Ok(LatchRecord::new(host.clone())) })
    }

    fn merge<'a>(
        &'a self,
        _: &'a Account,
        _: &'a LatchRecord,
    ) -> StoreFuture<'a, Result<LatchRecord, LatchStoreError>> {
        Box::pin(async { Err(LatchStoreErrorKind::Unavailable.into()) })
    }

    fn delete_account<'a>(
        &'a self,
        _: &'a Account,
    ) -> StoreFuture<'a, Result<u64, LatchStoreError>> {
        Box::pin(async { Err(LatchStoreErrorKind::Unavailable.into()) })
    }

    fn list<'a>(
        &'a self,
        _: &'a Account,
        _: Option<&'a Host>,
    ) -> StoreFuture<'a, Result<Vec<LatchRecord>, LatchStoreError>> {
        Box::pin(async { Err(LatchStoreErrorKind::Unavailable.into()) })
    }
}

#[tokio::test]
async fn ends_the_connection_before_login_if_the_store_fails() {
    let world = World::good();
    let mut client = ImapClient::new(session(&Full).await, options(TlsStart::Implicit));
    let (tcp, served) = serve(Some(world.acceptor.clone()), &[], &IMAP[..2]).await;
    match connect(&world, &mut client, tcp, &Full).await {
        Err(RunError::Store(error)) => {
            assert_eq!(error.kind(), LatchStoreErrorKind::Unavailable);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(served.await.unwrap().unwrap().lines.len(), 1);
}

#[tokio::test]
async fn flushes_each_command() {
    let store = MemoryLatchStore::default();
    let (ours, mut theirs) = tokio::io::duplex(1024);
    let mut stream = BufStream::new(ours);
    let mut client = PopClient::new(session(&store).await, options(TlsStart::Implicit));
    client.handshake(play::GOOD);
    theirs.write_all(b"+OK hi\r\n").await.unwrap();
    let served = tokio::spawn(async move {
        let mut said = [0; 6];
        theirs.read_exact(&mut said).await.unwrap();
        theirs.write_all(b"+OK\r\n.\r\n").await.unwrap();
        said
    });
    let account = account();
    let pause = client.run(&mut stream, &store, &account);
    let pause = timeout(Duration::from_secs(20), pause).await.unwrap();
    assert_eq!(pause.unwrap(), Pause::LogIn);
    assert_eq!(&served.await.unwrap(), b"CAPA\r\n");
}

#[tokio::test]
async fn keeps_the_refusal_if_the_report_cannot_be_sent() {
    let store = latched(&["tls-cert"]).await;
    let (ours, mut theirs) = tokio::io::duplex(1024);
    theirs.write_all(b"220 hi\r\n").await.unwrap();
    drop(theirs);
    let session = session(&store).await;
    let options = options(TlsStart::Implicit);
    let mut client = SmtpClient::try_new(session, options, "client.example.com").unwrap();
    client.handshake(play::UNVERIFIED);
    let mut stream = ours;
    match client.run(&mut stream, &store, &account()).await {
        Err(RunError::Refused { failure, handshake }) => {
            assert_eq!(failure.tags(), [SecurityTag::TLS_CERT]);
            assert!(handshake.is_none());
        }
        other => panic!("{other:?}"),
    }
}
