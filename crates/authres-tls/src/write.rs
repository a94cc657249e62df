//! Writing: the owned form of a value, whose texts cannot change the structure around them, and its lines.
//!
//! The writer asks the reader's own grammar whether a text can be written as a token or an address or must be
//! quoted (`write/text.rs`), so that reader and writer cannot disagree.

mod counts;
mod edit;
mod error;
mod fold;
mod options;
mod read;
mod result;
mod text;

use alloc::{borrow::Cow, string::String, vec::Vec};

use self::{
    WriteErrorKind as Kind,
    counts::{Counts, bytes, within},
    fold::{Folder, TooLong},
    result::{ascii, sum, too_long, write_comment},
};
pub use self::{
    error::{WriteError, WriteErrorKind},
    options::{HARD_LINE_LIMIT, Indent, SOFT_LINE_LIMIT, WriteOptions},
    result::{PropertyBuf, ResInfoBuf},
    text::{CommentBuf, Keyword, Value},
};

/// The instance of an `ARC-Authentication-Results` field (RFC 8617 section 4.2.1): 1 to 50.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instance(u8);

impl Instance {
    /// The largest instance.
    pub const MAX: Self = Self(50);

    /// Returns an instance.
    ///
    /// # Errors
    /// Returns [`WriteErrorKind::Instance`] if the number is not in 1..=50.
    pub const fn try_new(instance: u8) -> Result<Self, WriteError> {
        match instance {
            1..=50 => Ok(Self(instance)),
            _ => Err(WriteError::new(Kind::Instance, INSTANCE, 0)),
        }
    }

    /// Returns the number.
    #[must_use]
    pub const fn value(self) -> u8 {
        self.0
    }
}

const INSTANCE: &str = "instance";
const AUTHSERV_ID: &str = "authserv-id";
const PAYLOAD: &str = "authres-payload";

/// The value of an `Authentication-Results` field in owned form, for building and writing.
///
/// Its texts are decoded values. Whatever characters they contain, the written value parses to exactly these
/// results and properties, with exactly these texts: in a strict and in a lenient reading, folded and
/// unfolded.
///
/// ```
/// use authres_tls::{AuthenticationResultsBuf, ResInfoBuf, WriteOptions};
///
/// // The SMTP client chose this subject.
/// let subject = "CN=\"x\"; dkim=pass header.d=bank.example";
/// let header = AuthenticationResultsBuf::try_new("mx.example.org")?
///     .with_result(
///         ResInfoBuf::try_new("tls", "fail")?
///             .with_comment("expired")?
///             .with_property("cert", "client", subject)?
///             .with_property("tls", "v", "TLS1.3")?,
///     )
///     .with_result(
///         ResInfoBuf::try_new("spf", "pass")?.with_property("smtp", "mailfrom", "a@b.example")?,
///     );
/// assert_eq!(
///     header.write(&WriteOptions::default())?,
///     "mx.example.org;\r\n\
///      \ttls=fail (expired) cert.client=\"CN=\\\"x\\\"; dkim=pass header.d=bank.example\"\r\n\
///      \ttls.v=TLS1.3;\r\n\
///      \tspf=pass smtp.mailfrom=a@b.example"
/// );
/// # Ok::<(), authres_tls::WriteError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct AuthenticationResultsBuf {
    /// The instance. If present, the value belongs to an `ARC-Authentication-Results` field.
    pub instance: Option<Instance>,
    /// `authserv-id`, which must not be empty.
    pub authserv_id: Value,
    /// `true` if `authres-version` is written. The version is 1.
    pub version: bool,
    /// The comments that belong to no result. They are written before the first `;`.
    pub comments: Vec<CommentBuf>,
    /// The results in their order. If there are no results, `none` is written.
    pub results: Vec<ResInfoBuf>,
}

impl AuthenticationResultsBuf {
    /// Returns a value without results.
    ///
    /// # Errors
    /// Returns [`WriteErrorKind::Empty`] if the id is empty, and [`Control`](Kind::Control) if it has control
    /// characters.
    pub fn try_new(authserv_id: impl Into<Cow<'static, str>>) -> Result<Self, WriteError> {
        let authserv_id = Value::checked(authserv_id.into(), AUTHSERV_ID)?;
        named(&authserv_id)?;
        Ok(Self {
            instance: None,
            authserv_id,
            version: false,
            comments: Vec::new(),
            results: Vec::new(),
        })
    }

    /// Sets the instance, which makes this the value of an `ARC-Authentication-Results` field.
    #[must_use]
    pub const fn with_instance(mut self, instance: Instance) -> Self {
        self.instance = Some(instance);
        self
    }

    /// Sets if `authres-version` is written.
    #[must_use]
    pub const fn with_version(mut self, version: bool) -> Self {
        self.version = version;
        self
    }

