//! Reading headers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{
    Addresses, CLIENT_CERT_CONN, CLIENT_CERT_SESS, CLIENT_SSL, ClientCertificate, Header,
    HeaderError, HeaderErrorKind, MAX_UNIQUE_ID_BYTES, MAX_V1_BYTES, MAX_V2_BYTES, SIGNATURE,
    SUBTYPE_SSL_CIPHER, SUBTYPE_SSL_CN, SUBTYPE_SSL_VERSION, Ssl, TCP_OVER_IPV4, TCP_OVER_IPV6,
    TYPE_AUTHORITY, TYPE_CRC32C, TYPE_SSL, TYPE_UNIQUE_ID, V1_BEGIN, V2_FIXED_BYTES,
    VERSION_AND_LOCAL, VERSION_AND_PROXY, checksum,
};
use crate::name::DomainName;

type Result<T> = core::result::Result<T, HeaderError>;

impl Header {
    /// Reads the header that a connection begins with, and returns it with its length in octets. Returns `None` if more
    /// octets are needed.
    ///
    /// Fields of version 2 that a mail server has no use for are skipped. A header of LOCAL or UNSPEC is skipped as a whole,
    /// as `proxy-protocol.txt` section 2.2 has it.
    ///
    /// # Errors
    /// Returns [`HeaderErrorKind::Missing`] as soon as the octets cannot be the begin of a header, and another kind if the
    /// header does not follow the protocol or is longer than [`MAX_V1_BYTES`] or [`MAX_V2_BYTES`].
    pub fn read(octets: &[u8]) -> Result<Option<(Self, usize)>> {
        if octets.starts_with(V1_BEGIN) {
            return v1(octets);
        }
        if octets.starts_with(SIGNATURE) {
            return v2(octets);
        }
        if V1_BEGIN.starts_with(octets) || SIGNATURE.starts_with(octets) {
            return Ok(None);
        }
        Err(HeaderError::new(HeaderErrorKind::Missing, "header", 0))
    }
}

/// Reads a header of version 1, which is a line of text.
fn v1(octets: &[u8]) -> Result<Option<(Header, usize)>> {
    const FIELD: &str = "line";
    let most = octets.get(..MAX_V1_BYTES).unwrap_or(octets);
    let end = most.iter().position(|octet| matches!(octet, b'\r' | b'\n'));
    let Some(end) = end else {
        return match octets.len() >= MAX_V1_BYTES {
            true => Err(HeaderError::new(
                HeaderErrorKind::TooLong,
                FIELD,
                MAX_V1_BYTES,
            )),
            false => Ok(None),
        };
    };
    match most.get(end..) {
        Some([b'\r', b'\n', ..]) => {}
        Some([b'\r']) if most.len() < MAX_V1_BYTES => return Ok(None),
        Some([b'\r']) => {
            return Err(HeaderError::new(
                HeaderErrorKind::TooLong,
                FIELD,
                MAX_V1_BYTES,
            ));
        }
        _ => return Err(HeaderError::new(HeaderErrorKind::Syntax, FIELD, end)),
    }
    let mut words = Words {
        line: most.get(..end).unwrap_or_default(),
        taken: V1_BEGIN.len(),
    };
    let length = end.saturating_add(2);
    let (at, protocol) = words.next("protocol")?;
    let addresses = match protocol {
        b"TCP4" => v1_addresses::<Ipv4Addr>(&mut words)?,
        b"TCP6" => v1_addresses::<Ipv6Addr>(&mut words)?,
        // Anything may follow.
        b"UNKNOWN" => return Ok(Some((Header::default(), length))),
        _ => return Err(HeaderError::new(HeaderErrorKind::Syntax, "protocol", at)),
    };
    let header = Header {
        addresses: Some(addresses),
        ..Header::default()
    };
    Ok(Some((header, length)))
}

/// The words of a line, with one space between two.
struct Words<'a> {
    line: &'a [u8],
    /// The offset of the next word.
    taken: usize,
}

impl<'a> Words<'a> {
    /// Returns the next word and its offset.
    fn next(&mut self, field: &'static str) -> Result<(usize, &'a [u8])> {
        let at = self.taken;
        let rest = self.line.get(at..).unwrap_or_default();
        let word = rest.split(|octet| *octet == b' ').next();
        let word = word.filter(|word| !word.is_empty());
        let word = word.ok_or(HeaderError::new(HeaderErrorKind::Syntax, field, at))?;
        self.taken = at.saturating_add(word.len()).saturating_add(1);
        Ok((at, word))
    }

