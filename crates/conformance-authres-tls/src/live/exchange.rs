//! One message by SMTP (RFC 5321) with STARTTLS (RFC 3207) on loopback: a client, and a server that
//! removes forged fields and writes its own.

use std::sync::Arc;

use authres_tls::{
    AuthenticationResultsBuf, AuthservId, Policy, ResInfoBuf, Session, StripPolicy, WriteOptions,
    facts::rustls::DeferredClientVerifier,
};
use conformance::outcome::{Checked, Failure};
use rustls::{
    CipherSuite, ClientConfig, ServerConfig, SupportedProtocolVersion,
    crypto::ring,
    pki_types::{ServerName, UnixTime},
    server::WebPkiClientVerifier,
    version,
};
use tokio::{
    io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::certificates::{HOST, Kind, SERVER, World};

#[derive(Clone, Copy)]
pub(super) enum Version {
    Tls12,
    Tls13,
}

/// The lists that rustls takes.
static ONLY_TLS12: [&SupportedProtocolVersion; 1] = [&version::TLS12];
static ONLY_TLS13: [&SupportedProtocolVersion; 1] = [&version::TLS13];

impl Version {
    fn only(self) -> &'static [&'static SupportedProtocolVersion] {
        match self {
            Self::Tls12 => &ONLY_TLS12,
            Self::Tls13 => &ONLY_TLS13,
        }
    }
}

/// A message that was sent.
#[derive(Clone)]
pub(super) struct Sent {
    /// As the server delivers it.
    pub(super) arrived: String,
    /// The protocol version, cipher suite and bits of its key that the client saw, in the draft's terms.
    pub(super) tls: Option<(String, String, u16)>,
}

/// Sends a message as a client of this kind.
pub(super) async fn send(
    world: &World,
    kind: &Kind,
    version: Version,
    message: &str,
) -> Checked<Sent> {
    let provider = Arc::new(ring::default_provider());
    let inner = match kind.requested {
        true => WebPkiClientVerifier::builder_with_provider(world.roots.clone(), provider.clone())
            .build()?,
        false => WebPkiClientVerifier::no_client_auth(),
    };
    let verifier = Arc::new(DeferredClientVerifier::new(inner, &provider));
    let server = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(version.only())?
        .with_client_cert_verifier(verifier.clone())
        .with_single_cert(vec![world.server.certificate()], world.server.private_key())?;
    let client = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(version.only())?
        .with_root_certificates(world.roots.clone());
    let client = match kind.identity(world) {
        Some(identity) => {
            client.with_client_auth_cert(vec![identity.certificate()], identity.private_key())?
        }
        None => client.with_no_client_auth(),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = async {
        let (stream, _) = listener.accept().await?;
        serve(
            stream,
            Some((TlsAcceptor::from(Arc::new(server)), verifier)),
        )
        .await
    };
    let client = async {
        let mut stream = BufReader::new(TcpStream::connect(address).await?);
        reply(&mut stream, "220").await?;
        say(&mut stream, &format!("EHLO {}\r\n", kind.host), "250").await?;
        say(&mut stream, "STARTTLS\r\n", "220").await?;
        let name = ServerName::try_from(SERVER)?;
        let connector = TlsConnector::from(Arc::new(client));
        let mut stream = BufReader::new(connector.connect(name, stream.into_inner()).await?);
        say(&mut stream, &format!("EHLO {}\r\n", kind.host), "250").await?;
        transaction(&mut stream, message).await?;
        let (_, connection) = stream.get_ref().get_ref();
        let version = connection.protocol_version();
        let version = match version.ok_or_else(|| Failure::new("no version"))? {
            rustls::ProtocolVersion::TLSv1_2 => "TLS1.2",
            rustls::ProtocolVersion::TLSv1_3 => "TLS1.3",
            other => return Err(Failure::new(format!("{other:?}"))),
        };
        let suite = connection.negotiated_cipher_suite();
        let suite = suite
            .ok_or_else(|| Failure::new("no cipher suite"))?
            .suite();
        let (name, bits) = described(suite)?;
        Ok::<_, Failure>((version.to_owned(), name, bits))
    };
    let (arrived, tls) = tokio::try_join!(server, client)?;
    Ok(Sent {
        arrived,
        tls: Some(tls),
    })
}

/// A suite of rustls's as IANA describes it, and the bits of its key.
fn described(suite: CipherSuite) -> Checked<(String, u16)> {
    let name = format!("{suite:?}").replace("TLS13_", "TLS_");
    let bits = match &name {
        name if name.contains("AES_128") => 128,
        name if name.contains("AES_256") || name.contains("CHACHA20") => 256,
        other => return Err(Failure::new(format!("{other} was negotiated"))),
    };
    Ok((name, bits))
}

/// Sends a message in clear.
pub(super) async fn send_in_clear(message: &str) -> Checked<Sent> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = async {
        let (stream, _) = listener.accept().await?;
        serve(stream, None).await
    };
    let client = async {
        let mut stream = BufReader::new(TcpStream::connect(address).await?);
        reply(&mut stream, "220").await?;
        say(&mut stream, &format!("EHLO {HOST}\r\n"), "250").await?;
        transaction(&mut stream, message).await
    };
    let (arrived, ()) = tokio::try_join!(server, client)?;
    Ok(Sent { arrived, tls: None })
}

