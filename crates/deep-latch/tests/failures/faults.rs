//! The faults, and the failure that each has to be.

use super::*;

/// A fault of the server, or of the path to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The connection is reset when the handshake begins.
    Reset,
    /// The connection is closed when the handshake begins.
    Closed,
    /// The server does not answer before the time limit.
    Silent,
    /// The server ends the handshake with this alert.
    Alert(u8),
    /// The server answers with TLS 1.1.
    Tls11,
    /// The server uses its protocol without TLS.
    Clear,
    /// A certificate of another name.
    AnotherName,
    /// A certificate that has expired.
    Expired,
    /// A certificate of an authority that is not trusted.
    AnotherAuthority,
    /// A good certificate that the TLSA records contradict.
    TlsaDiffers,
}

pub(super) const FAULTS: [Fault; 13] = [
    Fault::Reset,
    Fault::Closed,
    Fault::Silent,
    // internal_error, access_denied, certificate_required
    Fault::Alert(80),
    Fault::Alert(49),
    Fault::Alert(116),
    // protocol_version
    Fault::Alert(70),
    Fault::Tls11,
    Fault::Clear,
    Fault::AnotherName,
    Fault::Expired,
    Fault::AnotherAuthority,
    Fault::TlsaDiffers,
];

/// The client's report of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    Latch(Stage),
    Certificate(CertificateFault),
    Transport,
    Handshake(HandshakeFault),
    TimeIsOver,
}

/// The meaning of section 11.2 for a tag; no tag if none is latched.
pub(super) fn expected(latched: Option<&str>, fault: Fault) -> Said {
    let cert = latched == Some("tls-cert");
    let dane = latched == Some("tls-dane-tlsa");
    match fault {
        Fault::Reset | Fault::Closed => Said::Transport,
        Fault::Silent => Said::TimeIsOver,
        Fault::Alert(80 | 49 | 116) => Said::Handshake(HandshakeFault::Server),
        // "TLS was successfully negotiated": of each tag.
        Fault::Alert(_) | Fault::Tls11 | Fault::Clear => match latched {
            Some(_) => Said::Latch(Stage::HandshakeFailed),
            None => Said::Handshake(HandshakeFault::Negotiation),
        },
        // "and the server certificate was successfully verified by the client using PKIX, and the server
        // certificate identity was verified"; no TLSA record vouches for it either.
        Fault::AnotherName | Fault::Expired | Fault::AnotherAuthority if cert || dane => {
            Said::Latch(Stage::Handshake)
        }
        // "This tag does not indicate the server certificate was valid."
        Fault::AnotherName => Said::Certificate(CertificateFault::Identity),
        Fault::Expired | Fault::AnotherAuthority => Said::Certificate(CertificateFault::Chain),
        Fault::TlsaDiffers if dane => Said::Latch(Stage::Handshake),
        Fault::TlsaDiffers => Said::Certificate(CertificateFault::Dane),
    }
}

pub(super) fn said(
    connected: &Result<Result<(), RunError>, Said>,
    context: &dyn fmt::Display,
) -> Said {
    match connected {
        Err(said) => *said,
        Ok(Ok(())) => panic!("a session: {context}"),
        Ok(Err(error)) => {
            let actions = error.actions();
            assert_eq!(
                actions,
                [Action::WorkOffline, Action::TryAgainLater],
                "{context}"
            );
            match error {
                RunError::Refused { failure, .. } => Said::Latch(failure.stage()),
                RunError::Certificate { failure, .. } => Said::Certificate(failure.fault()),
                RunError::Io(_) => Said::Transport,
                RunError::Handshake { fault, .. } => Said::Handshake(*fault),
                other => panic!("{other:?}: {context}"),
            }
        }
    }
}
