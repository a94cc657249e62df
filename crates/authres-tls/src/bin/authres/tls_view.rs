//! The decoded properties of a `tls` result.

use authres_tls::{
    TlsResInfo,
    syntax::Property,
    tls::dn::{AttributeValue, DistinguishedName, DnForm},
    tls::san::{AltName, AltNames},
    tls::{ConflictError, Fingerprint, PropertyError, TlsProperty, Word},
};
use serde::Serialize;

/// The decoded value of a property.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub(crate) enum View {
    DistinguishedName {
        form: &'static str,
        attributes: Vec<Attribute>,
    },
    AlternativeNames {
        names: Vec<Name>,
    },
    Version {
        version: &'static str,
    },
    CipherSuite {
        description: String,
        id: Option<u16>,
        key_bits: Option<u16>,
        tls13: bool,
        encrypts: bool,
        aead: bool,
        forward_secrecy: bool,
        obsolete: bool,
    },
    Fingerprint {
        octets: String,
        algorithm: Option<&'static str>,
        /// The algorithm guessed by the length, if no algorithm is named.
        guessed_algorithm: Option<&'static str>,
    },
    Length {
        bits: u32,
    },
    Word {
        word: &'static str,
    },
    /// An unknown value.
    Unknown,
    /// The property appears more than once.
    Conflict,
    /// The value cannot be parsed.
    Unreadable {
        why: String,
    },
}

#[derive(Debug, Serialize)]
pub(crate) struct Attribute {
    pub(crate) r#type: String,
    pub(crate) value: String,
}

#[derive(Debug, Serialize)]
pub(crate) struct Name {
    pub(crate) kind: String,
    pub(crate) value: String,
}

/// Returns the property of the draft with this name.
pub(crate) fn tls_property(property: Property<'_>) -> Option<TlsProperty> {
    let mut all = TlsProperty::ALL.into_iter();
    all.find(|it| property.is(it.ptype(), it.property()))
}

impl View {
    /// Returns the decoded value of a property; `None` if the property is absent.
    pub(crate) fn of(tls: TlsResInfo<'_, '_>, property: TlsProperty) -> Option<Self> {
        match property {
            TlsProperty::CertClient => value(tls.cert_client(), name),
            TlsProperty::CertServer => value(tls.cert_server(), name),
            TlsProperty::CertClientAlt => value(tls.cert_client_alt(), names),
            TlsProperty::CertServerAlt => value(tls.cert_server_alt(), names),
            TlsProperty::CertClientIssuer => value(tls.cert_client_issuer(), name),
            TlsProperty::CertServerIssuer => value(tls.cert_server_issuer(), name),
            TlsProperty::CertVerif => word(tls.cert_verif(), |it| Self::Word { word: it.name() }),
            TlsProperty::TlsV => word(tls.tls_v(), |it| Self::Version { version: it.name() }),
            TlsProperty::KeyCiphersuite => word(tls.key_ciphersuite(), |it| Self::CipherSuite {
                id: it.id(),
                key_bits: it.key_bits(),
                tls13: it.is_tls13(),
                encrypts: it.encrypts(),
                aead: it.is_aead(),
                forward_secrecy: it.has_forward_secrecy(),
                obsolete: it.is_obsolete(),
                description: it.description().to_owned(),
            }),
            TlsProperty::KeyFingerprint => value(tls.key_fingerprint(), |it| fingerprint(&it)),
            TlsProperty::KeyLength => value(tls.key_length(), |bits| Self::Length { bits }),
            TlsProperty::KeyStrength => {
                word(tls.key_strength(), |it| Self::Word { word: it.name() })
            }
        }
    }

