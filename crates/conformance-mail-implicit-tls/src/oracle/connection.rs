//! The dialogues before login, and the order of SRV records.

use conformance::oracle::Broken;
use mail_implicit_tls::{
    dialogue::{Demand, Dialogue, MAX_DIALOGUE_BYTES, MAX_LINE_BYTES, MAX_REPLY_LINES, Ready},
    dns::Srv,
    server::{Answer, BeforeTls, CloseReason, MAX_COMMAND_BYTES, MAX_COMMANDS},
    service::{Protocol, Security, Service},
    srv::order,
};

/// A dialogue that was played.
#[derive(Debug, PartialEq)]
struct Played {
    sent: Vec<Vec<u8>>,
    end: End,
    /// The number of turns before TLS.
    clear_turns: Option<usize>,
}

#[derive(Debug, PartialEq)]
enum End {
    Ready(Box<Ready>),
    Waits,
    /// The reason may depend on the pieces: each octet that is wrong is found as soon as it is there.
    Failed,
}

/// Plays the server's turns, each handed over in pieces of this many octets. Within a turn the client sends nothing.
fn play(service: Service, turns: &[Vec<u8>], piece: usize) -> Played {
    let mut played = Played {
        sent: Vec::new(),
        end: End::Waits,
        clear_turns: None,
    };
    let mut dialogue = Dialogue::new(service);
    for (index, turn) in turns.iter().enumerate() {
        let mut handed = 0;
        for piece in turn.chunks(piece.max(1)) {
            dialogue.receive(piece);
            handed += piece.len();
            match dialogue.demand() {
                Err(_) => {
                    played.end = End::Failed;
                    return played;
                }
                Ok(Demand::Done(mut ready)) => {
                    ready.rest.extend_from_slice(&turn[handed..]);
                    played.end = End::Ready(ready);
                    return played;
                }
                Ok(_) => {}
            }
        }
        loop {
            match dialogue.demand() {
                Ok(Demand::Send(octets)) => {
                    played.sent.push(octets);
                    dialogue.sent();
                }
                Ok(Demand::StartTls) => {
                    played.clear_turns = Some(index + 1);
                    dialogue.encrypted();
                }
                Ok(Demand::Receive) => break,
                Ok(Demand::Done(_)) | Err(_) => return played,
            }
        }
    }
    played
}

/// Checks the dialogue of a client with a server that sends these octets, each turn after the client's command.
///
/// - The result is the same in whatever pieces the octets of a turn come.
/// - Within TLS, the result is that of the octets that came within TLS, whatever came before.
/// - The limits hold.
///
/// # Errors
/// Returns the invariant that was broken.
pub fn client_dialogue(service: Service, turns: &[Vec<u8>]) -> Result<(), Broken> {
    let octets: usize = turns.iter().map(Vec::len).sum();
    if octets > MAX_DIALOGUE_BYTES {
        let played = play(service, turns, usize::MAX);
        return match played.end {
            End::Waits => Err(format!("waits after {octets} octets")),
            End::Ready(_) | End::Failed => Ok(()),
        };
    }
    let whole = play(service, turns, usize::MAX);
    for piece in [1, 2, 7] {
        let parts = play(service, turns, piece);
        // A failure within a turn is found before or after a command of that turn is queued, and never sent.
        let same = parts.end == whole.end
            && parts.clear_turns == whole.clear_turns
            && (parts.sent == whole.sent);
        if !same {
            return Err(format!("in pieces of {piece}: {parts:?}; whole: {whole:?}"));
        }
    }
    let encrypted = service.security == Security::Implicit || whole.clear_turns.is_some();
    if let End::Ready(ready) = &whole.end {
        if service.security != Security::Clear && !encrypted {
            return Err("ready without TLS".into());
        }
        let lines = ready
            .greeting
            .lines
            .iter()
            .chain(ready.capabilities.items());
        let count = ready
            .greeting
            .lines
            .len()
            .max(ready.capabilities.items().len());
        // IMAP has all capabilities in one line.
        if service.protocol != Protocol::Imap && count > MAX_REPLY_LINES {
            return Err(format!("{count} lines"));
        }
        for line in lines {
            // An octet that is no UTF-8 becomes a character of three.
            if line.len() > 3 * MAX_LINE_BYTES || line.contains(['\0', '\r', '\n']) {
                return Err(format!("{line:?} is no line"));
            }
        }
    }
    if let Some(clear) = whole.clear_turns {
        let after = &turns[clear..];
        let mut others = plain_upgrade(service.protocol);
        let clear_turns = others.len();
        others.extend_from_slice(after);
        let other = play(service, &others, usize::MAX);
        let last = (whole.sent.last(), other.sent.last());
        let same = match (&whole.end, &other.end) {
            (End::Ready(mine), End::Ready(other)) => {
                mine.capabilities == other.capabilities && mine.rest == other.rest
            }
            (mine, other) => mine == other,
        };
        if !same || other.clear_turns != Some(clear_turns) || last.0 != last.1 {
            return Err(format!(
                "clear text counts within TLS: {whole:?}, {other:?}"
            ));
        }
    }
    Ok(())
}

