//! A proxy that ends TLS before the server: example 3 of section 7.1, and clients that send a `tls` of their
//! own.

use conformance::outcome::{Checked, Failure, passed, same};
use deep_latch::{
    ClientReport, MailProtocol, TlsCipher,
    imap::IdCommand,
    proxy::{ForwardError, Forwarded, ImapProxy, InboundTls},
    report::FieldNames,
    server::TlsField,
    smtp::ClientCommand,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;

use super::{
    examples::{Raw, demo, demo_report},
    server::{Heard, Server, Tls},
    world::{HOST, World},
};

/// Listens for one client over TLS, and brings what it says to the server in clear.
async fn proxy(
    acceptor: TlsAcceptor,
    protocol: MailProtocol,
    server: TcpStream,
    inbound: InboundTls,
) -> Checked<(TcpStream, JoinHandle<Checked<()>>)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let tcp = TcpStream::connect(listener.local_addr()?).await?;
    let proxied = tokio::spawn(async move {
        let (stream, _) = listener.accept().await?;
        let client = acceptor.accept(stream).await?;
        let suite = client.get_ref().1.negotiated_cipher_suite();
        let suite = suite.ok_or_else(|| Failure::new("no suite"))?.suite();
        let cipher = TlsCipher::of_suite(suite.into());
        let (mut from_client, mut to_client) = tokio::io::split(client);
        let (mut from_server, mut to_server) = server.into_split();
        let mut between = match protocol {
            MailProtocol::Imap => Between::Imap(Box::new(ImapProxy::new(Some(cipher), inbound))),
            _ => Between::Lines(Vec::new(), cipher, inbound),
        };
        let (mut server_said, mut client_said) = (vec![0; 4096], vec![0; 4096]);
        let mut client_is_there = true;
        loop {
            let (for_server, for_client) = tokio::select! {
                length = from_server.read(&mut server_said) => match length? {
                    0 => return Ok(to_client.shutdown().await?),
                    length => between.server_sent(&server_said[..length])?,
                },
                length = from_client.read(&mut client_said), if client_is_there => match length? {
                    0 => {
                        client_is_there = false;
                        to_server.shutdown().await?;
                        continue;
                    }
                    length => between.client_sent(&client_said[..length])?,
                },
            };
            to_server.write_all(&for_server).await?;
            to_client.write_all(&for_client).await?;
            to_client.flush().await?;
        }
    });
    Ok((tcp, proxied))
}

/// The change that the proxy makes to octets on their way.
enum Between {
    Imap(Box<ImapProxy>),
    /// SMTP, of clients that send no message.
    Lines(Vec<u8>, TlsCipher<'static>, InboundTls),
}

/// Octets for the server, and octets for the client.
type Sent = (Vec<u8>, Vec<u8>);

impl Between {
    fn server_sent(&mut self, octets: &[u8]) -> Checked<Sent> {
        match self {
            Self::Imap(proxy) => {
                proxy.server_sent(octets)?;
                Ok((proxy.take_for_server(), proxy.take_for_client()))
            }
            Self::Lines(..) => Ok((Vec::new(), octets.to_vec())),
        }
    }

