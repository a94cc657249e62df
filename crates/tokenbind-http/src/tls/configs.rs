//! Configurations that negotiate Token Binding, and the result of a finished handshake.

use std::{fmt, sync::Arc};

#[cfg(feature = "tokio")]
use rustls::server::ClientHello;
use rustls::{
    ClientConfig, ClientConnection, CommonState, ConfigBuilder, Error, ServerConfig,
    ServerConnection, WantsVerifier,
    crypto::CryptoProvider,
    server::{Accepted, Acceptor},
    version::{TLS12, TLS13},
};
use tokenbind_wire::{
    ApplicationProtocol, Negotiated, NegotiationError, PkiTypes, ProtocolVersion, Session,
    TlsFacts, TokenBindingAlpn,
};

use crate::{
    tls::{
        client_hello::{Choice, ClientOffer, PlainReason, VersionPreference},
        sessions::{DEFAULT_TLS_SESSIONS, EmsSessions},
        tls12_handshake,
    },
    tls_unique::{Capture, CaptureError, capturing},
};

/// The application protocols offered without Token Binding, in this order.
const PLAIN: [ApplicationProtocol; 2] = [ApplicationProtocol::Http2, ApplicationProtocol::Http11];

/// The reason why a finished handshake must not be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionError {
    /// The peer chose what it must not.
    Negotiation(NegotiationError),
    /// The `tls-unique` value could not be obtained from the TLS engine.
    Capture(CaptureError),
    /// The configuration without Token Binding negotiated one of its identifiers.
    UnexpectedIdentifier,
}

impl fmt::Display for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Negotiation(error) => error.fmt(f),
            Self::Capture(error) => error.fmt(f),
            Self::UnexpectedIdentifier => {
                f.write_str("a token binding identifier was negotiated without token binding")
            }
        }
    }
}

impl std::error::Error for SessionError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Negotiation(error) => error.source(),
            Self::Capture(error) => error.source(),
            Self::UnexpectedIdentifier => None,
        }
    }
}

impl From<SessionError> for std::io::Error {
    fn from(error: SessionError) -> Self {
        Self::new(std::io::ErrorKind::InvalidData, error)
    }
}

/// A server's two configurations, and the policy to choose between them.
///
/// Sessions of one configuration are not resumed under the other: each has its own cache and tickets, unless
/// you make them share.
#[derive(Clone, Debug)]
pub struct ServerConfigs {
    token_binding: Arc<ServerConfig>,
    plain: Arc<ServerConfig>,
    alpn: Vec<TokenBindingAlpn>,
    suites: Vec<u16>,
    preference: VersionPreference,
}

impl ServerConfigs {
    /// Builds both configurations on this provider. `finish` is called for each, to set certificates, client
    /// authentication and tickets. `alpn` are the Token Binding identifiers in order of preference, e.g.
    /// [`TokenBindingAlpn::ALL`]; `h2` and `http/1.1` are offered after them.
    ///
    /// # Errors
    /// The error of `finish`, or that of rustls if the provider has no cipher suite of TLS 1.2.
    pub fn build(
        provider: CryptoProvider,
        alpn: &[TokenBindingAlpn],
        preference: VersionPreference,
        finish: impl Fn(ConfigBuilder<ServerConfig, WantsVerifier>) -> Result<ServerConfig, Error>,
    ) -> Result<Self, Error> {
        let suites = provider
            .cipher_suites
            .iter()
            .filter(|suite| suite.tls13().is_none())
            .map(|suite| suite.suite().into())
            .collect();
        let capturing = Arc::new(capturing(provider.clone()));
        let builder = ServerConfig::builder_with_provider(capturing);
        let mut token_binding = finish(builder.with_protocol_versions(&[&TLS12])?)?;
        // balfanz-4-3-1
        token_binding.require_ems = true;
        token_binding.alpn_protocols = identifiers(alpn);
        let builder = ServerConfig::builder_with_provider(Arc::new(provider));
        let mut plain = finish(builder.with_protocol_versions(&[&TLS13, &TLS12])?)?;
        plain.alpn_protocols = plain_identifiers();
        Ok(Self {
            token_binding: Arc::new(token_binding),
            plain: Arc::new(plain),
            alpn: alpn.to_vec(),
            suites,
            preference,
        })
    }

    /// Returns the configuration for a client whose connection begins with these records, and the reason.
    ///
    /// Token Binding needs TLS 1.2. With a client that can do TLS 1.3 as well, it is chosen only if its handshake can
    /// work: cipher suites, groups and signature schemes are compared with the certificate that the configuration's
    /// resolver gives, which is asked once more than otherwise.
    pub fn choose(&self, records: &[u8]) -> (Arc<ServerConfig>, Choice) {
        self.choose_if(records, || {
            let accepted = accepted(records).ok_or(PlainReason::Unreadable)?;
            tls12_handshake::check(&self.token_binding, accepted.client_hello())
        })
    }

    /// Returns the same as [`choose`](Self::choose) if rustls has read the ClientHello in `records` already.
    #[cfg(feature = "tokio")]
    pub(crate) fn choose_for(
        &self,
        records: &[u8],
        hello: ClientHello<'_>,
    ) -> (Arc<ServerConfig>, Choice) {
        self.choose_if(records, || {
            tls12_handshake::check(&self.token_binding, hello)
        })
    }