/// Returns the turns of a server up to TLS, with as little as possible.
fn plain_upgrade(protocol: Protocol) -> Vec<Vec<u8>> {
    let turns: &[&[u8]] = match protocol {
        Protocol::Imap => &[b"* OK [CAPABILITY STARTTLS] x\r\n", b"c OK x\r\n"],
        Protocol::Pop => &[b"+OK\r\n", b"+OK\r\nSTLS\r\n.\r\n", b"+OK\r\n"],
        Protocol::Submission => &[b"220 x\r\n", b"250-x\r\n250 STARTTLS\r\n", b"220 x\r\n"],
    };
    turns.iter().map(|turn| turn.to_vec()).collect()
}

/// Checks the dialogue of a client: an octet for the service, and the server's turns, with 0xff between two.
///
/// # Errors
/// Returns the invariant that was broken.
pub fn client_octets(data: &[u8]) -> Result<(), Broken> {
    let Some((first, rest)) = data.split_first() else {
        return Ok(());
    };
    let services = Service::ALL;
    let service = services[usize::from(*first) % services.len()];
    let turns: Vec<_> = rest
        .split(|octet| *octet == 0xff)
        .take(8)
        .map(<[u8]>::to_vec)
        .collect();
    client_dialogue(service, &turns)
}

/// Returns what a server says to these octets, and the reason to close, or nothing if it waits.
fn answer(
    protocol: Protocol,
    can_start_tls: bool,
    octets: &[u8],
    piece: usize,
) -> (Vec<u8>, Option<Result<(), CloseReason>>) {
    let (mut server, mut said) = BeforeTls::new(protocol, "mx.example.org", can_start_tls);
    let mut end = None;
    for piece in octets.chunks(piece.max(1)) {
        match server.receive(piece) {
            Answer::Send(reply) => said.extend(reply),
            Answer::StartTls(reply) => {
                said.extend(reply);
                end = Some(Ok(()));
            }
            Answer::Close(reply, reason) => {
                said.extend(reply);
                return (said, Some(Err(reason)));
            }
        }
    }
    (said, end)
}

/// Checks the dialogue of a server before TLS with a client that sends these octets.
///
/// - The server says the same and ends alike in whatever pieces the octets come.
/// - TLS begins only where it can, and nothing follows the command.
/// - The limits hold, and each reply is of whole lines.
///
/// # Errors
/// Returns the invariant that was broken.
pub fn server_dialogue(
    protocol: Protocol,
    can_start_tls: bool,
    octets: &[u8],
) -> Result<(), Broken> {
    let (said, end) = answer(protocol, can_start_tls, octets, usize::MAX);
    for piece in [1, 2, 7] {
        let (part_said, part_end) = answer(protocol, can_start_tls, octets, piece);
        let injected = end == Some(Err(CloseReason::Injected));
        let same = match (&end, &part_end) {
            // The reason of a wrong octet may depend on the pieces, but not that the connection is closed.
            (Some(Err(_)), Some(Err(_))) => true,
            (whole, parts) => whole == parts,
        };
        if !same || !injected && part_said != said {
            let part_said = part_said.escape_ascii();
            let said = said.escape_ascii();
            return Err(format!(
                "in pieces of {piece}: {part_said} {part_end:?}; whole: {said} {end:?}"
            ));
        }
    }
    if end == Some(Ok(())) {
        if !can_start_tls {
            return Err("TLS begins without certificate".into());
        }
        if !octets.ends_with(b"\r\n") {
            return Err("octets follow the upgrade command".into());
        }
    }
    if end.is_none() && octets.len() > (MAX_COMMANDS + 1) * (MAX_COMMAND_BYTES + 1) {
        return Err(format!("waits after {} octets", octets.len()));
    }
    if !said.ends_with(b"\r\n") || said.contains(&0) {
        return Err(format!("said: {}", said.escape_ascii()));
    }
    Ok(())
}

/// Checks the dialogue of a server before TLS: an octet for the protocol, and the client's octets.
///
/// # Errors
/// Returns the invariant that was broken.
pub fn server_octets(data: &[u8]) -> Result<(), Broken> {
    let Some((first, rest)) = data.split_first() else {
        return Ok(());
    };
    let protocol = [Protocol::Imap, Protocol::Pop, Protocol::Submission][usize::from(*first % 3)];
    server_dialogue(protocol, first & 0x80 == 0, rest)
}

/// Checks the order of SRV records.
///
/// - Each record is in it once, the lowest priority first.
/// - Only the order of records of one priority in the answer counts.
/// - The first priority's records are ordered as they are without the others.
///
/// # Errors
/// Returns the invariant that was broken.
pub fn srv_order(records: &[Srv], numbers: &[u64]) -> Result<(), Broken> {
    let ordered = |records: &[Srv]| {
        let mut numbers = numbers.iter().copied();
        order(records, &mut || numbers.next().unwrap_or(u64::MAX))
    };
    let result = ordered(records);
    let mut all = [records.to_vec(), result.clone()];
    all.iter_mut().for_each(|records| records.sort());
    if all[0] != all[1] {
        return Err(format!("{records:?} became {result:?}"));
    }
    if !result.is_sorted_by_key(|record| record.priority) {
        return Err(format!("priorities: {result:?}"));
    }
    let mut sorted = records.to_vec();
    sorted.sort_by_key(|record| record.priority);
    if ordered(&sorted) != result {
        return Err(format!("the place of a priority counts: {records:?}"));
    }
    let first = sorted.chunk_by(|left, right| left.priority == right.priority);
    let first = first.map(ordered).next().unwrap_or_default();
    if !result.starts_with(&first) {
        return Err(format!("other priorities count: {records:?}"));
    }
    Ok(())
}
