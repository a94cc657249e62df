//! Editing: a parsed value with results removed or added, and every other byte unchanged.

use alloc::{borrow::Cow, string::String, vec::Vec};

use super::{
    AUTHSERV_ID, Counts, PAYLOAD, ResInfoBuf, WriteError, WriteErrorKind as Kind, WriteOptions,
    bytes, first_line, fold::Folder, within,
};
use crate::{
    slice,
    syntax::{AuthenticationResults, Body, ResInfo, Span},
};

impl<'a> AuthenticationResults<'a> {
    /// Returns the value without the results for which `keep` returns `false`. Every other byte is unchanged. The `;`
    /// before a removed result and its comments are removed with it. If no result is left, the value becomes
    /// `none`.
    ///
    /// ```
    /// # use authres_tls::{AuthenticationResults, Options};
    /// let value = b"mx.example.org;\r\n dkim=PASS  header.d=\"a.example\" (x);\r\n spf=fail";
    /// let header = AuthenticationResults::parse(value, &Options::strict())?;
    /// let kept = header.retain_results(|result| result.method().eq_ignore_case("dkim"))?;
    /// assert_eq!(*kept, *b"mx.example.org;\r\n dkim=PASS  header.d=\"a.example\" (x)");
    /// let kept = header.retain_results(|_| false)?;
    /// assert_eq!(*kept, *b"mx.example.org; none");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// Text that a lenient reading skipped is not passed to `keep`, and stays. If that matters, parse strictly, or
    /// check [`diagnostics`](Self::diagnostics).
    ///
    /// # Errors
    /// Returns [`WriteErrorKind::Empty`](crate::write::WriteErrorKind::Empty) if there is no authserv-id, and
    /// [`UnsupportedVersion`](crate::write::WriteErrorKind::UnsupportedVersion) if the version is unknown, because
    /// the text after it was not parsed.
    pub fn retain_results(
        &self,
        keep: impl FnMut(ResInfo<'_, 'a>) -> bool,
    ) -> Result<Cow<'a, [u8]>, WriteError> {
        self.edit_results(keep, &[], &WriteOptions::DEFAULT)
    }

    /// Returns the value like [`retain_results`](Self::retain_results), with the results `add` after those that are
    /// left. They replace a `none`. `options` apply to the added results only.
    ///
    /// ```
    /// # use authres_tls::{AuthenticationResults, Options, ResInfoBuf, WriteOptions};
    /// let header = AuthenticationResults::parse(b"mx.example.org; none", &Options::strict())?;
    /// let tls = ResInfoBuf::try_new("tls", "pass")?.with_property("cert", "verif", "DANE")?;
    /// let value = header.edit_results(|_| true, &[tls], &WriteOptions::default())?;
    /// assert_eq!(*value, *b"mx.example.org;\r\n\ttls=pass cert.verif=DANE");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Returns the errors of [`retain_results`](Self::retain_results), and those of
    /// [`write`](crate::AuthenticationResultsBuf::write) for an added result.
    pub fn edit_results(
        &self,
        mut keep: impl FnMut(ResInfo<'_, 'a>) -> bool,
        add: &[ResInfoBuf],
        options: &WriteOptions,
    ) -> Result<Cow<'a, [u8]>, WriteError> {
        if self.body() == Body::UnsupportedVersion {
            let field = "authres-version";
            return Err(WriteError::new(Kind::UnsupportedVersion, field, 0));
        }
        if self.authserv_id().span().is_empty() {
            return Err(WriteError::new(Kind::Empty, AUTHSERV_ID, 0));
        }
        let mut cuts = Vec::new();
        let (mut properties, mut comments) = (0_usize, self.comments().count());
        for result in self.results() {
            if keep(result) {
                properties = properties.saturating_add(result.all_properties().count());
                comments = comments.saturating_add(result.comments().count());
            } else {
                cuts.push(result.span());
            }
        }
        if cuts.is_empty() && add.is_empty() {
            return Ok(Cow::Borrowed(self.as_bytes()));
        }
        let left = self.results().len().saturating_sub(cuts.len());
        Counts::of(add)
            .and(left, properties, comments)
            .within(&options.limits)?;

        let mut editor = Editor::new(self, options);
        if left == 0 && add.is_empty() && self.none().is_none() {
            editor.cut(cuts.first().copied().unwrap_or_default());
            editor.push(b"; none");
        }
        // Results replace a `none`.
        if let Some(none) = self.none().filter(|_| self.body() == Body::NoResult) {
            editor.cut(none);
            editor.comments_of(none);
        }
        for cut in cuts {
            editor.cut(cut);
        }
        editor.finish(add)
    }
}

