//! The server's side: what can be advertised, the answers to ID and CLIENT, and what a proxy forwards.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests"
)]

mod advertisement;
mod answers;
mod id_command;
mod proxy;

use deep_latch::{
    Advertisement, ClientReport, DeepStatus, EncodeError, EncodeErrorKind, Facilities, Host,
    MailProtocol, ParseError, SecurityTag, TlsCipher, TlsFacts,
    facility::Achievement,
    facts::{
        CertificateUsage, ChainVerdict, DaneVerdict, IdentityVerdict, Login, ProtocolVersion,
        SessionFacts,
    },
    imap::{IdCommand, IdParameters},
    proxy::{ForwardError, Forwarded, InboundTls},
    report::FieldNames,
    server::{AdvertiseError, AdvertisementConfig, Advice, ReplyCodes, TlsField},
};
use proptest::prelude::*;

const STATUS: &str = "tls10 tls-cert <https://www.example.com/support.html>";
const ALL: [MailProtocol; 3] = [MailProtocol::Imap, MailProtocol::Pop, MailProtocol::Smtp];

fn status(text: &str) -> DeepStatus<'static> {
    DeepStatus::parse(text).unwrap().into_owned()
}

fn tls() -> TlsFacts {
    TlsFacts {
        version: ProtocolVersion::TLS1_2,
        strength_bits: Some(128),
        chain: ChainVerdict::Trusted,
        identity: IdentityVerdict::Matches,
        dane: DaneVerdict::NoRecords,
    }
}

fn probe(tls: TlsFacts) -> SessionFacts {
    SessionFacts {
        tls: Some(tls),
        login: None,
    }
}

fn config(text: &str) -> AdvertisementConfig {
    AdvertisementConfig {
        status: status(text),
        name: Some("Demo Server".to_owned()),
        version: Some("1.7".to_owned()),
        field_names: FieldNames::Examples,
        protocols: ALL.to_vec(),
    }
}

fn advertised(text: &str) -> Result<Advertisement, AdvertiseError> {
    Advertisement::try_new(&config(text), &Facilities::new(), &probe(tls()))
}

fn tags(text: &str) -> Vec<SecurityTag<'static>> {
    let tags = text.split_whitespace();
    tags.map(|tag| SecurityTag::parse(tag).unwrap().into_owned())
        .collect()
}

fn error(error: ParseError) -> (&'static str, &'static str, usize) {
    (error.kind().name(), error.field(), error.offset())
}

fn answered(command: &[u8], tls: TlsField) -> (String, Result<ClientReport, ParseError>) {
    let command = IdCommand::parse(command).unwrap().unwrap();
    let answer = advertised(STATUS)
        .unwrap()
        .answer_id(&command, tls)
        .unwrap();
    (answer.response, answer.report)
}
