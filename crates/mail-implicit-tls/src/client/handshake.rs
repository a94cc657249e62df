//! The TLS handshake with the judgement of the server, and the causes of its failures (sections 3.1 and 3.3).

use std::io;

use rustls::{
    AlertDescription,
    pki_types::{ServerName, UnixTime},
};
use tokio_rustls::TlsConnector;

use super::{prepared::Prepared, stream::Stream};
use crate::{
    dialogue::DialogueError,
    dns::host::TlsaRecords,
    failure::{Cause, TlsFailure},
    service::Security,
    verdict::{ChainProblem, ChainVerdict, Verdict},
    verifier::{server_name, verdict_of},
};

/// The facts of a handshake after which the client accepts the server.
#[cfg(feature = "monitor")]
#[derive(Debug)]
pub(crate) struct Handshake {
    pub(crate) verdict: Verdict,
    pub(crate) version: u16,
    pub(crate) cipher_suite: Option<u16>,
    pub(crate) chain: Vec<rustls::pki_types::CertificateDer<'static>>,
}

#[cfg(feature = "monitor")]
impl Handshake {
    /// Returns the facts of a stream with TLS.
    pub(super) fn of(stream: &Stream, verdict: &Verdict) -> Option<Self> {
        let connection = stream.tls_connection()?;
        let suite = connection.negotiated_cipher_suite();
        Some(Self {
            verdict: verdict.clone(),
            version: u16::from(connection.protocol_version()?),
            cipher_suite: suite.map(|suite| u16::from(suite.suite())),
            chain: connection.peer_certificates()?.to_vec(),
        })
    }
}

/// Makes the TLS handshake and judges the server, on a resumed session too.
pub(super) async fn handshake(
    stream: Stream,
    prepared: &Prepared,
) -> Result<(Stream, Verdict), Cause> {
    let tcp = stream
        .into_clear()
        .ok_or(Cause::Tls(TlsFailure::Configuration))?;
    // RFC 7671 section 7: with DANE, SNI is the base domain.
    let name = match &prepared.tlsa {
        TlsaRecords::Records { base, .. } => ServerName::try_from(base.as_str().to_owned()).ok(),
        _ => server_name(&prepared.server).ok(),
    };
    let name = name.ok_or(Cause::Tls(TlsFailure::Configuration))?;
    let connector = TlsConnector::from(prepared.config.clone());
    let is_implicit = prepared.server.service.security == Security::Implicit;
    let tcp = match is_implicit {
        true => tcp,
        false => tcp.upgraded(),
    };
    let encrypted = match connector.connect(name, tcp).into_fallible().await {
        Ok(encrypted) => encrypted,
        // newman-3-3-5: octets that an attacker put there are no failure of the negotiation.
        Err((_, tcp)) if tcp.is_injected() => {
            return Err(Cause::Dialogue(DialogueError::Injected));
        }
        Err((_, tcp)) if is_implicit && tcp.speaks_clear_text() => {
            return Err(Cause::SpeaksClearText);
        }
        Err((error, tcp)) => {
            return Err(match handshake_cause(&error) {
                // The server has TLS, and what followed its first record has not its form.
                Cause::Tls(TlsFailure::NotTls) if tcp.begins_with_tls() => {
                    Cause::Tls(TlsFailure::Protocol)
                }
                cause => cause,
            });
        }
    };
    // rustls does not verify a resumed session, and the certificate may have expired since.
    let (end_entity, intermediates) = encrypted
        .get_ref()
        .1
        .peer_certificates()
        .and_then(<[_]>::split_first)
        .ok_or(Cause::Tls(TlsFailure::Protocol))?;
    let verdict = prepared
        .verifier
        .judge(end_entity, intermediates, UnixTime::now());
    if !prepared.verifier.accepts(&verdict) {
        return Err(Cause::NotVerified(Box::new(verdict)));
    }
    Ok((Stream::tls(encrypted), verdict))
}

