//! A backend of a service: a connection to it up to its greeting, and the failures of this.

use std::{fmt, io, net::SocketAddr, time::Duration};

use tokio::time::{Instant, timeout_at};

use super::{
    BackendFailure, GatewayError, GatewayErrorKind, Side,
    greeting::{MAX_GREETING_BYTES, NoGreeting, greets, read_greeting, refuses},
};
use crate::{
    account::{Account, AccountError, AccountId, AccountSetup, Host, LowPrivacy, Server},
    client::{Connector, Stream},
    failure::{Cause, Stage},
    service::Security,
};

/// A backend of a service.
#[derive(Clone, Debug)]
pub struct Backend {
    server: Server,
    account: Account,
}

impl Backend {
    /// Creates a backend from its server: one in clear text, for a private network, or one with TLS, which is verified.
    /// TLSA records of a secure zone verify the backend too if `dane` is set.
    ///
    /// # Errors
    /// Returns an error for a server that no account can have, such as one with port 0.
    pub fn try_new(server: Server, dane: bool) -> Result<Self, AccountError> {
        let id = AccountId::try_new(format!("backend {server}"))?;
        let mut setup = AccountSetup::new(id).dane(dane).server(server.clone());
        if server.service.security == Security::Clear {
            setup = setup.low(LowPrivacy::default());
        }
        let account = setup.build()?;
        Ok(Self { server, account })
    }

    /// Returns the server.
    #[must_use]
    pub const fn server(&self) -> &Server {
        &self.server
    }
}

impl fmt::Display for Backend {
    /// Writes host and port.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.server.host {
            Host::Address(address) => SocketAddr::new(*address, self.server.port).fmt(f),
            Host::Name(name) => write!(f, "{name}:{}", self.server.port),
        }
    }
}

/// The failure of a backend before it greeted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OpenFailure {
    /// The connection failed, or the backend could not be verified.
    Connection(Cause),
    /// The backend closed the connection in place of a greeting.
    Closed,
    /// The backend greeted too late.
    Silent,
    /// The greeting is longer than 8192 octets.
    GreetingTooLong,
    /// The backend refuses service: it greets with `* BYE`, `-ERR`, 421 or 554.
    Refuses,
    /// The session does not permit what the backend sent.
    Session(GatewayError),
}

impl OpenFailure {
    /// Returns `true` if the gateway itself lacked what a connection needs, which says nothing about the backend.
    #[must_use]
    pub const fn is_of_the_gateway(&self) -> bool {
        matches!(self, Self::Connection(cause) if cause.is_lack_of_resources())
    }

    /// Returns `true` if the failure may be the answer to the client whose address the backend received with the first
    /// octets: it followed them. A host that does not exist, or a connection that is refused, concerns all clients.
    #[must_use]
    pub const fn may_concern_the_client(&self) -> bool {
        match self {
            Self::Connection(cause) => match cause {
                Cause::Tls(_) | Cause::SpeaksClearText | Cause::Dialogue(_) => true,
                Cause::Timeout(stage) => matches!(stage, Stage::Handshake | Stage::Greeting),
                Cause::Connect(kind) => matches!(
                    kind,
                    io::ErrorKind::ConnectionReset
                        | io::ErrorKind::ConnectionAborted
                        | io::ErrorKind::BrokenPipe
                        | io::ErrorKind::UnexpectedEof
                ),
                _ => false,
            },
            _ => true,
        }
    }

    /// Returns the reason for the sessions of clients.
    #[must_use]
    pub const fn reason(&self) -> BackendFailure {
        match self {
            Self::Connection(Cause::Tls(_) | Cause::NotVerified(_) | Cause::SpeaksClearText) => {
                BackendFailure::Tls
            }
            Self::Connection(Cause::Timeout(_)) | Self::Silent => BackendFailure::Timeout,
            Self::Closed => BackendFailure::Closed,
            Self::Connection(_) | Self::GreetingTooLong | Self::Refuses | Self::Session(_) => {
                BackendFailure::Unreachable
            }
        }
    }
}

