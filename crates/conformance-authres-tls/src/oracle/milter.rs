//! Invariants of the milter session for whatever an MTA sends.

use std::sync::Arc;

use authres_tls::{
    AuthenticationResults, Border, Options,
    border::HostSource,
    milter::{Event, MilterSession, MilterSettings, Outcome},
};
use conformance::oracle::Broken;

/// Checks the session under the settings that the first octet chooses, after a negotiation whose steps the second one
/// chooses, so that any octets reach the states after it.
///
/// # Errors
/// Returns the invariant that was broken.
pub fn milter(data: &[u8]) -> Result<(), Broken> {
    let (choice, rest) = data.split_first().unwrap_or((&0, &[]));
    let (steps, rest) = rest.split_first().unwrap_or((&0, &[]));
    let mut border = Border::try_new("example.com").map_err(|error| error.to_string())?;
    if choice & 1 == 1 {
        border.host = HostSource::Helo;
    }
    let mut settings = MilterSettings::new(border);
    settings.max_packet = 1 << 12;
    settings.max_header = 1 << 12;
    let settings = Arc::new(settings);
    if choice & 2 == 2 {
        return milter_session(&settings, rest);
    }
    let all: u32 = if steps & 1 == 1 {
        0x1f_ffff
    } else {
        u32::from(*steps) << 7
    };
    let mut received = b"\0\0\0\x0dO\0\0\0\x06\0\0\x01\xff".to_vec();
    received.extend_from_slice(&all.to_be_bytes());
    received.extend_from_slice(rest);
    milter_session(&settings, &received)
}

/// Checks that the session replies the same to whole octets and to pieces, that its replies are whole packets that a
/// filter may send, that each message has one reply that ends it, and that the field it inserts is read by a strict reader.
///
/// # Errors
/// Returns the invariant that was broken.
pub fn milter_session(settings: &Arc<MilterSettings>, received: &[u8]) -> Result<(), Broken> {
    let whole = run(settings, received, received.len().max(1));
    for length in [1, 7] {
        if run(settings, received, length) != whole {
            return Err(format!("in pieces of {length} the session is another"));
        }
    }
    let (sent, events, _) = whole;
    let (mut inserted, mut final_replies) = (0_usize, 0_usize);
    let mut rest = sent.as_slice();
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let length = u32::from_be_bytes(*length) as usize;
        let packet = after.get(..length).ok_or("a packet that is not whole")?;
        rest = &after[length..];
        match packet {
            [b'O', ..] | [b's'] => {}
            [b'c' | b't'] => final_replies += 1,
            [b'm', a, b, c, d, fields @ ..] => {
                if [*a, *b, *c, *d] == [0; 4] {
                    return Err("a field is changed whose place is 0".into());
                }
                if fields.iter().filter(|octet| **octet == 0).count() != 2
                    || !fields.ends_with(&[0])
                {
                    return Err("a change is not two texts".into());
                }
            }
            [b'i', 0, 0, 0, 0, field @ ..] => {
                inserted += 1;
                local_field(field)?;
            }
            _ => return Err(format!("reply {:?}", packet.first())),
        }
    }
    if !rest.is_empty() {
        return Err("octets after the last packet".into());
    }
    let messages = events.iter().filter_map(|event| match event {
        Event::Message(message) => Some(message),
        _ => None,
    });
    let added = messages
        .clone()
        .filter(|message| matches!(message.outcome, Outcome::Added(_)));
    if added.count() != inserted {
        return Err(format!(
            "{inserted} fields were inserted, which is not what is reported"
        ));
    }
    if final_replies < messages.count() {
        return Err("a message without a reply".into());
    }
    Ok(())
}

type Ran = (Vec<u8>, Vec<Event>, bool);

fn run(settings: &Arc<MilterSettings>, received: &[u8], length: usize) -> Ran {
    let mut session = MilterSession::new(settings.clone());
    let (mut sent, mut failed) = (Vec::new(), false);
    for piece in received.chunks(length) {
        if session.receive(piece, &mut sent).is_err() {
            failed = true;
            break;
        }
    }
    (
        sent,
        std::iter::from_fn(|| session.next_event()).collect(),
        failed,
    )
}

/// Checks the name and the value of the field.
fn local_field(field: &[u8]) -> Result<(), Broken> {
    let value = field
        .strip_prefix(b"Authentication-Results\0")
        .and_then(|value| value.strip_suffix(b"\0"))
        .ok_or("another field is inserted")?;
    let value = String::from_utf8(value.to_vec()).map_err(|error| error.to_string())?;
    let is_folded = value.split('\n').skip(1).all(|line| line.starts_with('\t'));
    if !is_folded || value.contains(['\r', '\0']) {
        return Err("a line of the field is not folded".into());
    }
    let value = value.replace('\n', "\r\n");
    let read = AuthenticationResults::parse(value.as_bytes(), &Options::strict());
    let read = read.map_err(|error| error.to_string())?;
    if read.authserv_id().unfolded() != "example.com"
        && read.authserv_id().unfolded() != "mx.example.org"
    {
        return Err("another authserv-id".into());
    }
    Ok(())
}