    /// Returns the value as lines of text; no line if they would only repeat it.
    pub(crate) fn lines(&self) -> Vec<String> {
        match self {
            Self::DistinguishedName { attributes, .. } => {
                let types = attributes.iter().map(|it| it.r#type.chars().count());
                let width = types.max().unwrap_or_default();
                let line = |it: &Attribute| format!("{:width$}  {}", it.r#type, it.value);
                attributes.iter().map(line).collect()
            }
            Self::AlternativeNames { names } => {
                let kinds = names.iter().map(|it| it.kind.chars().count());
                let width = kinds.max().unwrap_or_default();
                let line = |it: &Name| format!("{:width$}  {}", it.kind, it.value);
                names.iter().map(line).collect()
            }
            Self::Version { version } => vec![(*version).to_owned()],
            Self::CipherSuite {
                description,
                id,
                key_bits,
                tls13,
                encrypts,
                aead,
                forward_secrecy,
                obsolete,
            } => {
                let id = id.map_or(String::new(), |id| format!(" (0x{id:04X})"));
                let key_bits = key_bits.filter(|_| *encrypts);
                let facts = [
                    key_bits.map(|bits| format!("key of {bits} bits")),
                    tls13.then(|| "of TLS 1.3".to_owned()),
                    (!encrypts).then(|| "DOES NOT ENCRYPT".to_owned()),
                    aead.then(|| "AEAD".to_owned()),
                    Some(if *forward_secrecy {
                        "forward secrecy".to_owned()
                    } else {
                        "no forward secrecy".to_owned()
                    }),
                    obsolete.then(|| "OBSOLETE".to_owned()),
                ];
                let facts: Vec<_> = facts.into_iter().flatten().collect();
                vec![format!("{description}{id}"), facts.join(", ")]
            }
            Self::Fingerprint {
                octets,
                algorithm,
                guessed_algorithm,
            } => {
                let algorithm = match (algorithm, guessed_algorithm) {
                    (Some(name), _) => (*name).to_owned(),
                    (None, Some(name)) => format!("{name}, by its length"),
                    (None, None) => "of an algorithm that is not named".to_owned(),
                };
                vec![octets.clone(), algorithm]
            }
            Self::Length { bits } => vec![format!("{bits} bits")],
            Self::Word { word } => vec![(*word).to_owned()],
            Self::Unknown => vec!["unknown value".to_owned()],
            Self::Conflict => vec!["duplicate property: no value is used".to_owned()],
            Self::Unreadable { why } => vec![format!("cannot be parsed: {why}")],
        }
    }
}

fn value<T>(read: Result<Option<T>, PropertyError>, view: impl FnOnce(T) -> View) -> Option<View> {
    match read {
        Ok(value) => value.map(view),
        Err(PropertyError::Conflict(_)) => Some(View::Conflict),
        Err(error) => Some(View::Unreadable {
            why: error.to_string(),
        }),
    }
}

fn word<T>(
    read: Result<Option<Word<'_, T>>, ConflictError>,
    view: impl FnOnce(T) -> View,
) -> Option<View> {
    match read {
        Ok(None) => None,
        Ok(Some(Word::Known(known))) => Some(view(known)),
        Ok(Some(Word::Other(_))) => Some(View::Unknown),
        Err(_) => Some(View::Conflict),
    }
}

fn name(name: DistinguishedName<'_>) -> View {
    let attributes = name.attributes().map(|it| Attribute {
        r#type: it.attribute_type().to_owned(),
        value: match it.value() {
            AttributeValue::Text(text) => text.into_owned(),
            AttributeValue::Der(_) => it.raw_value().to_owned(),
        },
    });
    View::DistinguishedName {
        form: match name.form() {
            DnForm::Rfc4514 => "rfc4514",
            DnForm::Oneline => "oneline",
        },
        attributes: attributes.collect(),
    }
}

fn names(names: AltNames<'_>) -> View {
    let name = |it: AltName<'_>| {
        let (kind, value) = match &it {
            AltName::Dns(value) => ("DNS", value.to_string()),
            AltName::Ip(address) => ("IP Address", address.to_string()),
            AltName::Email(value) => ("email", value.to_string()),
            AltName::Uri(value) => ("URI", value.to_string()),
            AltName::Other { kind, value } => (&**kind, value.to_string()),
        };
        Name {
            kind: kind.to_owned(),
            value,
        }
    };
    View::AlternativeNames {
        names: names.iter().map(name).collect(),
    }
}

fn fingerprint(fingerprint: &Fingerprint) -> View {
    let algorithm = fingerprint.algorithm();
    let guessed = fingerprint.guessed_algorithm();
    View::Fingerprint {
        octets: fingerprint.to_string(),
        algorithm: algorithm.map(|it| it.name()),
        guessed_algorithm: guessed.filter(|_| algorithm.is_none()).map(|it| it.name()),
    }
}