    /// Adds a comment after the others.
    ///
    /// # Errors
    /// Returns [`WriteErrorKind::Control`] if the text has control characters.
    pub fn with_comment(
        mut self,
        comment: impl Into<Cow<'static, str>>,
    ) -> Result<Self, WriteError> {
        let comment = CommentBuf::try_new(comment);
        let comment = comment.map_err(|error| error.at_index(self.comments.len()))?;
        self.comments.push(comment);
        Ok(self)
    }

    /// Adds a result after the others.
    #[must_use]
    pub fn with_result(mut self, result: ResInfoBuf) -> Self {
        self.results.push(result);
        self
    }

    /// Returns the name of the field for this value.
    #[must_use]
    pub const fn field_name(&self) -> &'static str {
        field_name(self.instance.is_some())
    }

    /// Writes the value for the place after `Authentication-Results: `, folded, without CRLF at its end.
    ///
    /// # Errors
    /// Returns [`WriteErrorKind::Empty`] if the id is empty, [`NonAscii`](Kind::NonAscii) if a text is not ASCII and
    /// the option [`utf8`](WriteOptions::utf8) is off, [`LineTooLong`](Kind::LineTooLong) if a part without
    /// spaces is longer than the hard limit, and [`Limit`](Kind::Limit) if the value exceeds a limit. No text is
    /// ever truncated.
    pub fn write(&self, options: &WriteOptions) -> Result<String, WriteError> {
        let mut out = String::new();
        self.write_to(options, &mut out)?;
        Ok(out)
    }

    /// Writes like [`write`](Self::write), to the end of `out`. If there is an error, `out` is unchanged. The text
    /// that `out` already has does not count for the length of the first line; only
    /// [`first_line`](WriteOptions::first_line) does.
    ///
    /// # Errors
    /// Returns the errors of [`write`](Self::write).
    pub fn write_to(&self, options: &WriteOptions, out: &mut String) -> Result<(), WriteError> {
        let start = out.len();
        let written = self.write_parts(options, out).and_then(|()| {
            let length = out.len().saturating_sub(start);
            within(length, bytes(&options.limits), PAYLOAD)
        });
        if written.is_err() {
            out.truncate(start);
        }
        written
    }

    fn write_parts(&self, options: &WriteOptions, out: &mut String) -> Result<(), WriteError> {
        named(&self.authserv_id)?;
        let comments = self.comments.len();
        Counts::of(&self.results)
            .and(0, 0, comments)
            .within(&options.limits)?;
        out.reserve(self.length_hint());
        let first_line = first_line(options, self.instance.is_some());
        let mut folder = Folder::new(out, first_line, options);

        let mut parts = usize::from(self.version).saturating_add(comments);
        let mut tail = || {
            let last = parts == 0;
            parts = parts.saturating_sub(1);
            usize::from(last)
        };
        ascii(self.authserv_id.non_ascii(), options, AUTHSERV_ID)?;
        let id_tail = tail();
        if let Some(instance) = self.instance {
            folder.push("i=");
            folder.number(instance.0.into());
            folder.push(";");
            if folder.overflows(0) {
                return Err(too_long(TooLong(0), options, INSTANCE));
            }
            folder.part(self.authserv_id.written_len(false).saturating_add(id_tail));
        }
        folder
            .value(&self.authserv_id, false, id_tail)
            .map_err(|at| too_long(at, options, AUTHSERV_ID))?;
        if self.version {
            folder
                .word("1", tail())
                .map_err(|at| too_long(at, options, "authres-version"))?;
        }
        for (index, comment) in self.comments.iter().enumerate() {
            write_comment(&mut folder, comment, tail(), options)
                .map_err(|error| error.at_index(index))?;
        }
        if self.results.is_empty() {
            folder.push(";");
            folder
                .word("none", 0)
                .map_err(|at| too_long(at, options, "no-result"))?;
        }
        for (index, result) in self.results.iter().enumerate() {
            let more = index.saturating_add(1) < self.results.len();
            folder.push(";");
            result
                .write_to(&mut folder, usize::from(more), options)
                .map_err(|error| error.in_result(index))?;
        }
        Ok(())
    }

    /// Returns a capacity that is sufficient unless texts are folded often.
    fn length_hint(&self) -> usize {
        let results = self.results.iter().map(ResInfoBuf::length_hint);
        let comments = self.comments.iter().map(|it| it.written_len());
        let head = self.authserv_id.written_len(false).saturating_add(16);
        sum(results.chain(comments).chain([head]))
    }
}

/// Checks that the id is not empty: by RFC 8601 section 2.5 it is a name, and readers treat an empty id as missing.
fn named(authserv_id: &Value) -> Result<(), WriteError> {
    match authserv_id.as_str() {
        "" => Err(WriteError::new(Kind::Empty, AUTHSERV_ID, 0)),
        _ => Ok(()),
    }
}

const fn field_name(arc: bool) -> &'static str {
    if arc {
        "ARC-Authentication-Results"
    } else {
        "Authentication-Results"
    }
}

fn first_line(options: &WriteOptions, arc: bool) -> usize {
    let name = field_name(arc).len().saturating_add(2);
    options.first_line.unwrap_or(name)
}
