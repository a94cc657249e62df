//! POP, Submission with a Received field, and ports with STARTTLS, as the configuration names them.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
};

use crate::{
    script::{Replies, Script},
    world::{Client, Files, Gateway, HOST, check, get, text},
};

#[test]
fn serves_pop_and_submission() {
    let files = Files::new();
    let mailbox = Script::start("+OK ready\r\n", pop);
    let server = Script::start("220 mx ESMTP\r\n", submission);
    let kinds = ["pop3s", "submissions"];
    let config = configure(&files, kinds, [mailbox.address, server.address]);
    let mut gateway = Gateway::start(&config);
    let mut client = Client::connect(&files, gateway.listening("pop3s"));
    assert_eq!(client.line(), "+OK ready\r\n");
    read_mail(&mut client);
    let mut client = Client::connect(&files, gateway.listening("submissions"));
    assert_eq!(client.line(), "220 mx ESMTP\r\n");
    submit(&mut client);
    has_a_received_field(&server);
}

#[test]
fn serves_ports_with_starttls() {
    let files = Files::new();
    let mailbox = Script::start("+OK ready\r\n", pop);
    let server = Script::start("220 mx ESMTP\r\n", submission);
    let kinds = ["pop3", "submission"];
    let config = configure(&files, kinds, [mailbox.address, server.address]);
    let mut gateway = Gateway::start(&config);
    let (tcp, answer) = begin(gateway.listening("pop3"), "STLS\r\n");
    assert!(answer.starts_with("+OK"), "{answer}");
    read_mail(&mut Client::over(&files, tcp).unwrap());
    let (tcp, answer) = begin(gateway.listening("submission"), "STARTTLS\r\n");
    assert!(answer.starts_with("220"), "{answer}");
    submit(&mut Client::over(&files, tcp).unwrap());
    has_a_received_field(&server);
}

/// One message through each treatment of bare line feeds: log and metrics tell of the one that was forwarded.
#[test]
fn normalizes_the_messages_of_the_service_that_says_so() {
    let files = Files::new();
    let server = Script::start("220 mx ESMTP\r\n", submission);
    let kinds = ["submission", "submissions"];
    let path = configure(&files, kinds, [server.address, server.address]);
    let mut config = std::fs::read_to_string(path).unwrap();
    config += "bare-line-feeds = \"normalize\"\n[metrics]\nlisten = \"127.0.0.1:0\"\n";
    let mut gateway = Gateway::start(&files.write(&config));
    let metrics = gateway.listening("metrics");
    let message = "Subject: x\n\ny\n\r\n.\r\n";
    let (tcp, _) = begin(gateway.listening("submission"), "STARTTLS\r\n");
    let mut client = Client::over(&files, tcp).unwrap();
    let refused = "550 CR LF expected, without NUL\r\n";
    assert_eq!(submit_message(&mut client, message), refused);
    let mut client = Client::connect(&files, gateway.listening("submissions"));
    client.line();
    assert_eq!(submit_message(&mut client, message), "250 2.0.0 ok\r\n");
    let logged = gateway.logged("bare line feeds of a message turned into CR LF");
    assert!(logged.contains("submissions"), "{logged}");
    let counted = "mail_tls_gateway_messages_normalized_total{service=\"submissions\"} 1\n";
    let text = get(metrics, "/metrics");
    assert!(text.contains(counted), "{text}");
    assert_eq!(text.matches("messages_normalized_total{").count(), 1);
    let lines = server.lines();
    assert!(lines.ends_with(&["y".into(), String::new(), ".".into()]));
}

/// Postfix has `AUTH` between other keywords.
#[test]
fn finds_logins_of_submission_in_each_place() {
    const WARNING: &str = "no way to log in is offered";
    let servers: [(Replies, bool); 3] = [
        (as_postfix, true),
        (submission, true),
        (without_auth, false),
    ];
    for (reply, has_login) in servers {
        let files = Files::new();
        let server = Script::start("220 mx ESMTP\r\n", reply);
        let mailbox = Script::start("+OK ready\r\n", pop);
        let kinds = ["pop3s", "submissions"];
        let config = configure(&files, kinds, [mailbox.address, server.address]);
        let output = check(&config);
        let shown = text(&output.stdout);
        assert_eq!(output.status.code(), Some(0), "{shown}");
        let warnings = shown.lines().filter(|line| line.contains(WARNING));
        let expected = format!("warning: submissions: {}: {WARNING}", server.address);
        let expected: Vec<_> = (!has_login).then_some(expected).into_iter().collect();
        assert_eq!(warnings.collect::<Vec<_>>(), expected, "{shown}");
    }
}

