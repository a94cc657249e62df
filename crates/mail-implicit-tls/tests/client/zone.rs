//! A server that notes the names of SNI.

use std::{
    net::Ipv4Addr,
    sync::{Arc, Mutex},
};

use rustls::ServerConfig;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

/// Greets on each connection, and gives the names in SNI.
pub(crate) async fn serve(config: Arc<ServerConfig>) -> (u16, Arc<Mutex<Vec<Option<String>>>>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let names = Arc::new(Mutex::new(Vec::new()));
    let seen = names.clone();
    tokio::spawn(async move {
        let acceptor = TlsAcceptor::from(config);
        while let Ok((tcp, _)) = listener.accept().await {
            // A client that refuses the certificate ends the handshake.
            let Ok(mut stream) = acceptor.accept(tcp).await else {
                continue;
            };
            let name = stream.get_ref().1.server_name().map(str::to_owned);
            seen.lock().unwrap().push(name);
            tokio::spawn(async move {
                let greeting = b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hello\r\n";
                let _ = stream.write_all(greeting).await;
                let _ = stream.flush().await;
                let _ = stream.read(&mut [0; 64]).await;
            });
        }
    });
    (port, names)
}

/// Accepts a connection, and returns it once the client's first octets are there.
pub(crate) async fn accept(listener: &TcpListener) -> TcpStream {
    let (tcp, _) = listener.accept().await.unwrap();
    assert_eq!(tcp.peek(&mut [0; 1]).await.unwrap(), 1);
    tcp
}

/// Makes the handshake, and greets if the client accepts the certificate.
pub(crate) async fn greet(acceptor: &TlsAcceptor, tcp: TcpStream) -> Option<TlsStream<TcpStream>> {
    let mut stream = acceptor.accept(tcp).await.ok()?;
    let greeting = b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hello\r\n";
    // A client that refuses the certificate is gone.
    let _ = stream.write_all(greeting).await;
    let _ = stream.flush().await;
    Some(stream)
}
