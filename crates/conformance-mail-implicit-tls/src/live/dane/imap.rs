//! An IMAP server that greets with a certificate for each name.

use std::{net::Ipv4Addr, sync::Arc};

use conformance::outcome::Checked;
use rustls::ServerConfig;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;

use super::certificates::Chains;

/// A listener of an IMAP server, whose port the TLSA records need before it serves.
pub(super) struct Imap {
    pub(super) listener: TcpListener,
    pub(super) port: u16,
}

impl Imap {
    pub(super) async fn listen() -> Checked<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        Ok(Self { listener, port })
    }

    /// Greets on each connection until the client closes it.
    pub(super) fn serve(self, chains: Chains) -> Checked<JoinHandle<()>> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(chains));
        config.send_tls13_tickets = 0;
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Ok(tokio::spawn(async move {
            while let Ok((tcp, _)) = self.listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    // A client that refuses the certificate ends the handshake.
                    let Ok(mut stream) = acceptor.accept(tcp).await else {
                        return;
                    };
                    let greeting = b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] ready\r\n";
                    if stream.write_all(greeting).await.is_ok() && stream.flush().await.is_ok() {
                        let _ = stream.read(&mut [0; 64]).await;
                    }
                });
            }
        }))
    }
}
