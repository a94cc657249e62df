//! The line ends of a field, and the ones that it was sent with.

use std::borrow::Cow;

/// The line ends of a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LineEnds {
    /// CRLF, or there are none.
    Crlf,
    /// LF all over: as files are kept on Unix.
    Lf,
    /// Some of each.
    Mixed,
}

impl LineEnds {
    pub(super) fn of(text: &[u8]) -> Self {
        Counted::default().with(text).line_ends()
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Crlf => "crlf",
            Self::Lf => "lf",
            Self::Mixed => "mixed",
        }
    }

    /// The text with CRLF for LF, if it is LF all over: the file is kept so, the field was not sent so.
    pub(super) fn restore(self, text: &[u8]) -> Cow<'_, [u8]> {
        if self != Self::Lf || !text.contains(&b'\n') {
            return Cow::Borrowed(text);
        }
        let mut restored = Vec::with_capacity(text.len());
        for line in text.split_inclusive(|octet| *octet == b'\n') {
            match line.strip_suffix(b"\n") {
                Some(line) => {
                    restored.extend_from_slice(line);
                    restored.extend_from_slice(b"\r\n");
                }
                None => restored.extend_from_slice(line),
            }
        }
        Cow::Owned(restored)
    }
}

/// The kinds of line ends that were seen.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counted {
    crlf: bool,
    lf: bool,
    /// The last of them is CRLF.
    pub(super) ends_in_crlf: bool,
}

impl Counted {
    pub(super) fn with(mut self, text: &[u8]) -> Self {
        for line in text.split_inclusive(|octet| *octet == b'\n') {
            let is_crlf = line.ends_with(b"\r\n");
            self.crlf |= is_crlf;
            let is_lf = !is_crlf && line.ends_with(b"\n");
            self.lf |= is_lf;
            self.ends_in_crlf = is_crlf;
        }
        self
    }

    pub(super) const fn line_ends(self) -> LineEnds {
        match (self.crlf, self.lf) {
            (_, false) => LineEnds::Crlf,
            (false, true) => LineEnds::Lf,
            (true, true) => LineEnds::Mixed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn restores_line_ends_only_if_all_are_lf() {
        let restored = |text: &str| {
            let ends = LineEnds::of(text.as_bytes());
            (
                ends,
                String::from_utf8_lossy(&ends.restore(text.as_bytes())).into_owned(),
            )
        };
        assert_eq!(
            restored("a\n b\n"),
            (LineEnds::Lf, "a\r\n b\r\n".to_owned())
        );
        assert_eq!(
            restored("a\n b\r\n"),
            (LineEnds::Mixed, "a\n b\r\n".to_owned())
        );
        assert_eq!(
            restored("a\r\n b\r\n"),
            (LineEnds::Crlf, "a\r\n b\r\n".to_owned())
        );
        assert_eq!(restored("a"), (LineEnds::Crlf, "a".to_owned()));
    }
}