    fn client_sent(&mut self, octets: &[u8]) -> Checked<Sent> {
        let (waiting, cipher, inbound) = match self {
            Self::Imap(proxy) => {
                proxy.client_sent(octets)?;
                return Ok((proxy.take_for_server(), proxy.take_for_client()));
            }
            Self::Lines(waiting, cipher, inbound) => (waiting, cipher, *inbound),
        };
        waiting.extend_from_slice(octets);
        let mut sent = Sent::default();
        while let Some(end) = waiting.windows(2).position(|two| two == b"\r\n") {
            let line: Vec<u8> = waiting.drain(..end + 2).take(end).collect();
            match ClientCommand::parse(&line)
                .map_err(ForwardError::from)
                .and_then(|is_client| {
                    is_client
                        .map(|_| Forwarded::of_client(&line, Some(cipher), inbound))
                        .transpose()
                }) {
                Ok(forwarded) => {
                    let line = forwarded.map_or(line, |forwarded| forwarded.command);
                    sent.0.extend([&line[..], b"\r\n"].concat());
                }
                Err(ForwardError::NothingLeft) => sent.1.extend(b"250 OK\r\n"),
                Err(_) => sent.1.extend(b"501 Syntax error in parameters\r\n"),
            }
        }
        Ok(sent)
    }
}

/// Returns what the server receives of a client's commands through the proxy, with the client's cipher suite.
async fn through(
    protocol: MailProtocol,
    status: &str,
    inbound: InboundTls,
    commands: &[&str],
) -> Checked<(Heard, Vec<String>, TlsCipher<'static>)> {
    let world = World::new()?;
    let mut server = Server::new(protocol, Tls::None, Some(demo(status)?));
    server.tls_field = TlsField::Trust;
    let (to_server, served) = server.listen().await?;
    let (tcp, proxied) = proxy(world.good()?, protocol, to_server, inbound).await?;
    let mut client = Raw::connect(&world, tcp).await?;
    let (_, suite) = client.facts()?;
    client.line().await?;
    let mut answers = Vec::new();
    for command in commands {
        client.say(&format!("{command}\r\n")).await?;
        loop {
            let line = client.line().await?;
            let untagged = line.starts_with("* ") || line.as_bytes().get(3) == Some(&b'-');
            answers.push(line);
            if !untagged {
                break;
            }
        }
    }
    client.close().await?;
    let heard = served.await??;
    proxied.await??;
    Ok((heard, answers, TlsCipher::of_suite(suite)))
}

/// Example 3: the connection between proxy and server, word for word but for the cipher suite, of which rustls
/// has others.
pub(super) async fn imap_3() -> Checked {
    const EXAMPLE: &[&str] = &[
        "S: * OK [CAPABILITY IMAP4rev1 DEEP ID AUTH=PLAIN AUTH=SCRAM-SHA-1] hello",
        "C: a001 ID (\"name\" \"Demo Mail\" \"version\" \"1.5\" \"latch\" \
         \"tls10 tls-cert\" \"security-tags\" \"tls12\" \
         \"tls\" \"TLS_RSA_WITH_AES_128_CBC_SHA\")",
        "S: * ID (\"name\" \"Demo Server\" \"version\" \"1.7\" \"deep-status\" \
         \"tls10 tls-cert <https://www.example.com/support.html>\")",
        "S: a001 OK ID completed",
    ];
    let parameters = demo_report()
        .to_id_parameters(FieldNames::Examples)?
        .to_string();
    let command = format!("a001 ID {parameters}");
    let status = "tls10 tls-cert <https://www.example.com/support.html>";
    let (heard, answers, cipher) =
        through(MailProtocol::Imap, status, InboundTls::Remove, &[&command]).await?;
    let lines: Vec<_> = heard
        .lines
        .iter()
        .map(|line| line.replace(cipher.as_str(), "TLS_RSA_WITH_AES_128_CBC_SHA"))
        .collect();
    same("the wire", lines.as_slice(), EXAMPLE)?;
    let answered: Vec<_> = EXAMPLE[2..]
        .iter()
        .filter_map(|line| line.strip_prefix("S: "))
        .collect();
    same("answers", answers, answered)?;
    let report = ClientReport {
        tls: Some(cipher.clone()),
        ..demo_report()
    };
    same("the report", heard.reports.as_slice(), &[Ok(report)])?;
    // The suite of the example, without a connection.
    let command = format!("{command}\r\n");
    let parsed = IdCommand::parse(command.as_bytes())?;
    let parsed = parsed.ok_or_else(|| Failure::new("not ID"))?;
    let exact = Forwarded::of_id(
        &parsed,
        Some(&TlsCipher::of_suite(0x002f)),
        InboundTls::Remove,
    )?;
    let exact = String::from_utf8(exact.command)?;
    same(
        "byte for byte",
        Some(exact.trim_end()),
        EXAMPLE[1].strip_prefix("C: "),
    )?;
    passed(format!(
        "the proxy added {cipher}, and changed nothing else"
    ))
}

/// A client that sends `tls` to a server, or to a proxy.
pub(super) async fn spoofed() -> Checked {
    let lie = "a001 ID (\"tls\" \"TLS_NULL_WITH_NULL_NULL\" \"name\" \"Demo Mail\")";
    let (heard, _, cipher) = through(MailProtocol::Imap, "", InboundTls::Remove, &[lie]).await?;
    let report = ClientReport {
        name: Some("Demo Mail".to_owned()),
        tls: Some(cipher),
        ..ClientReport::default()
    };
    same("removed", heard.reports.as_slice(), &[Ok(report)])?;
    let (heard, answers, _) = through(MailProtocol::Imap, "", InboundTls::Refuse, &[lie]).await?;
    same(
        "refused",
        answers.as_slice(),
        ["a001 BAD ID: tls: a client must not send this field"],
    )?;
    same("reports", heard.reports.len(), 0)?;

    // Without a proxy.
    let world = World::new()?;
    for (protocol, said) in [
        (MailProtocol::Imap, format!("{lie}\r\n")),
        (
            MailProtocol::Smtp,
            "CLIENT name=a tls=TLS_NULL_WITH_NULL_NULL\r\n".to_owned(),
        ),
    ] {
        let server = Server::new(protocol, Tls::Implicit(world.good()?), Some(demo("")?));
        let (tcp, served) = server.listen().await?;
        let mut client = Raw::connect(&world, tcp).await?;
        client.line().await?;
        client.say(&said).await?;
        client.line().await?;
        client.close().await?;
        let heard = served.await??;
        let believed: Vec<_> = heard
            .reports
            .iter()
            .map(|report| report.as_ref().map(|report| report.tls.is_some()).ok())
            .collect();
        same(HOST, believed, [Some(false)])?;
    }
    passed("removed or refused by the proxy, ignored by a server without one")
}

/// Checks CLIENT of SMTP in the same way.
pub(super) async fn smtp() -> Checked {
    let commands = [
        "EHLO client.example.com",
        "CLIENT name=demo_submit latch=tls10 tls=TLS_NULL_WITH_NULL_NULL",
        "CLIENT name=demo_submit",
        "CLIENT",
        "QUIT",
    ];
    let (heard, answers, cipher) =
        through(MailProtocol::Smtp, "tls10", InboundTls::Remove, &commands).await?;
    let expected = [
        "EHLO client.example.com".to_owned(),
        format!("CLIENT name=demo_submit latch=tls10 tls={cipher}"),
        format!("CLIENT name=demo_submit tls={cipher}"),
        "QUIT".to_owned(),
    ];
    same("the server heard", heard.client(), expected)?;
    let tail: Vec<_> = answers
        .iter()
        .rev()
        .take(4)
        .rev()
        .map(String::as_str)
        .collect();
    let expected = [
        "250 OK",
        "250 OK",
        "501 Syntax error in parameters",
        "221 bye",
    ];
    same("answers", tail, expected)?;
    let tls: Vec<_> = heard
        .reports
        .into_iter()
        .map(|report| report.map(|it| it.tls))
        .collect();
    same("reports", tls, [Ok(Some(cipher.clone())), Ok(Some(cipher))])?;
    passed("CLIENT is forwarded with tls, and a client's own is not")
}
