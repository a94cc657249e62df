//! The DEEP status of the gateways that suites, oracles and scenarios try.

use std::error::Error;

use deep_latch::{
    Advertisement, DeepStatus, Facilities, MailProtocol, TlsFacts,
    facts::{ChainVerdict, DaneVerdict, IdentityVerdict, ProtocolVersion, SessionFacts},
    server::AdvertisementConfig,
};

/// The tags and the URL of example 3 of section 7.1.
pub(crate) const EXAMPLE_3: &str = "tls10 tls-cert <https://www.example.com/support.html>";

/// Returns the advertisement of a status that a verified session over TLS 1.3 achieves.
pub(crate) fn advertisement(
    status: &str,
    protocols: &[MailProtocol],
) -> Result<Advertisement, Box<dyn Error + Send + Sync>> {
    let config = AdvertisementConfig {
        status: DeepStatus::parse(status)?.into_owned(),
        protocols: protocols.to_vec(),
        ..AdvertisementConfig::default()
    };
    let probe = SessionFacts {
        tls: Some(TlsFacts {
            version: ProtocolVersion::TLS1_3,
            strength_bits: Some(256),
            chain: ChainVerdict::Trusted,
            identity: IdentityVerdict::Matches,
            dane: DaneVerdict::NoRecords,
        }),
        login: None,
    };
    Ok(Advertisement::try_new(&config, &Facilities::new(), &probe)?)
}
