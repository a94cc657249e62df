//! Whole sessions through the command: what the client reads, and what the backend receives.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use crate::{
    script::Script,
    world::{Client, Files, Gateway, HOST, get, soon},
};

/// An address of IPv6 is one of the network that a proxy reports, and each protocol has its own form for it.
#[test]
fn reports_the_address_of_the_client_in_the_form_of_each_protocol() {
    let files = Files::new();
    let [imap, pop, smtp] = servers();
    let more = "proxies = [\"127.0.0.1\"]\n";
    let of = |address: &str| format!("client-address = \"{address}\"\n{more}");
    let services = [
        ("imaps", &imap, of("imap-id")),
        ("pop3s", &pop, of("xclient")),
        ("submissions", &smtp, of("xclient")),
    ];
    let mut gateway = start(&files, services, "");
    for (kind, source, written) in [
        (
            "submissions",
            "TCP6 2001:db8::7 2001:db8::1",
            ["IPV6:2001:db8::7", "IPV6:2001:db8::1"],
        ),
        (
            "submissions",
            "TCP6 ::ffff:192.0.2.7 ::ffff:192.0.2.1",
            ["192.0.2.7", "192.0.2.1"],
        ),
        ("pop3s", "TCP6 2001:db8::7 2001:db8::1", ["2001:db8::7", ""]),
        ("pop3s", "TCP4 192.0.2.7 192.0.2.1", ["192.0.2.7", ""]),
        (
            "imaps",
            "TCP6 2001:db8::7 2001:db8::1",
            ["2001:db8::7", "2001:db8::1"],
        ),
    ] {
        let mut tcp = TcpStream::connect(gateway.listening(kind)).unwrap();
        write!(tcp, "PROXY {source} 51234 995\r\n").unwrap();
        let mut client = Client::over(&files, tcp).unwrap();
        let greeting = client.line();
        let [from, to] = written;
        let (script, said, expected): (&Script, &str, Vec<String>) = match kind {
            "submissions" => {
                assert_eq!(greeting, "220 mx again\r\n");
                let command = format!(
                    "XCLIENT NAME=[UNAVAILABLE] ADDR={from} PORT=51234 PROTO=ESMTP DESTADDR={to} DESTPORT=995"
                );
                (
                    &smtp,
                    "QUIT\r\n",
                    vec![format!("EHLO {HOST}"), command, "QUIT".into()],
                )
            }
            "pop3s" => {
                assert_eq!(greeting, "+OK ready\r\n");
                (
                    &pop,
                    "QUIT\r\n",
                    vec![
                        format!("XCLIENT ADDR={from} PORT=51234 SESSION="),
                        "QUIT".into(),
                    ],
                )
            }
            _ => {
                let id = format!(
                    "proxy ID (\"x-originating-ip\" \"{from}\" \"x-originating-port\" \"51234\" \
                     \"x-connected-ip\" \"{to}\" \"x-connected-port\" \"995\" \"x-session-ext-id\" \""
                );
                (
                    &imap,
                    "a LOGIN alice wrong\r\n",
                    vec![id, "a LOGIN alice wrong".into()],
                )
            }
        };
        client.ask(said);
        drop(client);
        let lines = soon("the lines", || {
            Some(script.lines()).filter(|it| it.len() >= expected.len())
        });
        script.forget();
        assert_eq!(lines.len(), expected.len(), "{lines:?}");
        for (line, expected) in lines.iter().zip(&expected) {
            assert!(
                line.starts_with(expected.as_str()),
                "{line:?}, {expected:?}"
            );
        }
    }
}

/// Draft section 6 and RFC 3030: the field of the gateway is within the first chunk, whose length has it.
#[test]
fn adds_a_received_field_to_the_first_chunk_of_a_message() {
    let files = Files::new();
    let [_, _, smtp] = servers();
    let services = [("submissions", &smtp, "received = true\n".to_owned())];
    let mut gateway = start(&files, services, "");
    let mut client = Client::connect(&files, gateway.listening("submissions"));
    let said = "EHLO c.example\r\nAUTH PLAIN cmlnaHQ=\r\nMAIL FROM:<a@example.org> BODY=8BITMIME\r\n\
                RCPT TO:<b@example.org>\r\nBURL imap://example.org/x LAST\r\n";
    assert_eq!(client.ask(said), "220 mx\r\n");
    let expected = [
        "250-mx",
        "250-CHUNKING",
        "250-8BITMIME",
        "250 AUTH PLAIN",
        "235 in",
        "250 ok",
        "250 ok",
        "500 Command not recognized",
    ];
    for line in expected {
        assert_eq!(client.line(), format!("{line}\r\n"));
    }
    // The text of the double ends a chunk by a line of its own.
    client.send("BDAT 17\r\nSubject: x\r\nEND\r\n");
    assert_eq!(client.line(), "250 chunk\r\n");
    client.send("BDAT 5 LAST\r\nEND\r\nQUIT\r\n");
    assert_eq!(
        [client.line(), client.line()],
        ["250 chunk\r\n", "221 bye\r\n"]
    );
    let lines = smtp.lines();
    let begin = lines.iter().position(|it| it.starts_with("BDAT ")).unwrap();
    let (commands, message) = lines.split_at(begin);
    let expected = [
        "EHLO c.example",
        "AUTH PLAIN cmlnaHQ=",
        "MAIL FROM:<a@example.org> BODY=8BITMIME",
    ];
    assert_eq!(commands[..3], expected);
    assert_eq!(commands[3..], ["RCPT TO:<b@example.org>"]);
    let end = message.iter().position(|it| it == "END").unwrap();
    let octets: usize = message[1..=end].iter().map(|it| it.len() + 2).sum();
    assert_eq!(message[0], format!("BDAT {octets}"));
    assert_eq!(message[1], "Received: from c.example ([127.0.0.1])");
    assert!(
        message[2].starts_with(&format!("\tby {HOST} with ESMTPSA id ")),
        "{message:?}"
    );
    assert!(message[3].starts_with("\ttls TLS_"), "{message:?}");
    assert_eq!(
        message[end - 1..],
        ["Subject: x", "END", "BDAT 5 LAST", "END", "QUIT"]
    );
}

