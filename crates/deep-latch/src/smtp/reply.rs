//! Replies of a server, RFC 5321 section 4.2.

use crate::error::{ErrorKind, ParseError};

const FIELD: &str = "Reply-line";

/// A line of a reply, without its CRLF.
///
/// ```abnf
/// Reply-line = *( Reply-code "-" [ textstring ] CRLF ) Reply-code [ SP textstring ] CRLF
/// ```
///
/// ```
/// use deep_latch::smtp::ReplyLine;
///
/// let line = ReplyLine::parse(b"250-SIZE 1000")?;
/// assert_eq!((line.code(), line.has_more(), line.text()), (250, true, &b"SIZE 1000"[..]));
/// assert!(ReplyLine::parse(b"2500 x").is_err());
/// # Ok::<(), deep_latch::ParseError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyLine<'a> {
    code: u16,
    has_more: bool,
    text: &'a [u8],
}

impl<'a> ReplyLine<'a> {
    /// Parses a line: a code, and text after a space, or after a hyphen if more lines follow.
    ///
    /// # Errors
    /// Returns [`ErrorKind::Expected`] if the line does not begin with a code of the grammar, or another octet than a space
    /// or a hyphen follows the code.
    pub fn parse(line: &'a [u8]) -> Result<Self, ParseError> {
        let expected = |offset| Err(ParseError::new(ErrorKind::Expected, FIELD, offset));
        let (code, rest) = match line {
            [
                first @ b'2'..=b'5',
                second @ b'0'..=b'5',
                third @ b'0'..=b'9',
                rest @ ..,
            ] => {
                let digits = [*first, *second, *third].map(|digit| u16::from(digit & 0x0f));
                let code = digits.iter().fold(0_u16, |code, digit| {
                    code.saturating_mul(10).saturating_add(*digit)
                });
                (code, rest)
            }
            _ => return expected(0),
        };
        let (has_more, text) = match rest {
            [b'-', text @ ..] => (true, text),
            [b' ', text @ ..] => (false, text),
            [] => (false, rest),
            _ => return expected(3),
        };
        Ok(Self {
            code,
            has_more,
            text,
        })
    }

    /// Returns the code, 200 to 559.
    #[must_use]
    pub const fn code(&self) -> u16 {
        self.code
    }

    /// Returns `true` if more lines of the reply follow.
    #[must_use]
    pub const fn has_more(&self) -> bool {
        self.has_more
    }

    /// Returns the text after the code and the space or hyphen.
    #[must_use]
    pub const fn text(&self) -> &'a [u8] {
        self.text
    }
}