    fn address<A: std::str::FromStr + Into<IpAddr>>(
        &mut self,
        field: &'static str,
    ) -> Result<IpAddr> {
        let (at, word) = self.next(field)?;
        let address = std::str::from_utf8(word).ok();
        let address = address.and_then(|it| it.parse::<A>().ok());
        let error = HeaderError::new(HeaderErrorKind::Syntax, field, at);
        address.map(A::into).ok_or(error)
    }

    /// Returns a port: a number without zeros before it.
    fn port(&mut self, field: &'static str) -> Result<u16> {
        let (at, word) = self.next(field)?;
        let is_number = word.iter().all(u8::is_ascii_digit) && (word.first() != Some(&b'0'));
        let text = std::str::from_utf8(word).ok();
        let text = text.filter(|text| is_number || *text == "0");
        let error = HeaderError::new(HeaderErrorKind::Syntax, field, at);
        text.and_then(|text| text.parse().ok()).ok_or(error)
    }
}

fn v1_addresses<A: std::str::FromStr + Into<IpAddr>>(words: &mut Words<'_>) -> Result<Addresses> {
    let source = words.address::<A>("source address")?;
    let destination = words.address::<A>("destination address")?;
    let source = SocketAddr::new(source, words.port("source port")?);
    let destination = SocketAddr::new(destination, words.port("destination port")?);
    if words.taken <= words.line.len() {
        let at = words.taken.saturating_sub(1);
        return Err(HeaderError::new(HeaderErrorKind::Syntax, "line", at));
    }
    Ok(Addresses::new(source, destination))
}

/// Reads a header of version 2, which is binary.
fn v2(octets: &[u8]) -> Result<Option<(Header, usize)>> {
    let not_supported = |field, at| HeaderError::new(HeaderErrorKind::NotSupported, field, at);
    let mut fixed = octets.iter().copied().skip(SIGNATURE.len());
    let Some(command) = fixed.next() else {
        return Ok(None);
    };
    if !matches!(command, VERSION_AND_LOCAL | VERSION_AND_PROXY) {
        return Err(not_supported("ver_cmd", SIGNATURE.len()));
    }
    let (Some(family), Some(high), Some(low)) = (fixed.next(), fixed.next(), fixed.next()) else {
        return Ok(None);
    };
    let length = usize::from(u16::from_be_bytes([high, low])).saturating_add(V2_FIXED_BYTES);
    if length > MAX_V2_BYTES {
        return Err(HeaderError::new(
            HeaderErrorKind::TooLong,
            "len",
            V2_FIXED_BYTES.saturating_sub(2),
        ));
    }
    let Some(header) = octets.get(..length) else {
        return Ok(None);
    };
    let mut block = Block {
        octets: header,
        taken: V2_FIXED_BYTES,
    };
    let addresses = match (command, family) {
        // "the receiver must [...] discard the protocol block"; "should ignore address information"
        (VERSION_AND_LOCAL, _) | (_, 0x00) => return Ok(Some((Header::default(), length))),
        (_, TCP_OVER_IPV4) => Some(v2_addresses::<4, Ipv4Addr>(&mut block)?),
        (_, TCP_OVER_IPV6) => Some(v2_addresses::<16, Ipv6Addr>(&mut block)?),
        // A stream over a Unix socket: two paths of 108 octets.
        (_, 0x31) => {
            block.take(216, "proxy_addr")?;
            None
        }
        _ => return Err(not_supported("fam", SIGNATURE.len().saturating_add(1))),
    };
    let header = fields(block)?;
    Ok(Some((
        Header {
            addresses,
            ..header
        },
        length,
    )))
}

/// The octets of a header, or of a field, that are not read yet.
struct Block<'a> {
    /// The octets up to the end of the header or field.
    octets: &'a [u8],
    taken: usize,
}

impl<'a> Block<'a> {
    fn take(&mut self, count: usize, field: &'static str) -> Result<&'a [u8]> {
        let at = self.taken;
        let end = at.saturating_add(count);
        let octets = self.octets.get(at..end);
        self.taken = end;
        octets.ok_or(HeaderError::new(HeaderErrorKind::Truncated, field, at))
    }

    fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N]> {
        let at = self.taken;
        let octets = self.take(N, field)?;
        let error = HeaderError::new(HeaderErrorKind::Truncated, field, at);
        octets.try_into().map_err(|_| error)
    }

    /// Returns the next field: its type, the offset of its value, and a block of its value.
    fn field(&mut self) -> Result<Option<(u8, Block<'a>)>> {
        const FIELD: &str = "pp2_tlv";
        if self.taken >= self.octets.len() {
            return Ok(None);
        }
        let [kind, high, low] = self.array(FIELD)?;
        let length = usize::from(u16::from_be_bytes([high, low]));
        let at = self.taken;
        self.take(length, FIELD)?;
        let octets = self.octets.get(..self.taken).unwrap_or_default();
        Ok(Some((kind, Block { octets, taken: at })))
    }

