//! A session over a stream in memory.

use std::{net::SocketAddr, sync::Arc};

use mail_implicit_tls::server::{Acceptor, Session};
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio_rustls::TlsConnector;

use crate::site::{HOST, Site};

/// Makes a session over a stream in memory. Returns it with the client's side.
pub(crate) async fn session(
    acceptor: &Acceptor,
    site: &Site,
    upgrade: &[u8],
) -> (
    Session<DuplexStream>,
    tokio_rustls::client::TlsStream<DuplexStream>,
) {
    let (near, mut far) = tokio::io::duplex(65_536);
    let peer = SocketAddr::from(([192, 0, 2, 1], 40_000));
    let config = ClientConfig::builder_with_provider(site.provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(site.roots())
        .with_no_client_auth();
    let connect = async {
        if !upgrade.is_empty() {
            far.write_all(upgrade).await.unwrap();
            // The greeting and the reply to the upgrade, of one line each.
            let mut lines = 0;
            while lines < 2 {
                lines += usize::from(far.read_u8().await.unwrap() == b'\n');
            }
        }
        let name = ServerName::try_from(HOST).unwrap();
        TlsConnector::from(Arc::new(config))
            .connect(name, far)
            .await
            .unwrap()
    };
    let (session, client) = tokio::join!(acceptor.accept(near, peer), connect);
    (session.unwrap(), client)
}
