//! Feature `deep`: verdicts as the facts that [`deep_latch`] latches, draft-newman-email-deep-02 section 5.
//!
//! `LatchedConnector` (with feature `client` too) opens connections whose latches are enforced, stored and reported.
//!
//! [`ServerVerifier`] judges for deep-latch, with SRV-IDs, DANE and the rules of the account:
//!
//! ```
//! # use std::sync::Arc;
//! use deep_latch::{latch::Requirements, verifier::{DeferredServerVerifier, OnCertificateFailure}};
//! use mail_implicit_tls::verifier::ServerVerifier;
//!
//! fn deferred(verifier: Arc<ServerVerifier>, latches: &Requirements) -> DeferredServerVerifier {
//!     DeferredServerVerifier::new(verifier.clone(), latches, OnCertificateFailure::Abort)
//!         .with_judge(verifier)
//! }
//! ```

#[cfg(feature = "client")]
mod latched;

use deep_latch::{
    Host as LatchHost,
    verifier::{ServerJudge, ServerVerdicts},
};
use rustls::pki_types::{CertificateDer, UnixTime};

#[cfg(feature = "monitor")]
pub(crate) use self::latched::tls_facts;
#[cfg(feature = "client")]
#[cfg_attr(docsrs, doc(cfg(feature = "client")))]
pub use self::latched::{Latched, LatchedConnector, LatchedFailure};
use crate::{
    account::Host,
    received::CipherSuite,
    verdict::{
        CertificateUsage, ChainVerdict, DaneNotUsed, DaneVerdict, IdentityVerdict, PinVerdict,
        Verdict,
    },
    verifier::ServerVerifier,
};

/// Returns a verdict as deep-latch's facts.
///
/// A pinned certificate is not verified with PKIX, so its chain is refused and its pin latches nothing (section 3.2). The
/// names are passed on as they were judged: deep-latch's `DaneIdentity` decides if the tag `tls-dane-tlsa` demands one
/// for usage 3.
#[must_use]
pub fn facts(verdict: &Verdict) -> ServerVerdicts {
    if verdict.pin != PinVerdict::NotPinned {
        return ServerVerdicts {
            chain: deep_latch::facts::ChainVerdict::Refused,
            ..ServerVerdicts::default()
        };
    }
    ServerVerdicts {
        chain: match verdict.chain {
            ChainVerdict::NotChecked => deep_latch::facts::ChainVerdict::NotChecked,
            ChainVerdict::Trusted => deep_latch::facts::ChainVerdict::Trusted,
            ChainVerdict::Refused(_) => deep_latch::facts::ChainVerdict::Refused,
        },
        identity: match verdict.identity {
            IdentityVerdict::NotChecked => deep_latch::facts::IdentityVerdict::NotChecked,
            IdentityVerdict::Matches { .. } => deep_latch::facts::IdentityVerdict::Matches,
            IdentityVerdict::Differs(_) => deep_latch::facts::IdentityVerdict::Differs,
        },
        dane: match &verdict.dane {
            DaneVerdict::NotUsed(DaneNotUsed::NotRequested) => {
                deep_latch::facts::DaneVerdict::NotChecked
            }
            DaneVerdict::NotUsed(_) => deep_latch::facts::DaneVerdict::NoRecords,
            DaneVerdict::Matches { usage, .. } => {
                deep_latch::facts::DaneVerdict::Matches(match usage {
                    CertificateUsage::PkixTa => deep_latch::facts::CertificateUsage::PkixTa,
                    CertificateUsage::PkixEe => deep_latch::facts::CertificateUsage::PkixEe,
                    CertificateUsage::DaneTa => deep_latch::facts::CertificateUsage::DaneTa,
                    CertificateUsage::DaneEe => deep_latch::facts::CertificateUsage::DaneEe,
                })
            }
            DaneVerdict::Differs(_) => deep_latch::facts::DaneVerdict::Differs,
        },
    }
}

/// A host other than the verifier's own is not judged.
impl ServerJudge for ServerVerifier {
    fn judge(
        &self,
        host: &LatchHost,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> ServerVerdicts {
        let own = match self.host() {
            Host::Name(name) => host.as_str().eq_ignore_ascii_case(name.as_str()),
            Host::Address(address) => host.as_str().parse() == Ok(*address),
        };
        if own {
            facts(&ServerVerifier::judge(self, end_entity, intermediates, now))
        } else {
            ServerVerdicts::default()
        }
    }
}

/// Every `tls-cipher` of deep-latch is one here.
impl<'a> TryFrom<&'a deep_latch::TlsCipher<'_>> for CipherSuite<'a> {
    type Error = crate::received::ReceivedError;

    fn try_from(cipher: &'a deep_latch::TlsCipher<'_>) -> Result<Self, Self::Error> {
        CipherSuite::parse(cipher.as_str())
    }
}
