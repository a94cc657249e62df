//! The header: its encoding, bit by bit.

use conformance::oracle::Broken;
use tokenbind_http::header::{self, Header, HeaderOptions};

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Section 2's encoding bit by bit; the kind of the error and its offset.
pub(super) fn web_safe(
    value: &[u8],
    allow_padding: bool,
) -> Result<Vec<u8>, (&'static str, usize)> {
    if value.is_empty() {
        return Err(("empty", 0));
    }
    // Base64 of 65,537 octets: a multiple of four.
    if value.len() > 87384 {
        return Err(("too-long", 87384));
    }
    let padding = value.iter().rev().take_while(|octet| **octet == b'=');
    let padding = if allow_padding { padding.count() } else { 0 };
    let body = &value[..value.len() - padding];
    let mut bits = Vec::with_capacity(body.len() * 6);
    for (offset, octet) in body.iter().enumerate() {
        let Some(six) = ALPHABET.iter().position(|known| known == octet) else {
            let kind = match octet {
                b',' => "list",
                b'=' => "padding",
                b'+' | b'/' => "standard-alphabet",
                0..=32 | 127 => "whitespace",
                _ => "alphabet",
            };
            return Err((kind, offset));
        };
        bits.extend((0..6).rev().map(|bit| (six >> bit & 1) as u8));
    }
    if padding > 2 || padding > 0 && !value.len().is_multiple_of(4) {
        return Err(("padding", body.len()));
    }
    if body.len() % 4 == 1 {
        return Err(("length", value.len()));
    }
    let (octets, rest) = bits.split_at(bits.len() / 8 * 8);
    if rest.contains(&1) {
        return Err(("trailing-bits", body.len() - 1));
    }
    let octet = |bits: &[u8]| bits.iter().fold(0, |octet, bit| octet << 1 | bit);
    Ok(octets.chunks(8).map(octet).collect())
}

/// A header's value decodes as bit by bit; what decodes is written again, but for padding; one
/// character more or less is refused or another message.
///
/// # Errors
/// Returns the invariant that was broken.
pub fn header(value: &[u8]) -> Result<(), Broken> {
    for allow_padding in [false, true] {
        let options = HeaderOptions { allow_padding };
        let decode = |value: &[u8]| match Header::One(value).decode(options) {
            Ok(message) => message.ok_or(("no header", 0)),
            Err(error) => Err((error.kind().name(), error.offset())),
        };
        let (decoded, expected) = (decode(value), web_safe(value, allow_padding));
        if decoded != expected {
            return Err(format!("{decoded:?}, not {expected:?}"));
        }
        if let Ok(message) = &decoded {
            let written = header::encode(message);
            let unpadded = value.trim_ascii_end().split(|octet| *octet == b'=').next();
            if Some(written.as_bytes()) != unpadded || !allow_padding && written.as_bytes() != value
            {
                return Err(format!("written again as {written}"));
            }
            let less = value.split_last().map(|(_, less)| less).unwrap_or_default();
            let longer = [value, b"A"].concat();
            for other in [less, &longer] {
                let is_padding = other.len() < value.len() && value.ends_with(b"=");
                if !is_padding && decode(other).as_ref() == Ok(message) {
                    return Err("one character more or less is the same message".into());
                }
            }
        }
        let twice = Header::from_values([value, value])
            .decode(options)
            .map_err(|error| error.kind().name());
        if twice != Err("duplicate") {
            return Err(format!("two headers: {twice:?}"));
        }
        let none = Header::from_values([]).decode(options);
        if none != Ok(None) {
            return Err(format!("no header: {none:?}"));
        }
    }
    Ok(())
}
