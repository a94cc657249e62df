//! A result that is written, with its comments and properties.

use alloc::{borrow::Cow, vec::Vec};

use super::{
    error::{WriteError, WriteErrorKind as Kind},
    fold::{Folder, TooLong},
    options::WriteOptions,
    text::{CommentBuf, Keyword, Value},
};

/// A `propspec` to be written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct PropertyBuf {
    /// `ptype`
    pub ptype: Keyword,
    /// `property`
    pub property: Keyword,
    /// `pvalue`, decoded.
    pub value: Value,
}

impl PropertyBuf {
    /// Returns a property of two keywords and any text as its value.
    ///
    /// # Errors
    /// Returns [`WriteErrorKind::Keyword`](Kind::Keyword), [`Empty`](Kind::Empty) or [`EndsWithHyphen`](Kind::EndsWithHyphen) if
    /// `ptype` or `property` is not a keyword, and [`Control`](Kind::Control) if the value has control characters.
    pub fn try_new(
        ptype: impl Into<Cow<'static, str>>,
        property: impl Into<Cow<'static, str>>,
        value: impl Into<Cow<'static, str>>,
    ) -> Result<Self, WriteError> {
        Ok(Self {
            ptype: Keyword::checked(ptype.into(), "ptype")?,
            property: Keyword::checked(property.into(), "property")?,
            value: Value::checked(value.into(), "pvalue")?,
        })
    }

    pub(super) fn written_len(&self) -> usize {
        let (ptype, property) = (self.ptype.as_str().len(), self.property.as_str().len());
        sum([ptype, property, 2, self.value.written_len(true)])
    }
}

/// A `resinfo` to be written: one method's result.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ResInfoBuf {
    /// `method`
    pub method: Keyword,
    /// `method-version`, which is written if present.
    pub method_version: Option<u32>,
    /// `result`
    pub result: Keyword,
    /// The value of `reasonspec`.
    pub reason: Option<Value>,
    /// The comments, which are written after the result.
    pub comments: Vec<CommentBuf>,
    /// The properties in their order, with duplicates.
    pub properties: Vec<PropertyBuf>,
}

impl ResInfoBuf {
    /// Returns a result without reason, comments and properties.
    ///
    /// # Errors
    /// Returns [`WriteErrorKind::Keyword`](Kind::Keyword), [`Empty`](Kind::Empty) or [`EndsWithHyphen`](Kind::EndsWithHyphen) if
    /// `method` or `result` is not a keyword.
    pub fn try_new(
        method: impl Into<Cow<'static, str>>,
        result: impl Into<Cow<'static, str>>,
    ) -> Result<Self, WriteError> {
        Ok(Self {
            method: Keyword::checked(method.into(), "method")?,
            method_version: None,
            result: Keyword::checked(result.into(), "result")?,
            reason: None,
            comments: Vec::new(),
            properties: Vec::new(),
        })
    }

    /// Sets the method-version.
    #[must_use]
    pub const fn with_method_version(mut self, version: u32) -> Self {
        self.method_version = Some(version);
        self
    }

    /// Sets the reason.
    ///
    /// # Errors
    /// Returns [`WriteErrorKind::Control`](Kind::Control) if the text has control characters.
    pub fn with_reason(mut self, reason: impl Into<Cow<'static, str>>) -> Result<Self, WriteError> {
        self.reason = Some(Value::checked(reason.into(), "reasonspec")?);
        Ok(self)
    }

    /// Adds a comment after the others.
    ///
    /// # Errors
    /// Returns [`WriteErrorKind::Control`](Kind::Control) if the text has control characters.
    pub fn with_comment(
        mut self,
        comment: impl Into<Cow<'static, str>>,
    ) -> Result<Self, WriteError> {
        let comment = CommentBuf::try_new(comment);
        let comment = comment.map_err(|error| error.at_index(self.comments.len()))?;
        self.comments.push(comment);
        Ok(self)
    }

    /// Adds a property after the others.
    ///
    /// # Errors
    /// Returns the errors of [`PropertyBuf::try_new`].
    pub fn with_property(
        mut self,
        ptype: impl Into<Cow<'static, str>>,
        property: impl Into<Cow<'static, str>>,
        value: impl Into<Cow<'static, str>>,
    ) -> Result<Self, WriteError> {
        let property = PropertyBuf::try_new(ptype, property, value);
        let property = property.map_err(|error| error.at_index(self.properties.len()))?;
        self.properties.push(property);
        Ok(self)
    }

