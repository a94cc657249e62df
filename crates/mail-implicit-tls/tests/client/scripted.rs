//! A server that follows a script.

use std::{io, net::Ipv4Addr, sync::Arc, time::Duration};

use rustls::ServerConfig;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

/// The end that a server makes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Reads until the client ends, and returns the lines of the client and the end of TLS.
    Client,
    /// Ends TCP without a close alert.
    Truncated,
    /// Sends no more octets.
    Silent,
}

pub(crate) type Served = JoinHandle<(Vec<String>, io::Result<usize>)>;

/// Serves one connection: sends the greeting, then for each line of the client the next text in its parts.
pub(crate) async fn serve(
    config: Arc<ServerConfig>,
    greeting: &'static str,
    script: &'static [(&'static str, &'static [&'static str])],
    end: End,
) -> (u16, Served) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.unwrap();
        tcp.set_nodelay(true).unwrap();
        let stream = TlsAcceptor::from(config).accept(tcp).await.unwrap();
        let mut stream = BufReader::new(stream);
        send(&mut stream, greeting).await;
        let mut lines = Vec::new();
        for (expected, parts) in script {
            let mut line = String::new();
            stream.read_line(&mut line).await.unwrap();
            let line = line.trim_end().to_owned();
            let (tag, command) = line.split_once(' ').unwrap_or(("", &line));
            assert!(
                line.starts_with(expected) || command.starts_with(expected),
                "{expected} expected but {line} found"
            );
            for part in *parts {
                send(&mut stream, &part.replace("TAG", tag)).await;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            lines.push(line);
        }
        match end {
            End::Client => {
                let rest = stream.read_to_end(&mut Vec::new()).await;
                (lines, rest)
            }
            End::Truncated => {
                let (mut tcp, _) = stream.into_inner().into_inner();
                tcp.shutdown().await.unwrap();
                (lines, Ok(0))
            }
            End::Silent => {
                tokio::time::sleep(Duration::from_secs(60)).await;
                (lines, Ok(0))
            }
        }
    });
    (port, serving)
}

pub(crate) async fn send(stream: &mut BufReader<TlsStream<TcpStream>>, text: &str) {
    stream.write_all(text.as_bytes()).await.unwrap();
    stream.flush().await.unwrap();
}
