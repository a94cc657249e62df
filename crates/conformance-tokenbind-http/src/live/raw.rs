//! A client's connection whose requests are written by hand, so that they can be wrong; HTTP/1.1 or
//! HTTP/2 as negotiated.

use std::{sync::Arc, time::Duration};

use conformance::outcome::{Checked, Failure};
use rustls::{HandshakeKind, ProtocolVersion};
use tokenbind_http::client;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::client::TlsStream;

/// The longest time that a server may take to answer, or to end a terminated connection.
const PATIENCE: Duration = Duration::from_secs(5);

/// Frame types of HTTP/2 (RFC 9113 section 6).
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const ACK: u8 = 1;

/// A connection.
pub(super) struct Raw {
    stream: TlsStream<TcpStream>,
    binding: Arc<client::Connection>,
    http2: bool,
    /// HTTP/2: the next stream; 1 before anything was sent.
    next_stream: u32,
    /// The octets that were read and not yet consumed.
    received: Vec<u8>,
}

/// A request's header field beyond those that each request has.
pub(super) type Field<'a> = (&'a str, &'a [u8]);

/// A frame of HTTP/2.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: Vec<u8>,
}

/// The head of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) body: String,
}

impl Raw {
    pub(super) fn new(connected: client::Stream<TcpStream>) -> Self {
        Self {
            http2: connected.is_http2(),
            stream: connected.stream,
            binding: connected.connection,
            next_stream: 1,
            received: Vec::new(),
        }
    }

    pub(super) fn handshake(&self) -> Option<HandshakeKind> {
        self.stream.get_ref().1.handshake_kind()
    }

    pub(super) fn alpn(&self) -> Option<String> {
        let chosen = self.stream.get_ref().1.alpn_protocol()?;
        Some(String::from_utf8_lossy(chosen).into_owned())
    }

    pub(super) fn version(&self) -> Option<ProtocolVersion> {
        self.stream.get_ref().1.protocol_version()
    }

    pub(super) const fn binding(&self) -> &Arc<client::Connection> {
        &self.binding
    }

    /// The header that the client's own state writes for this connection.
    pub(super) fn header(&self, state: &client::State) -> Checked<Vec<u8>> {
        let header = self.binding.header(state, None)?.value;
        let header = header.ok_or_else(|| Failure::new("Token Binding was not negotiated"))?;
        Ok(header.as_bytes().to_vec())
    }

