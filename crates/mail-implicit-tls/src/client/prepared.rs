//! The configuration of TLS for one server of one account: verifier, client certificate, application protocol.

use std::sync::Arc;

use rustls::{ClientConfig, client::ResolvesClientCert, sign::CertifiedKey};

use crate::{
    account::{Account, AccountId, Host, Server},
    dns::host::TlsaRecords,
    service::{Protocol, Service},
    verifier::ServerVerifier,
};

/// An account and a server of it.
pub(super) type ServerKey = (AccountId, Service, Host, u16);

/// The verifier and the configuration of one server of one account, for connections with the same TLSA records.
pub(super) struct Prepared {
    pub(super) account: Account,
    pub(super) server: Server,
    pub(super) tlsa: TlsaRecords,
    pub(super) verifier: Arc<ServerVerifier>,
    pub(super) config: Arc<ClientConfig>,
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
