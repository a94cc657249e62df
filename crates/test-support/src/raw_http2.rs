//! HTTP/2 written by hand, so that it can be wrong (RFC 9113, RFC 7541).

/// The type of a frame that carries a body.
pub const DATA: u8 = 0;
/// The type of a frame that carries the head of a message, or its trailers.
pub const HEADERS: u8 = 1;
/// The type of a frame that ends a stream at once.
pub const RST_STREAM: u8 = 3;
/// The type of a frame with the settings of a connection.
pub const SETTINGS: u8 = 4;
/// The type of a frame that is to be echoed.
pub const PING: u8 = 6;
/// The type of a frame that ends a connection.
pub const GOAWAY: u8 = 7;
/// The type of a frame that permits more octets.
pub const WINDOW_UPDATE: u8 = 8;

/// The flag of the last frame of a stream.
pub const END_STREAM: u8 = 1;
/// The flag of the last frame of a head.
pub const END_HEADERS: u8 = 4;

/// Returns the octets before a client's first request.
#[must_use]
pub fn preface() -> Vec<u8> {
    let mut octets = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    octets.extend(frame(SETTINGS, 0, 0, &[]));
    octets
}

/// Returns a frame.
#[must_use]
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap();
    let mut octets = length.to_be_bytes()[1..].to_vec();
    octets.extend([kind, flags]);
    octets.extend(stream.to_be_bytes());
    octets.extend(payload);
    octets
}

/// Returns a GET request for this authority.
#[must_use]
pub fn get(stream: u32, authority: &str, fields: &[(&str, &str)]) -> Vec<u8> {
    head(stream, "GET", authority, fields, END_STREAM)
}

/// Returns the head of a request, with `flags` in addition to [`END_HEADERS`].
#[must_use]
pub fn head(
    stream: u32,
    method: &str,
    authority: &str,
    fields: &[(&str, &str)],
    flags: u8,
) -> Vec<u8> {
    let mut all = vec![
        (":method", method),
        (":scheme", "https"),
        (":path", "/"),
        (":authority", authority),
    ];
    all.extend(fields);
    frame(HEADERS, END_HEADERS | flags, stream, &block(&all))
}

/// Returns a block of fields, as literals without indexing and without Huffman code.
#[must_use]
pub fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            let mut rest = text.len();
            if rest < 127 {
                block.push(u8::try_from(rest).unwrap());
            } else {
                block.push(127);
                rest -= 127;
                while rest >= 128 {
                    block.push(u8::try_from(rest % 128 + 128).unwrap());
                    rest /= 128;
                }
                block.push(u8::try_from(rest).unwrap());
            }
            block.extend(text.as_bytes());
        }
    }
    block
}

/// Returns the type and the stream of each frame that a server sent.
#[must_use]
pub fn frames(mut octets: &[u8]) -> Vec<(u8, u32)> {
    let mut frames = Vec::new();
    while let Some((head, rest)) = octets.split_at_checked(9) {
        let length = usize::try_from(u32::from_be_bytes([0, head[0], head[1], head[2]])).unwrap();
        let stream = u32::from_be_bytes(head[5..].try_into().unwrap());
        frames.push((head[3], stream));
        octets = rest.get(length..).unwrap_or_default();
    }
    frames
}
