//! Features `async-imap` and `lettre`, and POP over the stream.

use std::{io, net::Ipv4Addr, time::Duration};

use async_imap::types::Mailbox;
use lettre::{
    Address,
    address::Envelope,
    transport::smtp::authentication::{Credentials, Mechanism},
};
use mail_implicit_tls::{
    account::{Host, Server},
    client::{AdapterError, Closed, Connection},
    service::{Protocol, Service},
};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

use crate::{
    scripted::{End, serve},
    site::{HOST, Site, account_of},
};

const LIMIT: Duration = Duration::from_secs(10);

async fn connect(site: &Site, service: Service, port: u16) -> Connection {
    let server = Server::new(service, Host::parse(HOST).unwrap())
        .with_port(port)
        .with_address(Ipv4Addr::LOCALHOST.into());
    let connector = site.connector().with_ehlo("client.example");
    connector
        .connect(&account_of("alice", &server), &server)
        .await
        .unwrap()
}

#[tokio::test]
async fn logs_in_and_selects_with_async_imap() {
    let site = Site::new();
    let (port, serving) = serve(
        site.server_config(),
        "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hello\r\n",
        &[
            ("LOGIN", &["TAG OK in\r\n"]),
            // Cut where the parser of the library would stop.
            (
                "SELECT",
                &[
                    "* 3 EX",
                    "ISTS\r\n* ",
                    "OK [UIDVALIDITY 7] x\r\nTAG OK [READ-WRITE] done\r\n",
                ],
            ),
            ("LOGOUT", &["* BYE bye\r\nTAG OK out\r\n"]),
        ],
        End::Client,
    )
    .await;
    let connection = connect(&site, Service::IMAPS, port).await;
    let client = connection.into_async_imap(LIMIT).unwrap();
    let mut session = client.login("alice", "secret").await.unwrap();
    let Mailbox {
        exists,
        uid_validity,
        ..
    } = session.select("INBOX").await.unwrap();
    assert_eq!((exists, uid_validity), (3, Some(7)));
    session.logout().await.unwrap();
    assert_eq!(session.get_ref().get_ref().get_ref().closed(), None);
    drop(session);
    let (lines, end) = serving.await.unwrap();
    assert_eq!(lines.len(), 3);
    // The stream that the library dropped sent a close alert; otherwise this is `UnexpectedEof`.
    assert_eq!(end.unwrap(), 0);
}

#[tokio::test]
async fn reports_a_truncated_session_under_a_library() {
    let site = Site::new();
    let (port, serving) = serve(
        site.server_config(),
        "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hello\r\n",
        &[
            ("LOGIN", &["TAG OK in\r\n"]),
            ("SELECT", &["* 3 EXISTS\r\n"]),
        ],
        End::Truncated,
    )
    .await;
    let connection = connect(&site, Service::IMAPS, port).await;
    let ending = connection.ending();
    let client = connection.into_async_imap(LIMIT).unwrap();
    let mut session = client.login("alice", "secret").await.unwrap();
    assert_eq!(ending.closed(), None);
    session.select("INBOX").await.unwrap_err();
    assert_eq!(ending.closed(), Some(Closed::Truncated));
    serving.await.unwrap().1.unwrap();
}

#[tokio::test]
async fn gives_up_a_silent_server_under_a_library() {
    let site = Site::new();
    let (port, serving) = serve(
        site.server_config(),
        "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hello\r\n",
        &[],
        End::Silent,
    )
    .await;
    let connection = connect(&site, Service::IMAPS, port).await;
    let client = connection
        .into_async_imap(Duration::from_millis(100))
        .unwrap();
    let (error, _) = client.login("alice", "secret").await.unwrap_err();
    let async_imap::error::Error::Io(error) = error else {
        panic!("{error}")
    };
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    serving.abort();
}

#[tokio::test]
async fn hands_no_connection_to_a_library_of_another_protocol_or_state() {
    let site = Site::new();
    let (port, _serving) = serve(
        site.server_config(),
        "* PREAUTH [CAPABILITY IMAP4rev1] hello\r\n",
        &[],
        End::Client,
    )
    .await;
    let connection = connect(&site, Service::IMAPS, port).await;
    let Err(error) = connection.into_async_imap(LIMIT) else {
        panic!("PREAUTH")
    };
    assert!(matches!(error, AdapterError::LoggedIn), "{error:?}");
    assert_eq!(error.to_string(), "greeting: OK expected but PREAUTH found");

    let (port, _serving) = serve(
        site.server_config(),
        "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hello\r\n",
        &[],
        End::Client,
    )
    .await;
    let connection = connect(&site, Service::IMAPS, port).await;
    let Err(AdapterError::Service { expected, found }) = connection.into_lettre(LIMIT).await else {
        panic!("IMAP")
    };
    assert_eq!((expected, found), (Protocol::Submission, Service::IMAPS));
}

