//! Sessions of Submission through a gateway. Whole sessions are in the vectors of `mail-implicit-tls/gateway-submission`.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests"
)]

mod backend;
mod commands;
mod login;
mod messages;
mod received;

use mail_implicit_tls::{
    gateway::{
        ClientAddress, ClientFacts, Event, GatewayOptions, GatewaySession, SessionId,
        SubmissionGateway,
    },
    name::DomainName,
    privacy::ProtocolVersion,
    server::ConnectionRecord,
    service::{Protocol, Service},
};

/// The reply of a backend with every extension that counts here.
const EXTENSIONS: &str = "250-mx.example.org\r\n250-PIPELINING\r\n250-CHUNKING\r\n250-SMTPUTF8\r\n\
    250-DEEP tls12\r\n250-BURL imap\r\n250 AUTH PLAIN LOGIN\r\n";

fn facts() -> ClientFacts {
    let peer = "192.0.2.7:51234".parse().expect("address");
    ClientFacts {
        record: ConnectionRecord {
            version: Some(ProtocolVersion::TLS1_3),
            cipher_suite: Some(0x1301),
            group: Some(29),
            ..ConnectionRecord::new(Service::SUBMISSIONS, peer)
        },
        local: "192.0.2.1:465".parse().expect("address"),
        session: SessionId(0xab),
    }
}

fn options() -> GatewayOptions {
    GatewayOptions::try_new(Protocol::Submission, ClientAddress::ProxyV2).expect("options")
}

fn with_received() -> GatewayOptions {
    let by = DomainName::parse("gw.example.org").expect("a name");
    options().with_received(by, || 1_404_208_800)
}

/// A session, and what both sides received.
struct Session {
    gateway: SubmissionGateway,
    client: String,
    backend: String,
    /// The text of the error that ended the session.
    error: Option<String>,
}

impl Session {
    fn new(facts: &ClientFacts, options: &GatewayOptions) -> Self {
        Self {
            gateway: SubmissionGateway::new(facts, options),
            client: String::new(),
            backend: String::new(),
            error: None,
        }
    }

    /// Returns a session after greeting and EHLO.
    fn greeted(options: &GatewayOptions) -> Self {
        let mut session = Self::new(&facts(), options);
        session.backend("220 mx\r\n").client("EHLO c\r\n");
        session.backend(EXTENSIONS).forget();
        session
    }

    /// Returns a session whose client is logged in.
    fn logged_in(options: &GatewayOptions) -> Self {
        let mut session = Self::greeted(options);
        session
            .client("AUTH PLAIN AGEAYg==\r\n")
            .backend("235 ok\r\n");
        session.forget();
        session.events();
        session
    }

    /// Returns a session with a sender and a recipient.
    fn in_transaction(options: &GatewayOptions) -> Self {
        let mut session = Self::logged_in(options);
        session
            .client("MAIL FROM:<a@example.org>\r\n")
            .backend("250 ok\r\n");
        session
            .client("RCPT TO:<b@example.org>\r\n")
            .backend("250 ok\r\n");
        session.forget();
        session
    }

    fn take(&mut self, done: Result<(), String>) {
        if let Err(error) = done {
            self.error.get_or_insert(error);
        }
        let octets = self.gateway.take_for_client();
        self.client += &String::from_utf8(octets).expect("text");
        let octets = self.gateway.take_for_backend();
        self.backend += &String::from_utf8(octets).expect("text");
    }

    fn client(&mut self, text: impl AsRef<[u8]>) -> &mut Self {
        let done = self.gateway.client_sent(text.as_ref());
        self.take(done.map_err(|error| error.to_string()));
        self
    }

    fn backend(&mut self, text: impl AsRef<[u8]>) -> &mut Self {
        let done = self.gateway.backend_sent(text.as_ref());
        self.take(done.map_err(|error| error.to_string()));
        self
    }

    fn forget(&mut self) {
        self.client.clear();
        self.backend.clear();
    }

    /// Returns what client and backend received since the last question.
    fn sent(&mut self) -> (String, String) {
        let sent = (self.client.clone(), self.backend.clone());
        self.forget();
        sent
    }

    fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.gateway.next_event()).collect()
    }
}

fn pair(client: &str, backend: &str) -> (String, String) {
    (client.to_owned(), backend.to_owned())
}
