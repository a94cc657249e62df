//! Sessions of async-imap.

use super::*;

async fn imap_client(store: &dyn LatchStore) -> ImapClient {
    ImapClient::new(session(store).await, ClientOptions::default())
}

const GREETING: &str = "* OK [CAPABILITY IMAP4rev1 DEEP ID] hi\r\n";
const ID: &str = "* ID (\"deep\" \"tls12 tls-cert\")\r\nTAG OK done\r\n";
const SELECTED: &str = "* 7 EXISTS\r\n* 0 RECENT\r\n* FLAGS ()\r\nTAG OK selected\r\n";

/// Logs in with async-imap and looks into the mailbox; what it holds, what the client said, and the unsolicited
/// responses that async-imap got.
async fn read_mail(
    world: &World,
    store: &dyn LatchStore,
    dialogue: Dialogue,
) -> (u32, Vec<String>, Vec<UnsolicitedResponse>) {
    let (tcp, served) = serve(world, dialogue).await;
    let account = account();
    let connection =
        world
            .connector
            .connect_async_imap(imap_client(store).await, tcp, store, &account);
    let connection = connection.await.unwrap();
    let (mut session, _) = connection.login("alice", "x").await.unwrap();
    let mailbox = session.select("INBOX").await.unwrap();
    let mut unsolicited = Vec::new();
    while let Ok(response) = session.unsolicited_responses.try_recv() {
        unsolicited.push(response);
    }
    session.logout().await.unwrap();
    drop(session);
    (mailbox.exists, served.await.unwrap(), unsolicited)
}

#[tokio::test]
async fn asks_nothing_after_login_if_the_status_is_known() {
    let world = World::new();
    let login = "TAG OK in\r\n* 2 EXISTS\r\n";
    for at in 0..=login.len() + 2 {
        let store = MemoryLatchStore::default();
        let dialogue = vec![
            ("", whole(GREETING)),
            ("deep1 ID (", whole(ID)),
            ("LOGIN", cut(login, at)),
            ("SELECT", whole(SELECTED)),
            ("LOGOUT", whole("* BYE\r\nTAG OK\r\n")),
        ];
        let (exists, lines, _) = read_mail(&world, &store, dialogue).await;
        assert_eq!(exists, 7, "{at}");
        let words: Vec<_> = lines
            .iter()
            .filter_map(|line| line.split(' ').nth(1))
            .collect();
        assert_eq!(words, ["ID", "LOGIN", "SELECT", "LOGOUT"], "{at}");
        assert_eq!(kept(&store).await, ["tls-cert", "tls12"]);
    }
}

#[tokio::test]
async fn asks_through_async_imap_for_deep_after_login() {
    let world = World::new();
    // As it may come: in the answer to LOGIN, in CAPABILITY; with lines that straddle the reads.
    let login = "TAG OK in\r\n* 2 EXISTS\r\n";
    let capability = "* CAPABILITY IMAP4rev1 DEEP ID\r\nTAG OK done\r\n* 3 EXISTS\r\n";
    let id = "* 4 EXISTS\r\n* ID (\"deep\" \"tls12 tls-cert\")\r\nTAG OK done\r\n* 5 EXISTS\r\n";
    let longest = login.len().max(capability.len()).max(id.len()) + 2;
    for at in 0..=longest {
        let store = MemoryLatchStore::default();
        let dialogue = vec![
            ("", whole("* OK [CAPABILITY IMAP4rev1 ID] hi\r\n")),
            ("LOGIN", cut(login, at)),
            ("CAPABILITY", cut(capability, at)),
            ("ID (", cut(id, at)),
            ("SELECT", whole(SELECTED)),
            ("LOGOUT", whole("* BYE\r\nTAG OK\r\n")),
        ];
        let (exists, lines, unsolicited) = read_mail(&world, &store, dialogue).await;
        assert_eq!(exists, 7, "{at}");
        assert_eq!(lines.len(), 5, "{at}: {lines:?}");
        assert_eq!(kept(&store).await, ["tls-cert", "tls12"], "{at}");
        let counts: Vec<_> = unsolicited
            .iter()
            .filter_map(|response| match response {
                UnsolicitedResponse::Exists(count) => Some(*count),
                _ => None,
            })
            .collect();
        // No line is swallowed; those of SELECT are its own.
        assert!(
            [2, 3, 4].iter().all(|it| counts.contains(it)),
            "{at}: {counts:?}"
        );
    }
}

#[tokio::test]
async fn capabilities_in_the_answer_to_login_are_not_asked_for() {
    let world = World::new();
    for (code, latched) in [("DEEP ID", &["tls-cert", "tls12"][..]), ("ID", &[])] {
        let store = MemoryLatchStore::default();
        let login = format!("TAG OK [CAPABILITY IMAP4rev1 {code}] in\r\n");
        let mut dialogue = vec![
            ("", whole("* OK [CAPABILITY IMAP4rev1 ID] hi\r\n")),
            ("LOGIN", whole(&login)),
        ];
        if !latched.is_empty() {
            dialogue.push(("ID (", whole(ID)));
        }
        dialogue.push(("SELECT", whole(SELECTED)));
        dialogue.push(("LOGOUT", whole("* BYE\r\nTAG OK\r\n")));
        let (_, lines, _) = read_mail(&world, &store, dialogue).await;
        assert_eq!(
            lines.len(),
            3 + usize::from(!latched.is_empty()),
            "{lines:?}"
        );
        assert_eq!(kept(&store).await, latched);
    }
}

