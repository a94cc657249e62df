//! Feature `milter`: the facts of a session in the milter macros of sendmail and Postfix.

use alloc::{boxed::Box, string::String, vec::Vec};

use super::{
    CertificateFields, ChainVerdict, ClientCertificate, DaneVerdict, PresentedCertificate, Session,
    TlsSession, common_name,
};
use crate::tls::{
    CipherSuite, ProtocolVersion,
    dn::{DistinguishedName, DnForm},
    escape::{hex_pair, push_hex},
};

/// The MTA that sent the macros. Both MTAs use the same names with different meanings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mta {
    /// Sendmail: `{cert_subject}` and `{cert_issuer}` are names in OpenSSL's one-line form, and
    /// `{verify}` is the outcome of the verification.
    Sendmail,
    /// Postfix: `{cert_subject}` and `{cert_issuer}` are common names alone, sent only for a certificate
    /// that leads to a trusted authority. There is no `{verify}`.
    Postfix,
}

/// The macros about TLS, as the MTA sent them. A macro that the MTA did not send is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MilterMacros<'m> {
    /// `{tls_version}`
    pub tls_version: Option<&'m str>,
    /// `{cipher}`
    pub cipher: Option<&'m str>,
    /// `{cipher_bits}`
    pub cipher_bits: Option<&'m str>,
    /// `{cert_subject}`
    pub cert_subject: Option<&'m str>,
    /// `{cert_issuer}`
    pub cert_issuer: Option<&'m str>,
    /// `{verify}`
    pub verify: Option<&'m str>,
}

#[cfg_attr(docsrs, doc(cfg(feature = "milter")))]
impl Session {
    /// Reads the facts from the macros of an MTA. Neither MTA compares names with the client's certificate:
    /// the host identity stays unchecked, so that these facts alone never result in `pass`.
    ///
    /// A session without `{tls_version}` counts as one without TLS. The milter must therefore request the
    /// macros from the MTA.
    ///
    /// ```
    /// # use authres_tls::{Session, facts::ChainVerdict, facts::milter::{MilterMacros, Mta}};
    /// let macros = MilterMacros {
    ///     tls_version: Some("TLSv1.3"),
    ///     cipher: Some("TLS_AES_256_GCM_SHA384"),
    ///     cipher_bits: Some("256"),
    ///     cert_subject: Some("/O=ACME+20Inc/CN=smtp.example.com"),
    ///     cert_issuer: Some("/CN=Example+20CA"),
    ///     verify: Some("OK"),
    /// };
    /// let mut session = Session::from_milter_macros(&macros, Mta::Sendmail);
    /// let presented = session.presented_mut().ok_or("no certificate")?;
    /// assert_eq!(presented.chain, ChainVerdict::Trusted);
    /// let subject = presented.fields.subject.as_ref().ok_or("no subject")?;
    /// assert_eq!(subject.as_str(), "/O=ACME Inc/CN=smtp.example.com");
    /// # Ok::<(), &str>(())
    /// ```
    #[must_use]
    pub fn from_milter_macros(macros: &MilterMacros<'_>, mta: Mta) -> Self {
        let sent = |value: Option<&str>| value.is_some_and(|value| !value.is_empty());
        if !sent(macros.tls_version) {
            return Self::Clear;
        }
        let client = match mta {
            Mta::Sendmail => sendmail_client(macros),
            Mta::Postfix if sent(macros.cert_subject) || sent(macros.cert_issuer) => {
                let fields = CertificateFields {
                    subject: macros.cert_subject.and_then(common_name),
                    issuer: macros.cert_issuer.and_then(common_name),
                    ..CertificateFields::default()
                };
                presented(fields, ChainVerdict::Trusted, DaneVerdict::NotChecked)
            }
            Mta::Postfix => ClientCertificate::Unknown,
        };
        Self::Tls(TlsSession {
            version: macros.tls_version.and_then(ProtocolVersion::from_spelling),
            cipher_suite: macros.cipher.and_then(CipherSuite::from_openssl_name),
            key_bits: macros.cipher_bits.and_then(|bits| bits.parse().ok()),
            client,
            server: None,
        })
    }
}

fn presented(
    fields: CertificateFields,
    chain: ChainVerdict,
    dane: DaneVerdict,
) -> ClientCertificate {
    ClientCertificate::Presented(Box::new(PresentedCertificate {
        fields,
        chain,
        dane,
        ..PresentedCertificate::default()
    }))
}

/// Reads the client's certificate by `{verify}` (Sendmail Installation and Operation Guide, section 5.2).
fn sendmail_client(macros: &MilterMacros<'_>) -> ClientCertificate {
    let (chain, dane) = match macros.verify.unwrap_or_default() {
        "OK" => (ChainVerdict::Trusted, DaneVerdict::NotChecked),
        "TRUSTED" => (ChainVerdict::NotChecked, DaneVerdict::Match),
        "FAIL" => (ChainVerdict::NotAccepted, DaneVerdict::NotChecked),
        "TEMP" => (ChainVerdict::Unavailable, DaneVerdict::NotChecked),
        "NO" => return ClientCertificate::NotPresented,
        "NOT" => return ClientCertificate::NotRequested,
        // No usable session: NONE, CLEAR, PROTOCOL, CONFIG, SOFTWARE.
        _ => return ClientCertificate::Unknown,
    };
    let fields = CertificateFields {
        subject: macros.cert_subject.and_then(sendmail_name),
        issuer: macros.cert_issuer.and_then(sendmail_name),
        ..CertificateFields::default()
    };
    presented(fields, chain, dane)
}

/// Decodes the octets that sendmail writes as `+XX`, e.g. in `{cn_subject}`.
pub(crate) fn xtext(text: &str) -> Option<Vec<u8>> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    loop {
        let octet = match rest {
            [] => return Some(octets),
            [b'+', high, low, left @ ..] => {
                rest = left;
                hex_pair(*high, *low)?
            }
            [b'+', ..] => return None,
            [octet, left @ ..] => {
                rest = left;
                *octet
            }
        };
        octets.push(octet);
    }
}

/// Reads a name in OpenSSL's one-line form, in which sendmail writes some characters as `+XX`. Characters
/// outside ASCII, and spaces that folding could change, are written with OpenSSL's escapes.
fn sendmail_name(text: &str) -> Option<DistinguishedName<'static>> {
    let mut name = String::with_capacity(text.len());
    for octet in xtext(text)? {
        if !matches!(octet, b' '..=b'~') || octet == b' ' && name.ends_with(' ') {
            name.push_str("\\x");
            push_hex(&mut name, octet);
        } else {
            name.push(char::from(octet));
        }
    }
    let name = DistinguishedName::parse(name).ok()?;
    Some(name).filter(|name| name.form() == DnForm::Oneline)
}
