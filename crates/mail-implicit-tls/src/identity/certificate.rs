//! The names of a certificate in DER.

use x509_parser::{
    certificate::X509CertificateParser,
    der_parser::asn1_rs::{Tag, oid},
    extensions::{GeneralName, SubjectAlternativeName},
    nom::Parser,
    oid_registry::{OID_X509_COMMON_NAME, OID_X509_EXT_SUBJECT_ALT_NAME, Oid},
    prelude::FromDer,
    x509::X509Name,
};

use super::{NameConstraints, Options, PresentedIdentity, ReferenceIdentity, judge};
use crate::verdict::{IdentityVerdict, Mismatch};

/// id-on-dnsSRV, RFC 4985 section 2.
const ID_ON_DNS_SRV: Oid<'static> = oid!(1.3.6.1.5.5.7.8.7);

/// Returns the names that a certificate in DER presents, or nothing if they cannot be read.
///
/// The common name comes last. If the subject's last common name is not alone in its RDN, or is not of a string type
/// for ASCII, the certificate presents no common name (RFC 6125 section 1.8).
#[must_use]
pub fn presented(certificate: &[u8]) -> Option<Vec<PresentedIdentity<'_>>> {
    let mut parser = X509CertificateParser::new().with_deep_parse_extensions(false);
    let (rest, certificate) = parser.parse(certificate).ok()?;
    if !rest.is_empty() {
        return None;
    }
    let extension = certificate
        .tbs_certificate
        .get_extension_unique(&OID_X509_EXT_SUBJECT_ALT_NAME)
        .ok()?;
    let mut names = Vec::new();
    if let Some(extension) = extension {
        let (rest, san) = SubjectAlternativeName::from_der(extension.value).ok()?;
        if !rest.is_empty() {
            return None;
        }
        // `GeneralName` has the tags 0 to 8 and cannot be extended.
        let is_known =
            |name: &GeneralName<'_>| !matches!(name, GeneralName::Invalid(tag, _) if tag.0 > 8);
        if !san.general_names.iter().all(is_known) {
            return None;
        }
        names.extend(san.general_names.into_iter().filter_map(name));
    }
    names.extend(common_name(&certificate.tbs_certificate.subject));
    Some(names)
}

/// Compares the names of a certificate in DER with the expected ones, as [`judge`] does.
#[must_use]
pub fn judge_certificate(
    options: Options,
    expected: &[ReferenceIdentity],
    certificate: &[u8],
    constraints: &NameConstraints,
) -> IdentityVerdict {
    match presented(certificate) {
        Some(names) => judge(options, expected, &names, constraints),
        None => IdentityVerdict::Differs(Box::new(Mismatch::unreadable(expected))),
    }
}

/// Returns the identity in a `GeneralName`, or nothing for the kinds that name no hosts.
fn name(name: GeneralName<'_>) -> Option<PresentedIdentity<'_>> {
    match name {
        GeneralName::DNSName(name) => Some(PresentedIdentity::Dns(name.as_bytes().into())),
        GeneralName::URI(name) => Some(PresentedIdentity::Uri(name.as_bytes().into())),
        GeneralName::IPAddress(octets) => Some(PresentedIdentity::Ip(octets.into())),
        GeneralName::OtherName(oid, value) if oid == ID_ON_DNS_SRV => Some(srv_name(value)),
        // Not in UTF-8: it is a name of its kind, malformed.
        GeneralName::Invalid(Tag(0), octets) => Some(PresentedIdentity::Srv(octets.into())),
        GeneralName::Invalid(Tag(2), octets) => Some(PresentedIdentity::Dns(octets.into())),
        GeneralName::Invalid(Tag(6), octets) => Some(PresentedIdentity::Uri(octets.into())),
        GeneralName::OtherName(..)
        | GeneralName::RFC822Name(_)
        | GeneralName::X400Address(_)
        | GeneralName::DirectoryName(_)
        | GeneralName::EDIPartyName(_)
        | GeneralName::RegisteredID(_)
        | GeneralName::Invalid(..) => None,
    }
}

/// Reads `SRVName ::= IA5String`, which is in `[0] EXPLICIT`. Something else is an SRV-ID too, a malformed one.
fn srv_name(value: &[u8]) -> PresentedIdentity<'_> {
    let explicit = der_value(value, 0xa0).unwrap_or_default();
    if let Some(name) = der_value(explicit, 0x16) {
        PresentedIdentity::Srv(name.into())
    } else if let Some(name) = der_value(explicit, 0x0c) {
        PresentedIdentity::SrvUtf8(name.into())
    } else {
        PresentedIdentity::Srv(value.into())
    }
}

/// Returns the content of the DER value that is the whole of `input` and has this tag.
pub(super) fn der_value(input: &[u8], tag: u8) -> Option<&[u8]> {
    let rest = input.strip_prefix(&[tag])?;
    let (length, content) = match rest.split_first()? {
        (short @ 0..=0x7f, content) => (usize::from(*short), content),
        (0x81, rest) => {
            let (length, content) = rest.split_first()?;
            (usize::from(*length), content)
        }
        (0x82, rest) => {
            let (length, content) = rest.split_first_chunk()?;
            (usize::from(u16::from_be_bytes(*length)), content)
        }
        _ => return None,
    };
    (content.len() == length).then_some(content)
}

/// Returns the most specific common name: that of the last RDN that has one.
fn common_name<'a>(subject: &X509Name<'a>) -> Option<PresentedIdentity<'a>> {
    let has_common_name = |rdn: &&x509_parser::x509::RelativeDistinguishedName<'_>| {
        rdn.iter().any(|it| *it.attr_type() == OID_X509_COMMON_NAME)
    };
    let rdns: Vec<_> = subject.iter_rdn().collect();
    let rdn = rdns.into_iter().rev().find(has_common_name)?;
    let mut attributes = rdn.iter();
    let (attribute, None) = (attributes.next()?, attributes.next()) else {
        return None;
    };
    let value = attribute.attr_value();
    let is_ascii_type = matches!(
        value.tag(),
        Tag::Utf8String | Tag::PrintableString | Tag::Ia5String
    );
    is_ascii_type.then(|| PresentedIdentity::Cn(value.data.into()))
}
