//! Invariants of the sessions of a gateway, for any octets of a client and any behaviour of a backend.
//!
//! The first octet of the input chooses the protocol and the options, the others up to the first 0xff the answers of the
//! backend; the client's octets follow.

mod imap;
mod pop;

use conformance::oracle::Broken;
use deep_latch::MailProtocol;
use mail_implicit_tls::{
    gateway::{ClientAddress, Event, GatewayOptions, GatewaySession, ImapGateway, PopGateway},
    service::{Protocol, Service},
};

use super::facts::client_facts;
use crate::advertisement::advertisement;

/// The octet that ends the choices.
const SEPARATOR: u8 = 0xff;

/// A backend that answers as the choices say, and records the commands that it reads.
trait Backend {
    /// Returns the greeting.
    fn greeting(&self) -> &'static [u8];

    /// Takes octets, and returns the replies.
    fn hear(&mut self, octets: &[u8]) -> Result<Vec<u8>, Broken>;

    /// Returns the record.
    fn heard(&self) -> &Heard;
}

/// The record of a backend.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Heard {
    /// The commands and lines before login, with literals in the form that waits.
    commands: Vec<Vec<u8>>,
    /// `true` if the client is logged in.
    logged_in: bool,
    /// The octets after login.
    after: Vec<u8>,
    /// `true` if the backend's capabilities after login are known, so that the session is a pipe.
    piped: bool,
    /// `true` if the session has ended.
    closed: bool,
}

/// A session that was played.
#[derive(Debug, PartialEq)]
struct Played {
    /// The lines that the client received, without continuation requests: those of the gateway depend on the pieces.
    client: Vec<Vec<u8>>,
    heard: Heard,
    events: Vec<Event>,
    failed: bool,
}

/// Checks a session.
///
/// - The pieces in which octets come do not matter.
/// - The backend reads, however leniently, only commands that are known before login, each as one command.
/// - The client receives no capability that is another connection's.
/// - If the gateway refuses nothing, the client receives the replies of a session without gateway, but for the capabilities,
///   and the backend receives the same commands, but for ID.
///
/// # Errors
/// Returns the invariant that was broken.
pub fn gateway_octets(data: &[u8]) -> Result<(), Broken> {
    let Some((&first, data)) = data.split_first() else {
        return Ok(());
    };
    let mut parts = data.splitn(2, |octet| *octet == SEPARATOR);
    let choices = parts.next().unwrap_or_default();
    let client = parts.next().unwrap_or_default();
    match first & 1 {
        0 => session(Protocol::Imap, first & 2 == 0, choices, client),
        _ => session(Protocol::Pop, first & 2 == 0, choices, client),
    }
}

/// Checks a session in which the client sends these octets.
///
/// # Errors
/// Returns the invariant that was broken.
pub fn session(
    protocol: Protocol,
    advertises: bool,
    choices: &[u8],
    client: &[u8],
) -> Result<(), Broken> {
    let whole = played(protocol, advertises, choices, client, usize::MAX)?;
    for piece in [1, 7] {
        let pieces = played(protocol, advertises, choices, client, piece)?;
        if pieces != whole {
            return Err(format!("{whole:?}, but in pieces of {piece}: {pieces:?}"));
        }
    }
    for line in &whole.client {
        no_other_capabilities(protocol, line)?;
    }
    for command in &whole.heard.commands {
        is_known(protocol, command)?;
    }
    let logged_in = |event: &&Event| matches!(event, Event::LoggedIn { .. });
    if whole.events.iter().filter(logged_in).count() != usize::from(whole.heard.logged_in) {
        return Err(format!("the events of logins are others: {whole:?}"));
    }
    let refused = |event: &Event| matches!(event, Event::Refused(_));
    if whole.failed || whole.events.iter().any(refused) {
        return Ok(());
    }
    let mut direct = backend(protocol, choices, true);
    let mut said = direct.greeting().to_vec();
    said.extend(direct.hear(client)?);
    if direct.heard().logged_in && !direct.heard().piped {
        // The session stays parsed, and the backend's record does not.
        return Ok(());
    }
    let expected: Vec<_> = lines(&said)
        .into_iter()
        .map(|line| edited(protocol, advertises, &line))
        .collect();
    let expected = without_capability_lists(protocol, expected, advertises);
    let given = without_capability_lists(protocol, whole.client.clone(), advertises);
    if expected != given {
        return Err(format!(
            "without gateway: {}; with it: {}",
            shown(&expected),
            shown(&given)
        ));
    }
    let (direct, through) = (direct.heard().clone(), whole.heard);
    let same = |heard: Heard| Heard {
        commands: heard.commands.into_iter().filter(|it| !is_id(it)).collect(),
        ..heard
    };
    let (direct, through) = (same(direct), same(through));
    match direct == through {
        true => Ok(()),
        false => Err(format!("without gateway: {direct:?}; with it: {through:?}")),
    }
}

fn backend<'a>(protocol: Protocol, choices: &'a [u8], direct: bool) -> Box<dyn Backend + 'a> {
    match protocol {
        Protocol::Imap => Box::new(imap::Imap::new(choices, direct)),
        _ => Box::new(pop::Pop::new(choices)),
    }
}