    fn rest(&self) -> &'a [u8] {
        self.octets.get(self.taken..).unwrap_or_default()
    }

    /// Returns the rest as text without control characters.
    fn text(&self, field: &'static str) -> Result<&'a str> {
        let text = std::str::from_utf8(self.rest()).ok();
        let text = text.filter(|text| !text.contains(char::is_control));
        text.ok_or(HeaderError::new(HeaderErrorKind::Value, field, self.taken))
    }
}

fn v2_addresses<const N: usize, A: From<[u8; N]> + Into<IpAddr>>(
    block: &mut Block<'_>,
) -> Result<Addresses> {
    const FIELD: &str = "proxy_addr";
    let mut address = || block.array(FIELD).map(|octets| A::from(octets).into());
    let (source, destination): (IpAddr, IpAddr) = (address()?, address()?);
    let mut port = || block.array(FIELD).map(u16::from_be_bytes);
    Ok(Addresses::new(
        SocketAddr::new(source, port()?),
        SocketAddr::new(destination, port()?),
    ))
}

/// Sets a field that may appear once.
fn once<T>(place: &mut Option<T>, value: T, field: &'static str, at: usize) -> Result<()> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(HeaderError::new(HeaderErrorKind::Duplicate, field, at)),
    }
}

fn fields(mut block: Block<'_>) -> Result<Header> {
    let header = block.octets;
    let mut sum = None;
    let mut read = Header::default();
    while let Some((kind, value)) = block.field()? {
        let at = value.taken;
        match kind {
            TYPE_AUTHORITY => {
                const FIELD: &str = "PP2_TYPE_AUTHORITY";
                let name = DomainName::parse(value.text(FIELD)?);
                let error = HeaderError::new(HeaderErrorKind::Value, FIELD, at);
                once(&mut read.authority, name.map_err(|_| error)?, FIELD, at)?;
            }
            TYPE_CRC32C => {
                const FIELD: &str = "PP2_TYPE_CRC32C";
                let error = HeaderError::new(HeaderErrorKind::Value, FIELD, at);
                let value: [u8; 4] = value.rest().try_into().map_err(|_| error)?;
                once(&mut sum, (at, u32::from_be_bytes(value)), FIELD, at)?;
            }
            TYPE_UNIQUE_ID => {
                const FIELD: &str = "PP2_TYPE_UNIQUE_ID";
                let value = value.rest();
                if value.len() > MAX_UNIQUE_ID_BYTES {
                    return Err(HeaderError::new(HeaderErrorKind::Value, FIELD, at));
                }
                once(&mut read.unique_id, value.to_vec(), FIELD, at)?;
            }
            TYPE_SSL => once(&mut read.ssl, ssl(value)?, "PP2_TYPE_SSL", at)?,
            _ => {}
        }
    }
    if let Some((at, expected)) = sum {
        let mut summed = header.to_vec();
        summed
            .iter_mut()
            .skip(at)
            .take(4)
            .for_each(|octet| *octet = 0);
        if checksum(&summed) != expected {
            let kind = HeaderErrorKind::Checksum;
            return Err(HeaderError::new(kind, "PP2_TYPE_CRC32C", at));
        }
    }
    Ok(read)
}

fn ssl(mut value: Block<'_>) -> Result<Ssl> {
    let [client] = value.array("client")?;
    let verify = u32::from_be_bytes(value.array("verify")?);
    let (mut version, mut cipher, mut common_name) = (None, None, None);
    while let Some((kind, value)) = value.field()? {
        let (place, field) = match kind {
            SUBTYPE_SSL_VERSION => (&mut version, "PP2_SUBTYPE_SSL_VERSION"),
            SUBTYPE_SSL_CN => (&mut common_name, "PP2_SUBTYPE_SSL_CN"),
            SUBTYPE_SSL_CIPHER => (&mut cipher, "PP2_SUBTYPE_SSL_CIPHER"),
            _ => continue,
        };
        let text = value.text(field)?.to_owned();
        once(place, text, field, value.taken)?;
    }
    if client & CLIENT_SSL == 0 {
        return Ok(Ssl::default());
    }
    let has_certificate = client & (CLIENT_CERT_CONN | CLIENT_CERT_SESS) != 0;
    Ok(Ssl {
        version,
        cipher,
        certificate: has_certificate.then_some(ClientCertificate {
            common_name,
            on_connection: client & CLIENT_CERT_CONN != 0,
            is_verified: verify == 0,
        }),
    })
}
