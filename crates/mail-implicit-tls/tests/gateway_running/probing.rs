//! The offer of a backend, as `probe` reads it.

use std::{sync::Arc, time::Duration};

use mail_implicit_tls::{
    gateway::{ClientAddress, GatewayOptions, Probed},
    service::{Protocol, Service},
};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

use crate::{
    site::Site,
    world::{clear, serve},
};

/// Probes a server with this greeting and this answer to the question for capabilities. It accepts XCLIENT.
async fn probe(
    service: Service,
    address: ClientAddress,
    greeting: &'static str,
    answer: &'static str,
) -> Probed {
    let server = serve(move |tcp| async move {
        let mut stream = BufReader::new(tcp);
        let _ = stream.write_all(greeting.as_bytes()).await;
        let mut line = String::new();
        while let Ok(1..) = stream.read_line(&mut line).await {
            let reply = match line.trim_end() {
                "a CAPABILITY" | "CAPA" => answer,
                it if it.starts_with("EHLO") => answer,
                it if it.starts_with("XCLIENT") => greeting,
                _ => "+OK bye\r\n",
            };
            line.clear();
            let _ = stream.write_all(reply.as_bytes()).await;
        }
    })
    .await;
    let backend = match service.protocol {
        Protocol::Imap => Service::IMAP_CLEAR,
        Protocol::Pop => Service::POP3_CLEAR,
        Protocol::Submission => Service::SUBMISSION_CLEAR,
    };
    let options = GatewayOptions::try_new(service.protocol, address).unwrap();
    let connector = Arc::new(Site::new().connector());
    let time = Duration::from_secs(20);
    clear(backend, server)
        .probe(&connector, &options, service, time)
        .await
        .unwrap()
}

const POSTFIX: &str = "250-mail.example.org\r\n250-PIPELINING\r\n250-XCLIENT NAME ADDR PORT\r\n\
                       250-AUTH PLAIN LOGIN\r\n250-ENHANCEDSTATUSCODES\r\n250 CHUNKING\r\n";

#[tokio::test]
async fn finds_a_login_wherever_the_protocol_has_it() {
    let none = ClientAddress::None;
    for (service, address, greeting, answer) in [
        (Service::SUBMISSIONS, none, "220 mx\r\n", POSTFIX),
        (
            Service::SUBMISSIONS,
            ClientAddress::Xclient,
            "220 mx\r\n",
            POSTFIX,
        ),
        (
            Service::SUBMISSIONS,
            none,
            "220 mx\r\n",
            "250-mx\r\n250 auth=LOGIN\r\n",
        ),
        (
            Service::IMAPS,
            none,
            "* OK ready\r\n",
            "* CAPABILITY IMAP4rev1 LOGINDISABLED AUTH=PLAIN\r\na OK done\r\n",
        ),
        (
            Service::IMAPS,
            none,
            "* OK [CAPABILITY IMAP4rev1 LOGINDISABLED] ready\r\n",
            "* CAPABILITY IMAP4rev1\r\na OK done\r\n",
        ),
        (
            Service::POP3S,
            none,
            "+OK ready\r\n",
            "+OK\r\nTOP\r\nUSER\r\n.\r\n",
        ),
        (
            Service::POP3S,
            none,
            "+OK ready\r\n",
            "+OK\r\nTOP\r\nSASL PLAIN\r\n.\r\n",
        ),
        (
            Service::POP3S,
            none,
            "+OK <1.2@mx>\r\n",
            "+OK\r\nTOP\r\n.\r\n",
        ),
        (
            Service::POP3S,
            none,
            "+OK ready\r\n",
            "-ERR what is CAPA?\r\n",
        ),
    ] {
        let probed = probe(service, address, greeting, answer).await;
        assert!(probed.has_login, "{greeting}{answer}");
    }
}

/// The text of a banner, which clients do not parse, has no capabilities.
#[tokio::test]
async fn finds_no_login_in_banners() {
    let none = ClientAddress::None;
    for (service, address, greeting, answer) in [
        (
            Service::SUBMISSIONS,
            none,
            "220 mx AUTH PLAIN\r\n",
            "250-AUTH PLAIN\r\n250 SIZE\r\n",
        ),
        (
            Service::SUBMISSIONS,
            none,
            "220 mx\r\n",
            "250-mx\r\n250 AUTH\r\n",
        ),
        (
            Service::SUBMISSIONS,
            none,
            "220 mx\r\n",
            "250-mx\r\n250 AUTH EXTERNAL\r\n",
        ),
        (Service::SUBMISSIONS, none, "220 mx\r\n", "502 EHLO?\r\n"),
        (
            Service::SUBMISSIONS,
            ClientAddress::Xclient,
            "220 mx\r\n",
            "250-mx\r\n250 XCLIENT ADDR PORT\r\n",
        ),
        (
            Service::IMAPS,
            none,
            "* OK server of AUTH=PLAIN and AUTH\r\n",
            "* CAPABILITY IMAP4rev1 LOGINDISABLED\r\na OK AUTH done\r\n",
        ),
        (
            Service::IMAPS,
            none,
            "* OK ready\r\n",
            "* CAPABILITY IMAP4rev1 LOGINDISABLED AUTH=EXTERNAL AUTH=X-PLUS\r\na OK done\r\n",
        ),
        (
            Service::POP3S,
            none,
            "+OK dear USER of SASL\r\n",
            "+OK USER SASL PLAIN\r\nTOP\r\nIMPLEMENTATION SASL USER\r\n.\r\n",
        ),
        (
            Service::POP3S,
            none,
            "+OK ready\r\n",
            "+OK\r\nSASL SCRAM-SHA-1-PLUS\r\n.\r\n",
        ),
    ] {
        let probed = probe(service, address, greeting, answer).await;
        assert!(!probed.has_login, "{greeting}{answer}");
    }
}

#[tokio::test]
async fn finds_mechanisms_with_channel_binding_among_mechanisms_only() {
    for (service, greeting, answer, expected) in [
        (
            Service::IMAPS,
            "* OK [CAPABILITY IMAP4rev1 AUTH=A-PLUS] user@host-PLUS\r\n",
            "* CAPABILITY IMAP4rev1 X-PLUS auth=b-plus AUTH=PLAIN\r\na OK C-PLUS\r\n",
            vec!["A-PLUS", "B-PLUS"],
        ),
        (
            Service::POP3S,
            "+OK A-PLUS\r\n",
            "+OK B-PLUS\r\nIMPLEMENTATION x-PLUS\r\nsasl SCRAM-SHA-1-PLUS PLAIN\r\n.\r\n",
            vec!["SCRAM-SHA-1-PLUS"],
        ),
        (
            Service::SUBMISSIONS,
            "220 mx-PLUS ESMTP X-PLUS\r\n",
            "250-mx-PLUS\r\n250-X-PLUS\r\n250-AUTH=A-PLUS PLAIN\r\n250 AUTH PLAIN A-PLUS B-PLUS\r\n",
            vec!["A-PLUS", "B-PLUS"],
        ),
    ] {
        let probed = probe(service, ClientAddress::None, greeting, answer).await;
        assert_eq!(probed.plus, expected, "{answer}");
        assert!(probed.has_login, "{answer}");
    }
}
