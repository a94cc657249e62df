//! `SealedToken`: its octets, and base64url over them.
//!
//! ```text
//! struct {
//!     uint8  version = 1;
//!     uint32 key;                      id of the key that made the MAC
//!     uint8  binding;                  0: bearer; 1: key_id_sha256 follows
//!     opaque key_id_sha256[32];        of the TokenBindingID without its type
//!     uint64 expires;                  seconds since 1970-01-01T00:00:00Z
//!     opaque payload<0..2800>;         after its length in two bytes
//!     opaque mac[32];
//! } SealedToken;
//! ```

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::{DecodeError, Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use nom::{
    Offset, Parser,
    bytes::complete::take,
    error::Error as NomError,
    number::complete::{be_u8, be_u16, be_u32, be_u64},
};
use tokenbind_wire::token::DiscardReason;

use crate::sealed_tokens::{
    SealError,
    keys::TokenKeyId,
    refusal::{TokenRefusal, TokenRefusalKind},
};

/// The longest payload, in bytes. With it a token has [`MAX_SEALED_BYTES`].
pub const MAX_PAYLOAD_BYTES: usize = 2800;

/// The longest token, in characters of base64url. Browsers keep 4096 bytes of a cookie, so that 256 are left
/// for name and attributes.
pub const MAX_SEALED_BYTES: usize = 3840;

/// The latest expiry, in seconds since 1970: the end of the year 9999.
pub const MAX_EXPIRES_SECS: u64 = 253_402_300_799;

const VERSION: u8 = 1;
const BEARER: u8 = 0;
const KEY_ID_SHA256: u8 = 1;
const SHA256_BYTES: usize = 32;
const MAC_BYTES: usize = 32;

const TOKEN: &str = "SealedToken";
const VERSION_FIELD: &str = "SealedToken.version";
const KEY: &str = "SealedToken.key";
const BINDING: &str = "SealedToken.binding";
const KEY_ID: &str = "SealedToken.key_id_sha256";
const EXPIRES: &str = "SealedToken.expires";
const PAYLOAD: &str = "SealedToken.payload";
const MAC: &str = "SealedToken.mac";

/// The parts that are read before the MAC is compared.
pub(super) struct Envelope<'a> {
    octets: &'a [u8],
    pub(super) key: TokenKeyId,
    /// The octets before the MAC.
    pub(super) signed: &'a [u8],
    body: &'a [u8],
    pub(super) mac: &'a [u8],
}

/// The other parts, which are read only after the MAC matches.
pub(super) struct Body<'a> {
    pub(super) key_id_sha256: Option<&'a [u8]>,
    pub(super) expires_secs: u64,
    pub(super) expires: SystemTime,
    pub(super) payload: &'a [u8],
    binding_offset: usize,
    expires_offset: usize,
}

impl Envelope<'_> {
    pub(super) fn refuse_key(&self) -> TokenRefusal {
        TokenRefusal::new(TokenRefusalKind::UnknownKey { key: self.key }, KEY, 1)
    }

    pub(super) fn refuse_mac(&self) -> TokenRefusal {
        TokenRefusal::new(TokenRefusalKind::MacMismatch, MAC, self.signed.len())
    }
}

impl Body<'_> {
    pub(super) const fn refuse_expires(&self, kind: TokenRefusalKind) -> TokenRefusal {
        TokenRefusal::new(kind, EXPIRES, self.expires_offset)
    }

    pub(super) const fn refuse_binding(&self, reason: DiscardReason) -> TokenRefusal {
        let kind = TokenRefusalKind::Discarded(reason);
        TokenRefusal::new(kind, BINDING, self.binding_offset)
    }
}

/// Returns the octets before the MAC.
pub(super) fn signed_octets(
    key: TokenKeyId,
    key_id_sha256: Option<&[u8; SHA256_BYTES]>,
    expires_secs: u64,
    payload: &[u8],
) -> Result<Vec<u8>, SealError> {
    let actual = payload.len();
    let length = match u16::try_from(actual) {
        Ok(length) if actual <= MAX_PAYLOAD_BYTES => length,
        _ => return Err(SealError::PayloadTooLong { actual }),
    };
    let mut octets = vec![VERSION];
    octets.extend_from_slice(&key.0.to_be_bytes());
    match key_id_sha256 {
        Some(sha256) => {
            octets.push(KEY_ID_SHA256);
            octets.extend_from_slice(sha256);
        }
        None => octets.push(BEARER),
    }
    octets.extend_from_slice(&expires_secs.to_be_bytes());
    octets.extend_from_slice(&length.to_be_bytes());
    octets.extend_from_slice(payload);
    Ok(octets)
}

/// Returns the text of a token.
pub(super) fn encode(octets: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(octets)
}

