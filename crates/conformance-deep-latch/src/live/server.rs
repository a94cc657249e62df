//! A small mail server of IMAP, POP and SMTP, made of deep-latch's server side: it advertises, answers ID and
//! CLIENT, keeps reports, and writes down every line that it hears and says.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use conformance::outcome::{Checked, Failure};
use deep_latch::{
    Advertisement, ClientReport, Host, MailProtocol,
    imap::{CommandReader, IdCommand, Received},
    reports::{ReceivedReport, ReportSink},
    server::{Answer, ReplyCodes, TlsField},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;

use super::world::HOST;

/// When everything happens: 2014-11-24T00:00:00Z, and so many seconds.
pub(super) fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_416_787_200 + seconds)
}

/// The way TLS begins at this server.
#[derive(Clone)]
pub(super) enum Tls {
    Implicit(TlsAcceptor),
    /// By STARTTLS or STLS.
    OnCommand(TlsAcceptor),
    /// No TLS, e.g. between a proxy and its server, or because an attacker removed STARTTLS.
    None,
}

#[derive(Clone)]
pub(super) struct Server {
    pub(super) protocol: MailProtocol,
    pub(super) tls: Tls,
    /// Nothing: the server knows nothing of DEEP, or has withdrawn it.
    pub(super) advertisement: Option<Advertisement>,
    pub(super) tls_field: TlsField,
    /// The sink for reports, the account, and the time.
    pub(super) sink: Option<(Arc<dyn ReportSink>, &'static str, SystemTime)>,
}

/// The lines of a connection in their order, with the prefixes `C: ` and `S: `, and the reports of clients.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Heard {
    pub(super) lines: Vec<String>,
    pub(super) reports: Vec<Result<ClientReport, deep_latch::ParseError>>,
}

impl Heard {
    /// Returns the client's lines.
    pub(super) fn client(&self) -> Vec<&str> {
        self.lines
            .iter()
            .filter_map(|line| line.strip_prefix("C: "))
            .collect()
    }
}

/// A connection to the server, and what the server has heard when it is over.
pub(super) type Listening = (TcpStream, JoinHandle<Checked<Heard>>);

impl Server {
    pub(super) const fn new(
        protocol: MailProtocol,
        tls: Tls,
        advertisement: Option<Advertisement>,
    ) -> Self {
        Self {
            protocol,
            tls,
            advertisement,
            tls_field: TlsField::Ignore,
            sink: None,
        }
    }