    /// Sends a GET request.
    pub(super) async fn get(&mut self, path: &str, fields: &[Field<'_>]) -> Checked<()> {
        let octets = self.request(path, fields);
        self.write(&octets).await
    }

    /// The octets of the next GET request, with what must go before it.
    pub(super) fn request(&mut self, path: &str, fields: &[Field<'_>]) -> Vec<u8> {
        if self.http2 {
            let mut octets = Vec::new();
            if self.next_stream == 1 {
                octets.extend_from_slice(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
                frame(&mut octets, SETTINGS, 0, 0, &[]);
            }
            let stream = self.next_stream;
            self.next_stream += 2;
            let block = header_block(path, fields);
            frame(
                &mut octets,
                HEADERS,
                END_STREAM | END_HEADERS,
                stream,
                &block,
            );
            octets
        } else {
            let mut octets = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n").into_bytes();
            for (name, value) in fields {
                octets.extend_from_slice(name.as_bytes());
                octets.extend_from_slice(b": ");
                octets.extend_from_slice(value);
                octets.extend_from_slice(b"\r\n");
            }
            octets.extend_from_slice(b"\r\n");
            octets
        }
    }

    /// A GET request as it is in the protocol that was not negotiated.
    pub(super) fn request_of_the_other_protocol(
        &mut self,
        path: &str,
        fields: &[Field<'_>],
    ) -> Vec<u8> {
        self.http2 = !self.http2;
        let octets = self.request(path, fields);
        self.http2 = !self.http2;
        octets
    }

    /// A POST request whose body ends with this field in a trailer.
    pub(super) fn request_with_trailer(
        &mut self,
        path: &str,
        fields: &[Field<'_>],
        name: &str,
        value: &[u8],
    ) -> Vec<u8> {
        let mut octets = self.request(path, fields);
        if self.http2 {
            // The head is the last frame so far: it does not end the stream.
            let stream = self.next_stream - 2;
            let block = header_block(path, fields);
            octets.truncate(octets.len() - block.len() - 9);
            frame(&mut octets, HEADERS, END_HEADERS, stream, &block);
            frame(&mut octets, DATA, 0, stream, b"body");
            let mut trailer = vec![0];
            string(&mut trailer, name.to_ascii_lowercase().as_bytes());
            string(&mut trailer, value);
            frame(
                &mut octets,
                HEADERS,
                END_STREAM | END_HEADERS,
                stream,
                &trailer,
            );
        } else {
            octets.truncate(octets.len() - 2);
            octets.extend_from_slice(b"Transfer-Encoding: chunked\r\nTrailer: ");
            octets.extend_from_slice(name.as_bytes());
            octets.extend_from_slice(b"\r\n\r\n4\r\nbody\r\n0\r\n");
            octets.extend_from_slice(name.as_bytes());
            octets.extend_from_slice(b": ");
            octets.extend_from_slice(value);
            octets.extend_from_slice(b"\r\n\r\n");
        }
        octets
    }

    /// Writes the octets unchanged.
    pub(super) async fn write(&mut self, octets: &[u8]) -> Checked<()> {
        self.stream.write_all(octets).await?;
        Ok(self.stream.flush().await?)
    }

    /// The response to the latest request.
    pub(super) async fn response(&mut self) -> Checked<Response> {
        if self.http2 {
            return self.response_of_http2().await;
        }
        let (status, length, start) = loop {
            if let Some(head) = http1_head(&self.received) {
                break head;
            }
            self.read().await?;
        };
        while self.received.len() < start + length {
            self.read().await?;
        }
        let rest = self.received.split_off(start + length);
        let body = String::from_utf8_lossy(&self.received[start..]).into_owned();
        self.received = rest;
        Ok(Response { status, body })
    }

    async fn response_of_http2(&mut self) -> Checked<Response> {
        let stream = self.next_stream - 2;
        let (mut status, mut body) = (0, Vec::new());
        loop {
            let frame = self.frame().await?;
            if frame.stream != stream {
                continue;
            }
            match frame.kind {
                HEADERS => status = status_of(&frame.payload)?,
                DATA => body.extend_from_slice(&frame.payload),
                kind => return Err(Failure::new(format!("a frame of type {kind}"))),
            }
            if frame.flags & END_STREAM != 0 {
                let body = String::from_utf8_lossy(&body).into_owned();
                return Ok(Response { status, body });
            }
        }
    }

    /// The next frame; SETTINGS are acknowledged.
    async fn frame(&mut self) -> Checked<Frame> {
        loop {
            if let Some((next, length)) = parse_frame(&self.received) {
                self.received.drain(..length);
                if next.kind == SETTINGS && next.flags & ACK == 0 {
                    let mut octets = Vec::new();
                    frame(&mut octets, SETTINGS, ACK, 0, &[]);
                    self.write(&octets).await?;
                }
                return Ok(next);
            }
            self.read().await?;
        }
    }

    async fn read(&mut self) -> Checked<()> {
        let read = self.stream.read_buf(&mut self.received);
        match timeout(PATIENCE, read).await {
            Ok(Ok(0)) => Err(Failure::new("the connection ended before the response")),
            Ok(result) => {
                result?;
                Ok(())
            }
            Err(_) => Err(Failure::new("no response")),
        }
    }

    /// Waits for the connection's end, whatever is said before.
    pub(super) async fn ended(mut self) -> Checked<()> {
        self.end().await
    }

    async fn end(&mut self) -> Checked<()> {
        let end =
            async { while matches!(self.stream.read_buf(&mut self.received).await, Ok(1..)) {} };
        let ended = timeout(PATIENCE, end).await;
        ended.map_err(|_| Failure::new("the connection is still open"))
    }

    /// Waits for the connection's end, which must come at once and without a word of HTTP: no
    /// octet in HTTP/1.1, in HTTP/2 nothing but what the connection itself is managed with.
    pub(super) async fn terminated(self) -> Checked<()> {
        self.ends_with(&[SETTINGS, PING, WINDOW_UPDATE]).await
    }

    /// Checks that no request is answered, but lets HTTP/2 state why it closes the connection.
    pub(super) async fn unanswered(self) -> Checked<()> {
        self.ends_with(&[SETTINGS, PING, GOAWAY, WINDOW_UPDATE])
            .await
    }

    async fn ends_with(mut self, of_connection: &[u8]) -> Checked<()> {
        let end =
            async { while matches!(self.stream.read_buf(&mut self.received).await, Ok(1..)) {} };
        if timeout(PATIENCE, end).await.is_err() {
            return Err(Failure::new("the connection is still open"));
        }
        if !self.http2 {
            return match self.received.as_slice() {
                [] => Ok(()),
                said => Err(Failure::new(format!(
                    "the server said {}",
                    said.escape_ascii()
                ))),
            };
        }
        let mut rest = self.received.as_slice();
        while let Some((frame, length)) = parse_frame(rest) {
            if !of_connection.contains(&frame.kind) || frame.stream != 0 {
                return Err(Failure::new(format!("the server sent {frame:?}")));
            }
            rest = &rest[length..];
        }
        Ok(())
    }
}

/// Status, length of the body, where the body begins.
fn http1_head(received: &[u8]) -> Option<(u16, usize, usize)> {
    let end = received.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&received[..end]).to_ascii_lowercase();
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .map_or(Some(0), |length| length.parse().ok())?;
    Some((status, length, end + 4))
}

/// `:status`, if it is one of those in the static table (RFC 7541 appendix A).
fn status_of(block: &[u8]) -> Checked<u16> {
    match block {
        [0x88, ..] => Ok(200),
        [0x89, ..] => Ok(204),
        [0x8c, ..] => Ok(400),
        [0x8d, ..] => Ok(404),
        [0x8e, ..] => Ok(500),
        _ => Err(Failure::new(format!("a header block {block:02x?}"))),
    }
}

/// A header block of literals without Huffman code or indexing (RFC 7541 section 6.2.2).
fn header_block(path: &str, fields: &[Field<'_>]) -> Vec<u8> {
    // :method GET, :scheme https, both indexed.
    let mut block = vec![0x82, 0x87];
    let required: [Field<'_>; 2] = [(":path", path.as_bytes()), (":authority", b"localhost")];
    for (name, value) in required.iter().chain(fields) {
        block.push(0);
        string(&mut block, name.as_bytes());
        string(&mut block, value);
    }
    block
}

/// A string literal; its length is an integer with a prefix of 7 bits (RFC 7541 sections 5.1, 5.2).
fn string(block: &mut Vec<u8>, octets: &[u8]) {
    match u8::try_from(octets.len()) {
        Ok(length @ ..127) => block.push(length),
        _ => {
            block.push(127);
            let mut rest = octets.len() - 127;
            while rest >= 128 {
                block.push(0x80 | u8::try_from(rest % 128).unwrap_or_default());
                rest /= 128;
            }
            block.push(u8::try_from(rest).unwrap_or_default());
        }
    }
    block.extend_from_slice(octets);
}

fn frame(octets: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    octets.extend_from_slice(&length.to_be_bytes()[1..]);
    octets.extend_from_slice(&[kind, flags]);
    octets.extend_from_slice(&stream.to_be_bytes());
    octets.extend_from_slice(payload);
}

fn parse_frame(octets: &[u8]) -> Option<(Frame, usize)> {
    let (head, rest) = octets.split_at_checked(9)?;
    let &[a, b, c, kind, flags, ref stream @ ..] = head else {
        return None;
    };
    let length = usize::try_from(u32::from_be_bytes([0, a, b, c])).ok()?;
    let frame = Frame {
        kind,
        flags,
        stream: u32::from_be_bytes(stream.try_into().ok()?),
        payload: rest.get(..length)?.to_vec(),
    };
    Some((frame, 9 + length))
}