/// Returns the cause of a failed handshake, which is the verdict if the server was not verified.
pub(crate) fn handshake_cause(error: &io::Error) -> Cause {
    let rustls = error
        .get_ref()
        .and_then(|error| error.downcast_ref::<rustls::Error>());
    if let Some(verdict) = rustls.and_then(verdict_of) {
        return Cause::NotVerified(Box::new(verdict.clone()));
    }
    match (rustls, rustls.and_then(certificate_problem)) {
        (_, Some(problem)) => Cause::NotVerified(Box::new(Verdict {
            chain: ChainVerdict::Refused(vec![problem]),
            ..Verdict::default()
        })),
        (Some(rustls), None) => Cause::Tls(tls_failure(rustls)),
        (None, None) => broken(error.kind()),
    }
}

/// Returns the cause for a connection that ended during the handshake. A server that lacks TLS closes it.
const fn broken(kind: io::ErrorKind) -> Cause {
    match kind {
        io::ErrorKind::UnexpectedEof
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe => Cause::Tls(TlsFailure::Closed),
        kind => Cause::Connect(kind),
    }
}

/// Returns what is wrong with a server's certificate or its key that rustls found by itself.
const fn certificate_problem(error: &rustls::Error) -> Option<ChainProblem> {
    use rustls::{CertificateError, Error};

    match error {
        Error::NoCertificatesPresented => Some(ChainProblem::NoCertificate),
        Error::InvalidCertificate(CertificateError::BadSignature) => Some(ChainProblem::Signature),
        Error::InvalidCertificate(CertificateError::BadEncoding) => Some(ChainProblem::Malformed),
        Error::InvalidCertificate(_) => Some(ChainProblem::Other),
        _ => None,
    }
}

fn tls_failure(error: &rustls::Error) -> TlsFailure {
    use rustls::{Error, PeerIncompatible};

    match error {
        Error::AlertReceived(AlertDescription::ProtocolVersion) => TlsFailure::Version,
        Error::AlertReceived(AlertDescription::CloseNotify) => TlsFailure::Closed,
        Error::AlertReceived(alert) => TlsFailure::Alert(u8::from(*alert)),
        Error::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
        ) => TlsFailure::Version,
        Error::PeerIncompatible(_) => TlsFailure::Incompatible,
        Error::InvalidMessage(_) => TlsFailure::NotTls,
        _ => TlsFailure::Protocol,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Section 3.3: a fault of the certificate is no failure of the negotiation, whichever side reports it.
    #[test]
    fn takes_faults_of_the_certificate_for_no_failure_of_tls() {
        use rustls::{CertificateError, Error};

        for (error, problem) in [
            (Error::NoCertificatesPresented, ChainProblem::NoCertificate),
            (
                CertificateError::BadSignature.into(),
                ChainProblem::Signature,
            ),
            (
                CertificateError::BadEncoding.into(),
                ChainProblem::Malformed,
            ),
            (CertificateError::Revoked.into(), ChainProblem::Other),
        ] {
            let refused = Verdict {
                chain: ChainVerdict::Refused(vec![problem]),
                ..Verdict::default()
            };
            let cause = handshake_cause(&io::Error::other(error));
            assert_eq!(cause, Cause::NotVerified(Box::new(refused)));
        }
    }
    /// A connection that breaks in the handshake is closed by a server without TLS, or says nothing about the server.
    #[test]
    fn takes_the_end_of_a_connection_for_a_server_without_tls() {
        for (kind, expected) in [
            (io::ErrorKind::UnexpectedEof, Cause::Tls(TlsFailure::Closed)),
            (
                io::ErrorKind::ConnectionReset,
                Cause::Tls(TlsFailure::Closed),
            ),
            (
                io::ErrorKind::ConnectionAborted,
                Cause::Tls(TlsFailure::Closed),
            ),
            (io::ErrorKind::BrokenPipe, Cause::Tls(TlsFailure::Closed)),
            (
                io::ErrorKind::TimedOut,
                Cause::Connect(io::ErrorKind::TimedOut),
            ),
            (
                io::ErrorKind::HostUnreachable,
                Cause::Connect(io::ErrorKind::HostUnreachable),
            ),
        ] {
            assert_eq!(handshake_cause(&kind.into()), expected);
        }
    }
}
