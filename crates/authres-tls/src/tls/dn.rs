//! Distinguished names as text, in the form of RFC 4514 and in the two forms that OpenSSL prints: the values of
//! `cert.client`, `cert.clientissuer`, `cert.server` and `cert.serverissuer`. The written order is kept.

use alloc::{borrow::Cow, string::String, vec::Vec};
use core::fmt;

mod oneline;
mod rfc4514;

use super::{
    error::{ReadValue, ValueError, ValueErrorKind as Kind, read_all},
    escape::{Escapes, hex_pair, push_escaped, push_hex},
};
use crate::{slice, syntax::Text};

const NAME: &str = "distinguishedName";
const TYPE: &str = "attributeType";
const VALUE: &str = "attributeValue";

/// The form in which a name is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DnForm {
    /// RFC 4514, `CN=a,O=b`, also with the spaces around separators and the quotes that OpenSSL prints.
    Rfc4514,
    /// `/O=b/CN=a`, as OpenSSL and sendmail write it. A value may itself contain `/O=c`, so that such a
    /// name can be forged: use it for display only.
    Oneline,
}

/// A distinguished name: a sequence of RDNs in the order of the text. RFC 4514 writes the most specific
/// RDN first, OpenSSL last, and the text does not show which. This type therefore never changes the order.
///
/// ```
/// # use authres_tls::tls::dn::DistinguishedName;
/// let name = DistinguishedName::parse("CN=Foo\\, Inc,O=x")?;
/// assert_eq!(name.values("CN").collect::<Vec<_>>(), ["Foo, Inc"]);
/// let name = DistinguishedName::parse("C=US, O=AcmeCert Inc, CN=AcmeCert CA")?;
/// assert_eq!(name.rdns().count(), 3);
/// assert_eq!(name.to_rfc4514(), "C=US,O=AcmeCert Inc,CN=AcmeCert CA");
/// # Ok::<(), authres_tls::tls::ValueError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct DistinguishedName<'a> {
    text: Cow<'a, str>,
    form: DnForm,
}

impl<'a> DistinguishedName<'a> {
    /// Parses a name of either form.
    ///
    /// # Errors
    /// Returns [`ValueErrorKind::Control`](super::ValueErrorKind::Control) for a control character,
    /// [`Expected`](super::ValueErrorKind::Expected) if an attribute type, a `=` or a hexadecimal value is missing,
    /// [`BadEscape`](super::ValueErrorKind::BadEscape), [`Unescaped`](super::ValueErrorKind::Unescaped) and
    /// [`Unclosed`](super::ValueErrorKind::Unclosed) for a fault in a value, and
    /// [`NotUtf8`](super::ValueErrorKind::NotUtf8) if a decoded value is not UTF-8. Characters that RFC 4514 escapes
    /// must be escaped: an unescaped one may be an attempt to forge another RDN.
    pub fn parse(text: impl Into<Cow<'a, str>>) -> Result<Self, ValueError> {
        let text = text.into();
        let form = match text.as_bytes() {
            [b'/', ..] => DnForm::Oneline,
            _ => DnForm::Rfc4514,
        };
        if let Some(at) = text.find(|it: char| it.is_ascii_control()) {
            return Err(ValueError::new(Kind::Control, NAME, at));
        }
        match form {
            DnForm::Rfc4514 => read_all(&text, NAME, rfc4514::distinguished_name)?,
            DnForm::Oneline => read_all(&text, NAME, oneline::oneline)?,
        }
        Ok(Self { text, form })
    }

    /// Parses the value of a property, without the white space that folding left in it.
    ///
    /// # Errors
    /// Returns the errors of [`parse`](Self::parse).
    pub fn from_text(text: Text<'a>) -> Result<Self, ValueError> {
        Self::parse(text.collapsed())
    }

