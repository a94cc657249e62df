//! Server identity: the names that a client expects, the names that a certificate presents, and the rules by which
//! they match (RFC 7817, 9525, 6125, 3501).

#[cfg(feature = "certificates")]
mod certificate;
mod constraints;
mod matching;
#[cfg(feature = "verifier")]
mod path;

use std::{borrow::Cow, fmt, net::IpAddr};

#[cfg(feature = "certificates")]
#[cfg_attr(docsrs, doc(cfg(feature = "certificates")))]
pub use self::certificate::{judge_certificate, presented};
#[cfg(feature = "verifier")]
pub(crate) use self::path::{add_constraints, add_constraints_of};
pub use self::{constraints::NameConstraints, matching::judge};
use crate::{name::DomainName, service::Service};

/// A name that the client expects in the server's certificate: a "reference identifier" of RFC 6125.
///
/// Reference identities come from the user's input and from SRV records that DNSSEC secures, never from reverse
/// lookups, insecure records or the targets of aliases.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum ReferenceIdentity {
    /// DNS-ID: the host that the user typed, the mail domain, or the target of a secure SRV record. It is compared
    /// with the certificate's common name too under the rules that allow CN-IDs.
    Dns(DomainName),
    /// SRV-ID, RFC 4985: a service of the mail domain, if the domain was looked up by SRV (RFC 7817 section 3).
    Srv(Service, DomainName),
    /// IP-ID: the address that the user typed.
    Ip(IpAddr),
}

impl fmt::Display for ReferenceIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(name) => write!(f, "DNS-ID {name}"),
            Self::Srv(service, domain) => write!(f, "SRV-ID _{}.{domain}", service.name()),
            Self::Ip(address) => write!(f, "IP-ID {address}"),
        }
    }
}

/// The rules by which a certificate's names match the reference identities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
#[non_exhaustive]
pub enum Rules {
    /// RFC 7817, the published form of draft-melnikov-email-tls-certs, which draft-newman-email-deep-02 requires:
    /// DNS-ID and SRV-ID. The common name, which RFC 7817 permits, is not compared.
    #[default]
    Rfc7817,
    /// RFC 9525: DNS-ID, SRV-ID and IP-ID, never the common name.
    Rfc9525,
    /// RFC 6125: as [`Rfc7817`](Self::Rfc7817), and the common name of a certificate that has no DNS-ID, SRV-ID,
    /// URI-ID or IP-ID.
    Rfc6125,
    /// RFC 3501 section 11.1, also for POP and Submission (RFC 2595): the DNS-ID of the host that the user typed,
    /// and the common name of a certificate without names of hosts.
    Rfc3501,
}

/// The rules and the leniency by which names match.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Options {
    /// The rules.
    pub rules: Rules,
    /// Accepts an SRV-ID that is encoded as `UTF8String`. RFC 4985 defines `IA5String`; some tools write `UTF8String`. Off
    /// by default.
    pub srv_id_as_utf8_string: bool,
}

impl From<Rules> for Options {
    fn from(rules: Rules) -> Self {
        Self {
            rules,
            srv_id_as_utf8_string: false,
        }
    }
}

/// A name that a certificate presents: octets as they are in the certificate, not checked yet.
///
/// The `Display` form escapes everything but printable ASCII, and cuts long names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PresentedIdentity<'a> {
    /// dNSName.
    Dns(Cow<'a, [u8]>),
    /// otherName of type id-on-dnsSRV, RFC 4985, encoded as `IA5String`.
    Srv(Cow<'a, [u8]>),
    /// An SRV-ID that is encoded as `UTF8String`.
    SrvUtf8(Cow<'a, [u8]>),
    /// iPAddress.
    Ip(Cow<'a, [u8]>),
    /// The most specific common name of the subject.
    Cn(Cow<'a, [u8]>),
    /// uniformResourceIdentifier, which never matches (RFC 7817 section 3).
    Uri(Cow<'a, [u8]>),
}

/// The number of octets of a presented name that are shown.
const SHOWN_BYTES: usize = 255;

impl PresentedIdentity<'_> {
    /// Returns the octets of the name.
    #[must_use]
    pub fn octets(&self) -> &[u8] {
        match self {
            Self::Dns(octets)
            | Self::Srv(octets)
            | Self::SrvUtf8(octets)
            | Self::Ip(octets)
            | Self::Cn(octets)
            | Self::Uri(octets) => octets,
        }
    }

    /// Returns the same name, independent of the certificate.
    #[must_use]
    pub fn into_owned(self) -> PresentedIdentity<'static> {
        let owned = |octets: Cow<'_, [u8]>| Cow::Owned(octets.into_owned());
        match self {
            Self::Dns(octets) => PresentedIdentity::Dns(owned(octets)),
            Self::Srv(octets) => PresentedIdentity::Srv(owned(octets)),
            Self::SrvUtf8(octets) => PresentedIdentity::SrvUtf8(owned(octets)),
            Self::Ip(octets) => PresentedIdentity::Ip(owned(octets)),
            Self::Cn(octets) => PresentedIdentity::Cn(owned(octets)),
            Self::Uri(octets) => PresentedIdentity::Uri(owned(octets)),
        }
    }

    /// Returns the address of an iPAddress of 4 or 16 octets.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        let Self::Ip(octets) = self else { return None };
        let octets: &[u8] = octets;
        match (<[u8; 4]>::try_from(octets), <[u8; 16]>::try_from(octets)) {
            (Ok(octets), _) => Some(octets.into()),
            (_, Ok(octets)) => Some(octets.into()),
            _ => None,
        }
    }
}

impl fmt::Display for PresentedIdentity<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dns(_) => "DNS-ID ",
            Self::Srv(_) => "SRV-ID ",
            Self::SrvUtf8(_) => "SRV-ID (UTF8String) ",
            Self::Ip(_) => "IP-ID ",
            Self::Cn(_) => "CN-ID ",
            Self::Uri(_) => "URI-ID ",
        })?;
        if let Some(address) = self.address() {
            return write!(f, "{address}");
        }
        let octets = self.octets();
        let shown = octets.get(..SHOWN_BYTES).unwrap_or(octets);
        write!(f, "{}", shown.escape_ascii())?;
        if shown.len() < octets.len() {
            f.write_str("...")?;
        }
        Ok(())
    }
}

/// The reason why a presented name was not compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Disregarded {
    /// The rules exclude names of this kind.
    Kind,
    /// The certificate has names of hosts, so its common name does not count.
    HasHostNames,
    /// The name is not a well-formed name of its kind.
    Malformed,
    /// The wildcard is not the whole left-most label, or fewer than two labels follow it.
    Wildcard,
    /// A certificate of the path has name constraints that do not permit the name.
    NameConstraints,
}

impl fmt::Display for Disregarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kind => "names of this kind do not count under the rules in use",
            Self::HasHostNames => "the common name does not count beside names of hosts",
            Self::Malformed => "malformed name",
            Self::Wildcard => "wildcard in a place where it does not count",
            Self::NameConstraints => "not permitted by a certificate authority's name constraints",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 5280 section 4.2.1.6: 4 octets or 16, and no text.
    #[test]
    fn reads_addresses_from_octets_only() {
        let v6: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
        for (octets, expected) in [
            (&[192, 0, 2, 1][..], Some("192.0.2.1")),
            (&v6, Some("2001:db8::1")),
            (b"192.0.2.1", None),
            (b"2001:db8::1", None),
            (b"::1", None),
            (&[], None),
        ] {
            let address = PresentedIdentity::Ip(octets.into()).address();
            assert_eq!(address, expected.map(|text| text.parse().unwrap()));
        }
    }
}
