//! The name constraints of the certificates of a path, in DER.

use x509_parser::{
    certificate::X509CertificateParser,
    der_parser::asn1_rs::{Any, Class, Tag},
    nom::{
        Parser,
        combinator::{all_consuming, complete},
        multi::many0,
    },
    oid_registry::OID_X509_EXT_NAME_CONSTRAINTS,
    prelude::FromDer,
};

use super::{NameConstraints, certificate::der_value};

type Subtrees<'a> = Vec<&'a [u8]>;

/// Adds the constraints of a certificate in DER. Constraints that cannot be read permit nothing.
pub(crate) fn add_constraints_of(constraints: &mut NameConstraints, certificate: &[u8]) {
    let mut parser = X509CertificateParser::new().with_deep_parse_extensions(false);
    let parsed = parser.parse(certificate).ok();
    let extension = parsed.as_ref().map(|(_, certificate)| {
        let certificate = &certificate.tbs_certificate;
        certificate.get_extension_unique(&OID_X509_EXT_NAME_CONSTRAINTS)
    });
    let value = match extension {
        Some(Ok(None)) => return,
        Some(Ok(Some(extension))) => der_value(extension.value, 0x30),
        Some(Err(_)) | None => None,
    };
    match value {
        Some(subtrees) => add_constraints(constraints, subtrees),
        None => constraints.add([PERMITS_NOTHING], []),
    }
}

/// No name is below an empty label.
const PERMITS_NOTHING: &[u8] = b"..";

/// Adds the constraints of a trust anchor: the fields of `NameConstraints` without the `SEQUENCE` that encloses them.
/// Constraints that cannot be read permit nothing.
pub(crate) fn add_constraints(constraints: &mut NameConstraints, fields: &[u8]) {
    /// `GeneralSubtree ::= SEQUENCE { base GeneralName, ... }`
    fn hosts(content: &[u8]) -> Option<Subtrees<'_>> {
        let (_, subtrees) = all_consuming(many0(complete(Any::from_der)))
            .parse(content)
            .ok()?;
        let mut hosts = Vec::new();
        for subtree in subtrees {
            let (_, base) = Any::from_der(subtree.data).ok()?;
            if base.class() == Class::ContextSpecific && base.tag() == Tag(2) {
                hosts.push(base.data);
            }
        }
        Some(hosts)
    }

    fn read(fields: &[u8]) -> Option<(Subtrees<'_>, Subtrees<'_>)> {
        let (_, fields) = all_consuming(many0(complete(Any::from_der)))
            .parse(fields)
            .ok()?;
        let (mut permitted, mut excluded) = (Vec::new(), Vec::new());
        for field in fields {
            match field.tag() {
                Tag(0) => permitted.extend(hosts(field.data)?),
                Tag(1) => excluded.extend(hosts(field.data)?),
                _ => return None,
            }
        }
        Some((permitted, excluded))
    }

    match read(fields) {
        Some((permitted, excluded)) => constraints.add(permitted, excluded),
        None => constraints.add([PERMITS_NOTHING], []),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permits(add: impl Fn(&mut NameConstraints)) -> bool {
        let mut constraints = NameConstraints::none();
        add(&mut constraints);
        constraints.permit(b"imap.example.org", false)
    }

    #[test]
    fn permits_nothing_under_constraints_that_cannot_be_read() {
        assert!(!permits(|it| add_constraints_of(it, b"")));
        assert!(!permits(|it| add_constraints_of(it, &[0x30, 0x00])));
        // A subtree that is cut, a subtree without a base, and an unknown field.
        for fields in [
            &[0xa0, 0x04, 0x30, 0x05, 0x82, 0x00][..],
            &[0xa0, 0x02, 0x30, 0x00],
            &[0xa2, 0x00],
        ] {
            assert!(!permits(|it| add_constraints(it, fields)), "{fields:?}");
        }
    }

    #[test]
    fn reads_subtrees_of_hosts_only() {
        assert!(permits(|it| add_constraints(it, &[])));
        // iPAddress 192.0.2.0/24
        let address = [
            0xa0, 0x0c, 0x30, 0x0a, 0x87, 0x08, 192, 0, 2, 0, 255, 255, 255, 0,
        ];
        assert!(permits(|it| add_constraints(it, &address)));
        let excluded = b"\xa1\x07\x30\x05\x82\x03org";
        assert!(!permits(|it| add_constraints(it, excluded)));
        let permitted = b"\xa0\x07\x30\x05\x82\x03org";
        assert!(permits(|it| add_constraints(it, permitted)));
        let other = b"\xa0\x07\x30\x05\x82\x03net";
        assert!(!permits(|it| add_constraints(it, other)));
    }
}
