//! The configuration of TLS for one server of one account: verifier, client certificate, application protocol.

use std::sync::Arc;

use rustls::{ClientConfig, client::ResolvesClientCert, sign::CertifiedKey};

use crate::{
    account::{Account, Server},
    dns::host::TlsaRecords,
    service::Protocol,
    verifier::ServerVerifier,
};

/// The verifier and the configuration of one server of one account, for connections with the same TLSA records.
pub(super) struct Prepared {
    pub(super) account: Account,
    pub(super) server: Server,
    pub(super) tlsa: TlsaRecords,
    pub(super) verifier: Arc<ServerVerifier>,
    pub(super) config: Arc<ClientConfig>,
}

impl Prepared {
    /// Returns `true` if connections to this server with these records have this configuration.
    pub(super) fn is_for(&self, account: &Account, server: &Server, tlsa: &TlsaRecords) -> bool {
        self.account == *account && self.server == *server && self.tlsa == *tlsa
    }
}

/// Returns the application protocol of a protocol (RFC 7301, registry of ALPN). Submission has none.
pub(super) const fn alpn(protocol: Protocol) -> Option<&'static [u8]> {
    match protocol {
        Protocol::Imap => Some(b"imap"),
        Protocol::Pop => Some(b"pop3"),
        Protocol::Submission => None,
    }
}

/// A client certificate that is sent to a server that requests one, and to no other.
#[derive(Debug)]
pub(super) struct OnRequest(pub(super) Arc<CertifiedKey>);

impl ResolvesClientCert for OnRequest {
    fn resolve(
        &self,
        _hints: &[&[u8]],
        schemes: &[rustls::SignatureScheme],
    ) -> Option<Arc<CertifiedKey>> {
        self.0.key.choose_scheme(schemes).map(|_| self.0.clone())
    }

    fn has_certs(&self) -> bool {
        true
    }
}
