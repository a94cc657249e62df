//! Sessions of Submission through a gateway, with a model of the backend that reads what it receives strictly, and one that
//! reads it as lenient servers do.

mod backend;

use conformance::oracle::Broken;
use mail_implicit_tls::{
    gateway::{
        BareLineFeeds, ClientAddress, Event, GatewayOptions, GatewaySession, SubmissionGateway,
    },
    name::DomainName,
    service::{Protocol, Service},
};

use self::backend::{Backend, Item, Reading};
use super::facts::client_facts;

/// A session that was played.
#[derive(Debug, PartialEq)]
struct Played {
    for_client: Vec<u8>,
    for_backend: Vec<u8>,
    items: Vec<Item>,
    events: Vec<Event>,
    is_broken: bool,
    is_over: bool,
}

fn play(
    client: &[u8],
    traits: u8,
    received: bool,
    bare_line_feeds: BareLineFeeds,
    piece: usize,
) -> Result<Played, Broken> {
    let options = GatewayOptions::try_new(Protocol::Submission, ClientAddress::ProxyV2);
    let mut options = options.map_err(|error| error.to_string())?;
    options = options.with_bare_line_feeds(bare_line_feeds);
    if received {
        let by = DomainName::parse("gw.example.org").map_err(|error| error.to_string())?;
        options = options.with_received(by, || 0);
    }
    let mut session = SubmissionGateway::new(&client_facts(Service::SUBMISSIONS), &options);
    let mut backend = Backend::new(traits, Reading::Strict);
    let (mut for_client, mut for_backend) = (Vec::new(), Vec::new());
    let mut is_broken = session.backend_sent(&backend.greeting()).is_err();
    for octets in client.chunks(piece.max(1)) {
        is_broken |= session.client_sent(octets).is_err();
        loop {
            for_client.extend(session.take_for_client());
            let octets = session.take_for_backend();
            if octets.is_empty() {
                break;
            }
            for_backend.extend_from_slice(&octets);
            let replies = backend.receive(&octets);
            is_broken |= session.backend_sent(&replies).is_err();
        }
    }
    for_client.extend(session.take_for_client());
    Ok(Played {
        for_client,
        for_backend,
        items: backend.items,
        events: std::iter::from_fn(|| session.next_event()).collect(),
        is_broken,
        is_over: session.is_over(),
    })
}

/// Checks a session of a client that sends these octets without waiting, with each treatment of bare line feeds.
///
/// - The session is the same in whatever pieces the octets come.
/// - The backend receives only commands of the list, and no octet that is not part of what it reads.
/// - A backend that takes a bare CR or LF for a line end, skips white space before a command, and ends a message by any dot
///   between line ends reads the same.
/// - A client that sends nothing which the gateway refuses, normalizes or answers has the same replies, and the backend the same commands
///   and messages, as without the gateway. Of BDAT the arguments are the same, not the spelling.
///
/// # Errors
/// Returns the invariant that was broken.
pub fn submission(client: &[u8], traits: u8, received: bool) -> Result<(), Broken> {
    for bare_line_feeds in [BareLineFeeds::Refuse, BareLineFeeds::Normalize] {
        session(client, traits, received, bare_line_feeds)?;
    }
    Ok(())
}

fn session(
    client: &[u8],
    traits: u8,
    received: bool,
    bare_line_feeds: BareLineFeeds,
) -> Result<(), Broken> {
    let whole = play(client, traits, received, bare_line_feeds, usize::MAX)?;
    for piece in [1, 2, 7] {
        let parts = play(client, traits, received, bare_line_feeds, piece)?;
        // The reason of a refusal may be found earlier.
        let same = match whole.is_broken && parts.is_broken {
            true => parts.items == whole.items,
            false => parts == whole,
        };
        if !same {
            return Err(format!("in pieces of {piece}: {parts:?}; whole: {whole:?}"));
        }
    }
    for item in &whole.items {
        if let Item::Command(line) = item {
            permitted(line)?;
        }
    }
    let mut lenient = Backend::new(traits, Reading::Lenient);
    lenient.receive(&whole.for_backend);
    if lenient.reads_chunks_as_commands {
        return Err("the backend reads the octets of BDAT as commands".into());
    }
    if lenient.items != whole.items {
        return Err(format!(
            "a lenient backend reads {:?}, a strict one {:?}",
            lenient.items, whole.items
        ));
    }
    if received || whole.is_broken || whole.events.iter().any(answered) {
        return Ok(());
    }
    let mut direct = Backend::new(traits, Reading::Strict).behind_gateway();
    let mut replies = direct.greeting();
    replies.extend(direct.receive(client));
    // The gateway skips the octets in place of this.
    if direct.reads_chunks_as_commands {
        return Ok(());
    }
    let direct: Vec<_> = direct.items.into_iter().map(as_forwarded).collect();
    if replies != whole.for_client || direct != whole.items {
        return Err(format!(
            "without the gateway: {direct:?} {}; with it: {whole:?}",
            replies.escape_ascii()
        ));
    }
    Ok(())
}

/// Returns BDAT as the gateway spells it: the backend finds the next command by the size that the gateway read. Returns EHLO and
/// HELO with the client's address in place of a name outside ASCII.
fn as_forwarded(item: Item) -> Item {
    let Item::Command(line) = &item else {
        return item;
    };
    let verb = line.get(..4).unwrap_or_default().to_ascii_uppercase();
    if !line.is_ascii() && matches!(&*verb, b"EHLO" | b"HELO") {
        return Item::Command([&*verb, b" [192.0.2.7]"].concat());
    }
    let line = line.to_ascii_uppercase();
    let mut words = line
        .split(|octet| *octet == b' ')
        .filter(|it| !it.is_empty());
    if words.next() != Some(b"BDAT") {
        return item;
    }
    let size = words.next().unwrap_or_default();
    let digits = size.iter().position(|digit| *digit != b'0');
    let size = digits.map_or(&b"0"[..], |first| &size[first..]);
    let words: Vec<_> = [b"BDAT", size].into_iter().chain(words).collect();
    Item::Command(words.join(&b' '))
}

/// Returns `true` if the gateway answered something itself.
const fn answered(event: &Event) -> bool {
    matches!(
        event,
        Event::Refused(_) | Event::Report(_) | Event::Normalized
    )
}

fn permitted(line: &[u8]) -> Result<(), Broken> {
    const PERMITTED: [&str; 15] = [
        "EHLO", "HELO", "MAIL", "RCPT", "DATA", "BDAT", "BURL", "RSET", "NOOP", "QUIT", "AUTH",
        "VRFY", "EXPN", "HELP", "ETRN",
    ];
    let verb = line
        .split(|octet| *octet == b' ')
        .next()
        .unwrap_or_default();
    let known = PERMITTED
        .iter()
        .any(|it| verb.eq_ignore_ascii_case(it.as_bytes()));
    match known && line.iter().all(|octet| !octet.is_ascii_control()) {
        true => Ok(()),
        false => Err(format!("the backend received {}", line.escape_ascii())),
    }
}

/// Checks a session: an octet for the traits of the backend and the field of Received, and the client's octets.
///
/// # Errors
/// Returns the invariant that was broken.
pub fn submission_octets(data: &[u8]) -> Result<(), Broken> {
    let Some((first, rest)) = data.split_first() else {
        return Ok(());
    };
    submission(rest, first & 0x7f, first & 0x80 != 0)
}
