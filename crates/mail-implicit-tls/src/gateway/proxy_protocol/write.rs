//! Writing headers of version 2.

use std::net::{IpAddr, SocketAddr};

use super::{
    Addresses, CLIENT_CERT_CONN, CLIENT_CERT_SESS, CLIENT_SSL, Header, HeaderEncodeError,
    MAX_UNIQUE_ID_BYTES, MAX_V2_BYTES, SIGNATURE, SUBTYPE_SSL_CIPHER, SUBTYPE_SSL_CN,
    SUBTYPE_SSL_VERSION, Ssl, TCP_OVER_IPV4, TCP_OVER_IPV6, TYPE_AUTHORITY, TYPE_CRC32C, TYPE_SSL,
    TYPE_UNIQUE_ID, V2_FIXED_BYTES, VERSION_AND_LOCAL, VERSION_AND_PROXY, checksum, mapped,
};

type Result<T> = core::result::Result<T, HeaderEncodeError>;

/// The greatest length of a text in the SSL field. A common name has at most 64 characters (RFC 5280 appendix A.1), an
/// identity of a mail account up to 320 octets.
const MAX_TEXT_BYTES: usize = 320;

impl Header {
    /// Writes the header as one of version 2, with a checksum. Without addresses the command is LOCAL, and no other field
    /// is written, since receivers discard them.
    ///
    /// ```
    /// use mail_implicit_tls::gateway::proxy_protocol::Header;
    ///
    /// let local = Header::local().to_vec()?;
    /// assert_eq!(local, b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0");
    /// # Ok::<(), mail_implicit_tls::gateway::proxy_protocol::HeaderEncodeError>(())
    /// ```
    ///
    /// # Errors
    /// Returns the field that is longer than the protocol or [`MAX_V2_BYTES`] permits, or the text that has a control
    /// character.
    pub fn to_vec(&self) -> Result<Vec<u8>> {
        let Some(addresses) = self.addresses else {
            return Ok([SIGNATURE, &[VERSION_AND_LOCAL, 0, 0, 0][..]].concat());
        };
        let (family, mut block) = written(addresses);
        if let Some(authority) = &self.authority {
            let name = authority.as_str().as_bytes();
            field(
                &mut block,
                TYPE_AUTHORITY,
                name,
                MAX_TEXT_BYTES,
                "PP2_TYPE_AUTHORITY",
            )?;
        }
        if let Some(unique_id) = &self.unique_id {
            field(
                &mut block,
                TYPE_UNIQUE_ID,
                unique_id,
                MAX_UNIQUE_ID_BYTES,
                "PP2_TYPE_UNIQUE_ID",
            )?;
        }
        if let Some(ssl) = &self.ssl {
            let value = ssl_value(ssl)?;
            field(&mut block, TYPE_SSL, &value, MAX_V2_BYTES, "PP2_TYPE_SSL")?;
        }
        field(&mut block, TYPE_CRC32C, &[0; 4], 4, "PP2_TYPE_CRC32C")?;
        let most = MAX_V2_BYTES.saturating_sub(V2_FIXED_BYTES);
        let length = u16::try_from(block.len()).ok();
        let length = length.filter(|_| block.len() <= most);
        let length = length.ok_or(HeaderEncodeError::new("len", most))?;
        let mut header = SIGNATURE.to_vec();
        header.extend_from_slice(&[VERSION_AND_PROXY, family]);
        header.extend_from_slice(&length.to_be_bytes());
        header.extend_from_slice(&block);
        let sum = checksum(&header);
        header.truncate(header.len().saturating_sub(4));
        header.extend_from_slice(&sum.to_be_bytes());
        Ok(header)
    }
}

/// Returns the family and the octets of addresses. Addresses of two families are written as those of IPv6.
fn written(addresses: Addresses) -> (u8, Vec<u8>) {
    let Addresses {
        source,
        destination,
    } = Addresses::new(addresses.source, addresses.destination);
    let ports = [
        source.port().to_be_bytes(),
        destination.port().to_be_bytes(),
    ];
    match (source, destination) {
        (SocketAddr::V4(source), SocketAddr::V4(destination)) => {
            let addresses = [source.ip().octets(), destination.ip().octets()];
            (
                TCP_OVER_IPV4,
                [addresses.as_flattened(), ports.as_flattened()].concat(),
            )
        }
        _ => {
            let octets = |address: IpAddr| mapped(address).octets();
            let addresses = [octets(source.ip()), octets(destination.ip())];
            (
                TCP_OVER_IPV6,
                [addresses.as_flattened(), ports.as_flattened()].concat(),
            )
        }
    }
}

fn ssl_value(ssl: &Ssl) -> Result<Vec<u8>> {
    let Some(version) = &ssl.version else {
        return Ok(vec![0, 0, 0, 0, 1]);
    };
    let certificate = ssl.certificate.as_ref();
    let client = match certificate {
        None => CLIENT_SSL,
        Some(it) if it.on_connection => CLIENT_SSL | CLIENT_CERT_CONN | CLIENT_CERT_SESS,
        Some(_) => CLIENT_SSL | CLIENT_CERT_SESS,
    };
    // "zero if the client presented a certificate and it was successfully verified, and non-zero otherwise"
    let verify = u8::from(!certificate.is_some_and(|it| it.is_verified));
    let mut value = vec![client, 0, 0, 0, verify];
    let common_name = certificate.and_then(|it| it.common_name.as_ref());
    let texts = [
        (
            SUBTYPE_SSL_VERSION,
            Some(version),
            "PP2_SUBTYPE_SSL_VERSION",
        ),
        (SUBTYPE_SSL_CN, common_name, "PP2_SUBTYPE_SSL_CN"),
        (
            SUBTYPE_SSL_CIPHER,
            ssl.cipher.as_ref(),
            "PP2_SUBTYPE_SSL_CIPHER",
        ),
    ];
    for (kind, text, name) in texts {
        if let Some(text) = text {
            // A backend prints the texts in its log.
            if text.contains(char::is_control) {
                return Err(HeaderEncodeError::new(name, MAX_TEXT_BYTES));
            }
            field(&mut value, kind, text.as_bytes(), MAX_TEXT_BYTES, name)?;
        }
    }
    Ok(value)
}

/// Appends a field: type, length, value.
fn field(
    block: &mut Vec<u8>,
    kind: u8,
    value: &[u8],
    limit: usize,
    name: &'static str,
) -> Result<()> {
    let length = u16::try_from(value.len()).ok();
    let length = length.filter(|_| value.len() <= limit);
    let length = length.ok_or(HeaderEncodeError::new(name, limit))?;
    block.push(kind);
    block.extend_from_slice(&length.to_be_bytes());
    block.extend_from_slice(value);
    Ok(())
}