/// One reply, of one line or many.
async fn reply<S: AsyncBufRead + Unpin>(stream: &mut S, code: &str) -> Checked<()> {
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        let Some(rest) = line.strip_prefix(code) else {
            return Err(Failure::new(format!("{line:?} instead of {code}")));
        };
        if !rest.starts_with('-') {
            return Ok(());
        }
    }
}

async fn say<S: AsyncBufRead + AsyncWrite + Unpin>(
    stream: &mut S,
    line: &str,
    code: &str,
) -> Checked<()> {
    stream.write_all(line.as_bytes()).await?;
    stream.flush().await?;
    reply(stream, code).await
}

async fn transaction<S: AsyncBufRead + AsyncWrite + Unpin>(
    stream: &mut S,
    message: &str,
) -> Checked<()> {
    say(stream, "MAIL FROM:<a@example.com>\r\n", "250").await?;
    say(stream, "RCPT TO:<b@example.net>\r\n", "250").await?;
    say(stream, "DATA\r\n", "354").await?;
    say(stream, &format!("{message}.\r\n"), "250").await?;
    say(stream, "QUIT\r\n", "221").await
}

type Tls = (TlsAcceptor, Arc<DeferredClientVerifier>);

/// Serves one connection; what was delivered.
async fn serve(stream: TcpStream, tls: Option<Tls>) -> Checked<String> {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 mx.example.net ESMTP\r\n").await?;
    let (message, session) = match dialogue(&mut stream, tls.is_some()).await? {
        Ended::Delivered { message, .. } => (message, Session::Clear),
        Ended::StartTls => {
            let (acceptor, verifier) = tls.ok_or_else(|| Failure::new("STARTTLS, not offered"))?;
            // Octets that arrive before TLS are not trusted.
            if !stream.buffer().is_empty() {
                return Err(Failure::new("octets after STARTTLS, before TLS"));
            }
            let mut stream = BufReader::new(acceptor.accept(stream.into_inner()).await?);
            let Ended::Delivered { message, ehlo } = dialogue(&mut stream, false).await? else {
                return Err(Failure::new("STARTTLS inside TLS"));
            };
            let host = ServerName::try_from(ehlo.as_str())?;
            let (_, connection) = stream.get_ref().get_ref();
            let session = verifier.session(connection, Some(&host), UnixTime::now())?;
            (message, session)
        }
    };
    deliver(&message, &session)
}

enum Ended {
    StartTls,
    Delivered { message: String, ehlo: String },
}

async fn dialogue<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut BufReader<S>,
    starttls: bool,
) -> Checked<Ended> {
    let (mut ehlo, mut message) = (String::new(), String::new());
    loop {
        stream.flush().await?;
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Err(Failure::new("the client went away"));
        }
        let answer: &[u8] = match line.trim_end() {
            "STARTTLS" if starttls => {
                stream.write_all(b"220 go ahead\r\n").await?;
                stream.flush().await?;
                return Ok(Ended::StartTls);
            }
            "DATA" => {
                stream.write_all(b"354 go ahead\r\n").await?;
                stream.flush().await?;
                loop {
                    let mut line = String::new();
                    stream.read_line(&mut line).await?;
                    match line.as_str() {
                        ".\r\n" => break,
                        "" => return Err(Failure::new("the client went away")),
                        line => message.push_str(line.strip_prefix('.').unwrap_or(line)),
                    }
                }
                b"250 delivered\r\n"
            }
            "QUIT" => {
                stream.write_all(b"221 bye\r\n").await?;
                stream.flush().await?;
                return Ok(Ended::Delivered { message, ehlo });
            }
            line => match line.strip_prefix("EHLO ") {
                Some(host) => {
                    host.clone_into(&mut ehlo);
                    match starttls {
                        true => b"250-mx.example.net\r\n250 STARTTLS\r\n",
                        false => b"250 mx.example.net\r\n",
                    }
                }
                None => b"250 ok\r\n",
            },
        };
        stream.write_all(answer).await?;
    }
}

/// The message as it is delivered: without what is forged, and with the server's own field before it.
fn deliver(message: &str, session: &Session) -> Checked<String> {
    let policy = StripPolicy::new([AuthservId::try_new(SERVER)?]);
    let message = policy.strip(message.as_bytes()).message;
    let message = String::from_utf8(message)?;
    let result = ResInfoBuf::try_from(Policy::default().evaluate(session))?;
    let field = AuthenticationResultsBuf::try_new(SERVER)?.with_result(result);
    let value = field.write(&WriteOptions::default())?;
    Ok(format!("{}: {value}\r\n{message}", field.field_name()))
}
