//! A client whose server follows a script: the octets that it sends, the records that it stores, and its end.

#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::unwrap_used,
    clippy::panic,
    reason = "shared by the tests"
)]

use deep_latch::{
    DeepStatus, ErrorKind, Facilities, Host, LatchRecord, LatchSession, SecurityTag, TlsFacts,
    client::{Client, ClientError, ClientEvent, Demand, Protocol},
    facility::Authentication,
    facts::{ChainVerdict, DaneVerdict, IdentityVerdict, Login, ProtocolVersion},
    failure::{CertificateFailure, HandshakeFault, LatchFailure},
    latch::{Basis, Outcome, Reason, Transition},
};

pub const HOST: &str = "mail.example.com";

/// TLS 1.3 with a certificate that is verified.
pub const GOOD: TlsFacts = TlsFacts {
    version: ProtocolVersion::TLS1_3,
    strength_bits: Some(256),
    chain: ChainVerdict::Trusted,
    identity: IdentityVerdict::Matches,
    dane: DaneVerdict::NotChecked,
};

/// TLS 1.3 with a certificate that is not.
pub const UNVERIFIED: TlsFacts = TlsFacts {
    chain: ChainVerdict::Refused,
    ..GOOD
};

pub fn record(tags: &[&'static str]) -> LatchRecord {
    let tags = tags.iter().map(|tag| SecurityTag::parse(tag).unwrap());
    LatchRecord::preset(Host::try_new(HOST).unwrap(), tags)
}

/// A session of a host whose status was recorded on an earlier connection.
pub fn session_with_status(status: &str) -> LatchSession {
    let mut first = session(&[]);
    for event in [
        deep_latch::latch::Event::Handshake(GOOD),
        deep_latch::latch::Event::Status(&DeepStatus::parse(status).unwrap()),
    ] {
        assert_eq!(first.step(event).outcome, Outcome::Continue);
    }
    LatchSession::try_new(first.record().clone(), Facilities::new()).unwrap()
}

pub fn session(tags: &[&'static str]) -> LatchSession {
    LatchSession::try_new(record(tags), Facilities::new()).unwrap()
}

/// The server's octets, and the other events.
#[derive(Clone, Debug)]
pub struct Script<'a> {
    /// Before TLS, or all if it begins at once; then over TLS; then after login.
    pub clear: &'a [u8],
    pub tls: &'a [u8],
    pub after_login: &'a [u8],
    /// The facts of TLS; `None` if the handshake fails.
    pub facts: Option<TlsFacts>,
    /// The reason why the handshake fails, if it does.
    pub fault: HandshakeFault,
    /// The login, if the caller gives the connection back after it.
    pub login: Option<Login>,
}

impl Default for Script<'_> {
    fn default() -> Self {
        Self {
            clear: b"",
            tls: b"",
            after_login: b"",
            facts: Some(GOOD),
            fault: HandshakeFault::Negotiation,
            login: None,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    LogIn,
    Ready,
    Refused(LatchFailure),
    RefusedCertificate(CertificateFailure),
    Failed(ClientError),
}

/// The result of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Played {
    /// The client's octets: in clear, over TLS, after login.
    pub sent: [String; 3],
    pub stored: Vec<LatchRecord>,
    pub events: Vec<ClientEvent>,
    pub end: End,
    /// The octets that the client gave back or never took.
    pub left: Vec<u8>,
    pub record: LatchRecord,
}

impl Played {
    pub fn latched(&self) -> Vec<&str> {
        self.record.latched().map(|tag| tag.as_str()).collect()
    }

    pub fn status(&self) -> Option<&str> {
        self.record.status().map(DeepStatus::as_str)
    }
}

/// A tag of a server that PKIX authenticates is latched.
pub fn latched(tag: &'static str) -> ClientEvent {
    let basis = Basis::Authenticated(Authentication::Pkix);
    let tag = SecurityTag::parse(tag).unwrap();
    ClientEvent::Transition(Transition::Latched(tag, basis))
}

pub fn not_latched(tag: &'static str, reason: Reason) -> ClientEvent {
    let tag = SecurityTag::parse(tag).unwrap();
    ClientEvent::Transition(Transition::NotLatched(tag, reason))
}

pub fn recorded(status: &'static str) -> ClientEvent {
    ClientEvent::Transition(Transition::Recorded(DeepStatus::parse(status).unwrap()))
}

pub const WITHDRAWN: ClientEvent = ClientEvent::Transition(Transition::Withdrawn);

pub const ACCEPTED: ClientEvent = ClientEvent::Reported { accepted: true };

pub const NOT_ACCEPTED: ClientEvent = ClientEvent::Reported { accepted: false };

/// Returns kind, field and offset of the event of a malformed status.
pub fn unreadable(event: &ClientEvent) -> (ErrorKind, &'static str, usize) {
    match event {
        ClientEvent::UnreadableStatus(error) => (error.kind(), error.field(), error.offset()),
        event => panic!("{event:?}"),
    }
}

/// Returns kind, field and offset of the event of an accepted deviation.
pub fn accepted_deviation(event: &ClientEvent) -> (ErrorKind, &'static str, usize) {
    match event {
        ClientEvent::Leniency(error) => (error.kind(), error.field(), error.offset()),
        event => panic!("{event:?}"),
    }
}

/// Plays a script in pieces of so many bytes.
pub fn play_in_pieces<P: Protocol>(
    mut client: Client<P>,
    script: &Script<'_>,
    piece: usize,
) -> Played {
    let mut sent = [const { String::new() }; 3];
    let mut stored = Vec::new();
    let mut stage = 0;
    let mut left = script.clear;
    let mut given_back = Vec::new();
    let end = loop {
        match client.demand() {
            Ok(Demand::Send(bytes)) => {
                // The same until it is done.
                assert_eq!(client.demand(), Ok(Demand::Send(bytes.clone())));
                sent[stage].push_str(&String::from_utf8(bytes).unwrap());
                client.sent();
            }
            Ok(Demand::Store) => {
                assert_eq!(client.demand(), Ok(Demand::Store));
                stored.push(client.session().record().clone());
                client.stored();
            }
            Ok(Demand::Receive) if left.is_empty() => client.end_of_input(),
            Ok(Demand::Receive) => {
                let now;
                (now, left) = left.split_at(piece.min(left.len()));
                client.receive(now);
            }
            Ok(Demand::StartTls) => {
                if !left.is_empty() {
                    client.receive(left);
                }
                (stage, left) = (1, script.tls);
                match script.facts {
                    Some(facts) => client.handshake(facts),
                    None => client.handshake_failed(script.fault),
                }
            }
            Ok(Demand::LogIn) => {
                given_back.extend(client.take_leftover());
                let Some(login) = script.login else {
                    break End::LogIn;
                };
                (stage, left) = (2, script.after_login);
                client.logged_in(login);
            }
            Ok(Demand::Ready) => {
                given_back.extend(client.take_leftover());
                break End::Ready;
            }
            Ok(Demand::Refused(failure)) => break End::Refused(failure),
            Ok(Demand::RefusedCertificate(failure)) => break End::RefusedCertificate(failure),
            Err(error) => break End::Failed(error),
        }
    };
    given_back.extend(left);
    let events = client.take_events();
    Played {
        sent,
        stored,
        events,
        left: match end {
            End::LogIn | End::Ready => given_back,
            _ => Vec::new(),
        },
        end,
        record: client.session().record().clone(),
    }
}

/// Plays a script as a whole, and in pieces: it is all the same.
pub fn play<P: Protocol + Clone>(client: &Client<P>, script: &Script<'_>) -> Played {
    let whole = play_in_pieces(client.clone(), script, usize::MAX);
    for piece in [1, 2, 3, 7] {
        let played = play_in_pieces(client.clone(), script, piece);
        assert_eq!(played, whole, "in pieces of {piece}");
    }
    whole
}

/// Plays a script that ends after each of its bytes: never a session, unless
/// there was nothing more to wait for, and never a login.
pub fn truncated_at_each_byte<P: Protocol + Clone>(client: &Client<P>, script: &Script<'_>) {
    let whole = play(client, script);
    let texts = [script.clear, script.tls, script.after_login];
    for (at, text) in texts.iter().enumerate() {
        let needed = match whole.end {
            End::LogIn | End::Ready if text.ends_with(&whole.left) => text.len() - whole.left.len(),
            _ => text.len(),
        };
        for length in 0..needed {
            let mut cut = [script.clear, script.tls, script.after_login];
            cut[at] = &text[..length];
            for later in cut.iter_mut().skip(at + 1) {
                *later = b"";
            }
            let [clear, tls, after_login] = cut;
            let cut = Script {
                clear,
                tls,
                after_login,
                ..script.clone()
            };
            let played = play(client, &cut);
            match &whole.end {
                End::Refused(_) => assert_eq!(played.end, whole.end, "{at} {length}"),
                _ => assert_eq!(
                    played.end,
                    End::Failed(ClientError::EndOfInput),
                    "{at} {length}"
                ),
            }
        }
    }
}
