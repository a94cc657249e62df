//! The report of a client as parameters of ID, draft-newman-email-deep-02 section 7.1.

use alloc::{string::String, vec::Vec};

use super::{IdParameters, Pair};
use crate::{
    cipher::TlsCipher,
    error::{EncodeError, EncodeErrorKind, ErrorKind, ParseError},
    report::{ClientReport, FieldNames},
    tag::{SecurityTag, Separator},
};

/// The meaning of an empty value of tags.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Empty {
    NoTags,
    Refused,
}

impl ClientReport {
    /// Reads the report in the parameters of a client's ID command, draft-newman-email-deep-02 section 7.1.
    ///
    /// `latch-failure`, the name in the draft's examples, is a second name of `latch-fail`. Fields that are absent
    /// or NIL are empty, and so are `latch` and `security-tags` if they are an empty string. Other fields are
    /// ignored.
    ///
    /// ```
    /// # use deep_latch::{ClientReport, SecurityTag, imap::IdParameters};
    /// let list = br#"("name" "Demo Mail" "latch" "tls10 tls-cert" "security-tags" "tls12")"#;
    /// let report = ClientReport::from_id_parameters(&IdParameters::parse(list)?)?;
    /// assert_eq!(report.latch, [SecurityTag::TLS10, SecurityTag::TLS_CERT]);
    /// assert_eq!(report.security_tags, [SecurityTag::TLS12]);
    /// # Ok::<(), deep_latch::ParseError>(())
    /// ```
    ///
    /// # Errors
    /// Returns an error if a value does not have the form of its field; [`ErrorKind::Character`] if `name` or `version`
    /// has control characters; [`ErrorKind::Conflict`] if both names of `latch-fail` are given with different
    /// values. Offsets are those in the list that `parameters` was read from.
    pub fn from_id_parameters(parameters: &IdParameters<'_>) -> Result<Self, ParseError> {
        let text = |field: &'static str| {
            let Some(pair) = parameters.pair(field) else {
                return Ok(None);
            };
            let value = pair.value.as_deref();
            match value.and_then(|value| value.find(char::is_control)) {
                Some(offset) => {
                    let error = ParseError::new(ErrorKind::Character, field, offset);
                    Err(parameters.moved(pair, error))
                }
                None => Ok(value.map(String::from)),
            }
        };
        let tags = |field, pair: Option<&Pair<'_>>, empty: Empty| {
            let Some((pair, value)) = pair.and_then(|pair| Some((pair, pair.value.as_deref()?)))
            else {
                return Ok(Vec::new());
            };
            if value.is_empty() && empty == Empty::NoTags {
                return Ok(Vec::new());
            }
            let tags = SecurityTag::parse_list(value, Separator::Space, field)
                .map_err(|error| parameters.moved(pair, error))?;
            Ok(tags.into_iter().map(SecurityTag::into_owned).collect())
        };
        let tls = match parameters
            .pair("tls")
            .map(|pair| (pair, pair.value.as_deref()))
        {
            Some((pair, Some(value))) => {
                let cipher =
                    TlsCipher::parse(value).map_err(|error| parameters.moved(pair, error))?;
                Some(cipher.into_owned())
            }
            _ => None,
        };
        Ok(Self {
            name: text("name")?,
            version: text("version")?,
            latch: tags("latch", parameters.pair("latch"), Empty::NoTags)?,
            latch_fail: {
                // Section 7.1: "one or more security tag".
                let pair = parameters.either("latch-fail", "latch-failure")?;
                tags("latch-fail", pair, Empty::Refused)?
            },
            security_tags: tags(
                "security-tags",
                parameters.pair("security-tags"),
                Empty::NoTags,
            )?,
            tls,
        })
    }

    /// Returns the parameters of the ID command, draft-newman-email-deep-02 section 7.1, without empty fields. They
    /// are written as quoted strings only, so that the command is one line.
    ///
    /// ```
    /// # use deep_latch::{ClientReport, SecurityTag, report::FieldNames};
    /// let report = ClientReport {
    ///     name: Some("Demo Mail".into()),
    ///     latch_fail: vec![SecurityTag::TLS_CERT],
    ///     ..ClientReport::default()
    /// };
    /// let parameters = report.to_id_parameters(FieldNames::Examples)?;
    /// assert_eq!(parameters.to_string(), r#"("name" "Demo Mail" "latch-failure" "tls-cert")"#);
    /// # Ok::<(), deep_latch::EncodeError>(())
    /// ```
    ///
    /// # Errors
    /// Returns [`EncodeErrorKind::Character`] if the name or version has a character other than the printable ones
    /// of ASCII, and [`EncodeErrorKind::Limit`] if a value is longer than [`MAX_ID_VALUE_BYTES`](super::MAX_ID_VALUE_BYTES).
    pub fn to_id_parameters(&self, names: FieldNames) -> Result<IdParameters<'_>, EncodeError> {
        let mut parameters = IdParameters::new();
        for (field, value) in self.fields(names, Separator::Space) {
            if !value.bytes().all(|octet| matches!(octet, b' '..=b'~')) {
                return Err(EncodeError::new(EncodeErrorKind::Character, field));
            }
            (parameters.try_push(field, Some(value)))
                .map_err(|error| EncodeError::new(error.kind(), field))?;
        }
        Ok(parameters)
    }
}
