//! The failures of a client's connection, by cause: a latched tag that was not achieved, the server's certificate,
//! and all other failures of a handshake (draft-newman-email-deep-02 sections 3.1 and 5.4).

use alloc::{vec, vec::Vec};
use core::fmt;

use crate::{host::Host, status::StatusUrl, tag::SecurityTag};

/// The stage of a connection at which a failure was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Before connecting: a latched tag is unknown to this client.
    Connecting,
    /// The server has no TLS, or the client logged in without the TLS that the latches require.
    NoTls,
    /// The TLS handshake failed.
    HandshakeFailed,
    /// The TLS session lacks what is latched.
    Handshake,
    /// The login has not achieved a latched tag.
    Login,
}

/// The part of a server's certificate that is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CertificateFault {
    /// PKIX (RFC 5280) refuses the certificate: it leads to no trust anchor, has expired, or the server lacks its key.
    Chain,
    /// The certificate lacks the name of the wanted server.
    Identity,
    /// The server's TLSA records contradict the certificate: "if none of the certificate associations matches the
    /// certificate given by the TLS server, the TLS client MUST abort the handshake" (RFC 6698 section 4.1).
    Dane,
}

/// The reason why a TLS handshake failed. It decides whether a latch is involved: see
/// [`Event::HandshakeFailed`](crate::latch::Event::HandshakeFailed).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HandshakeFault {
    /// The connection broke, was closed, or timed out. The failure says nothing about the server's facilities.
    Transport,
    /// The server ended the handshake for a reason of its own, e.g. by the alerts `internal_error` and
    /// `access_denied`. The failure says nothing about the server's facilities.
    Server,
    /// The two sides have no common version or cipher suite; or the server does not support TLS, or violates it. TLS "was negotiated successfully" is part of what each tag of section 11.2 means.
    Negotiation,
    /// The client refused the server's certificate.
    Certificate(CertificateFault),
    /// The client's own TLS engine failed, e.g. because it has no random numbers.
    Local,
}

impl fmt::Display for CertificateFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Chain => "the certificate is not trusted, or not valid now",
            Self::Identity => "the certificate has another name",
            Self::Dane => "the TLSA records contradict the certificate",
        })
    }
}

impl fmt::Display for HandshakeFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transport => f.write_str("the connection broke or timed out"),
            Self::Server => f.write_str("the server ended the handshake"),
            Self::Negotiation => f.write_str("TLS could not be negotiated"),
            Self::Certificate(fault) => fault.fmt(f),
            Self::Local => f.write_str("the client's TLS engine failed"),
        }
    }
}

/// An action that a user may be offered after a failure (sections 3.1 and 5.4). No action connects in spite of the
/// failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// "work offline"
    WorkOffline,
    /// "try again later"
    TryAgainLater,
    /// "open service provider status web page": the URL that was recorded earlier.
    OpenStatusPage(StatusUrl<'static>),
}

/// Returns the actions of any failure. A URL is offered only if it was recorded before the connection, which cannot
/// be trusted.
fn actions(url: Option<&StatusUrl<'static>>) -> Vec<Action> {
    let mut actions = vec![Action::WorkOffline, Action::TryAgainLater];
    actions.extend(url.cloned().map(Action::OpenStatusPage));
    actions
}

/// A failure of a connection that lacks a latched facility (section 5.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LatchFailure {
    host: Host,
    tags: Vec<SecurityTag<'static>>,
    url: Option<StatusUrl<'static>>,
    stage: Stage,
    over_tls: bool,
}

impl LatchFailure {
    pub(crate) const fn new(
        host: Host,
        tags: Vec<SecurityTag<'static>>,
        url: Option<StatusUrl<'static>>,
        stage: Stage,
        over_tls: bool,
    ) -> Self {
        Self {
            host,
            tags,
            url,
            stage,
            over_tls,
        }
    }

    /// Returns the host of the connection.
    #[must_use]
    pub const fn host(&self) -> &Host {
        &self.host
    }

    /// Returns the latched tags whose meaning (section 11.2) was not met, and no others.
    #[must_use]
    pub fn tags(&self) -> &[SecurityTag<'static>] {
        &self.tags
    }

    /// Returns the stage at which the failure was found.
    #[must_use]
    pub const fn stage(&self) -> Stage {
        self.stage
    }

    /// Returns `true` if the connection is over TLS, so that `latch-fail` can be sent before it is closed
    /// (section 7.1). No other data may be sent, above all no credentials.
    #[must_use]
    pub const fn may_report(&self) -> bool {
        self.over_tls
    }

    /// Returns the actions that the user may be offered, with the URL that was recorded before this connection.
    #[must_use]
    pub fn actions(&self) -> Vec<Action> {
        actions(self.url.as_ref())
    }
}

impl fmt::Display for LatchFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: the connection does not satisfy latched tags:",
            self.host
        )?;
        self.tags.iter().try_for_each(|tag| write!(f, " {tag}"))
    }
}

impl core::error::Error for LatchFailure {}

/// A failure of a server whose certificate is not accepted, where no latched tag concerns the certificate. The client
/// sends no data to such a server, not even a report: `latch-fail` names latched tags only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFailure {
    host: Host,
    fault: CertificateFault,
    url: Option<StatusUrl<'static>>,
}

impl CertificateFailure {
    pub(crate) const fn new(
        host: Host,
        fault: CertificateFault,
        url: Option<StatusUrl<'static>>,
    ) -> Self {
        Self { host, fault, url }
    }

    /// Returns the host of the connection.
    #[must_use]
    pub const fn host(&self) -> &Host {
        &self.host
    }

    /// Returns the part of the certificate that is not accepted.
    #[must_use]
    pub const fn fault(&self) -> CertificateFault {
        self.fault
    }

    /// Returns the actions that the user may be offered, with the URL that was recorded before this connection.
    #[must_use]
    pub fn actions(&self) -> Vec<Action> {
        actions(self.url.as_ref())
    }
}

impl fmt::Display for CertificateFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.host, self.fault)
    }
}

impl core::error::Error for CertificateFailure {}
