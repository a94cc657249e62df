//! Feature `monitor`: a look at a mail domain as its clients see it, and findings that say what will break
//! (draft-newman-email-deep-02 sections 10.3 to 10.6).
//!
//! [`Prober`] makes an [`Observation`] of a domain: records of the DNS with their signatures, and of each server at each
//! address the verdict of this crate's own [client](crate::client), the certificate, the versions of TLS, the logins
//! offered in clear text and the DEEP status. [`judge`] makes [`Finding`]s of it, each of one sentence with the action
//! that helps. It is a pure function of the observation, of the [`Context`] and of the time in it.
//!
//! A fact that is not known is no fault: [`State::NotKnown`] is apart from [`State::Bad`].

mod certificate;
mod finding;
mod judge;
mod observation;
mod policy;
mod probe;
mod time;

pub use self::{
    certificate::Certificate,
    finding::{Check, Finding, Report, State, Subject},
    judge::judge,
    observation::{
        AddressObservation, ClearText, DeepStatus, Listening, NotKnown, Observation, OldVersions,
        PolicyFile, ServerObservation, ServerSource, ServiceObservation, TlsObservation,
        TlsaObservation, TransportSecurity,
    },
    policy::{Context, KnownCertificate, Policy},
    probe::{MAX_ADDRESSES, MAX_SERVERS, Options, Prober, Step},
    time::{Span, Timestamp},
};