/// RFC 4978, RFC 5161, RFC 2177: after login the session is a pipe, of compressed octets too.
#[test]
fn passes_extensions_after_login() {
    let files = Files::new();
    let [imap, ..] = servers();
    for (more, offered) in [
        ("", "IMAP4rev1 IDLE ENABLE COMPRESS=DEFLATE"),
        ("parse-after-login = true\n", "IMAP4rev1 IDLE ENABLE"),
    ] {
        let mut gateway = start(&files, [("imaps", &imap, more.to_owned())], "");
        let mut client = Client::connect(&files, gateway.listening("imaps"));
        assert_eq!(
            client.line(),
            "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] ready\r\n"
        );
        let logged_in = format!("a OK [CAPABILITY {offered}] in\r\n");
        assert_eq!(client.ask("a LOGIN alice right\r\n"), logged_in);
        assert_eq!(
            client.ask("b ENABLE UTF8=ACCEPT\r\n"),
            "* ENABLED UTF8=ACCEPT\r\n"
        );
        assert_eq!(client.line(), "b OK enabled\r\n");
        assert_eq!(client.ask("c IDLE\r\n"), "+ idling\r\n");
        assert_eq!(client.ask("DONE\r\n"), "c OK done\r\n");
        let mut expected = vec![
            "a LOGIN alice right",
            "b ENABLE UTF8=ACCEPT",
            "c IDLE",
            "DONE",
        ];
        if more.is_empty() {
            assert_eq!(client.ask("d COMPRESS DEFLATE\r\n"), "d OK active\r\n");
            expected.push("d COMPRESS DEFLATE");
            // The double returns each octet, with its bits inverted.
            let octets: Vec<u8> = (0..=255).cycle().take(100_000).collect();
            let mut returned = vec![0; octets.len()];
            client.0.get_mut().write_all(&octets).unwrap();
            client.0.get_mut().flush().unwrap();
            client.0.read_exact(&mut returned).unwrap();
            assert!(returned.iter().zip(&octets).all(|(it, sent)| *it == !sent));
        } else {
            let refused = "d NO not available through this proxy\r\n";
            assert_eq!(client.ask("d COMPRESS DEFLATE\r\n"), refused);
        }
        assert_eq!(imap.lines(), expected);
        imap.forget();
    }
}