#[tokio::test]
async fn sends_a_message_with_lettre() {
    let site = Site::new();
    let (port, serving) = serve(
        site.server_config(),
        "220 mail.example ESMTP\r\n",
        &[
            (
                "EHLO client.example",
                &["250-mail.example\r\n250 AUTH PLAIN\r\n"],
            ),
            (
                "EHLO client.example",
                &["250-mail.example\r\n250 AUTH PLAIN\r\n"],
            ),
            ("AUTH PLAIN AGFsaWNlAHNlY3JldA==", &["235 in\r\n"]),
            ("MAIL FROM:<alice@example.org>", &["250 ok\r\n"]),
            ("RCPT TO:<bob@example.org>", &["250 ok\r\n"]),
            ("DATA", &["354 go\r\n"]),
            ("Subject: x", &[]),
            ("", &[]),
            ("hello", &[]),
            (".", &["250 taken\r\n"]),
            ("QUIT", &["221 bye\r\n"]),
        ],
        End::Client,
    )
    .await;
    let connection = connect(&site, Service::SUBMISSIONS, port).await;
    let mut smtp = connection.into_lettre(LIMIT).await.unwrap();
    let credentials = Credentials::new("alice".to_owned(), "secret".to_owned());
    smtp.auth(&[Mechanism::Plain], &credentials).await.unwrap();
    let address = |text: &str| text.parse::<Address>().unwrap();
    let envelope = Envelope::new(
        Some(address("alice@example.org")),
        vec![address("bob@example.org")],
    )
    .unwrap();
    let response = smtp
        .send(&envelope, b"Subject: x\r\n\r\nhello")
        .await
        .unwrap();
    assert_eq!(response.first_line(), Some("taken"));
    smtp.abort().await;
    let (lines, end) = serving.await.unwrap();
    assert_eq!(
        lines.get(6..),
        Some(&["Subject: x", "", "hello", ".", "QUIT"].map(str::to_owned)[..])
    );
    assert_eq!(end.unwrap(), 0);
}

#[tokio::test]
async fn fetches_with_pop_over_the_stream() {
    let site = Site::new();
    let (port, serving) = serve(
        site.server_config(),
        "+OK ready\r\n",
        &[
            ("CAPA", &["+OK\r\nUSER\r\n.\r\n"]),
            ("USER alice", &["+OK\r\n"]),
            ("PASS secret", &["+OK\r\n"]),
            ("RETR 1", &["+OK\r\nSubject: x\r\n\r\n..dot\r\n.\r\n"]),
            ("QUIT", &["+OK bye\r\n"]),
        ],
        End::Client,
    )
    .await;
    let connection = connect(&site, Service::POP3S, port).await;
    let mut pop = BufReader::new(connection.into_stream());
    for command in ["USER alice\r\n", "PASS secret\r\n", "RETR 1\r\n"] {
        pop.write_all(command.as_bytes()).await.unwrap();
        pop.flush().await.unwrap();
        let mut reply = String::new();
        pop.read_line(&mut reply).await.unwrap();
        assert_eq!(reply, "+OK\r\n");
    }
    let mut message = String::new();
    loop {
        let mut line = String::new();
        assert_ne!(pop.read_line(&mut line).await.unwrap(), 0);
        if line == ".\r\n" {
            break;
        }
        message.push_str(line.strip_prefix('.').unwrap_or(&line));
    }
    assert_eq!(message, "Subject: x\r\n\r\n.dot\r\n");
    pop.write_all(b"QUIT\r\n").await.unwrap();
    pop.flush().await.unwrap();
    let mut reply = String::new();
    pop.read_line(&mut reply).await.unwrap();
    assert_eq!(reply, "+OK bye\r\n");
    pop.shutdown().await.unwrap();
    let (_, end) = serving.await.unwrap();
    assert_eq!(end.unwrap(), 0);
}
