//! The client of the sessions through gateways.

use mail_implicit_tls::{
    gateway::{ClientFacts, SessionId},
    privacy::ProtocolVersion,
    server::ConnectionRecord,
    service::{Protocol, Service},
};

/// Returns the facts of the client of all sessions, as docs/vectors.md has them.
#[must_use]
pub fn client_facts(service: Service) -> ClientFacts {
    let port = match service.protocol {
        Protocol::Imap | Protocol::Pop => 993,
        Protocol::Submission => 465,
    };
    ClientFacts {
        record: ConnectionRecord {
            version: Some(ProtocolVersion::TLS1_3),
            cipher_suite: Some(0x1301),
            group: Some(29),
            ..ConnectionRecord::new(service, ([192, 0, 2, 7], 51_234).into())
        },
        local: ([192, 0, 2, 1], port).into(),
        session: SessionId(0xab),
    }
}