/// An authenticator of a mechanism that is said to vouch for the server.
struct Scram;

impl Authenticator for Scram {
    type Response = &'static str;

    fn process(&mut self, _: &[u8]) -> Self::Response {
        "x"
    }
}

#[tokio::test]
async fn records_the_status_after_a_login_that_authenticates_the_server() {
    // The certificate is of another name.
    let world = World::of("other.example.com");
    let connector = world
        .connector
        .clone()
        .on_certificate_failure(OnCertificateFailure::GoOn);
    let store = MemoryLatchStore::default();
    let status = "* ID (\"deep\" \"tls12 <https://a.example/>\")\r\nTAG OK done\r\n";
    let dialogue = vec![
        ("", whole(GREETING)),
        ("deep1 ID (", whole(status)),
        ("AUTHENTICATE", whole("+ eA==\r\n")),
        ("eA==", whole("A0001 OK in\r\n")),
    ];
    let (tcp, served) = serve(&world, dialogue).await;
    let account = account();
    let connection = connector.connect_async_imap(imap_client(&store).await, tcp, &store, &account);
    let connection = connection.await.unwrap();
    assert_eq!(connection.client().greeting(), GREETING.as_bytes());
    let done = connection.authenticate("SCRAM-SHA-1-PLUS", Scram, Login::ScramPlus);
    let (session, events) = done.await.unwrap();
    drop(session);
    let status = DeepStatus::parse("tls12 <https://a.example/>").unwrap();
    let recorded = ClientEvent::Transition(Transition::Recorded(status));
    assert_eq!(events.last(), Some(&recorded), "{events:?}");
    assert_eq!(served.await.unwrap().len(), 3);
}

#[tokio::test]
async fn returns_errors_for_a_refused_login_and_for_preauth() {
    let world = World::new();
    let store = MemoryLatchStore::default();
    let account = account();
    let dialogue = vec![
        ("", whole(GREETING)),
        ("deep1 ID (", whole(ID)),
        ("LOGIN", whole("TAG NO who\r\n")),
    ];
    let (tcp, _) = serve(&world, dialogue).await;
    let connection =
        world
            .connector
            .connect_async_imap(imap_client(&store).await, tcp, &store, &account);
    match connection.await.unwrap().login("alice", "x").await {
        Err(ImapLoginError::Imap(async_imap::error::Error::No(_))) => {}
        other => panic!("{other:?}"),
    }
    let dialogue = vec![
        ("", whole("* PREAUTH [CAPABILITY IMAP4rev1 DEEP ID] hi\r\n")),
        ("deep1 ID (", whole(ID)),
    ];
    let (tcp, _) = serve(&world, dialogue).await;
    let connection =
        world
            .connector
            .connect_async_imap(imap_client(&store).await, tcp, &store, &account);
    match connection.await {
        Err(RunError::Client(ClientError::LoggedIn)) => {}
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn limits_the_time_of_a_silent_server() {
    let world = World::new();
    let connector = world
        .connector
        .clone()
        .time_limit(Duration::from_millis(300));
    let store = MemoryLatchStore::default();
    let account = account();
    let began = Instant::now();
    // Before the greeting; before the answer to LOGIN; before that to what is asked after it.
    for dialogue in [
        vec![("never", silence())],
        vec![
            ("", whole("* OK [CAPABILITY IMAP4rev1] hi\r\n")),
            ("LOGIN", silence()),
            ("never", silence()),
        ],
        vec![
            ("", whole("* OK [CAPABILITY IMAP4rev1] hi\r\n")),
            ("LOGIN", whole("TAG OK in\r\n")),
            ("CAPABILITY", silence()),
            ("never", silence()),
        ],
    ] {
        let (tcp, served) = serve(&world, dialogue).await;
        let connection =
            connector.connect_async_imap(imap_client(&store).await, tcp, &store, &account);
        let error = match connection.await {
            Err(error) => error,
            Ok(connection) => match connection.login("alice", "x").await {
                Err(ImapLoginError::Run(error)) => error,
                other => panic!("{other:?}"),
            },
        };
        assert!(matches!(error, RunError::TimedOut), "{error:?}");
        served.abort();
    }
    // And one that does not take the report of a failure is refused still.
    let unverified = World::of("other.example.com");
    let record = LatchRecord::preset(Host::try_new(HOST).unwrap(), [SecurityTag::TLS_CERT]);
    store.merge(&account, &record).await.unwrap();
    let connector = unverified
        .connector
        .clone()
        .time_limit(Duration::from_millis(300));
    let (tcp, served) = serve(&unverified, vec![("never", silence())]).await;
    let connection = connector.connect_async_imap(imap_client(&store).await, tcp, &store, &account);
    match connection.await {
        Err(RunError::Refused { failure, .. }) => {
            assert_eq!(failure.tags(), [SecurityTag::TLS_CERT]);
        }
        other => panic!("{other:?}"),
    }
    served.abort();
    assert!(began.elapsed() < Duration::from_secs(15));
}