fn pop(line: &str) -> &'static str {
    match line {
        "CAPA" => "+OK\r\nUSER\r\nSTLS\r\n.\r\n",
        "USER alice" | "PASS right" => "+OK\r\n",
        "STAT" => "+OK 0 0\r\n",
        _ => "-ERR no\r\n",
    }
}

fn submission(line: &str) -> &'static str {
    match line.split(' ').next().unwrap_or_default() {
        "EHLO" => "250-mx\r\n250-STARTTLS\r\n250 AUTH PLAIN\r\n",
        "AUTH" => "235 2.7.0 in\r\n",
        "MAIL" | "RCPT" | "." => "250 2.0.0 ok\r\n",
        "DATA" => "354 go\r\n",
        _ => "",
    }
}

fn as_postfix(line: &str) -> &'static str {
    match line.starts_with("EHLO") {
        true => "250-mx\r\n250-Auth PLAIN LOGIN\r\n250 CHUNKING\r\n",
        false => submission(line),
    }
}

fn without_auth(line: &str) -> &'static str {
    match line.starts_with("EHLO") {
        true => "250-mx\r\n250-X-AUTH PLAIN\r\n250 CHUNKING\r\n",
        false => submission(line),
    }
}

/// Writes a configuration of two services, whose kinds are those of ports with TLS or with STARTTLS.
fn configure(files: &Files, kinds: [&str; 2], backends: [SocketAddr; 2]) -> std::path::PathBuf {
    let mut text = format!(
        "name = \"{HOST}\"\ncertificate = [{{ chain = \"chain.pem\", key = \"key.pem\" }}]\n"
    );
    for ((kind, backend), own) in kinds.into_iter().zip(backends).zip(1..) {
        text += &format!(
            "[[service]]\nkind = \"{kind}\"\nlisten = [\"127.0.0.{own}:0\"]\n\
             backend = [{{ host = \"127.0.0.1\", port = {} }}]\n",
            backend.port()
        );
        if kind.starts_with("submission") {
            text += "received = true\n";
        }
    }
    files.write(&text)
}

/// Asks a server of POP.
fn read_mail(client: &mut Client) {
    assert_eq!(client.ask("CAPA\r\n"), "+OK\r\n");
    assert_eq!(
        (client.line(), client.line()),
        ("USER\r\n".into(), ".\r\n".into())
    );
    assert_eq!(client.ask("USER alice\r\n"), "+OK\r\n");
    assert_eq!(client.ask("PASS right\r\n"), "+OK\r\n");
    assert_eq!(client.ask("STAT\r\n"), "+OK 0 0\r\n");
}

/// Submits a message.
fn submit(client: &mut Client) {
    let reply = submit_message(client, "Subject: x\r\n\r\ny\r\n.\r\n");
    assert_eq!(reply, "250 2.0.0 ok\r\n");
}

/// Submits a message with its end. Returns the reply to it.
fn submit_message(client: &mut Client, message: &str) -> String {
    assert_eq!(client.ask("EHLO c.example\r\n"), "250-mx\r\n");
    assert_eq!(client.line(), "250 AUTH PLAIN\r\n");
    assert_eq!(client.ask("AUTH PLAIN AGEAYg==\r\n"), "235 2.7.0 in\r\n");
    assert_eq!(
        client.ask("MAIL FROM:<a@example.org>\r\n"),
        "250 2.0.0 ok\r\n"
    );
    assert_eq!(
        client.ask("RCPT TO:<b@example.org>\r\n"),
        "250 2.0.0 ok\r\n"
    );
    assert_eq!(client.ask("DATA\r\n"), "354 go\r\n");
    client.ask(message)
}

/// Checks that the message has the gateway's field above it.
fn has_a_received_field(script: &Script) {
    let lines = script.lines();
    let data = lines.iter().position(|it| it == "DATA").unwrap();
    let message = lines[data + 1..].join("\n");
    assert!(
        message.starts_with("Received: from c.example ([127.0.0.1])\n"),
        "{message}"
    );
    let by = format!("\tby {HOST} with ESMTPSA id ");
    for part in [by.as_str(), "\n\ttls TLS_", "\nSubject: x\n\ny\n."] {
        assert_eq!(message.matches(part).count(), 1, "{part} in {message}");
    }
}

/// Reads a line, and nothing after it.
fn line(tcp: &mut TcpStream) -> String {
    let mut line = String::new();
    let mut octet = [0];
    while !line.ends_with('\n') {
        tcp.read_exact(&mut octet).unwrap();
        line.push(char::from(octet[0]));
    }
    line
}

/// Begins in clear text: reads the greeting, sends a command, reads the answer.
fn begin(address: SocketAddr, command: &str) -> (TcpStream, String) {
    let mut tcp = TcpStream::connect(address).unwrap();
    line(&mut tcp);
    tcp.write_all(command.as_bytes()).unwrap();
    let answer = line(&mut tcp);
    (tcp, answer)
}
