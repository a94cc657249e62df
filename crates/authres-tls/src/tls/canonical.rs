//! Feature `cipher-names`: a `tls` result as the draft writes it, in whatever spelling it was read
//! (draft-martin-authentication-results-tls-03 sections 2 and 3).

use alloc::string::{String, ToString};

use super::{
    TlsResInfo,
    cipher_suite::CipherSuite,
    dn::DistinguishedName,
    fingerprint::Fingerprint,
    key_length,
    keyword::{Strength, TlsProperty, Verification, word},
    san::AltNames,
    version,
};
use crate::{
    syntax::Text,
    write::{PropertyBuf, ResInfoBuf, WriteError},
};

#[cfg_attr(docsrs, doc(cfg(feature = "cipher-names")))]
impl TlsResInfo<'_, '_> {
    /// Converts the result to the form of the draft: its words in the draft's spelling, cipher suites by their IANA
    /// descriptions, names and fingerprints without the white space that folding left in them, the properties
    /// in the order of the table in section 3, and after them the properties that the draft does not have.
    ///
    /// Parts of names are not reordered. A value that cannot be parsed, a word that the draft does not have, and
    /// duplicate properties are kept unchanged.
    ///
    /// ```
    /// # use authres_tls::{AuthenticationResults, AuthenticationResultsBuf, Options, TlsResInfo, WriteOptions};
    /// let value = b"mx.example.net; tls=PermErerror key.strength=HIGH\r\n\tkey.ciphersuite=AES128-SHA \
    ///     tls.v=TLSv1.2 cert.client=\"CN=a,\r\n\tO=b\";";
    /// let header = AuthenticationResults::parse(value, &Options::lenient())?;
    /// let tls = TlsResInfo::all(&header).next().ok_or("no tls result")??;
    /// let again = AuthenticationResultsBuf::try_new("mx.example.net")?.with_result(tls.to_canonical()?);
    /// assert_eq!(
    ///     again.write(&WriteOptions::unfolded())?,
    ///     "mx.example.net; tls=permerror cert.client=\"CN=a,O=b\" tls.v=TLS1.2 \
    ///      key.ciphersuite=TLS_RSA_WITH_AES_128_CBC_SHA key.strength=high"
    /// );
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Returns an error if a lenient reading accepted a part that cannot be written; see [`ResInfoBuf`].
    pub fn to_canonical(self) -> Result<ResInfoBuf, WriteError> {
        let read = self.res_info();
        let mut written = ResInfoBuf::try_from(read)?;
        if let Some(result) = self.result() {
            written.result = ResInfoBuf::try_new(super::METHOD, result.name())?.result;
        }
        for (index, property) in read.all_properties().enumerate() {
            let known = TlsProperty::of(property);
            let text = known.and_then(|known| value_text(known, property.value()));
            if let (Some(place), Some(known), Some(text)) =
                (written.properties.get_mut(index), known, text)
            {
                let property = PropertyBuf::try_new(known.ptype(), known.property(), text);
                *place = property.map_err(|error| error.at_index(index))?;
            }
        }
        let number_of = |property: &PropertyBuf| {
            let (ptype, property) = (property.ptype.as_str(), property.property.as_str());
            let mut all = TlsProperty::ALL.into_iter();
            all.position(|it| it.ptype() == ptype && it.property() == property)
                .unwrap_or(usize::MAX)
        };
        written.properties.sort_by_key(number_of);
        Ok(written)
    }
}

/// Returns the value in the form of the draft, if it can be parsed.
fn value_text(property: TlsProperty, text: Text<'_>) -> Option<String> {
    Some(match property {
        TlsProperty::CertClient
        | TlsProperty::CertServer
        | TlsProperty::CertClientIssuer
        | TlsProperty::CertServerIssuer => DistinguishedName::from_text(text).ok()?.to_foldable(),
        TlsProperty::CertClientAlt | TlsProperty::CertServerAlt => {
            AltNames::from_text(text).ok()?.to_foldable()
        }
        TlsProperty::CertVerif => word(text, &Verification::ALL, Verification::name)
            .known()?
            .to_string(),
        TlsProperty::TlsV => version(text).known()?.to_string(),
        TlsProperty::KeyCiphersuite => CipherSuite::from_name(&text.unfolded())?.to_string(),
        TlsProperty::KeyFingerprint => Fingerprint::parse(&text.collapsed()).ok()?.to_string(),
        TlsProperty::KeyLength => key_length(text).ok()?.to_string(),
        TlsProperty::KeyStrength => word(text, &Strength::ALL, Strength::name)
            .known()?
            .to_string(),
    })
}
