//! Connections of lettre.

use super::*;

const EHLO: &str = "250-mail.example.com\r\n250-AUTH PLAIN\r\n250 DEEP tls12 tls-cert\r\n";

fn submission(greeting: Said, rest: Dialogue) -> Dialogue {
    let mut dialogue = vec![
        ("", greeting),
        ("EHLO client.example.com", whole(EHLO)),
        ("CLIENT", whole("250 OK\r\n")),
        ("EHLO client.example.com", whole(EHLO)),
    ];
    dialogue.extend(rest);
    dialogue
}

async fn smtp_client(store: &dyn LatchStore) -> SmtpClient {
    let session = session(store).await;
    SmtpClient::try_new(session, ClientOptions::default(), "client.example.com").unwrap()
}

#[tokio::test]
async fn gives_lettre_the_greeting_and_sends_mail() {
    let world = World::new();
    let greeting = "220-mail.example.com ESMTP\r\n220 ready\r\n";
    for at in 0..=greeting.len() {
        let store = MemoryLatchStore::default();
        let account = account();
        let dialogue = submission(
            cut(greeting, at),
            vec![
                ("AUTH PLAIN", whole("235 in\r\n")),
                ("MAIL FROM", whole("250 OK\r\n")),
                ("RCPT TO", whole("250 OK\r\n")),
                ("DATA", whole("354 go\r\n")),
                ("hello", whole("")),
                (".", whole("250 taken\r\n")),
                ("QUIT", whole("221 bye\r\n")),
            ],
        );
        let (tcp, served) = serve(&world, dialogue).await;
        let connection =
            world
                .connector
                .connect_lettre(smtp_client(&store).await, tcp, &store, &account);
        let connection = connection.await.unwrap();
        assert_eq!(connection.client().greeting(), greeting.as_bytes());
        let capabilities: Vec<_> = connection.client().capabilities().collect();
        assert_eq!(capabilities, ["AUTH PLAIN", "DEEP tls12 tls-cert"]);
        let credentials = Credentials::new("alice".to_owned(), "x".to_owned());
        let (mut smtp, events) = connection
            .auth(&[Mechanism::Plain], &credentials)
            .await
            .unwrap();
        assert!(events.contains(&ClientEvent::Reported { accepted: true }));
        let from = "alice@example.com".parse().unwrap();
        let envelope = Envelope::new(Some(from), vec!["bob@example.com".parse().unwrap()]);
        let sent = smtp.send(&envelope.unwrap(), b"hello").await.unwrap();
        assert!(sent.is_positive());
        smtp.quit().await.unwrap();
        drop(smtp);
        assert_eq!(served.await.unwrap().len(), 10);
        assert_eq!(kept(&store).await, ["tls-cert", "tls12"]);
    }
}

#[tokio::test]
async fn limits_the_time_of_each_command_of_lettre() {
    let world = World::new();
    let store = MemoryLatchStore::default();
    let account = account();
    let connector = world
        .connector
        .clone()
        .time_limit(Duration::from_millis(300));
    let dialogue = submission(
        whole("220 hi\r\n"),
        vec![
            ("AUTH PLAIN", whole("235 in\r\n")),
            ("NOOP", silence()),
            ("never", silence()),
        ],
    );
    let (tcp, served) = serve(&world, dialogue).await;
    let connection = connector.connect_lettre(smtp_client(&store).await, tcp, &store, &account);
    let credentials = Credentials::new("alice".to_owned(), "x".to_owned());
    let connection = connection.await.unwrap();
    let (mut smtp, _) = connection
        .auth(&[Mechanism::Plain], &credentials)
        .await
        .unwrap();
    let began = Instant::now();
    assert!(!smtp.test_connected().await);
    assert!(began.elapsed() < Duration::from_secs(5));
    served.abort();

    // Nor does the login.
    let dialogue = submission(
        whole("220 hi\r\n"),
        vec![("AUTH PLAIN", silence()), ("never", silence())],
    );
    let (tcp, served) = serve(&world, dialogue).await;
    let connection = connector.connect_lettre(smtp_client(&store).await, tcp, &store, &account);
    let connection = connection.await.unwrap();
    match connection.auth(&[Mechanism::Plain], &credentials).await {
        Err(SmtpConnectionError::Run(RunError::TimedOut) | SmtpConnectionError::Smtp(_)) => {}
        Ok(_) => panic!("logged in"),
        Err(other) => panic!("{other:?}"),
    }
    served.abort();
}