    /// Builds a name of these RDNs, in this order. Each RDN is a list of attributes. Every character outside
    /// printable ASCII is escaped.
    ///
    /// ```
    /// # use authres_tls::tls::dn::{AttributeValue, DistinguishedName};
    /// let name = DistinguishedName::from_rdns([[("CN", AttributeValue::from("x, O=y"))]])?;
    /// assert_eq!(name.as_str(), "CN=x\\, O=y");
    /// # Ok::<(), authres_tls::tls::ValueError>(())
    /// ```
    ///
    /// # Errors
    /// Returns [`ValueErrorKind::Expected`](super::ValueErrorKind::Expected) if an attribute type is neither a
    /// descriptor nor an OID, or if an RDN is empty.
    pub fn from_rdns<'t>(
        rdns: impl IntoIterator<Item = impl IntoIterator<Item = (&'t str, AttributeValue<'t>)>>,
    ) -> Result<DistinguishedName<'static>, ValueError> {
        let mut text = String::new();
        for rdn in rdns {
            let mut separator = if text.is_empty() { "" } else { "," };
            let before = text.len();
            for (attribute_type, value) in rdn {
                read_all(attribute_type, TYPE, rfc4514::attribute_type)?;
                text.push_str(separator);
                push_attribute(&mut text, attribute_type, &value);
                separator = "+";
            }
            if text.len() == before {
                return Err(ValueError::new(Kind::Expected, TYPE, before));
            }
        }
        DistinguishedName::parse(text)
    }

    /// Returns the text of the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the form of the text.
    #[must_use]
    pub const fn form(&self) -> DnForm {
        self.form
    }

    /// Returns the RDNs in the order of the text.
    #[must_use]
    pub fn rdns(&self) -> Rdns<'_> {
        Rdns {
            rest: Some(self.text.as_bytes()).filter(|text| !text.is_empty()),
            form: self.form,
        }
    }

    /// Returns the attributes of all RDNs in the order of the text.
    pub fn attributes(&self) -> impl Iterator<Item = Attribute<'_>> {
        self.rdns().flat_map(|rdn| rdn.attributes())
    }

    /// Returns the values of one attribute type in the order of the text, e.g. of `CN`, which can also be written
    /// `2.5.4.3`. Values that begin with `#` (RFC 4514 section 2.4) are omitted.
    pub fn values<'n>(&'n self, attribute_type: &'n str) -> impl Iterator<Item = Cow<'n, str>> {
        self.attributes()
            .filter(move |attribute| attribute.is(attribute_type))
            .filter_map(|attribute| match attribute.value() {
                AttributeValue::Text(text) => Some(text),
                AttributeValue::Der(_) => None,
            })
    }

    /// Returns the name in the form of RFC 4514, in ASCII, in its present order.
    #[must_use]
    pub fn to_rfc4514(&self) -> String {
        let mut text = String::with_capacity(self.text.len());
        for rdn in self.rdns() {
            let mut separator = if text.is_empty() { "" } else { "," };
            for attribute in rdn.attributes() {
                text.push_str(separator);
                push_attribute(&mut text, attribute.attribute_type(), &attribute.value());
                separator = "+";
            }
        }
        text
    }

    /// Returns the name as ASCII, safe to fold. A name in OpenSSL's one-line form keeps that form, because its
    /// order of RDNs differs from RFC 4514.
    pub(crate) fn to_foldable(&self) -> String {
        match self.form {
            DnForm::Rfc4514 => self.to_rfc4514(),
            DnForm::Oneline => self.text.clone().into_owned(),
        }
    }

    /// Returns the name with its own text, not a borrowed one.
    #[must_use]
    pub fn into_owned(self) -> DistinguishedName<'static> {
        DistinguishedName {
            text: Cow::Owned(self.text.into_owned()),
            form: self.form,
        }
    }
}

impl fmt::Display for DistinguishedName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl fmt::Debug for DistinguishedName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DistinguishedName")
            .field(&self.text)
            .finish()
    }
}

/// The RDNs of a name.
#[derive(Clone, Debug)]
pub struct Rdns<'n> {
    rest: Option<&'n [u8]>,
    form: DnForm,
}

impl<'n> Iterator for Rdns<'n> {
    type Item = Rdn<'n>;

    fn next(&mut self) -> Option<Rdn<'n>> {
        let start = self.rest?;
        let mut rest = start;
        // `parse` read the whole text, so that the rules do not fail here.
        loop {
            let (left, _) = attribute(rest, self.form).ok()?;
            rest = left;
            match rest.split_first() {
                Some((b'+', left)) if self.form == DnForm::Rfc4514 => rest = left,
                Some((b'+', _)) => {}
                _ => break,
            }
        }
        self.rest = match (self.form, rest) {
            (DnForm::Rfc4514, [b',', left @ ..]) => Some(left),
            (DnForm::Oneline, [_, ..]) => Some(rest),
            _ => None,
        };
        let text = start.get(..start.len().saturating_sub(rest.len()))?;
        let form = self.form;
        Some(Rdn { text, form })
    }
}

/// An RDN: one or more attributes, joined by `+`.
#[derive(Clone, Copy, Debug)]
pub struct Rdn<'n> {
    text: &'n [u8],
    form: DnForm,
}

impl<'n> Rdn<'n> {
    /// Returns the attributes in the order of the text.
    pub fn attributes(self) -> impl Iterator<Item = Attribute<'n>> {
        let mut rest = Some(self.text);
        core::iter::from_fn(move || {
            let (left, attribute) = attribute(rest?, self.form).ok()?;
            rest = match (self.form, left) {
                (DnForm::Rfc4514, [b'+', left @ ..]) => Some(left),
                (DnForm::Oneline, [_, ..]) => Some(left),
                _ => None,
            };
            Some(attribute)
        })
    }
}

/// An attribute: type and value.
#[derive(Clone, Copy, Debug)]
pub struct Attribute<'n> {
    attribute_type: &'n str,
    value: &'n str,
    form: DnForm,
}