    /// Serves one connection on loopback.
    pub(super) async fn listen(&self) -> Checked<Listening> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let tcp = TcpStream::connect(listener.local_addr()?);
        let server = self.clone();
        let served = tokio::spawn(async move {
            let (stream, _) = listener.accept().await?;
            let mut heard = Heard::default();
            server.serve(stream, &mut heard).await?;
            Ok(heard)
        });
        Ok((tcp.await?, served))
    }

    async fn serve(&self, stream: TcpStream, heard: &mut Heard) -> Checked<()> {
        let acceptor = match &self.tls {
            Tls::Implicit(acceptor) => {
                // A handshake that fails is the client's business.
                let Ok(stream) = acceptor.accept(stream).await else {
                    return Ok(());
                };
                Wire::new(stream).dialogue(self, heard, true, false).await?;
                return Ok(());
            }
            Tls::OnCommand(acceptor) => Some(acceptor),
            Tls::None => None,
        };
        let mut wire = Wire::new(stream);
        if !wire.dialogue(self, heard, true, acceptor.is_some()).await? {
            return Ok(());
        }
        let Some(acceptor) = acceptor else {
            return Err(Failure::new("STARTTLS, which was not offered"));
        };
        // Octets that arrive before TLS are not trusted.
        if wire.has_more() {
            return Err(Failure::new("octets after STARTTLS, before TLS"));
        }
        let Ok(stream) = acceptor.accept(wire.stream).await else {
            return Ok(());
        };
        Wire::new(stream)
            .dialogue(self, heard, false, false)
            .await?;
        Ok(())
    }

    fn greeting(&self, starttls: bool) -> &'static str {
        match (self.protocol, &self.advertisement) {
            // The capabilities are asked for.
            (MailProtocol::Imap, _) if starttls => "* OK hello\r\n",
            (MailProtocol::Imap, Some(_)) => {
                "* OK [CAPABILITY IMAP4rev1 DEEP ID AUTH=PLAIN AUTH=SCRAM-SHA-1] hello\r\n"
            }
            (MailProtocol::Imap, None) => "* OK [CAPABILITY IMAP4rev1 ID AUTH=PLAIN] hello\r\n",
            (MailProtocol::Pop, _) => "+OK POP server ready\r\n",
            (MailProtocol::Smtp, _) => "220 example.com Demo SMTP Submission Server\r\n",
        }
    }

    /// The answer to a command; whether TLS begins, or the connection is over.
    async fn answer(
        &self,
        heard: &mut Heard,
        command: &[u8],
        starttls: bool,
    ) -> Checked<(String, Next)> {
        let text = String::from_utf8_lossy(command);
        let line = text.trim_end_matches("\r\n");
        let said = |text: &str| Ok((text.to_owned(), Next::GoOn));
        let advertisement = self.advertisement.as_ref();
        match self.protocol {
            MailProtocol::Imap => {
                let Some((tag, name)) = line.split_once(' ') else {
                    return said("* BAD no command\r\n");
                };
                if let Some(command) = IdCommand::parse(command)? {
                    let answer =
                        advertisement.and_then(|it| it.answer_id(&command, self.tls_field));
                    return match answer {
                        Some(answer) => self.reported(heard, answer).await,
                        None => said(&format!("* ID NIL\r\n{tag} OK ID completed\r\n")),
                    };
                }
                match name.to_ascii_uppercase().as_str() {
                    "CAPABILITY" => {
                        let deep = advertisement.and_then(Advertisement::imap_capabilities);
                        let starttls = if starttls { " STARTTLS" } else { "" };
                        let deep = deep.unwrap_or("ID");
                        said(&format!(
                            "* CAPABILITY IMAP4rev1 {deep}{starttls}\r\n{tag} OK CAPABILITY completed\r\n"
                        ))
                    }
                    "STARTTLS" if starttls => {
                        Ok((format!("{tag} OK go ahead\r\n"), Next::StartTls))
                    }
                    "LOGOUT" => Ok((
                        format!("* BYE bye\r\n{tag} OK LOGOUT completed\r\n"),
                        Next::Close,
                    )),
                    _ => said(&format!("{tag} BAD unknown\r\n")),
                }
            }
            MailProtocol::Pop => match line {
                "CAPA" => {
                    let mut lines =
                        "+OK Capability list follows\r\nTOP\r\nSASL PLAIN SCRAM-SHA-1\r\n\
                        RESP-CODES\r\nPIPELINING\r\nUIDL\r\n"
                            .to_owned();
                    if starttls {
                        lines += "STLS\r\n";
                    }
                    if let Some(line) = advertisement.and_then(Advertisement::capa_line) {
                        lines += &format!("{line}\r\n");
                    }
                    said(&(lines + ".\r\n"))
                }
                "STLS" if starttls => Ok(("+OK go ahead\r\n".to_owned(), Next::StartTls)),
                "QUIT" => Ok(("+OK bye\r\n".to_owned(), Next::Close)),
                _ => said("-ERR unknown\r\n"),
            },
            MailProtocol::Smtp => match line.split_once(' ').map_or(line, |(verb, _)| verb) {
                "EHLO" => {
                    let mut lines =
                        "250-example.com\r\n250-8BITMIME\r\n250-PIPELINING\r\n250-DSN\r\n\
                        250-AUTH PLAIN LOGIN\r\n"
                            .to_owned();
                    if starttls {
                        lines += "250-STARTTLS\r\n";
                    }
                    if let Some(line) = advertisement.and_then(Advertisement::ehlo_line) {
                        lines += &format!("250-{line}\r\n");
                    }
                    said(&(lines + "250-BURL imap\r\n250 SIZE 0\r\n"))
                }
                "STARTTLS" if starttls => Ok(("220 go ahead\r\n".to_owned(), Next::StartTls)),
                "CLIENT" => {
                    let line = line.as_bytes();
                    let answer = advertisement
                        .and_then(|it| it.answer_client(line, self.tls_field, ReplyCodes::Basic));
                    match answer {
                        Some(answer) => self.reported(heard, answer).await,
                        None => said("500 unknown\r\n"),
                    }
                }
                "QUIT" => Ok(("221 bye\r\n".to_owned(), Next::Close)),
                _ => said("500 unknown\r\n"),
            },
        }
    }

    async fn reported(&self, heard: &mut Heard, answer: Answer) -> Checked<(String, Next)> {
        let Answer { response, report } = answer;
        if let (Ok(report), Some((sink, account, at))) = (&report, &self.sink) {
            let host = Host::try_new(HOST)?;
            let received = ReceivedReport::try_new(account, &host, self.protocol, *at, report)?;
            sink.record(&received).await?;
        }
        heard.reports.push(report);
        Ok((response, Next::GoOn))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    GoOn,
    StartTls,
    Close,
}