/// The new value, complete up to the byte `from` of the old one.
struct Editor<'h, 'a> {
    header: &'h AuthenticationResults<'a>,
    options: &'h WriteOptions,
    out: Vec<u8>,
    from: usize,
    /// A part was removed at the present end of `out`.
    at_seam: bool,
}

impl<'h, 'a> Editor<'h, 'a> {
    const fn new(header: &'h AuthenticationResults<'a>, options: &'h WriteOptions) -> Self {
        Self {
            header,
            options,
            out: Vec::new(),
            from: 0,
            at_seam: false,
        }
    }

    /// Copies the bytes before the cut.
    fn cut(&mut self, cut: Span) {
        if cut.start() >= self.from {
            self.copy_to(cut.start());
            self.from = cut.end();
        }
        self.at_seam = true;
    }

    fn copy_to(&mut self, end: usize) {
        self.push(slice::range(self.header.as_bytes(), self.from..end));
        self.from = end;
    }

    /// Appends a piece. Two lines may have become one, which is folded again if it exceeds the hard limit.
    fn push(&mut self, piece: &[u8]) {
        if piece.is_empty() {
            return;
        }
        let ends_line = |octet: &u8| matches!(octet, b'\r' | b'\n');
        let length = piece.iter().position(ends_line).unwrap_or(piece.len());
        if self.at_seam && self.column().saturating_add(length) > self.options.hard_limit {
            self.line_break();
        }
        self.at_seam = false;
        self.out.extend_from_slice(piece);
    }

    /// Returns the number of octets in the last line of `out`.
    fn column(&self) -> usize {
        let line = self.out.rsplit(|octet| *octet == b'\n').next();
        let column = line.map_or(0, <[u8]>::len);
        if column < self.out.len() {
            return column;
        }
        let arc = self.header.instance().is_some();
        column.saturating_add(first_line(self.options, arc))
    }

    fn line_break(&mut self) {
        let line_break = self.options.indent.line_break();
        let line_break = self.as_the_value_has(line_break.into());
        self.out.extend_from_slice(line_break.as_bytes());
    }

    /// Converts the line breaks of an added text: a value with bare LF gets no CRLF.
    fn as_the_value_has(&self, text: String) -> String {
        let mut lines = self.header.as_bytes().split(|octet| *octet == b'\n');
        // The text after the last LF does not end with one.
        lines.next_back();
        if lines.any(|line| line.last() != Some(&b'\r')) {
            return text.replace("\r\n", "\n");
        }
        text
    }

    /// Keeps the comments around a removed `none`: they belong to the header.
    fn comments_of(&mut self, none: Span) {
        let header = self.header;
        for comment in header.all_comments().map(|comment| comment.text()) {
            if none.range().contains(&comment.span().start()) {
                self.line_break();
                self.out.extend_from_slice(comment.raw());
            }
        }
    }

    fn finish(mut self, add: &[ResInfoBuf]) -> Result<Cow<'a, [u8]>, WriteError> {
        let bytes_read = self.header.as_bytes();
        let body = bytes_read.strip_suffix(b"\n").unwrap_or(bytes_read);
        let body = body.strip_suffix(b"\r").unwrap_or(body);
        self.copy_to(body.len());
        self.trim();
        let mut tail = add.len();
        for (index, result) in add.iter().enumerate() {
            tail = tail.saturating_sub(1);
            self.add(result, tail.min(1))
                .map_err(|error| error.in_result(index))?;
        }
        let line_end = slice::from(bytes_read, body.len());
        self.out.extend_from_slice(line_end);
        within(self.out.len(), bytes(&self.options.limits), PAYLOAD)?;
        Ok(Cow::Owned(self.out))
    }

    /// Removes white space before a removed part, so that it does not become an empty line at the end.
    fn trim(&mut self) {
        if !self.at_seam {
            return;
        }
        let is_fws = |octet: &u8| matches!(octet, b' ' | b'\t' | b'\r' | b'\n');
        let end = self.out.iter().rposition(|octet| !is_fws(octet));
        self.out
            .truncate(end.map_or(0, |end| end.saturating_add(1)));
    }

    fn add(&mut self, result: &ResInfoBuf, tail: usize) -> Result<(), WriteError> {
        // A lenient reading accepts a `;` at the end.
        if self.out.trim_ascii_end().last() != Some(&b';') {
            if self.column() >= self.options.hard_limit {
                self.line_break();
            }
            self.out.push(b';');
        }
        let mut text = String::new();
        let mut folder = Folder::new(&mut text, self.column(), self.options);
        result.write_to(&mut folder, tail, self.options)?;
        let text = self.as_the_value_has(text);
        self.out.extend_from_slice(text.as_bytes());
        Ok(())
    }
}
