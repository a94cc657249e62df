//! Conversion of a parsed value to the owned form.

use alloc::{borrow::Cow, string::String, vec::Vec};

use super::{
    AUTHSERV_ID, AuthenticationResultsBuf, CommentBuf, INSTANCE, Instance, Keyword, PropertyBuf,
    ResInfoBuf, Value, WriteError, WriteErrorKind as Kind, named,
};
use crate::syntax::{AuthenticationResults, Body, Comment, Number, Property, ResInfo, Text};

impl TryFrom<Property<'_>> for PropertyBuf {
    type Error = WriteError;

    /// # Errors
    /// Returns an error if a lenient reading accepted a part that cannot be written: a name that is not a keyword, a
    /// property without a ptype, or bytes that are not UTF-8; and if the value has C1 controls, U+2028 or U+2029.
    fn try_from(read: Property<'_>) -> Result<Self, WriteError> {
        let missing = WriteError::new(Kind::MissingPtype, "ptype", 0);
        Ok(Self {
            ptype: keyword(read.ptype().ok_or(missing)?, "ptype")?,
            property: keyword(read.property(), "property")?,
            value: value(read.value(), "pvalue")?,
        })
    }
}

impl TryFrom<ResInfo<'_, '_>> for ResInfoBuf {
    type Error = WriteError;

    /// # Errors
    /// Returns the errors of a [`PropertyBuf`], and [`WriteErrorKind::Number`](Kind::Number) if the method-version does
    /// not fit into a `u32`.
    fn try_from(read: ResInfo<'_, '_>) -> Result<Self, WriteError> {
        let version = read.method_version();
        let version = version.map(|it| number(it, "method-version"));
        let reason = read.reason().map(|it| value(it, "reasonspec"));
        Ok(Self {
            method: keyword(read.method(), "method")?,
            method_version: version.transpose()?,
            result: keyword(read.result(), "result")?,
            reason: reason.transpose()?,
            comments: collected(read.comments(), comment)?,
            properties: collected(read.all_properties(), PropertyBuf::try_from)?,
        })
    }
}

impl TryFrom<&AuthenticationResults<'_>> for AuthenticationResultsBuf {
    type Error = WriteError;

    /// Converts a parsed value. Its spelling is lost: the case of keywords, the folds, and the places of comments in a
    /// result. [`edit_results`](AuthenticationResults::edit_results) keeps the spelling.
    ///
    /// # Errors
    /// Returns the errors of a [`ResInfoBuf`], [`WriteErrorKind::Empty`](Kind::Empty) if the id is missing or empty, and
    /// [`UnsupportedVersion`](Kind::UnsupportedVersion) if the version is unknown. Text that a lenient reading
    /// skipped is omitted.
    fn try_from(read: &AuthenticationResults<'_>) -> Result<Self, WriteError> {
        if read.body() == Body::UnsupportedVersion {
            let field = "authres-version";
            return Err(WriteError::new(Kind::UnsupportedVersion, field, 0));
        }
        let authserv_id = value(read.authserv_id(), AUTHSERV_ID)?;
        named(&authserv_id)?;
        let refused = WriteError::new(Kind::Instance, INSTANCE, 0);
        let instance = read.instance().map(|it| {
            let number = it.value().and_then(|it| u8::try_from(it).ok());
            Instance::try_new(number.ok_or(refused)?)
        });
        let results = read.results().enumerate();
        Ok(Self {
            instance: instance.transpose()?,
            authserv_id,
            version: read.version().is_some(),
            comments: collected(read.comments(), comment)?,
            results: results
                .map(|(index, it)| ResInfoBuf::try_from(it).map_err(|error| error.in_result(index)))
                .collect::<Result<_, _>>()?,
        })
    }
}

/// Returns the decoded text.
fn meaning(text: Text<'_>, field: &'static str) -> Result<Cow<'static, str>, WriteError> {
    let bytes = text.unfolded_bytes().into_owned();
    let text = String::from_utf8(bytes).map_err(|error| {
        let offset = error.utf8_error().valid_up_to();
        WriteError::new(Kind::NotUtf8, field, offset)
    })?;
    Ok(Cow::Owned(text))
}

fn keyword(text: Text<'_>, field: &'static str) -> Result<Keyword, WriteError> {
    Keyword::checked(meaning(text, field)?, field)
}

fn value(text: Text<'_>, field: &'static str) -> Result<Value, WriteError> {
    Value::checked(meaning(text, field)?, field)
}

fn number(number: Number, field: &'static str) -> Result<u32, WriteError> {
    let value = number.value();
    value.ok_or(WriteError::new(Kind::Number, field, 0))
}

/// Converts each part, and adds its index to an error.
fn collected<T, U>(
    parts: impl Iterator<Item = T>,
    convert: impl Fn(T) -> Result<U, WriteError>,
) -> Result<Vec<U>, WriteError> {
    let indexed = parts.enumerate();
    indexed
        .map(|(index, part)| convert(part).map_err(|error| error.at_index(index)))
        .collect()
}

fn comment(comment: Comment<'_>) -> Result<CommentBuf, WriteError> {
    CommentBuf::try_new(meaning(comment.text(), "comment")?)
}