    fn methodspec_len(&self) -> usize {
        let version = self.method_version;
        let digits = version.map(|number| number.checked_ilog10().unwrap_or_default());
        let digits = digits.and_then(|digits| usize::try_from(digits).ok());
        sum([
            self.method.as_str().len(),
            digits.map_or(0, |digits| digits.saturating_add(2)),
            1,
            self.result.as_str().len(),
        ])
    }
}

impl ResInfoBuf {
    /// Writes the result after its `;`. `tail` octets follow it on its line.
    pub(super) fn write_to(
        &self,
        folder: &mut Folder<'_>,
        tail: usize,
        options: &WriteOptions,
    ) -> Result<(), WriteError> {
        let mut parts = sum([
            self.comments.len(),
            usize::from(self.reason.is_some()),
            self.properties.len(),
        ]);
        let mut tail = || {
            let last = parts == 0;
            parts = parts.saturating_sub(1);
            if last { tail } else { 0 }
        };
        let method_tail = tail();
        if options.result_per_line {
            folder.fold();
        } else {
            folder.part(self.methodspec_len().saturating_add(method_tail));
        }
        folder.push(self.method.as_str());
        if let Some(version) = self.method_version {
            folder.push("/");
            folder.number(version);
        }
        folder.push("=");
        folder.push(self.result.as_str());
        if folder.overflows(method_tail) {
            return Err(too_long(TooLong(0), options, "methodspec"));
        }
        for (index, comment) in self.comments.iter().enumerate() {
            write_comment(folder, comment, tail(), options)
                .map_err(|error| error.at_index(index))?;
        }
        if let Some(reason) = &self.reason {
            const FIELD: &str = "reasonspec";
            const NAME: &str = "reason=";
            ascii(reason.non_ascii(), options, FIELD)?;
            let tail = tail();
            folder.part(sum([NAME.len(), reason.written_len(false), tail]));
            folder.push(NAME);
            folder
                .value_after_equals(reason, false, tail)
                .map_err(|at| too_long(at, options, FIELD))?;
        }
        for (index, property) in self.properties.iter().enumerate() {
            write_property(folder, property, tail(), options)
                .map_err(|error| error.at_index(index))?;
        }
        Ok(())
    }

    pub(super) fn length_hint(&self) -> usize {
        let indented = |length: usize| length.saturating_add(3);
        let comments = self.comments.iter().map(|it| indented(it.written_len()));
        let properties = self.properties.iter().map(|it| indented(it.written_len()));
        let reason = self.reason.as_ref().map_or(0, |it| it.written_len(false));
        let head = sum([self.methodspec_len(), reason, 16]);
        sum(comments.chain(properties).chain([head]))
    }
}

pub(super) fn write_comment(
    folder: &mut Folder<'_>,
    comment: &CommentBuf,
    tail: usize,
    options: &WriteOptions,
) -> Result<(), WriteError> {
    const FIELD: &str = "comment";
    ascii(comment.non_ascii(), options, FIELD)?;
    folder
        .comment(comment, tail)
        .map_err(|at| too_long(at, options, FIELD))
}

fn write_property(
    folder: &mut Folder<'_>,
    property: &PropertyBuf,
    tail: usize,
    options: &WriteOptions,
) -> Result<(), WriteError> {
    const FIELD: &str = "pvalue";
    ascii(property.value.non_ascii(), options, FIELD)?;
    folder.part(property.written_len().saturating_add(tail));
    folder.push(property.ptype.as_str());
    folder.push(".");
    folder.push(property.property.as_str());
    folder.push("=");
    if folder.overflows(0) {
        return Err(too_long(TooLong(0), options, "propspec"));
    }
    folder
        .value_after_equals(&property.value, true, tail)
        .map_err(|at| too_long(at, options, FIELD))
}

pub(super) fn ascii(
    non_ascii: Option<usize>,
    options: &WriteOptions,
    field: &'static str,
) -> Result<(), WriteError> {
    match non_ascii {
        Some(offset) if !options.utf8 => Err(WriteError::new(Kind::NonAscii, field, offset)),
        _ => Ok(()),
    }
}

pub(super) const fn too_long(
    at: TooLong,
    options: &WriteOptions,
    field: &'static str,
) -> WriteError {
    let limit = options.hard_limit;
    WriteError::new(Kind::LineTooLong { limit }, field, at.0)
}

/// Returns a sum, or the largest number if it is larger.
pub(super) fn sum(lengths: impl IntoIterator<Item = usize>) -> usize {
    lengths.into_iter().fold(0, usize::saturating_add)
}
