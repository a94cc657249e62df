//! Sessions of IMAP, over the proxy of `deep-latch`.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use deep_latch::{
    ParseError,
    proxy::{FrontRules, ImapProxy, MapExternal, MappedLogin, ProxyEvent, ProxyRefusal, ProxySide},
};

use super::{
    AfterLogin, BackendFailure, ClientAddress, ClientFacts, Event, ExternalLogin, GatewayError,
    GatewayOptions, GatewaySession, Mechanism, Refusal, Side,
};
use crate::external;

/// A session of IMAP (RFC 3501, RFC 9051).
///
/// Before login the backend receives CAPABILITY, NOOP, LOGOUT, LANGUAGE, ID, LOGIN and AUTHENTICATE, one at a time, and the
/// octets of a literal after it asked for them. After login the session is a pipe, unless the options or the backend's
/// UNAUTHENTICATE (RFC 8437) keep it parsed.
///
/// ID is the client's, without the fields that only a gateway sends, and with `tls`, the cipher suite of the client's
/// connection (section 7.1). Before the login of a client that sent no ID the backend receives one of the gateway.
#[derive(Debug)]
pub struct ImapGateway(ImapProxy);

impl ImapGateway {
    /// Creates the session of a client.
    #[must_use]
    pub fn new(facts: &ClientFacts, options: &GatewayOptions) -> Self {
        let mut rules = FrontRules::default();
        rules.advertisement = options.advertisement().cloned();
        rules.hide_greeting = facts.was_greeted();
        rules.parse_to_end = options.after_login() == AfterLogin::Parsed;
        rules.allow_utf8 = options.allows_utf8();
        rules.external = external_of(facts, options);
        if options.address() == ClientAddress::ImapId {
            let fields = [
                (
                    "x-originating-ip",
                    facts.record.peer.ip().to_canonical().to_string(),
                ),
                ("x-originating-port", facts.record.peer.port().to_string()),
                (
                    "x-connected-ip",
                    facts.local.ip().to_canonical().to_string(),
                ),
                ("x-connected-port", facts.local.port().to_string()),
                ("x-session-ext-id", facts.session.to_string()),
            ];
            for (field, value) in fields {
                // Addresses and numbers are printable ASCII within the limits.
                let _ = rules.try_report(field, value);
            }
        }
        Self(ImapProxy::front(facts.cipher(), rules))
    }

    fn checked(&self, done: Result<(), ParseError>) -> Result<(), GatewayError> {
        let side = match self.0.failed_side() {
            ProxySide::Client => Side::Client,
            ProxySide::Server => Side::Backend,
        };
        done.map_err(|error| GatewayError::of_side(side, error))
    }
}

impl GatewaySession for ImapGateway {
    fn client_sent(&mut self, octets: &[u8]) -> Result<(), GatewayError> {
        let done = self.0.client_sent(octets);
        self.checked(done)
    }

    fn backend_sent(&mut self, octets: &[u8]) -> Result<(), GatewayError> {
        let done = self.0.server_sent(octets);
        self.checked(done)
    }

    fn take_for_client(&mut self) -> Vec<u8> {
        self.0.take_for_client()
    }

    fn take_for_backend(&mut self) -> Vec<u8> {
        self.0.take_for_server()
    }

    fn may_receive(&self) -> bool {
        self.0.may_receive()
    }

    fn awaits_client(&self) -> bool {
        self.0.awaits_client()
    }

    fn is_pipe(&self) -> bool {
        self.0.is_pipe()
    }

    fn is_over(&self) -> bool {
        self.0.is_over()
    }

    fn next_event(&mut self) -> Option<Event> {
        loop {
            let event = match self.0.next_event()? {
                ProxyEvent::Login {
                    mechanism,
                    accepted,
                } => {
                    let mechanism = mechanism.and_then(|name| Mechanism::parse(&name));
                    let mechanism = mechanism.unwrap_or(Mechanism::PASSWORD);
                    match accepted {
                        true => Event::LoggedIn { mechanism },
                        false => Event::LoginFailed { mechanism },
                    }
                }
                ProxyEvent::Report(report) => Event::Report(Box::new(report)),
                ProxyEvent::Refused(refusal) => Event::Refused(match refusal {
                    ProxyRefusal::Command => Refusal::Command,
                    ProxyRefusal::External => Refusal::External,
                    ProxyRefusal::Forged => Refusal::Forged,
                    ProxyRefusal::Preauth => Refusal::Preauth,
                    _ => Refusal::Syntax,
                }),
                ProxyEvent::Closed => Event::Closed,
                _ => continue,
            };
            return Some(event);
        }
    }

    fn backend_failed(&mut self, failure: BackendFailure) {
        self.0.server_failed(failure.text());
    }
}

fn external_of(facts: &ClientFacts, options: &GatewayOptions) -> Option<Arc<dyn MapExternal>> {
    let external = Certified::new(facts, options)?;
    Some(Arc::new(external))
}

/// A client with a certificate that the gateway accepted as sufficient to log in.
#[derive(Debug)]
pub(super) struct Certified {
    identity: String,
    login: ExternalLogin,
}

impl Certified {
    /// Returns `None` if the client has no such certificate, or if the backend has no login for it.
    pub(super) fn new(facts: &ClientFacts, options: &GatewayOptions) -> Option<Self> {
        let identity = facts.record.client.clone()?;
        let login = options.external().clone();
        (!matches!(login, ExternalLogin::Unavailable)).then_some(Self { identity, login })
    }
}

impl MapExternal for Certified {
    fn login(&self, response: &str) -> Option<MappedLogin> {
        let identity = external::authorize(response.as_bytes(), Some(&self.identity)).ok()?;
        Some(match &self.login {
            ExternalLogin::Unavailable => return None,
            ExternalLogin::External => MappedLogin {
                mechanism: "EXTERNAL".to_owned(),
                message: STANDARD.encode(identity),
            },
            ExternalLogin::Plain(user) => MappedLogin {
                mechanism: "PLAIN".to_owned(),
                message: STANDARD.encode(user.message(identity)),
            },
        })
    }
}