/// The failed logins of one address count together in all protocols, and the right password is answered at once.
#[test]
fn slows_a_hundred_failed_logins_of_one_address() {
    let files = Files::new();
    let [imap, pop, smtp] = servers();
    let services = [("imaps", &imap), ("pop3s", &pop), ("submissions", &smtp)];
    let services = services.map(|(kind, script)| (kind, script, String::new()));
    let more = "[failed-logins]\nfree = 97\nfirst-delay = 1\nlongest-delay = 2\n[metrics]\nlisten = \"127.0.0.1:0\"\n";
    let mut gateway = start(&files, services, more);
    let metrics = gateway.listening("metrics");
    let mut times = Vec::new();
    for (kind, count, begin, wrong, refused, right, accepted) in [
        (
            "imaps",
            40,
            "",
            "a LOGIN alice wrong\r\n",
            "a NO [AUTHENTICATIONFAILED] no\r\n",
            "a LOGIN alice right\r\n",
            "a OK ",
        ),
        (
            "pop3s",
            30,
            "USER alice\r\n",
            "PASS wrong\r\n",
            "-ERR [AUTH] no\r\n",
            "PASS right\r\n",
            "+OK",
        ),
        (
            "submissions",
            30,
            "",
            "AUTH PLAIN d3Jvbmc=\r\n",
            "535 no\r\n",
            "AUTH PLAIN cmlnaHQ=\r\n",
            "235",
        ),
    ] {
        let mut client = Client::connect(&files, gateway.listening(kind));
        client.line();
        for _ in 0..count {
            if !begin.is_empty() {
                assert_eq!(client.ask(begin), "+OK\r\n");
            }
            let time = Instant::now();
            assert_eq!(client.ask(wrong), refused);
            times.push(time.elapsed());
        }
        if !begin.is_empty() {
            client.ask(begin);
        }
        let time = Instant::now();
        let answer = client.ask(right);
        assert!(answer.starts_with(accepted), "{answer}");
        assert!(time.elapsed() < Duration::from_millis(900));
    }
    let (at_once, late) = times.split_at(97);
    assert!(
        at_once.iter().all(|it| *it < Duration::from_millis(900)),
        "{at_once:?}"
    );
    for (time, least) in late.iter().zip([1, 2, 2]) {
        assert!(*time >= Duration::from_secs(least), "{late:?}");
    }
    let log = gateway.log();
    assert_eq!(log.matches("login failed").count(), 100);
    for (text, count) in [("delay=0.000", 97), ("delay=1.000", 1), ("delay=2.000", 2)] {
        let lines = log.lines().filter(|it| it.contains("login failed"));
        assert_eq!(
            lines.filter(|it| it.contains(text)).count(),
            count,
            "{text}"
        );
    }
    assert!(
        !log.contains("alice") && !log.contains("wrong") && !log.contains("d3Jv"),
        "{log}"
    );
    let text = get(metrics, "/metrics");
    for (kind, count) in [("imaps", 40), ("pop3s", 30), ("submissions", 30)] {
        let line = format!(
            "mail_tls_gateway_logins_total{{service=\"{kind}\",result=\"refused\"}} {count}\n"
        );
        assert!(text.contains(&line), "{text}");
    }
    // The lines that the backends received are those of the clients.
    let logins = |script: &Script, begin: &str| {
        script
            .lines()
            .iter()
            .filter(|it| it.starts_with(begin))
            .count()
    };
    assert_eq!(
        [
            logins(&imap, "a LOGIN"),
            logins(&pop, "PASS"),
            logins(&smtp, "AUTH")
        ],
        [41, 31, 31]
    );
}

/// Starts servers of IMAP, POP and Submission.
fn servers() -> [Script; 3] {
    [
        Script::start(
            "* OK [CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN] ready\r\n",
            imap,
        ),
        Script::start("+OK ready\r\n", pop),
        Script::start("220 mx\r\n", submission),
    ]
}

fn imap(line: &str) -> &'static str {
    match line {
        "a LOGIN alice right" => {
            "a OK [CAPABILITY IMAP4rev1 STARTTLS IDLE ENABLE COMPRESS=DEFLATE] in\r\n"
        }
        "a LOGIN alice wrong" => "a NO [AUTHENTICATIONFAILED] no\r\n",
        "b ENABLE UTF8=ACCEPT" => "* ENABLED UTF8=ACCEPT\r\nb OK enabled\r\n",
        "c IDLE" => "+ idling\r\n",
        "DONE" => "c OK done\r\n",
        "d COMPRESS DEFLATE" => "d OK active\r\n",
        line if line.starts_with("proxy ID ") => "* ID NIL\r\nproxy OK done\r\n",
        _ => "* BAD unknown\r\n",
    }
}

fn pop(line: &str) -> &'static str {
    match line {
        "USER alice" | "PASS right" => "+OK\r\n",
        "QUIT" => "+OK bye\r\n",
        line if line.starts_with("XCLIENT ") => "+OK\r\n",
        _ => "-ERR [AUTH] no\r\n",
    }
}

fn submission(line: &str) -> &'static str {
    match line.split(' ').next().unwrap_or_default() {
        "EHLO" if line.ends_with(HOST) => {
            "250-mx\r\n250 XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT\r\n"
        }
        "EHLO" => {
            "250-mx\r\n250-STARTTLS\r\n250-CHUNKING\r\n250-BURL imap\r\n250-8BITMIME\r\n250 AUTH PLAIN\r\n"
        }
        "XCLIENT" => "220 mx again\r\n",
        "AUTH" if line.ends_with("cmlnaHQ=") => "235 in\r\n",
        "AUTH" => "535 no\r\n",
        "MAIL" | "RCPT" => "250 ok\r\n",
        "END" => "250 chunk\r\n",
        "QUIT" => "221 bye\r\n",
        _ => "",
    }
}

/// Starts a gateway of services, each with more lines of its own, and with more text at the end.
fn start<const N: usize>(
    files: &Files,
    services: [(&str, &Script, String); N],
    more: &str,
) -> Gateway {
    let mut text = format!(
        "name = \"{HOST}\"\ncertificate = [{{ chain = \"chain.pem\", key = \"key.pem\" }}]\n"
    );
    for ((kind, script, lines), own) in services.into_iter().zip(1..) {
        text += &format!(
            "[[service]]\nkind = \"{kind}\"\nlisten = [\"127.0.0.{own}:0\"]\n\
             backend = [{{ host = \"127.0.0.1\", port = {} }}]\n{lines}",
            script.address.port()
        );
    }
    Gateway::start(&files.write(&(text + more)))
}
