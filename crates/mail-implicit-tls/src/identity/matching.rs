//! The comparison of presented names with reference identities.

use super::{Disregarded, NameConstraints, Options, PresentedIdentity, ReferenceIdentity, Rules};
use crate::{
    name::{DomainName, MAX_LABEL_BYTES, MAX_NAME_BYTES},
    service::Service,
    verdict::{IdentityVerdict, MAX_LISTED_NAMES, Mismatch},
};

/// Compares the names that a certificate presents with the expected ones, and returns the first match or all reasons
/// why there is none.
///
/// `constraints` are the name constraints of the path on which the certificate was verified. PKIX libraries apply
/// them to dNSName and iPAddress only, so they are applied to SRV-ID and CN-ID here.
///
/// ```
/// use mail_implicit_tls::{
///     identity::{NameConstraints, Options, PresentedIdentity, ReferenceIdentity, judge},
///     name::DomainName,
///     verdict::IdentityVerdict,
/// };
///
/// let expected = [ReferenceIdentity::Dns(DomainName::parse("imap.example.org")?)];
/// let presented = [PresentedIdentity::Dns(b"*.example.org"[..].into())];
/// let verdict = judge(Options::default(), &expected, &presented, &NameConstraints::none());
/// assert!(matches!(verdict, IdentityVerdict::Matches { .. }));
/// # Ok::<(), mail_implicit_tls::name::NameError>(())
/// ```
#[must_use]
pub fn judge(
    options: Options,
    expected: &[ReferenceIdentity],
    presented: &[PresentedIdentity<'_>],
    constraints: &NameConstraints,
) -> IdentityVerdict {
    let has_host_names = presented.iter().any(is_host_name);
    let mut mismatch = Mismatch::default();
    for name in presented {
        match compare(options, expected, name, has_host_names, constraints) {
            Ok(Some(reference)) => {
                return IdentityVerdict::Matches {
                    reference: reference.clone(),
                    presented: name.clone().into_owned(),
                };
            }
            Ok(None) if mismatch.has_room() => mismatch.presented.push(name.clone().into_owned()),
            Err(reason) if mismatch.has_room() => {
                let name = name.clone().into_owned();
                mismatch.disregarded.push((name, reason));
            }
            Ok(None) | Err(_) => mismatch.omitted = mismatch.omitted.saturating_add(1),
        }
    }
    mismatch.expected = expected.to_vec();
    IdentityVerdict::Differs(Box::new(mismatch))
}

impl Mismatch {
    fn has_room(&self) -> bool {
        let listed = self.presented.len().saturating_add(self.disregarded.len());
        listed < MAX_LISTED_NAMES
    }
}

/// Returns `true` for the kinds of names beside which a common name does not count: RFC 6125 section 6.4.4. A malformed
/// name is of its kind too.
const fn is_host_name(name: &PresentedIdentity<'_>) -> bool {
    !matches!(name, PresentedIdentity::Cn(_))
}

/// Returns the reference identity that a name matches, or the reason why the name does not count.
fn compare<'r>(
    options: Options,
    expected: &'r [ReferenceIdentity],
    name: &PresentedIdentity<'_>,
    has_host_names: bool,
    constraints: &NameConstraints,
) -> Result<Option<&'r ReferenceIdentity>, Disregarded> {
    match name {
        PresentedIdentity::Dns(octets) => {
            let pattern = Pattern::try_new(octets)?;
            Ok(find_dns(expected, |host| pattern.matches(host)))
        }
        PresentedIdentity::Srv(octets) => srv_id(options.rules, expected, octets, constraints),
        PresentedIdentity::SrvUtf8(octets) if options.srv_id_as_utf8_string => {
            srv_id(options.rules, expected, octets, constraints)
        }
        PresentedIdentity::SrvUtf8(_) => Err(Disregarded::Malformed),
        PresentedIdentity::Ip(_) => {
            let address = name.address().ok_or(Disregarded::Malformed)?;
            let is_address =
                |it: &&ReferenceIdentity| matches!(it, ReferenceIdentity::Ip(it) if *it == address);
            Ok(expected.iter().find(is_address))
        }
        PresentedIdentity::Cn(octets) => {
            if !matches!(options.rules, Rules::Rfc6125 | Rules::Rfc3501) {
                return Err(Disregarded::Kind);
            }
            if has_host_names {
                return Err(Disregarded::HasHostNames);
            }
            let pattern = Pattern::try_new(octets)?;
            let reference = find_dns(expected, |host| pattern.matches(host));
            if reference.is_some() && !pattern.is_permitted(constraints) {
                return Err(Disregarded::NameConstraints);
            }
            Ok(reference)
        }
        PresentedIdentity::Uri(_) => Err(Disregarded::Kind),
    }
}