fn played(
    protocol: Protocol,
    advertises: bool,
    choices: &[u8],
    client: &[u8],
    piece: usize,
) -> Result<Played, Broken> {
    let mut session = open(protocol, advertises)?;
    let mut backend = backend(protocol, choices, false);
    let mut given = Vec::new();
    let mut failed = session.backend_sent(backend.greeting()).is_err();
    given.extend(session.take_for_client());
    for octets in client.chunks(piece.min(client.len()).max(1)) {
        if failed || session.is_over() {
            break;
        }
        failed = session.client_sent(octets).is_err();
        loop {
            given.extend(session.take_for_client());
            let sent = session.take_for_backend();
            let said = backend.hear(&sent)?;
            if said.is_empty() || failed {
                break;
            }
            for octets in said.chunks(piece.min(said.len()).max(1)) {
                failed |= session.backend_sent(octets).is_err();
            }
        }
    }
    given.extend(session.take_for_client());
    Ok(Played {
        client: lines(&given),
        heard: backend.heard().clone(),
        events: std::iter::from_fn(|| session.next_event()).collect(),
        failed,
    })
}

fn open(protocol: Protocol, advertises: bool) -> Result<Box<dyn GatewaySession>, Broken> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let mut options =
        GatewayOptions::try_new(protocol, ClientAddress::None).map_err(|error| text(&error))?;
    if advertises {
        let advertisement = advertisement(
            "<https://www.example.com/>",
            &[MailProtocol::Imap, MailProtocol::Pop],
        );
        options = options.with_advertisement(advertisement.map_err(|error| text(&*error))?);
    }
    let facts = client_facts(match protocol {
        Protocol::Imap => Service::IMAPS,
        _ => Service::POP3S,
    });
    Ok(match protocol {
        Protocol::Imap => Box::new(ImapGateway::new(&facts, &options)),
        _ => Box::new(PopGateway::new(&facts, &options)),
    })
}

/// Returns the lines of octets, with their ends and without continuation requests.
fn lines(octets: &[u8]) -> Vec<Vec<u8>> {
    let lines = octets.split_inclusive(|octet| *octet == b'\n');
    let is_request = |line: &&[u8]| line.first() == Some(&b'+') && line.get(1) != Some(&b'O');
    lines
        .filter(|line| !is_request(line))
        .map(<[u8]>::to_vec)
        .collect()
}

/// Returns a line of the backend as the gateway gives it to the client.
fn edited(protocol: Protocol, advertises: bool, line: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(line);
    let is_kept = |word: &&str| !REMOVED.contains(word);
    let place = match text.strip_prefix("* CAPABILITY ") {
        Some(list) => Some(("* ", list)),
        None => text.split_once("[CAPABILITY "),
    };
    match (protocol, place) {
        (Protocol::Imap, Some((before, list))) => {
            let before = if before == "* " {
                before.to_owned()
            } else {
                format!("{before}[")
            };
            let (list, after) = list.split_at(list.find([']', '\r']).unwrap_or(list.len()));
            let mut words: Vec<&str> = list.split(' ').filter(is_kept).collect();
            if advertises {
                words.retain(|word| *word != "ID");
                words.extend(["DEEP", "ID"]);
            }
            format!("{before}CAPABILITY {}{after}", words.join(" ")).into_bytes()
        }
        (Protocol::Pop, _) if text.starts_with("SASL ") => {
            let words: Vec<&str> = text.trim_end().split(' ').filter(is_kept).collect();
            format!("{}\r\n", words.join(" ")).into_bytes()
        }
        _ => line.to_vec(),
    }
}

/// Removes the lines that the gateway adds or changes as a whole: the answer to ID, and lines of CAPA.
fn without_capability_lists(
    protocol: Protocol,
    lines: Vec<Vec<u8>>,
    advertises: bool,
) -> Vec<Vec<u8>> {
    let is_kept = |line: &Vec<u8>| match protocol {
        Protocol::Imap => !(advertises && line.starts_with(b"* ID ")),
        _ => !line.starts_with(b"STLS") && !line.starts_with(b"DEEP"),
    };
    lines.into_iter().filter(is_kept).collect()
}

/// The capabilities and mechanisms of the backends here that no client may see.
const REMOVED: &[&str] = &[
    "AUTH=EXTERNAL",
    "AUTH=SCRAM-SHA-256-PLUS",
    "EXTERNAL",
    "LOGINDISABLED",
    "SCRAM-SHA-256-PLUS",
    "STARTTLS",
    "STLS",
    "UNAUTHENTICATE",
];

fn no_other_capabilities(protocol: Protocol, line: &[u8]) -> Result<(), Broken> {
    let text = String::from_utf8_lossy(line);
    let is_list = match protocol {
        Protocol::Imap => text.starts_with("* CAPABILITY ") || text.contains(" [CAPABILITY "),
        _ => ["STLS", "SASL"].iter().any(|name| text.starts_with(name)),
    };
    let mut words = text.split([' ', ']', '\r', '\n']);
    match is_list && words.any(|word| REMOVED.contains(&word)) {
        true => Err(format!("a capability of another connection: {text}")),
        false => Ok(()),
    }
}

/// Checks that a command that the backend received before login is one that is known.
fn is_known(protocol: Protocol, command: &[u8]) -> Result<(), Broken> {
    let text = String::from_utf8_lossy(command);
    let mut words = text.split([' ', '\r']);
    let (known, name) = match protocol {
        Protocol::Imap => (imap::KNOWN, words.nth(1)),
        _ => (pop::KNOWN, words.next()),
    };
    let name = name.unwrap_or_default().to_ascii_uppercase();
    match known.contains(&name.as_str()) {
        true if protocol == Protocol::Imap => imap::is_one_command(command),
        true => Ok(()),
        false => Err(format!("an unknown command: {}", command.escape_ascii())),
    }
}

fn is_id(command: &[u8]) -> bool {
    let mut words = command.split(|octet| matches!(octet, b' ' | b'\r'));
    words
        .nth(1)
        .is_some_and(|name| name.eq_ignore_ascii_case(b"ID"))
}

fn shown(lines: &[Vec<u8>]) -> String {
    lines.concat().escape_ascii().to_string()
}
