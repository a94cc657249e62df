//! A client that says what a scenario tells it, from an address of its own.

use std::{net::Ipv4Addr, pin::Pin, sync::Arc, time::Duration};

use conformance::{
    outcome::{Checked, Failure},
    process::at,
};
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpSocket,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use crate::live::site::{HOST, Site};

/// The address of the client, which is not that of the gateway.
pub(in crate::live) const CLIENT: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// The time for a reply.
const PATIENCE: Duration = Duration::from_secs(60);

trait Stream: AsyncRead + AsyncWrite + Send {}
impl<S: AsyncRead + AsyncWrite + Send> Stream for S {}

/// A connection to a gateway or to a backend.
pub(in crate::live) struct Client {
    stream: Pin<Box<dyn Stream>>,
    read: Vec<u8>,
}

impl Client {
    /// Connects to a gateway, over TLS.
    pub(in crate::live) async fn connect(site: &Site, port: u16) -> Checked<Self> {
        let config = ClientConfig::builder_with_provider(site.provider())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(site.roots()?)
            .with_no_client_auth();
        let name = ServerName::try_from(HOST)?;
        let stream = Self::tcp(port).await?;
        let stream = TlsConnector::from(Arc::new(config)).connect(name, stream);
        Ok(Self {
            stream: Box::pin(stream.await?),
            read: Vec::new(),
        })
    }

    /// Connects to a backend, in clear text.
    pub(in crate::live) async fn clear(port: u16) -> Checked<Self> {
        Ok(Self {
            stream: Box::pin(Self::tcp(port).await?),
            read: Vec::new(),
        })
    }

    async fn tcp(port: u16) -> Checked<tokio::net::TcpStream> {
        let socket = TcpSocket::new_v4()?;
        socket.bind((CLIENT, 0).into())?;
        Ok(socket.connect(at(port)).await?)
    }

    /// Returns the next line.
    pub(in crate::live) async fn line(&mut self) -> Checked<String> {
        let octets = self.octets("", |octets| octets.ends_with(b"\r\n")).await?;
        Ok(String::from_utf8_lossy(&octets).into_owned())
    }

    /// Sends a text.
    pub(in crate::live) async fn send(&mut self, text: &str) -> Checked<()> {
        self.stream.write_all(text.as_bytes()).await?;
        Ok(self.stream.flush().await?)
    }

    /// Sends a text, and returns the replies up to the line with this beginning.
    pub(in crate::live) async fn ask(
        &mut self,
        text: impl AsRef<[u8]>,
        end: &str,
    ) -> Checked<String> {
        let ends = |octets: &[u8]| {
            let text = String::from_utf8_lossy(octets);
            text.ends_with("\r\n")
                && text
                    .split_inclusive("\r\n")
                    .any(|line| line.starts_with(end))
        };
        let octets = self.octets(text, ends).await;
        let octets =
            octets.map_err(|error| Failure::new(format!("{end:?} expected: {error:?}")))?;
        Ok(String::from_utf8_lossy(&octets).into_owned())
    }

    /// Returns all octets up to the end, which must be one with the close alert of TLS.
    pub(in crate::live) async fn rest(&mut self) -> Checked<String> {
        let mut octets = std::mem::take(&mut self.read);
        timeout(PATIENCE, self.stream.read_to_end(&mut octets)).await??;
        Ok(String::from_utf8_lossy(&octets).into_owned())
    }

    /// Returns `true` if nothing arrives for this time.
    pub(in crate::live) async fn is_silent(&mut self, time: Duration) -> Checked<bool> {
        match timeout(time, self.stream.read_buf(&mut self.read)).await {
            Ok(read) => {
                read?;
                Ok(false)
            }
            Err(_) => Ok(self.read.is_empty()),
        }
    }

    /// Sends a text while it reads, and returns the octets once they are all there.
    pub(in crate::live) async fn octets(
        &mut self,
        text: impl AsRef<[u8]>,
        is_all: impl Fn(&[u8]) -> bool,
    ) -> Checked<Vec<u8>> {
        let (mut reader, mut writer) = tokio::io::split(&mut self.stream);
        let read = &mut self.read;
        let write = async {
            writer.write_all(text.as_ref()).await?;
            writer.flush().await
        };
        let receive = async {
            let mut checked = 0;
            loop {
                // Large replies are not examined after each segment.
                if read.len() > checked + checked / 16 || read.ends_with(b"\r\n") {
                    checked = read.len();
                    if is_all(read) {
                        return Ok(());
                    }
                }
                if reader.read_buf(read).await? == 0 {
                    return Err(std::io::ErrorKind::UnexpectedEof.into());
                }
            }
        };
        let done = timeout(PATIENCE, async { tokio::try_join!(write, receive) }).await;
        let done = done.map_err(|_| std::io::Error::from(std::io::ErrorKind::TimedOut));
        if let Err(error) = done.and_then(|done| done) {
            let read = String::from_utf8_lossy(self.read.get(..500).unwrap_or(&self.read));
            return Err(Failure::new(format!("{error} after {read:?}")));
        }
        Ok(std::mem::take(&mut self.read))
    }
}
