//! POP and Submission through a gateway that runs, and ports with STARTTLS.

use mail_implicit_tls::{
    gateway::{Backend, ClientAddress},
    received::Received,
    service::Service,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    script::{POP_GREETING, SUBMISSION_GREETING, Script, pop, submission},
    world::{Client, ImapDouble, Setup, World, clear, nowhere},
};

/// Sends a line, and returns the lines up to one with this beginning.
async fn ask(client: &mut Client, line: &str, last: &str) -> Vec<String> {
    client.send(&format!("{line}\r\n")).await;
    let mut lines = Vec::new();
    loop {
        let line = client.line().await;
        let is_last = line.starts_with(last);
        lines.push(line);
        if is_last {
            return lines;
        }
    }
}

fn pop3s(backend: Backend) -> Setup {
    Setup::new(Service::POP3S, vec![backend])
}

fn submissions(backend: Backend) -> Setup {
    Setup::new(Service::SUBMISSIONS, vec![backend])
}

#[tokio::test]
async fn carries_a_session_of_pop() {
    let script = Script::start(POP_GREETING, pop).await;
    let world = World::start(pop3s(clear(Service::POP3_CLEAR, script.address))).await;
    let mut client = world.connect().await;
    assert_eq!(client.line().await, "+OK ready");
    let capabilities = ask(&mut client, "CAPA", ".").await;
    assert_eq!(capabilities, ["+OK", "USER", "SASL PLAIN", "."]);
    assert_eq!(ask(&mut client, "USER alice", "").await, ["+OK name"]);
    assert_eq!(ask(&mut client, "PASS wrong", "").await, ["-ERR [AUTH] no"]);
    assert_eq!(ask(&mut client, "USER alice", "").await, ["+OK name"]);
    assert_eq!(ask(&mut client, "PASS right", "").await, ["+OK in"]);
    let message = ask(&mut client, "RETR 1", ".").await;
    assert_eq!(message[..4], ["+OK follows", "Subject: x", "", "..dot"]);
    client.send("QUIT\r\n").await;
    assert_eq!(client.rest().await, ".\r\n+OK bye\r\n");
    assert_eq!(world.told.wait("ended").await, "ended backend");
    let sessions: Vec<_> = world.told.lines();
    let sessions = sessions.iter().filter(|it| it.starts_with("session"));
    assert_eq!(sessions.count(), 2);
    let expected = [
        "CAPA",
        "USER alice",
        "PASS wrong",
        "USER alice",
        "PASS right",
        "RETR 1",
        "QUIT",
    ];
    assert_eq!(script.lines(), expected);
}

#[tokio::test]
async fn reports_a_backend_of_pop_or_submission_that_is_down() {
    let backend = clear(Service::POP3_CLEAR, nowhere().await);
    let world = World::start(pop3s(backend)).await;
    let rest = world.connect().await.rest().await;
    assert!(rest.starts_with("-ERR [SYS/TEMP] "), "{rest}");
    let backend = clear(Service::SUBMISSION_CLEAR, nowhere().await);
    let world = World::start(submissions(backend)).await;
    let rest = world.connect().await.rest().await;
    assert!(rest.starts_with("421 "), "{rest}");
}

/// The backend learns the client's address by XCLIENT, and the recipients learn the TLS of the submission.
#[tokio::test]
async fn carries_a_submission_with_a_received_field() {
    let script = Script::start(SUBMISSION_GREETING, submission).await;
    let mut setup = submissions(clear(Service::SUBMISSION_CLEAR, script.address));
    setup.received = true;
    setup.address = ClientAddress::Xclient;
    let world = World::start(setup).await;
    let mut client = world.connect().await;
    let port = client.stream.get_ref().0.local_addr().unwrap().port();
    assert_eq!(client.line().await, "220 mx ESMTP");
    let extensions = ask(&mut client, "EHLO c.example", "250 ").await;
    assert_eq!(extensions, ["250-mx", "250 AUTH PLAIN"]);
    let failed = ask(&mut client, "AUTH PLAIN AGFsaWNlAHdyb25n", "").await;
    assert_eq!(failed, ["535 5.7.8 no"]);
    let done = ask(&mut client, "AUTH PLAIN AGFsaWNlAHJpZ2h0", "").await;
    assert_eq!(done, ["235 2.7.0 in"]);
    // The session is parsed to its end: a client's own XCLIENT is refused after the login too.
    let refused = ask(&mut client, "XCLIENT ADDR=192.0.2.9", "").await;
    assert!(refused[0].starts_with('5'), "{refused:?}");
    ask(&mut client, "MAIL FROM:<alice@example.org>", "250").await;
    ask(&mut client, "RCPT TO:<bob@example.net>", "250").await;
    ask(&mut client, "DATA", "354").await;
    ask(&mut client, "Subject: x\r\n\r\n..dot\r\n.", "250").await;
    client.send("QUIT\r\n").await;
    assert_eq!(client.rest().await, "221 2.0.0 bye\r\n");
    let lines = script.lines();
    let told: Vec<_> = lines.iter().filter(|it| it.contains("XCLIENT")).collect();
    assert_eq!(told.len(), 1, "{lines:?}");
    let expected = format!("XCLIENT ADDR=127.0.0.1 PORT={port}");
    assert_eq!(*told[0], expected);
    let data = lines.iter().position(|it| it == "DATA").unwrap();
    let end = lines.iter().position(|it| it == ".").unwrap();
    let message = lines[data + 1..end].join("\r\n");
    let (field, rest) = message.split_once("+0000\r\n").unwrap();
    assert_eq!(rest, "Subject: x\r\n\r\n..dot");
    let body = field.strip_prefix("Received:").unwrap();
    let body = format!("{body}+0000");
    let read = Received::parse(&body).unwrap();
    assert_eq!(read.value("from"), Some("c.example"));
    assert_eq!(read.value("by"), Some("gw.example.org"));
    let suite = read.tls().unwrap().map(|it| it.to_string()).unwrap();
    assert!(suite.starts_with("TLS_"), "{suite}");
}