impl<'n> Attribute<'n> {
    /// Returns the type as written: a descriptor or an OID.
    #[must_use]
    pub const fn attribute_type(self) -> &'n str {
        self.attribute_type
    }

    /// Returns `true` if the attribute has this type. Types compare by descriptor, without regard to case, or by OID.
    #[must_use]
    pub fn is(self, attribute_type: &str) -> bool {
        oid(self.attribute_type).eq_ignore_ascii_case(oid(attribute_type))
    }

    /// Returns the value as written.
    #[must_use]
    pub const fn raw_value(self) -> &'n str {
        self.value
    }

    /// Returns the decoded value.
    #[must_use]
    pub fn value(self) -> AttributeValue<'n> {
        match (self.form, self.value.as_bytes()) {
            (DnForm::Rfc4514, [b'#', digits @ ..]) => AttributeValue::Der(
                digits
                    .chunks(2)
                    .filter_map(|pair| match pair {
                        [high, low] => hex_pair(*high, *low),
                        _ => None,
                    })
                    .collect(),
            ),
            (DnForm::Rfc4514, [b'"', ..]) => {
                let inner = slice::text(slice::inside(self.value.as_bytes()));
                AttributeValue::Text(Escapes::Backslash.decode_text(inner))
            }
            (DnForm::Rfc4514, _) => {
                AttributeValue::Text(Escapes::Backslash.decode_text(self.value))
            }
            (DnForm::Oneline, _) => AttributeValue::Text(Escapes::Oneline.decode_text(self.value)),
        }
    }
}

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum AttributeValue<'n> {
    /// Text.
    Text(Cow<'n, str>),
    /// The DER of a value that has no text, written `#04…`.
    Der(Vec<u8>),
}

impl<'n> From<&'n str> for AttributeValue<'n> {
    fn from(text: &'n str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl From<String> for AttributeValue<'_> {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

/// The descriptors of RFC 4514 section 3, and those that OpenSSL prints in addition.
const DESCRIPTORS: &[(&str, &str)] = &[
    ("CN", "2.5.4.3"),
    ("commonName", "2.5.4.3"),
    ("L", "2.5.4.7"),
    ("localityName", "2.5.4.7"),
    ("ST", "2.5.4.8"),
    ("S", "2.5.4.8"),
    ("SP", "2.5.4.8"),
    ("stateOrProvinceName", "2.5.4.8"),
    ("O", "2.5.4.10"),
    ("organizationName", "2.5.4.10"),
    ("OU", "2.5.4.11"),
    ("organizationalUnitName", "2.5.4.11"),
    ("C", "2.5.4.6"),
    ("countryName", "2.5.4.6"),
    ("STREET", "2.5.4.9"),
    ("streetAddress", "2.5.4.9"),
    ("DC", "0.9.2342.19200300.100.1.25"),
    ("domainComponent", "0.9.2342.19200300.100.1.25"),
    ("UID", "0.9.2342.19200300.100.1.1"),
    ("userId", "0.9.2342.19200300.100.1.1"),
    ("emailAddress", "1.2.840.113549.1.9.1"),
    ("Email", "1.2.840.113549.1.9.1"),
    ("E", "1.2.840.113549.1.9.1"),
];

/// Returns the OID of a descriptor, or the text itself if it is not a known descriptor.
fn oid(attribute_type: &str) -> &str {
    let bare = match attribute_type.split_at_checked(4) {
        Some((prefix, oid)) if prefix.eq_ignore_ascii_case("OID.") => oid,
        _ => attribute_type,
    };
    let mut all = DESCRIPTORS.iter();
    all.find(|(descriptor, _)| descriptor.eq_ignore_ascii_case(bare))
        .map_or(bare, |(_, oid)| oid)
}

/// Returns the descriptor of an OID.
#[cfg(feature = "certificates")]
pub(crate) fn descriptor(oid: &str) -> Option<&'static str> {
    let mut all = DESCRIPTORS.iter();
    all.find(|(_, it)| *it == oid)
        .map(|(descriptor, _)| *descriptor)
}

/// Reads `attributeTypeAndValue` of the form, with its `/` or `+` before it where the form has that.
fn attribute(input: &[u8], form: DnForm) -> ReadValue<'_, Attribute<'_>> {
    match form {
        DnForm::Rfc4514 => rfc4514::attribute(input),
        DnForm::Oneline => oneline::attribute(input),
    }
}

/// Appends an attribute as RFC 4514 section 2.4 writes it, in printable ASCII.
fn push_attribute(text: &mut String, attribute_type: &str, value: &AttributeValue<'_>) {
    text.push_str(attribute_type);
    text.push('=');
    match value {
        AttributeValue::Der(octets) => {
            text.push('#');
            for octet in octets {
                push_hex(text, *octet);
            }
        }
        AttributeValue::Text(value) => push_escaped(text, value, |place, octet| {
            rfc4514::is_special(octet) || place == 0 && octet == b'#'
        }),
    }
}
