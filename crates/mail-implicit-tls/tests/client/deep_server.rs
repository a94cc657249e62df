//! A server that advertises DEEP, what its clients say, and accounts that connect to it.

use std::{
    net::Ipv4Addr,
    sync::{Arc, Mutex},
};

use mail_implicit_tls::{
    account::{Account, AccountSetup, Host, LowPrivacy, Server},
    service::{Protocol, Service},
};
use rustls::ServerConfig;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

use crate::site::{self, HOST};

pub(crate) const STATUS: &str = "tls12 tls-cert <https://status.example.org/>";

/// Answers a line of a client as a server that advertises this status.
pub(crate) fn answer(protocol: Protocol, line: &str, status: &str) -> String {
    let tag = line.split(' ').next().unwrap();
    if line == "PING" {
        return "PONG\r\n".to_owned();
    }
    match protocol {
        Protocol::Imap if line.contains(" ID ") => {
            format!("* ID (\"deep\" \"{status}\")\r\n{tag} OK done\r\n")
        }
        Protocol::Imap => format!("* CAPABILITY IMAP4rev1 DEEP ID\r\n{tag} OK done\r\n"),
        Protocol::Pop if line == "CAPA" => {
            format!("+OK\r\nSASL PLAIN\r\nDEEP {status}\r\n.\r\n")
        }
        Protocol::Pop => "+OK\r\n".to_owned(),
        Protocol::Submission if line.starts_with("EHLO") => {
            format!("250-hi\r\n250-DEEP {status}\r\n250 AUTH PLAIN\r\n")
        }
        Protocol::Submission => "250 2.0.0 OK\r\n".to_owned(),
    }
}

/// A server with implicit TLS, and what its clients said.
pub(crate) struct Serving {
    pub(crate) port: u16,
    pub(crate) heard: Arc<Mutex<Vec<String>>>,
}

pub(crate) async fn serve(protocol: Protocol, config: Arc<ServerConfig>) -> Serving {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let lines = heard.clone();
    tokio::spawn(async move {
        loop {
            let (tcp, _) = listener.accept().await.unwrap();
            let Ok(stream) = TlsAcceptor::from(config.clone()).accept(tcp).await else {
                continue;
            };
            let mut stream = BufReader::new(stream);
            let greeting = match protocol {
                Protocol::Imap => "* OK [CAPABILITY IMAP4rev1 DEEP ID AUTH=PLAIN] hi\r\n",
                Protocol::Pop => "+OK hi\r\n",
                Protocol::Submission => "220 hi\r\n",
            };
            let mut reply = greeting.to_owned();
            loop {
                let sent = stream.write_all(reply.as_bytes()).await;
                let mut line = String::new();
                if sent.is_err() || stream.flush().await.is_err() {
                    break;
                }
                if !matches!(stream.read_line(&mut line).await, Ok(1..)) {
                    break;
                }
                lines.lock().unwrap().push(line.trim_end().to_owned());
                reply = answer(protocol, line.trim_end(), STATUS);
            }
        }
    });
    Serving { port, heard }
}

pub(crate) fn server(service: Service, port: u16) -> Server {
    Server::new(service, Host::parse(HOST).unwrap())
        .with_port(port)
        .with_address(Ipv4Addr::LOCALHOST.into())
}

pub(crate) fn account(server: &Server, low: Option<LowPrivacy>) -> Account {
    let setup = AccountSetup::new(site::id("alice")).server(server.clone());
    match low {
        Some(low) => setup.low(low),
        None => setup,
    }
    .build()
    .unwrap()
}
