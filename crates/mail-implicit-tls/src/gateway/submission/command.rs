//! The commands of a client, RFC 5321 section 4.1.1 and its extensions.

/// A command that may be passed on, or that the gateway answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Ehlo,
    Helo,
    Mail,
    Rcpt,
    Data,
    Bdat,
    Burl,
    Rset,
    Auth,
    Quit,
    /// A command that is passed on, and has one reply: NOOP, VRFY, EXPN, HELP, ETRN.
    Plain,
    /// STARTTLS, within TLS.
    StartTls,
    /// A command that a server accepts of gateways only.
    Internal,
    /// Another word.
    Unknown,
}

/// The words of commands, and which of them may have addresses of `SMTPUTF8` (RFC 6531 section 3.3 and 3.7.4).
const VERBS: &[(&str, Verb, bool)] = &[
    ("EHLO", Verb::Ehlo, false),
    ("HELO", Verb::Helo, false),
    ("MAIL", Verb::Mail, true),
    ("RCPT", Verb::Rcpt, true),
    ("DATA", Verb::Data, false),
    ("BDAT", Verb::Bdat, false),
    ("BURL", Verb::Burl, false),
    ("RSET", Verb::Rset, false),
    ("AUTH", Verb::Auth, false),
    ("QUIT", Verb::Quit, false),
    ("NOOP", Verb::Plain, false),
    ("VRFY", Verb::Plain, true),
    ("EXPN", Verb::Plain, true),
    ("HELP", Verb::Plain, false),
    ("ETRN", Verb::Plain, false),
    ("STARTTLS", Verb::StartTls, false),
    ("XCLIENT", Verb::Internal, false),
    ("XFORWARD", Verb::Internal, false),
    ("ATRN", Verb::Internal, false),
    ("TURN", Verb::Internal, false),
    ("XEXCH50", Verb::Internal, false),
    ("XPROXY", Verb::Internal, false),
    ("XPROXYFROM", Verb::Internal, false),
    ("XPROXYTO", Verb::Internal, false),
    ("XSESSIONPARAMS", Verb::Internal, false),
];

/// The line of a command, without its CRLF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Command<'a> {
    pub(super) verb: Verb,
    /// `true` if the arguments may be UTF-8.
    pub(super) may_have_utf8: bool,
    /// The text after the verb and a space.
    pub(super) arguments: &'a [u8],
}

impl<'a> Command<'a> {
    /// Parses a line. The verb is its first octets up to a space: before and within it nothing else is tolerated, since
    /// servers differ in what they skip.
    pub(super) fn parse(line: &'a [u8]) -> Self {
        let mut parts = line.splitn(2, |octet| *octet == b' ');
        let (word, arguments) = (parts.next(), parts.next());
        let word = word.unwrap_or_default();
        let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
        let known = VERBS.iter().find(|(name, ..)| is(name));
        let (verb, may_have_utf8) = known.map_or((Verb::Unknown, false), |it| (it.1, it.2));
        Self {
            verb,
            may_have_utf8,
            arguments: arguments.unwrap_or_default(),
        }
    }

    /// Returns the arguments as text, if they are ASCII.
    pub(super) fn text(&self) -> Option<&'a str> {
        let text = std::str::from_utf8(self.arguments).ok();
        text.filter(|text| text.is_ascii())
    }

    /// Returns `true` if a word is one of the arguments. Case does not count.
    pub(super) fn has(&self, name: &str) -> bool {
        let mut words = self.arguments.split(|octet| *octet == b' ');
        words.any(|word| word.eq_ignore_ascii_case(name.as_bytes()))
    }
}

/// The arguments of BDAT, RFC 3030 section 2: `BDAT SP chunk-size [SP "LAST"]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chunk {
    pub(super) size: u64,
    pub(super) last: bool,
}

/// The greatest size of a chunk that servers read alike: some count in 32 bits, and find the next command where the number
/// without its upper bits ends.
pub(super) const MAX_CHUNK_BYTES: u64 = 2_147_483_647;

impl Chunk {
    /// Parses the arguments. Returns `None` if they are malformed, or if the size exceeds [`MAX_CHUNK_BYTES`]: the begin of
    /// the backend's next command is not known then.
    pub(super) fn parse(arguments: &str) -> Option<Self> {
        let mut words = arguments.trim_end_matches(' ').split(' ');
        let size = words.next()?;
        let size = size.bytes().all(|it| it.is_ascii_digit()).then_some(size)?;
        let last = match (words.next(), words.next()) {
            (None, _) => false,
            (Some(word), None) if word.eq_ignore_ascii_case("LAST") => true,
            _ => return None,
        };
        let size = size.parse().ok().filter(|size| *size <= MAX_CHUNK_BYTES)?;
        Some(Self { size, last })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_a_verb_only_at_the_begin_of_a_line() {
        let verb = |line: &str| Command::parse(line.as_bytes()).verb;
        assert_eq!(verb("xClient ADDR=1"), Verb::Internal);
        assert_eq!(verb("noop"), Verb::Plain);
        for line in [
            "",
            " NOOP",
            "\tNOOP",
            "NOOP\t",
            "NOOPX",
            "MAILFROM:<>",
            "\u{feff}NOOP",
            "NO OP",
        ] {
            assert_eq!(verb(line), Verb::Unknown, "{line:?}");
        }
    }

    #[test]
    fn reads_sizes_of_chunks_strictly() {
        let chunk = |size, last| Some(Chunk { size, last });
        assert_eq!(Chunk::parse("0"), chunk(0, false));
        assert_eq!(Chunk::parse("0 LAST"), chunk(0, true));
        assert_eq!(Chunk::parse("0007 last "), chunk(7, true));
        assert_eq!(Chunk::parse("2147483647"), chunk(2_147_483_647, false));
        for wrong in [
            "",
            " 1",
            "-1",
            "+1",
            "1x",
            "0x1",
            "1 2",
            "1 LAST 2",
            "1  LAST",
            "LAST",
            "2147483648",
            "4294967301",
            "18446744073709551615",
            "18446744073709551616",
        ] {
            assert_eq!(Chunk::parse(wrong), None, "{wrong:?}");
        }
    }
}