/// Decodes the text of a token: canonical base64url without padding, of bounded length.
pub(super) fn decode(text: &[u8]) -> Result<Vec<u8>, TokenRefusal> {
    let refuse = |kind, offset| TokenRefusal::new(kind, TOKEN, offset);
    let actual = text.len();
    if actual == 0 {
        return Err(refuse(TokenRefusalKind::Empty, 0));
    }
    if actual > MAX_SEALED_BYTES {
        let limit = MAX_SEALED_BYTES;
        return Err(refuse(TokenRefusalKind::TooLong { limit, actual }, limit));
    }
    let outside = |octet: &u8| !(octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_'));
    if let Some(offset) = text.iter().position(outside) {
        return Err(refuse(TokenRefusalKind::Alphabet, offset));
    }
    URL_SAFE_NO_PAD.decode(text).map_err(|error| match error {
        DecodeError::InvalidLastSymbol { .. } => {
            refuse(TokenRefusalKind::TrailingBits, actual.saturating_sub(1))
        }
        _ => refuse(TokenRefusalKind::Length, actual),
    })
}

/// Reads version and key at the start, and the MAC at the end.
pub(super) fn envelope(octets: &[u8]) -> Result<Envelope<'_>, TokenRefusal> {
    let read = Reader { octets };
    let (rest, version) = read.item(octets, VERSION_FIELD, 1, be_u8)?;
    if version != VERSION {
        let kind = TokenRefusalKind::Version { actual: version };
        return Err(read.refuse(kind, VERSION_FIELD, octets));
    }
    let (rest, key) = read.item(rest, KEY, 4, be_u32)?;
    let (Some((signed, mac)), Some((body, _))) = (
        octets.split_last_chunk::<MAC_BYTES>(),
        rest.split_last_chunk::<MAC_BYTES>(),
    ) else {
        let (needed, left) = (MAC_BYTES, rest.len());
        return Err(read.refuse(TokenRefusalKind::Truncated { needed, left }, MAC, rest));
    };
    Ok(Envelope {
        octets,
        key: TokenKeyId(key),
        signed,
        body,
        mac,
    })
}

/// Reads the octets between key and MAC, which must be used up.
pub(super) fn body<'a>(envelope: &Envelope<'a>) -> Result<Body<'a>, TokenRefusal> {
    let read = Reader {
        octets: envelope.octets,
    };
    let binding_start = envelope.body;
    let (rest, binding) = read.item(binding_start, BINDING, 1, be_u8)?;
    let (expires_start, key_id_sha256) = match binding {
        BEARER => (rest, None),
        KEY_ID_SHA256 => {
            let (rest, sha256) = read.item(rest, KEY_ID, SHA256_BYTES, take(SHA256_BYTES))?;
            (rest, Some(sha256))
        }
        actual => {
            let kind = TokenRefusalKind::UnknownBinding { actual };
            return Err(read.refuse(kind, BINDING, binding_start));
        }
    };
    let (rest, expires_secs) = read.item(expires_start, EXPIRES, 8, be_u64)?;
    let expires = UNIX_EPOCH.checked_add(Duration::from_secs(expires_secs));
    let expires = expires
        .filter(|_| expires_secs <= MAX_EXPIRES_SECS)
        .ok_or_else(|| read.refuse(TokenRefusalKind::ExpiryRange, EXPIRES, expires_start))?;
    let (payload_start, length) = read.item(rest, PAYLOAD, 2, be_u16)?;
    let (limit, actual) = (MAX_PAYLOAD_BYTES, usize::from(length));
    if actual > limit {
        let kind = TokenRefusalKind::TooLong { limit, actual };
        return Err(read.refuse(kind, PAYLOAD, payload_start));
    }
    let (rest, payload) = read.item(payload_start, PAYLOAD, actual, take(actual))?;
    if !rest.is_empty() {
        let kind = TokenRefusalKind::TrailingBytes { left: rest.len() };
        return Err(read.refuse(kind, PAYLOAD, rest));
    }
    Ok(Body {
        key_id_sha256,
        expires_secs,
        expires,
        payload,
        binding_offset: read.octets.offset(binding_start),
        expires_offset: read.octets.offset(expires_start),
    })
}

/// A reader with `nom`'s primitives that adds fields and offsets to their errors.
struct Reader<'a> {
    octets: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads an item of `needed` bytes.
    fn item<O>(
        &self,
        input: &'a [u8],
        field: &'static str,
        needed: usize,
        mut primitive: impl Parser<&'a [u8], Output = O, Error = NomError<&'a [u8]>>,
    ) -> Result<(&'a [u8], O), TokenRefusal> {
        primitive.parse(input).map_err(|_| {
            let left = input.len();
            self.refuse(TokenRefusalKind::Truncated { needed, left }, field, input)
        })
    }

    /// Returns a refusal with the offset where `at` begins.
    fn refuse(&self, kind: TokenRefusalKind, field: &'static str, at: &'a [u8]) -> TokenRefusal {
        TokenRefusal::new(kind, field, self.octets.offset(at))
    }
}