    fn choose_if(
        &self,
        records: &[u8],
        works: impl FnOnce() -> Result<(), PlainReason>,
    ) -> (Arc<ServerConfig>, Choice) {
        let choice = match ClientOffer::from_records(records) {
            Ok(offer) => match offer.choose(&self.alpn, &self.suites, self.preference) {
                Choice::TokenBinding if offer.tls13 => {
                    works().map_or_else(Choice::Plain, |()| Choice::TokenBinding)
                }
                // Without TLS 1.3 both configurations do the same handshake.
                choice => choice,
            },
            Err(_) => Choice::Plain(PlainReason::Unreadable),
        };
        let config = match choice {
            Choice::TokenBinding => &self.token_binding,
            Choice::Plain(_) => &self.plain,
        };
        (config.clone(), choice)
    }

    /// Returns what a finished handshake under the chosen configuration negotiated; `None` without Token
    /// Binding. [`negotiate`](Self::negotiate) keeps `choice` and `capture` together.
    ///
    /// # Errors
    /// [`SessionError::Negotiation`] if a rule of Token Binding is broken, [`SessionError::Capture`] if
    /// `tls_unique` could not be obtained, [`SessionError::UnexpectedIdentifier`] if `choice` is not that of
    /// the connection. Close the connection.
    pub fn session(
        &self,
        choice: Choice,
        connection: &ServerConnection,
        capture: &Capture,
    ) -> Result<Option<Session>, SessionError> {
        let chosen = connection.alpn_protocol().and_then(TokenBindingAlpn::parse);
        match (choice, chosen) {
            (Choice::TokenBinding, Some(alpn)) => {
                let unique = capture.server(connection, &self.token_binding);
                let facts = facts(connection, self.token_binding.require_ems);
                let negotiated = Negotiated::try_new(alpn, facts);
                Ok(Some(Session {
                    negotiated: negotiated.map_err(SessionError::Negotiation)?,
                    tls_unique: unique.map_err(SessionError::Capture)?,
                }))
            }
            (Choice::Plain(_), None) => Ok(None),
            _ => Err(SessionError::UnexpectedIdentifier),
        }
    }

    /// Returns a verifier of signatures that uses the provider's algorithms.
    #[must_use]
    pub fn verifier(&self) -> PkiTypes {
        let provider = self.token_binding.crypto_provider();
        PkiTypes::new(provider.signature_verification_algorithms.all)
    }
}

/// Builds a client's configuration that offers these Token Binding identifiers, in order of preference, and
/// `h2` and `http/1.1` after them. `finish` sets which servers are trusted.
///
/// A TLS 1.2 server without Extended Master Secret is accepted, without Token Binding:
/// [`client_session`] refuses the connection if such a server chooses a Token Binding identifier. Set `require_ems` in
/// the result to refuse all such servers.
///
/// TLS sessions are kept in memory, for 256 servers. Those of TLS 1.2 are resumed only where a [`Capture`] sees the
/// connection from [`ClientConnection::new`] on. With another `resumption`, set `require_ems`: a resumed connection
/// does not show whether it has Extended Master Secret, and is refused where Token Binding is negotiated.
///
/// # Errors
/// The error of rustls if the provider has no cipher suite of TLS 1.2.
pub fn client_config(
    provider: CryptoProvider,
    alpn: &[TokenBindingAlpn],
    finish: impl FnOnce(ConfigBuilder<ClientConfig, WantsVerifier>) -> ClientConfig,
) -> Result<ClientConfig, Error> {
    let builder = ClientConfig::builder_with_provider(Arc::new(capturing(provider)));
    let mut config = finish(builder.with_protocol_versions(&[&TLS13, &TLS12])?);
    config.resumption = EmsSessions::resumption(DEFAULT_TLS_SESSIONS);
    config.alpn_protocols = identifiers(alpn);
    config.alpn_protocols.extend(plain_identifiers());
    Ok(config)
}

/// Returns what a client's finished handshake negotiated; `None` without Token Binding.
///
/// # Errors
/// [`SessionError::Negotiation`] if the server chose what it must not, e.g. Token Binding without Extended Master
/// Secret; [`SessionError::Capture`] if tls-unique could not be obtained. Close the connection.
pub fn client_session(
    connection: &ClientConnection,
    config: &ClientConfig,
    capture: &Capture,
) -> Result<Option<Session>, SessionError> {
    // balfanz-4-3-1
    let facts = facts(connection, !capture.lacks_ems());
    let negotiated = facts.check_server_choice(&config.alpn_protocols, connection.alpn_protocol());
    let Some(negotiated) = negotiated.map_err(SessionError::Negotiation)? else {
        return Ok(None);
    };
    let tls_unique = capture
        .client(connection, config)
        .map_err(SessionError::Capture)?;
    Ok(Some(Session {
        negotiated,
        tls_unique,
    }))
}

/// Returns the ClientHello that these records begin with, read by rustls.
fn accepted(mut records: &[u8]) -> Option<Accepted> {
    let mut acceptor = Acceptor::default();
    loop {
        let read = acceptor.read_tls(&mut records).ok()?;
        if let Some(accepted) = acceptor.accept().ok()? {
            return Some(accepted);
        }
        if read == 0 {
            return None;
        }
    }
}

fn facts(connection: &CommonState, extended_master_secret: bool) -> TlsFacts {
    let version = connection.protocol_version().map_or(0, u16::from);
    TlsFacts {
        version: ProtocolVersion(version),
        extended_master_secret,
    }
}

fn identifiers(alpn: &[TokenBindingAlpn]) -> Vec<Vec<u8>> {
    alpn.iter().map(|alpn| alpn.as_str().into()).collect()
}

fn plain_identifiers() -> Vec<Vec<u8>> {
    PLAIN
        .iter()
        .map(|protocol| protocol.alpn().into())
        .collect()
}
