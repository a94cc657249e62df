//! Reads into buffers that have octets already.

use std::{future::poll_fn, io, pin::Pin};

use mail_implicit_tls::{
    account::LowPrivacy,
    client::{Closed, Stream},
    service::Service,
};
use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};

use crate::{
    serving::{GREETING, high, listener, low, serve_tls, server},
    site::Site,
};

/// Reads once, after the octets of the buffer.
async fn read(stream: &mut Stream, buffer: &mut ReadBuf<'_>) -> io::Result<()> {
    poll_fn(|context| Pin::new(&mut *stream).poll_read(context, buffer)).await
}

#[tokio::test]
async fn reads_what_came_ahead_then_tls_then_its_end() {
    let site = Site::new();
    let (listener, port) = listener().await;
    let serving = tokio::spawn(serve_tls(listener, site.server_config(), GREETING));
    let server = server(Service::IMAPS, port);
    let connected = site.connector().connect(&high(&server), &server).await;
    let mut stream = connected.unwrap().into_stream_with_greeting();
    let mut far = serving.await.unwrap();
    let mut space = [0; 200];
    let mut buffer = ReadBuf::new(&mut space);
    buffer.put_slice(b"earlier ");
    read(&mut stream, &mut buffer).await.unwrap();
    let begin = [b"earlier ", GREETING].concat();
    assert_eq!(buffer.filled(), begin);
    far.write_all(b"a OK\r\n").await.unwrap();
    far.flush().await.unwrap();
    read(&mut stream, &mut buffer).await.unwrap();
    let all = [begin, b"a OK\r\n".to_vec()].concat();
    assert_eq!(buffer.filled(), all);
    assert_eq!(stream.closed(), None);
    far.shutdown().await.unwrap();
    read(&mut stream, &mut buffer).await.unwrap();
    assert_eq!(buffer.filled(), all);
    assert_eq!(stream.closed(), Some(Closed::Clean));
}

#[tokio::test]
async fn reads_the_end_of_clear_text() {
    let site = Site::new();
    let (listener, port) = listener().await;
    let serving = tokio::spawn(async move {
        let (mut tcp, _) = listener.accept().await.unwrap();
        tcp.write_all(GREETING).await.unwrap();
        tcp
    });
    let server = server(Service::IMAP_CLEAR, port);
    let permitted = LowPrivacy {
        ignore_certificate: false,
        clear_text_fallback: true,
    };
    let account = low(&server, permitted);
    let connected = site.connector().connect(&account, &server).await;
    let mut stream = connected.unwrap().into_stream();
    let mut far = serving.await.unwrap();
    let mut space = [0; 200];
    let mut buffer = ReadBuf::new(&mut space);
    buffer.put_slice(b"earlier ");
    far.write_all(b"* 1 EXISTS\r\n").await.unwrap();
    read(&mut stream, &mut buffer).await.unwrap();
    assert_eq!(buffer.filled(), b"earlier * 1 EXISTS\r\n");
    assert_eq!(stream.closed(), None);
    far.shutdown().await.unwrap();
    read(&mut stream, &mut buffer).await.unwrap();
    assert_eq!(buffer.filled(), b"earlier * 1 EXISTS\r\n");
    assert_eq!(stream.closed(), Some(Closed::Truncated));
}
