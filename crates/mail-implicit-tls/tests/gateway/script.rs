//! Scripts: the octets of each side, and the octets that each side receives in return.

use deep_latch::{
    Advertisement, DeepStatus, Facilities, MailProtocol, TlsFacts,
    facts::{ChainVerdict, DaneVerdict, IdentityVerdict, ProtocolVersion, SessionFacts},
    server::AdvertisementConfig,
};
use mail_implicit_tls::{
    gateway::{
        BackendFailure, ClientAddress, ClientFacts, Event, GatewayError, GatewayOptions,
        GatewaySession, ImapGateway, Mechanism, PopGateway, SessionId,
    },
    server::ConnectionRecord,
    service::{Protocol, Service},
};

/// A turn: octets of a side, the octets that the backend receives, and the octets that the client receives.
pub(crate) type Turn<'a> = (Sender<'a>, &'a str, &'a str);

#[derive(Clone, Copy, Debug)]
pub(crate) enum Sender<'a> {
    Client(&'a str),
    ClientOctets(&'a [u8]),
    Backend(&'a str),
    Failed(BackendFailure),
}

pub(crate) use Sender::{Backend, Client, ClientOctets, Failed};

/// The end of a script.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) events: Vec<Event>,
    pub(crate) error: Option<GatewayError>,
    pub(crate) is_pipe: bool,
    pub(crate) is_over: bool,
}

/// An advertisement of tls10, tls-cert and a URL, as in example 3 of section 7.1.
pub(crate) fn advertisement() -> Advertisement {
    let config = AdvertisementConfig {
        status: DeepStatus::parse("tls10 tls-cert <https://www.example.com/support.html>").unwrap(),
        protocols: vec![MailProtocol::Imap, MailProtocol::Pop],
        ..AdvertisementConfig::default()
    };
    let probe = SessionFacts {
        tls: Some(TlsFacts {
            version: ProtocolVersion::TLS1_3,
            strength_bits: Some(256),
            chain: ChainVerdict::Trusted,
            identity: IdentityVerdict::Matches,
            dane: DaneVerdict::NoRecords,
        }),
        login: None,
    };
    Advertisement::try_new(&config, &Facilities::new(), &probe).unwrap()
}

pub(crate) fn facts(service: Service) -> ClientFacts {
    ClientFacts {
        record: ConnectionRecord {
            cipher_suite: Some(0x1301),
            ..ConnectionRecord::new(service, "192.0.2.7:51234".parse().unwrap())
        },
        local: "192.0.2.1:993".parse().unwrap(),
        session: SessionId(0xab),
    }
}

pub(crate) fn certified(service: Service, identity: &str) -> ClientFacts {
    let mut facts = facts(service);
    facts.record.client = Some(identity.to_owned());
    facts
}

pub(crate) fn options(protocol: Protocol) -> GatewayOptions {
    GatewayOptions::try_new(protocol, ClientAddress::None).unwrap()
}

pub(crate) fn deep_options(protocol: Protocol) -> GatewayOptions {
    options(protocol).with_advertisement(advertisement())
}

pub(crate) fn open(facts: &ClientFacts, options: &GatewayOptions) -> Box<dyn GatewaySession> {
    match options.protocol() {
        Protocol::Imap => Box::new(ImapGateway::new(facts, options)),
        _ => Box::new(PopGateway::new(facts, options)),
    }
}

pub(crate) fn mechanism(name: &str) -> Mechanism {
    Mechanism::parse(name).unwrap()
}

/// Plays a script of IMAP without options.
pub(crate) fn imap(turns: &[Turn<'_>]) -> Ended {
    play(&facts(Service::IMAPS), &options(Protocol::Imap), turns)
}

/// Plays a script of POP without options.
pub(crate) fn pop(turns: &[Turn<'_>]) -> Ended {
    play(&facts(Service::POP3S), &options(Protocol::Pop), turns)
}

/// Plays a script, and checks what each side receives in each turn: with the octets whole, and in pieces.
pub(crate) fn play(facts: &ClientFacts, options: &GatewayOptions, turns: &[Turn<'_>]) -> Ended {
    let whole = in_pieces(facts, options, turns, usize::MAX);
    for pieces in [1, 2, 3] {
        assert_eq!(in_pieces(facts, options, turns, pieces), whole, "{pieces}");
    }
    whole
}

fn in_pieces(
    facts: &ClientFacts,
    options: &GatewayOptions,
    turns: &[Turn<'_>],
    pieces: usize,
) -> Ended {
    let mut session = open(facts, options);
    let mut error = None;
    for (from, for_backend, for_client) in turns {
        let octets = match from {
            Client(text) | Backend(text) => text.as_bytes(),
            ClientOctets(octets) => octets,
            Failed(failure) => {
                session.backend_failed(*failure);
                b""
            }
        };
        for octets in octets.chunks(pieces) {
            let done = match from {
                Backend(_) => session.backend_sent(octets),
                _ => session.client_sent(octets),
            };
            error = error.or(done.err());
            if error.is_some() {
                break;
            }
        }
        let sent = [session.take_for_backend(), session.take_for_client()];
        let sent = sent.map(|octets| octets.escape_ascii().to_string());
        let expected = [for_backend, for_client].map(|it| it.as_bytes().escape_ascii().to_string());
        assert_eq!(sent, expected, "after {from:?} in pieces of {pieces}");
    }
    Ended {
        events: std::iter::from_fn(|| session.next_event()).collect(),
        error,
        is_pipe: session.is_pipe(),
        is_over: session.is_over(),
    }
}
