//! The record of a ClientHello and its parts.

use std::time::Duration;

use mail_implicit_tls::{client::Connector, service::Service};
use tokio::net::TcpStream;

use crate::serving::{cause, high, listener, server};

/// Reads the record of the ClientHello and leaves it in the stream.
pub(crate) async fn client_hello(tcp: &TcpStream) -> Vec<u8> {
    let mut record = vec![0; 16_384];
    loop {
        let count = tcp.peek(&mut record).await.unwrap();
        let length = usize::from(u16::from_be_bytes([record[3], record[4]])) + 5;
        if count >= length && length > 5 {
            record.truncate(length);
            return record;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Splits octets that follow their length, in a number of this size.
pub(crate) fn split_vector(octets: &[u8], size: usize) -> (&[u8], &[u8]) {
    let length = octets[..size]
        .iter()
        .fold(0, |length, octet| length * 256 + usize::from(*octet));
    octets[size..].split_at(length)
}

/// The cipher suites and the extensions of a ClientHello.
pub(crate) fn offers(record: &[u8]) -> (Vec<u16>, Vec<(u16, Vec<u8>)>) {
    const HEADERS: usize = 5 + 4 + 2 + 32;
    let (_session, rest) = split_vector(&record[HEADERS..], 1);
    let (suites, rest) = split_vector(rest, 2);
    let (_compression, rest) = split_vector(rest, 1);
    let (mut rest, _) = split_vector(rest, 2);
    let number = |octets: &[u8]| u16::from_be_bytes([octets[0], octets[1]]);
    let mut extensions = Vec::new();
    while !rest.is_empty() {
        let (content, next) = split_vector(&rest[2..], 2);
        extensions.push((number(rest), content.to_vec()));
        rest = next;
    }
    (suites.chunks(2).map(number).collect(), extensions)
}

pub(crate) fn extension(record: &[u8], number: u16) -> Option<Vec<u8>> {
    let (_, extensions) = offers(record);
    let mut extensions = extensions.into_iter();
    extensions
        .find(|(it, _)| *it == number)
        .map(|(_, content)| content)
}

/// Returns the ClientHello of a connection that the server then closes.
pub(crate) async fn hello_of(connector: &Connector, service: Service) -> Vec<u8> {
    let (listener, port) = listener().await;
    let serving = tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.unwrap();
        client_hello(&tcp).await
    });
    let server = server(service, port);
    cause(connector, &high(&server), &server).await;
    serving.await.unwrap()
}