fn find_dns(
    expected: &[ReferenceIdentity],
    matches: impl Fn(&DomainName) -> bool,
) -> Option<&ReferenceIdentity> {
    expected.iter().find(|reference| match reference {
        ReferenceIdentity::Dns(host) => matches(host),
        ReferenceIdentity::Srv(..) | ReferenceIdentity::Ip(_) => false,
    })
}

/// Compares an SRV-ID, `_Service.Name` of RFC 4985 section 2. Wildcards are for DNS-ID and CN-ID only (RFC 7817 section
/// 3).
fn srv_id<'r>(
    rules: Rules,
    expected: &'r [ReferenceIdentity],
    octets: &[u8],
    constraints: &NameConstraints,
) -> Result<Option<&'r ReferenceIdentity>, Disregarded> {
    if rules == Rules::Rfc3501 {
        return Err(Disregarded::Kind);
    }
    let (service, name) = split_srv(octets).ok_or(Disregarded::Malformed)?;
    let pattern = Pattern::try_new(name)?;
    if pattern.wildcard {
        return Err(Disregarded::Wildcard);
    }
    let is_same = |it: &&ReferenceIdentity| match it {
        ReferenceIdentity::Srv(expected, domain) => {
            is_service(*expected, service) && pattern.matches(domain)
        }
        ReferenceIdentity::Dns(_) | ReferenceIdentity::Ip(_) => false,
    };
    let reference = expected.iter().find(is_same);
    if reference.is_some() && !pattern.is_permitted(constraints) {
        return Err(Disregarded::NameConstraints);
    }
    Ok(reference)
}

/// Splits `_Service.Name`. The name begins with a letter or digit, so `_imaps._tcp.example.org` is malformed.
fn split_srv(octets: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = octets.strip_prefix(b"_")?;
    let dot = rest.iter().position(|octet| *octet == b'.')?;
    let (service, name) = rest.split_at_checked(dot)?;
    let is_label = |octet: &u8| octet.is_ascii_alphanumeric() || *octet == b'-';
    let valid = !service.is_empty() && service.iter().all(is_label);
    valid.then_some((service, name.strip_prefix(b".")?))
}

/// Returns `true` if the label is the name of the service. Each service has its own name: `imap` is not `imaps`, and
/// `submission` is not `submissions` (RFC 6125 section 6.5).
fn is_service(service: Service, label: &[u8]) -> bool {
    service.name().as_bytes().eq_ignore_ascii_case(label)
}

/// A presented host name, checked: labels, with the first of which may be `*`.
struct Pattern<'a> {
    /// The name without `*.`.
    name: &'a [u8],
    wildcard: bool,
}

impl<'a> Pattern<'a> {
    /// Checks a presented name: RFC 5280 section 4.2.1.6 for its characters, RFC 7817 section 3 for the wildcard, which
    /// is the whole left-most label, and at least two labels follow it (RFC 6125 section 7.2).
    fn try_new(octets: &'a [u8]) -> Result<Self, Disregarded> {
        let stripped = octets.strip_prefix(b"*.");
        let wildcard = stripped.is_some();
        let name = stripped.unwrap_or(octets);
        if name.contains(&b'*') {
            return Err(Disregarded::Wildcard);
        }
        if octets.len() > MAX_NAME_BYTES || !name.split(|octet| *octet == b'.').all(is_label) {
            return Err(Disregarded::Malformed);
        }
        if wildcard && !name.contains(&b'.') {
            return Err(Disregarded::Wildcard);
        }
        Ok(Self { name, wildcard })
    }

    fn matches(&self, host: &DomainName) -> bool {
        let host = host.as_str().as_bytes();
        if !self.wildcard {
            return host.eq_ignore_ascii_case(self.name);
        }
        let dot = host.iter().position(|octet| *octet == b'.');
        let parent = dot.and_then(|dot| host.split_at_checked(dot.saturating_add(1)));
        parent.is_some_and(|(_, parent)| parent.eq_ignore_ascii_case(self.name))
    }

    fn is_permitted(&self, constraints: &NameConstraints) -> bool {
        constraints.permit(self.name, self.wildcard)
    }
}

/// Returns `true` for a label of letters, digits, hyphens and underscores that does not begin or end with a hyphen. The
/// underscore is in certificates of hosts that are not mail servers; no reference identity has one.
fn is_label(label: &[u8]) -> bool {
    let is_inner = |octet: &u8| octet.is_ascii_alphanumeric() || *octet == b'-' || *octet == b'_';
    !label.is_empty()
        && label.len() <= MAX_LABEL_BYTES
        && label.iter().all(is_inner)
        && !label.starts_with(b"-")
        && !label.ends_with(b"-")
}