impl fmt::Display for OpenFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connection(cause) => cause.fmt(f),
            Self::Closed => f.write_str("the backend closed the connection in place of a greeting"),
            Self::Silent => f.write_str("the backend did not greet in time"),
            Self::GreetingTooLong => {
                write!(f, "the greeting is longer than {MAX_GREETING_BYTES} bytes")
            }
            Self::Refuses => f.write_str("the backend refuses service"),
            Self::Session(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for OpenFailure {}

/// A connection to a backend that greeted.
pub(super) struct Greeted {
    /// The stream after the greeting.
    pub(super) stream: Stream,
    /// The greeting, and octets that followed it.
    pub(super) greeting: Vec<u8>,
    /// `true` if the greeting refuses service.
    pub(super) refuses: bool,
}

impl Backend {
    /// Opens a connection and reads the greeting, which must not refuse service.
    pub(super) async fn open(
        &self,
        connector: &Connector,
        first: &[u8],
        time: Duration,
    ) -> Result<(Stream, Vec<u8>), OpenFailure> {
        let greeted = self.greeted(connector, first, time).await?;
        match greeted.refuses {
            true => Err(OpenFailure::Refuses),
            false => Ok((greeted.stream, greeted.greeting)),
        }
    }

    /// Opens a connection and reads the greeting, which may refuse service.
    pub(super) async fn greeted(
        &self,
        connector: &Connector,
        first: &[u8],
        time: Duration,
    ) -> Result<Greeted, OpenFailure> {
        let now = Instant::now();
        let deadline = now.checked_add(time).unwrap_or(now);
        let mut stream = connector
            .reach(&self.account, &self.server, first, deadline)
            .await
            .map_err(OpenFailure::Connection)?;
        let greeting = timeout_at(deadline, read_greeting(&mut stream))
            .await
            .map_err(|_| OpenFailure::Silent)?
            .map_err(|failure| match failure {
                NoGreeting::Closed => OpenFailure::Closed,
                NoGreeting::Broken(kind) => OpenFailure::Connection(Cause::Connect(kind)),
                NoGreeting::TooLong => OpenFailure::GreetingTooLong,
            })?;
        let protocol = self.server.service.protocol;
        let refuses = refuses(protocol, &greeting);
        match refuses || greets(protocol, &greeting) {
            true => Ok(Greeted {
                stream,
                greeting,
                refuses,
            }),
            false => Err(OpenFailure::Session(GatewayError::new(
                Side::Backend,
                GatewayErrorKind::Unexpected,
                "greeting",
                0,
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        dns::{LookupFailure, host::HostFailure},
        failure::TlsFailure,
    };

    #[test]
    fn blames_no_backend_for_what_the_gateway_lacks() {
        for (cause, expected) in [
            (Cause::NoResources, true),
            (
                Cause::Lookup(HostFailure::Address(LookupFailure::NoResources)),
                true,
            ),
            (
                Cause::Lookup(HostFailure::Tlsa(LookupFailure::NoResources)),
                true,
            ),
            (
                Cause::Lookup(HostFailure::Address(LookupFailure::Unreachable)),
                false,
            ),
            (Cause::Lookup(HostFailure::NoAddress), false),
        ] {
            let failure = OpenFailure::Connection(cause);
            assert_eq!(failure.is_of_the_gateway(), expected, "{failure}");
        }
    }

    #[test]
    fn tells_a_failure_of_tls_from_one_of_the_network() {
        for (failure, reason) in [
            (
                OpenFailure::Connection(Cause::Tls(TlsFailure::NotTls)),
                BackendFailure::Tls,
            ),
            (
                OpenFailure::Connection(Cause::NotVerified(Box::default())),
                BackendFailure::Tls,
            ),
            (
                OpenFailure::Connection(Cause::SpeaksClearText),
                BackendFailure::Tls,
            ),
            (
                OpenFailure::Connection(Cause::Timeout(Stage::Connect)),
                BackendFailure::Timeout,
            ),
            (OpenFailure::Silent, BackendFailure::Timeout),
            (OpenFailure::Closed, BackendFailure::Closed),
            (OpenFailure::Refuses, BackendFailure::Unreachable),
            (
                OpenFailure::Connection(Cause::Connect(io::ErrorKind::ConnectionRefused)),
                BackendFailure::Unreachable,
            ),
        ] {
            assert_eq!(failure.reason(), reason, "{failure}");
        }
    }

    #[test]
    fn tells_an_answer_to_the_client_from_a_failure_for_all() {
        for (failure, expected) in [
            (OpenFailure::Refuses, true),
            (OpenFailure::Closed, true),
            (OpenFailure::Silent, true),
            (OpenFailure::GreetingTooLong, true),
            (
                OpenFailure::Connection(Cause::Tls(TlsFailure::Closed)),
                true,
            ),
            (OpenFailure::Connection(Cause::SpeaksClearText), true),
            (
                OpenFailure::Connection(Cause::Timeout(Stage::Handshake)),
                true,
            ),
            (
                OpenFailure::Connection(Cause::Timeout(Stage::Greeting)),
                true,
            ),
            (
                OpenFailure::Connection(Cause::Timeout(Stage::Connect)),
                false,
            ),
            (
                OpenFailure::Connection(Cause::Connect(io::ErrorKind::ConnectionReset)),
                true,
            ),
            (
                OpenFailure::Connection(Cause::Connect(io::ErrorKind::ConnectionRefused)),
                false,
            ),
            (
                OpenFailure::Connection(Cause::NotVerified(Box::default())),
                false,
            ),
            (
                OpenFailure::Connection(Cause::Lookup(HostFailure::NoAddress)),
                false,
            ),
        ] {
            assert_eq!(failure.may_concern_the_client(), expected, "{failure}");
        }
    }
}