/// A connection of which commands are read.
struct Wire<S> {
    stream: S,
    reader: CommandReader,
    lines: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    fn new(stream: S) -> Self {
        Self {
            stream,
            reader: CommandReader::new(),
            lines: Vec::new(),
        }
    }

    /// Returns `true` if the client sent more than was read.
    fn has_more(&self) -> bool {
        self.reader.waiting() > 0 || !self.lines.is_empty()
    }

    async fn say(&mut self, heard: &mut Heard, text: &str) -> Checked<()> {
        note(heard, "S", text);
        // A client that refuses the connection has gone; the reading notices.
        if self.stream.write_all(text.as_bytes()).await.is_ok() {
            let _ = self.stream.flush().await;
        }
        Ok(())
    }

    /// A command; nothing when the client has gone.
    async fn command(&mut self, heard: &mut Heard, imap: bool) -> Checked<Option<Vec<u8>>> {
        loop {
            let command = match imap {
                true => match self.reader.next_command()? {
                    Received::Command(command) | Received::Line(command) => Some(command.to_vec()),
                    Received::Continue => {
                        self.say(heard, "+ ready\r\n").await?;
                        None
                    }
                    Received::Incomplete => None,
                },
                false => {
                    let end = self.lines.windows(2).position(|two| two == b"\r\n");
                    end.map(|end| self.lines.drain(..end + 2).collect())
                }
            };
            if command.is_some() {
                return Ok(command);
            }
            let mut octets = [0; 1024];
            // A client that refuses does not end each protocol with its own command.
            let length = self.stream.read(&mut octets).await.unwrap_or(0);
            if length == 0 {
                return Ok(None);
            }
            match imap {
                true => self.reader.receive(&octets[..length]),
                false => self.lines.extend_from_slice(&octets[..length]),
            }
        }
    }

    /// Answers commands until the client goes, or TLS begins.
    async fn dialogue(
        &mut self,
        server: &Server,
        heard: &mut Heard,
        greets: bool,
        starttls: bool,
    ) -> Checked<bool> {
        if greets {
            self.say(heard, server.greeting(starttls)).await?;
        }
        let imap = server.protocol == MailProtocol::Imap;
        while let Some(command) = self.command(heard, imap).await? {
            note(heard, "C", &String::from_utf8_lossy(&command));
            let (answer, next) = server.answer(heard, &command, starttls).await?;
            self.say(heard, &answer).await?;
            match next {
                Next::GoOn => {}
                Next::StartTls => return Ok(true),
                Next::Close => break,
            }
        }
        // Section 4.4: TLS is closed before the connection ends.
        let _ = self.stream.shutdown().await;
        Ok(false)
    }
}

fn note(heard: &mut Heard, who: &str, text: &str) {
    let lines = text.strip_suffix("\r\n").unwrap_or(text).split("\r\n");
    heard
        .lines
        .extend(lines.map(|line| format!("{who}: {line}")));
}
