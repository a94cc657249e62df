//! Server identity: the names that a client expects, the names that a certificate presents, and the rules by which
//! they match (RFC 7817, 9525, 6125, 3501).

use std::{fmt, net::IpAddr};

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

/// A name that a certificate presents. The text comes from the peer; it is shown with everything but printable
/// ASCII escaped, and cut.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PresentedIdentity {
    /// dNSName.
    Dns(String),
    /// otherName of type id-on-dnsSRV, RFC 4985.
    Srv(String),
    /// iPAddress.
    Ip(IpAddr),
    /// The most specific common name of the subject.
    Cn(String),
    /// uniformResourceIdentifier, which never matches (RFC 7817 section 3).
    Uri(String),
}

/// The number of octets of a presented name that are shown.
const SHOWN_BYTES: usize = 255;

impl fmt::Display for PresentedIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, text) = match self {
            Self::Dns(text) => ("DNS-ID", text),
            Self::Srv(text) => ("SRV-ID", text),
            Self::Cn(text) => ("CN-ID", text),
            Self::Uri(text) => ("URI-ID", text),
            Self::Ip(address) => return write!(f, "IP-ID {address}"),
        };
        write!(f, "{kind} ")?;
        for byte in text.bytes().take(SHOWN_BYTES) {
            write!(f, "{}", byte.escape_ascii())?;
        }
        if text.len() > SHOWN_BYTES {
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
