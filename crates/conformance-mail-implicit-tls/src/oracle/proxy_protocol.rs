//! Headers of the PROXY protocol, compared with those that the library `ppp` reads.

use std::net::{IpAddr, SocketAddr};

use conformance::oracle::Broken;
use mail_implicit_tls::gateway::proxy_protocol::{
    Addresses, Header, HeaderErrorKind, MAX_V2_BYTES, Networks, Opened, Opening,
};
use ppp::{HeaderResult, v1, v2};

/// Checks the begin of a connection of any octets.
///
/// - The result is the same in whatever pieces the octets come, and an error points into them.
/// - The octets that a header leaves are handed over, and no header is longer than its limit.
/// - A header that is read is written so that it reads as before.
/// - Addresses that are read are those that the library `ppp` reads. It may read headers that are refused here, since it
///   checks fewer rules.
/// - A peer that is not listed passes on no header.
///
/// # Errors
/// Returns the invariant that was broken.
pub fn proxy_protocol(octets: &[u8]) -> Result<(), Broken> {
    let read = Header::read(octets);
    for length in 0..octets.len().min(300) {
        match Header::read(&octets[..length]) {
            Ok(None) => {}
            early if early == read => break,
            early => return Err(format!("after {length} octets: {early:?}; whole: {read:?}")),
        }
    }
    match &read {
        Err(error) if error.offset() > octets.len() => {
            return Err(format!("{error}: outside {} octets", octets.len()));
        }
        Ok(Some((_, length))) if *length > MAX_V2_BYTES.min(octets.len()) => {
            return Err(format!("a header of {length} octets"));
        }
        Ok(None) if octets.len() >= MAX_V2_BYTES => {
            return Err(format!("{} octets are no header", octets.len()));
        }
        Ok(Some((header, _))) => rewritten(header)?,
        _ => {}
    }
    against_ppp(
        octets,
        &read.as_ref().map(Option::as_ref).map_err(|it| it.kind()),
    )?;
    opened(octets, read.ok().flatten())
}

fn rewritten(header: &Header) -> Result<(), Broken> {
    let Ok(octets) = header.to_vec() else {
        // A text is longer than a gateway writes.
        return Ok(());
    };
    let expected = match header {
        Header {
            addresses: None, ..
        } => Header::local(),
        header => {
            let mut header = header.clone();
            // Without a version there is no TLS.
            header.ssl = header.ssl.map(|ssl| match ssl.version {
                None => Default::default(),
                Some(_) => ssl,
            });
            header
        }
    };
    match Header::read(&octets) {
        Ok(Some((read, length))) if length == octets.len() && read == expected => Ok(()),
        other => Err(format!("{header:?} is written as {other:?}")),
    }
}

type Ours<'a> = Result<Option<&'a (Header, usize)>, HeaderErrorKind>;

fn against_ppp(octets: &[u8], ours: &Ours<'_>) -> Result<(), Broken> {
    let theirs = match HeaderResult::parse(octets) {
        HeaderResult::V1(Ok(header)) => match header.addresses {
            v1::Addresses::Unknown => None,
            v1::Addresses::Tcp4(it) => Some(addresses(
                (it.source_address.into(), it.source_port),
                (it.destination_address.into(), it.destination_port),
            )),
            v1::Addresses::Tcp6(it) => Some(addresses(
                (it.source_address.into(), it.source_port),
                (it.destination_address.into(), it.destination_port),
            )),
        },
        HeaderResult::V2(Ok(header)) if header.command == v2::Command::Proxy => {
            match header.addresses {
                v2::Addresses::IPv4(it) => Some(addresses(
                    (it.source_address.into(), it.source_port),
                    (it.destination_address.into(), it.destination_port),
                )),
                v2::Addresses::IPv6(it) => Some(addresses(
                    (it.source_address.into(), it.source_port),
                    (it.destination_address.into(), it.destination_port),
                )),
                v2::Addresses::Unix(_) | v2::Addresses::Unspecified => None,
            }
        }
        HeaderResult::V2(Ok(_)) => None,
        HeaderResult::V1(Err(_)) | HeaderResult::V2(Err(_)) => {
            return match ours {
                // The library knows fewer families, and wants an address in UNKNOWN to be one.
                Ok(Some((
                    Header {
                        addresses: Some(it),
                        ..
                    },
                    _,
                ))) => Err(format!("ppp does not read {it:?}")),
                _ => Ok(()),
            };
        }
    };
    match ours {
        Ok(Some((header, _))) if header.addresses == theirs => Ok(()),
        // The library checks no checksum, no field, no limit, and takes what is there of a port.
        Err(_) | Ok(None) => Ok(()),
        Ok(Some((header, _))) => Err(format!("ppp reads {theirs:?}, but: {header:?}")),
    }
}

fn addresses(source: (IpAddr, u16), destination: (IpAddr, u16)) -> Addresses {
    Addresses::new(SocketAddr::from(source), SocketAddr::from(destination))
}

fn opened(octets: &[u8], read: Option<(Header, usize)>) -> Result<(), Broken> {
    let networks = Networks::parse(["10.0.0.0/8"]).map_err(|error| error.to_string())?;
    let peer = SocketAddr::from(([10, 0, 0, 1], 1));
    let listed = Opening::new(peer, &networks).receive(octets);
    let expected = read.map(|(header, length)| Opened::Complete {
        client: header.addresses.map_or(peer, |it| it.source),
        header: Some(Box::new(header)),
        rest: octets[length..].to_vec(),
    });
    if expected.is_some() && listed.as_ref().ok() != expected.as_ref() {
        return Err(format!("{listed:?} in place of {expected:?}"));
    }
    let stranger = SocketAddr::from(([192, 0, 2, 1], 1));
    match Opening::new(stranger, &networks).receive(octets) {
        Ok(Opened::Complete { rest, .. }) if rest != octets => Err("octets are lost".into()),
        Ok(Opened::Complete { .. }) if expected.is_some() => {
            Err("a header of a stranger is handed over".into())
        }
        _ => Ok(()),
    }
}