/// Sends lines on a connection in clear text, and reads up to a text.
async fn clear_text(tcp: &mut TcpStream, send: &str, until: &str) -> String {
    tcp.write_all(send.as_bytes()).await.unwrap();
    let mut text = String::new();
    let mut octet = [0];
    while !text.ends_with(until) {
        tcp.read_exact(&mut octet).await.unwrap();
        text.push(char::from(octet[0]));
    }
    text
}

/// Returns a gateway on a port with STARTTLS, and a connection that is upgraded.
async fn upgraded(service: Service, backend: Backend, begin: &str, done: &str) -> (World, Client) {
    let world = World::start(Setup::new(service, vec![backend])).await;
    let mut tcp = TcpStream::connect(world.address).await.unwrap();
    clear_text(&mut tcp, "", "\r\n").await;
    let text = clear_text(&mut tcp, begin, "\r\n").await;
    assert!(text.starts_with(done), "{text}");
    // No backend knows of a client without TLS.
    assert_eq!(world.told.lines(), Vec::<String>::new());
    let client = world.handshake(tcp).await;
    (world, client)
}

/// After the handshake the server sends no greeting.
#[tokio::test]
async fn upgrades_clients_by_starttls() {
    let double = ImapDouble::start().await;
    let backend = clear(Service::IMAP_CLEAR, double.address);
    let (_world, mut client) =
        upgraded(Service::IMAP_STARTTLS, backend, "a STARTTLS\r\n", "a OK ").await;
    let capabilities = ask(&mut client, "b CAPABILITY", "b ").await;
    assert!(
        capabilities[0].starts_with("* CAPABILITY"),
        "{capabilities:?}"
    );
    let answer = ask(&mut client, "c LOGIN alice right", "c ").await;
    assert!(answer[0].starts_with("c OK"), "{answer:?}");

    let script = Script::start(POP_GREETING, pop).await;
    let backend = clear(Service::POP3_CLEAR, script.address);
    let (_world, mut client) = upgraded(Service::POP3_STARTTLS, backend, "STLS\r\n", "+OK ").await;
    assert_eq!(ask(&mut client, "USER alice", "").await, ["+OK name"]);
    assert_eq!(ask(&mut client, "PASS right", "").await, ["+OK in"]);

    let script = Script::start(SUBMISSION_GREETING, submission).await;
    let backend = clear(Service::SUBMISSION_CLEAR, script.address);
    let (_world, mut client) = upgraded(
        Service::SUBMISSION_STARTTLS,
        backend,
        "STARTTLS\r\n",
        "220 ",
    )
    .await;
    let extensions = ask(&mut client, "EHLO c.example", "250 ").await;
    assert_eq!(extensions, ["250-mx", "250 AUTH PLAIN"]);
    let done = ask(&mut client, "AUTH PLAIN AGFsaWNlAHJpZ2h0", "").await;
    assert_eq!(done, ["235 2.7.0 in"]);
}

/// Octets that follow STARTTLS in clear text may be an attacker's.
#[tokio::test]
async fn closes_connections_with_commands_behind_starttls() {
    let double = ImapDouble::start().await;
    let backend = clear(Service::IMAP_CLEAR, double.address);
    let world = World::start(Setup::new(Service::IMAP_STARTTLS, vec![backend])).await;
    let mut tcp = TcpStream::connect(world.address).await.unwrap();
    tcp.write_all(b"a STARTTLS\r\nb LOGIN mallory x\r\n")
        .await
        .unwrap();
    assert_eq!(world.told.wait("refused").await, "refused before-tls");
    assert_eq!(double.lines(), Vec::<String>::new());
}

/// A password in clear text is refused, and reaches no backend and no notice.
#[tokio::test]
async fn refuses_passwords_before_starttls() {
    for (service, clear_text_service, said, refused) in [
        (
            Service::IMAP_STARTTLS,
            Service::IMAP_CLEAR,
            "a LOGIN alice right\r\n",
            "a NO [PRIVACYREQUIRED]",
        ),
        (
            Service::IMAP_STARTTLS,
            Service::IMAP_CLEAR,
            "a AUTHENTICATE PLAIN AGFsaWNlAHJpZ2h0\r\n",
            "a NO [PRIVACYREQUIRED]",
        ),
        (
            Service::POP3_STARTTLS,
            Service::POP3_CLEAR,
            "USER right\r\n",
            "-ERR",
        ),
        (
            Service::SUBMISSION_STARTTLS,
            Service::SUBMISSION_CLEAR,
            "AUTH PLAIN AGFsaWNlAHJpZ2h0\r\n",
            "530 5.7.0",
        ),
    ] {
        let double = ImapDouble::start().await;
        let backend = clear(clear_text_service, double.address);
        let world = World::start(Setup::new(service, vec![backend])).await;
        let mut tcp = TcpStream::connect(world.address).await.unwrap();
        clear_text(&mut tcp, "", "\r\n").await;
        let answer = clear_text(&mut tcp, said, "\r\n").await;
        assert!(answer.starts_with(refused), "{answer}");
        assert_eq!(double.lines(), Vec::<String>::new());
        let told = world.told.lines().join(" ");
        assert!(!told.contains("right") && !told.contains("AGFs"), "{told}");
    }
}
