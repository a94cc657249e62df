//! The facts of a ClientHello, beside what rustls reads of it.

use conformance::oracle::Broken;
use rustls::server::Acceptor;
use tokenbind_http::tls::ClientOffer;

/// The records a connection begins with, from any bytes: what rustls accepts can be read, and rustls
/// sees the same identifiers and cipher suites; how the ClientHello is cut into records does not matter, nor
/// what follows it, and without its last byte it cannot be read.
///
/// # Errors
/// Returns the invariant that was broken.
pub fn client_hello(records: &[u8]) -> Result<(), Broken> {
    let offer = ClientOffer::from_records(records);
    if let Some((alpn, cipher_suites)) = rustls_sees(records) {
        match &offer {
            Ok(offer) if offer.alpn == alpn && offer.cipher_suites == cipher_suites => {}
            _ => {
                return Err(format!(
                    "{offer:?}, but rustls sees {alpn:?} and {cipher_suites:?}"
                ));
            }
        }
    }
    let Ok(offer) = offer else {
        return Ok(());
    };
    let message = handshake_message(records).ok_or("a record was read that is malformed")?;
    for size in [1, 7, 1000, 16384] {
        let cut: Vec<u8> = message
            .chunks(size)
            .flat_map(|part| [&[22, 3, 1][..], &(part.len() as u16).to_be_bytes(), part].concat())
            .collect();
        if ClientOffer::from_records(&cut).as_ref() != Ok(&offer) {
            return Err(format!("in records of {size} bytes it is another offer"));
        }
        if ClientOffer::from_records(&[cut.as_slice(), b"?"].concat()).as_ref() != Ok(&offer) {
            return Err("octets after the ClientHello change the result".into());
        }
        if ClientOffer::from_records(&cut[..cut.len() - 1]).is_ok() {
            return Err("its last byte does not matter".into());
        }
    }
    Ok(())
}

fn rustls_sees(mut records: &[u8]) -> Option<(Vec<Vec<u8>>, Vec<u16>)> {
    let mut acceptor = Acceptor::default();
    loop {
        let read = acceptor.read_tls(&mut records).ok()?;
        if let Some(accepted) = acceptor.accept().ok()? {
            let hello = accepted.client_hello();
            let alpn = hello
                .alpn()
                .map(|names| names.map(<[u8]>::to_vec).collect());
            let cipher_suites = hello.cipher_suites().iter().map(|suite| (*suite).into());
            return Some((alpn.unwrap_or_default(), cipher_suites.collect()));
        }
        if read == 0 {
            return None;
        }
    }
}

/// The handshake message that the records begin with.
fn handshake_message(mut records: &[u8]) -> Option<Vec<u8>> {
    let mut message = Vec::new();
    loop {
        if let [_, high, middle, low, body @ ..] = message.as_slice() {
            let length = u32::from_be_bytes([0, *high, *middle, *low]) as usize;
            if body.len() >= length {
                message.truncate(4 + length);
                return Some(message);
            }
        }
        let [22, _, _, high, low, rest @ ..] = records else {
            return None;
        };
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        message.extend_from_slice(rest.get(..length)?);
        records = &rest[length..];
    }
}
