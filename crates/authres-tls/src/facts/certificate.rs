//! Feature `certificates`: the fields of a certificate (RFC 5280), as text that can be written into a
//! message. The certificate need not be trusted.

use alloc::{
    borrow::Cow,
    string::{String, ToString},
    vec::Vec,
};

use sha2::{Digest, Sha256};
use x509_parser::{
    asn1_rs::{Any, Tag, ToDer},
    extensions::GeneralName,
    oid_registry::{
        OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_NIST_EC_P384, OID_NIST_EC_P521, Oid,
    },
    prelude::{FromDer, X509Certificate},
    public_key::PublicKey,
    x509::{AttributeTypeAndValue, SubjectPublicKeyInfo, X509Name},
};

use crate::{
    facts::CertificateFields,
    tls::{
        ValueError, ValueErrorKind,
        dn::{AttributeValue, DistinguishedName, descriptor},
        san::{AltName, AltNames},
    },
};

const CERTIFICATE: &str = "Certificate";

#[cfg_attr(docsrs, doc(cfg(feature = "certificates")))]
impl CertificateFields {
    /// Reads the fields of a certificate. Names are written in the form of RFC 4514, the most specific RDN
    /// first, and every character that could be misread is escaped. All alternative names are omitted if
    /// one of them cannot be parsed.
    ///
    /// # Errors
    /// Returns [`ValueErrorKind::Malformed`] if `certificate` is not the DER of exactly one certificate.
    pub fn from_der(certificate: &[u8]) -> Result<Self, ValueError> {
        let parsed = parse(certificate)?;
        let key = parsed.public_key();
        Ok(Self {
            subject: name(parsed.subject()),
            alt_names: alt_names(&parsed),
            issuer: name(parsed.issuer()),
            sha256: Some(Sha256::digest(certificate).into()),
            public_key_sha256: Some(Sha256::digest(key.raw).into()),
            public_key_bits: key_bits(key),
        })
    }
}

/// Parses a certificate. Octets after it are an error.
pub(crate) fn parse(certificate: &[u8]) -> Result<X509Certificate<'_>, ValueError> {
    let error = |rest: &[u8]| {
        let offset = certificate.len().saturating_sub(rest.len());
        ValueError::new(ValueErrorKind::Malformed, CERTIFICATE, offset)
    };
    match X509Certificate::from_der(certificate) {
        Ok(([], parsed)) => Ok(parsed),
        Ok((rest, _)) => Err(error(rest)),
        Err(_) => Err(error(certificate)),
    }
}

fn name(name: &X509Name<'_>) -> Option<DistinguishedName<'static>> {
    let mut rdns = Vec::new();
    for rdn in name.iter() {
        let attributes: Option<Vec<_>> = rdn.iter().map(attribute).collect();
        rdns.push(attributes?);
    }
    let rdns = rdns.iter().rev().map(|rdn| {
        rdn.iter()
            .map(|(attribute_type, value)| (&**attribute_type, value.clone()))
    });
    DistinguishedName::from_rdns(rdns).ok()
}

fn attribute<'c>(
    attribute: &'c AttributeTypeAndValue<'_>,
) -> Option<(Cow<'static, str>, AttributeValue<'c>)> {
    let (oid, value) = (attribute.attr_type().to_id_string(), attribute.attr_value());
    let text = || text(value).map(AttributeValue::Text);
    match descriptor(&oid) {
        Some(descriptor) => Some((descriptor.into(), text().or_else(|| der(value))?)),
        // RFC 4514 section 2.4 has the value of such a type in hexadecimal.
        None => Some((oid.into(), der(value)?)),
    }
}

fn der<'n>(value: &Any<'_>) -> Option<AttributeValue<'n>> {
    value.to_der_vec().ok().map(AttributeValue::Der)
}

/// The text of a string type whose encoding is certain.
fn text<'c>(value: &'c Any<'_>) -> Option<Cow<'c, str>> {
    match value.tag() {
        Tag::Utf8String
        | Tag::PrintableString
        | Tag::Ia5String
        | Tag::NumericString
        | Tag::VisibleString => core::str::from_utf8(value.data).ok().map(Cow::Borrowed),
        Tag::BmpString => {
            let (units, rest) = value.data.as_chunks::<2>();
            let units = units.iter().map(|unit| u16::from_be_bytes(*unit));
            let text: Result<String, _> = char::decode_utf16(units).collect();
            text.ok().filter(|_| rest.is_empty()).map(Cow::Owned)
        }
        Tag::UniversalString => {
            let (units, rest) = value.data.as_chunks::<4>();
            let units = units
                .iter()
                .map(|unit| char::from_u32(u32::from_be_bytes(*unit)));
            let text: Option<String> = units.collect();
            text.filter(|_| rest.is_empty()).map(Cow::Owned)
        }
        _ => None,
    }
}

fn alt_names(certificate: &X509Certificate<'_>) -> Option<AltNames<'static>> {
    let extension = certificate.subject_alternative_name().ok()??;
    let names: Option<Vec<_>> = extension.value.general_names.iter().map(alt_name).collect();
    AltNames::from_names(names?).ok()
}

fn alt_name<'c>(name: &'c GeneralName<'_>) -> Option<AltName<'c>> {
    let other = |kind: &'static str, value: Cow<'c, str>| AltName::Other {
        kind: kind.into(),
        value,
    };
    Some(match name {
        GeneralName::DNSName(name) => AltName::Dns((*name).into()),
        GeneralName::RFC822Name(name) => AltName::Email((*name).into()),
        GeneralName::URI(name) => AltName::Uri((*name).into()),
        GeneralName::IPAddress(octets) => match <[u8; 4]>::try_from(*octets) {
            Ok(octets) => AltName::Ip(octets.into()),
            Err(_) => AltName::Ip(<[u8; 16]>::try_from(*octets).ok()?.into()),
        },
        GeneralName::DirectoryName(directory_name) => {
            other("DirName", name_text(directory_name)?.into())
        }
        GeneralName::RegisteredID(oid) => other("Registered ID", oid.to_id_string().into()),
        GeneralName::OtherName(..) => other("othername", UNSUPPORTED.into()),
        GeneralName::X400Address(_) => other("X400Name", UNSUPPORTED.into()),
        GeneralName::EDIPartyName(_) => other("EdiPartyName", UNSUPPORTED.into()),
        GeneralName::Invalid(..) => return None,
    })
}

/// The text that OpenSSL prints for a name whose kind it cannot print.
const UNSUPPORTED: &str = "<unsupported>";

fn name_text(directory_name: &X509Name<'_>) -> Option<String> {
    name(directory_name).map(|name| name.to_string())
}

fn key_bits(key: &SubjectPublicKeyInfo<'_>) -> Option<u32> {
    if key.algorithm.algorithm == OID_KEY_TYPE_EC_PUBLIC_KEY {
        let curve: Oid<'_> = key.algorithm.parameters.as_ref()?.as_oid().ok()?;
        let curves = [
            (OID_EC_P256, 256),
            (OID_NIST_EC_P384, 384),
            (OID_NIST_EC_P521, 521),
        ];
        return curves
            .into_iter()
            .find(|(known, _)| *known == curve)
            .map(|(_, bits)| bits);
    }
    match key.parsed().ok()? {
        PublicKey::RSA(key) => {
            let zeros = key.modulus.iter().take_while(|octet| **octet == 0).count();
            let modulus = key.modulus.get(zeros..)?;
            let bits = u32::try_from(modulus.len()).ok()?.checked_mul(8)?;
            bits.checked_sub(modulus.first()?.leading_zeros())
        }
        _ => None,
    }
}
