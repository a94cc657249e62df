//! The names of services in arguments and in the gateway's configuration.

use clap::ValueEnum;
use mail_implicit_tls::service::Service;
use serde::Deserialize;

/// A service at its usual port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ServiceName {
    Imaps,
    Pop3s,
    Submissions,
    /// IMAP with STARTTLS.
    Imap,
    /// POP with STLS.
    Pop3,
    /// Submission with STARTTLS.
    Submission,
}

impl From<ServiceName> for Service {
    fn from(name: ServiceName) -> Self {
        match name {
            ServiceName::Imaps => Self::IMAPS,
            ServiceName::Pop3s => Self::POP3S,
            ServiceName::Submissions => Self::SUBMISSIONS,
            ServiceName::Imap => Self::IMAP_STARTTLS,
            ServiceName::Pop3 => Self::POP3_STARTTLS,
            ServiceName::Submission => Self::SUBMISSION_STARTTLS,
        }
    }
}
