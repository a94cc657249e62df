//! `command`, RFC 3501 section 9, without the meaning of its arguments: the beginning and end of a command, and the
//! literals in it. A command is a line, or the parts of one with literals between them.

use nom::{Parser, bytes::complete::take_while};

use crate::{
    error::{ErrorKind, ParseError},
    imap::string::{Announced, is_atom, last_of_line, quoted},
    rules::{self, Failure, Read},
};

const COMMAND: &str = "command";

/// Commands that have no arguments.
const BARE: &[&str] = &[
    "CAPABILITY",
    "CHECK",
    "CLOSE",
    "EXPUNGE",
    "IDLE",
    "LOGOUT",
    "NAMESPACE",
    "NOOP",
    "STARTTLS",
    "UNAUTHENTICATE",
    "UNSELECT",
];

/// Commands whose arguments can be strings: those of RFC 3501 and RFC 9051, and of the registered extensions. A literal
/// in any other command is refused: it is not known whether the server would read it as one.
const WITH_STRINGS: &[&str] = &[
    "APPEND",
    "COMPARATOR",
    "CONVERSIONS",
    "CONVERT",
    "COPY",
    "CREATE",
    "DELETE",
    "DELETEACL",
    "ESEARCH",
    "EXAMINE",
    "FETCH",
    "GENURLAUTH",
    "GETACL",
    "GETANNOTATION",
    "GETMETADATA",
    "GETQUOTA",
    "GETQUOTAROOT",
    "ID",
    "LANGUAGE",
    "LIST",
    "LISTRIGHTS",
    "LOGIN",
    "LSUB",
    "MOVE",
    "MYRIGHTS",
    "NOTIFY",
    "RENAME",
    "REPLACE",
    "RESETKEY",
    "RLIST",
    "RLSUB",
    "SEARCH",
    "SELECT",
    "SETACL",
    "SETANNOTATION",
    "SETMETADATA",
    "SETQUOTA",
    "SORT",
    "STATUS",
    "STORE",
    "SUBSCRIBE",
    "THREAD",
    "UID",
    "UNSUBSCRIBE",
    "URLFETCH",
    "XLIST",
];

/// The beginning of a command: `tag SP name`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head<'a> {
    pub(crate) tag: &'a str,
    pub(crate) name: &'a str,
    /// The text after the name, with the space before it.
    pub(crate) rest: &'a str,
}

impl<'a> Head<'a> {
    /// Reads the first line of a command, without its CRLF.
    pub(crate) fn parse(line: &'a str) -> Result<Self, ParseError> {
        let (head, rest) = rules::prefix(line, COMMAND, head)?;
        Ok(Self { rest, ..head })
    }

    pub(crate) fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    fn is_among(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.is(name))
    }
}

/// Reads `tag SP atom`, followed by a space or the end of the line.
fn head(input: &str) -> Read<'_, Head<'_>> {
    let (rest, tag) = take_while(is_tag_char).parse(input)?;
    let name_at = match rest.strip_prefix(' ') {
        Some(name_at) if !tag.is_empty() => name_at,
        _ => return Err(Failure::new(ErrorKind::Expected, "tag", rest).error()),
    };
    let (rest, name) = take_while(is_atom).parse(name_at)?;
    match rest.chars().next() {
        _ if name.is_empty() => Err(Failure::expected(COMMAND, rest).error()),
        None | Some(' ') => Ok((rest, Head { tag, name, rest })),
        Some(_) => Err(Failure::new(ErrorKind::Character, COMMAND, rest).error()),
    }
}

/// `tag = 1*<any ASTRING-CHAR except "+">`
const fn is_tag_char(next: char) -> bool {
    (is_atom(next) || next == ']') && next != '+'
}

/// Returns the tag at the beginning of a line, if a space follows it: an answer can have the tag, whatever follows.
pub(crate) fn tag_of(line: &[u8]) -> Option<&str> {
    let end = line
        .iter()
        .position(|octet| !is_tag_char(char::from(*octet)))?;
    let (tag, rest) = line.split_at_checked(end)?;
    let tag = str::from_utf8(tag).ok();
    tag.filter(|tag| !tag.is_empty() && rest.first() == Some(&b' '))
}

/// Returns `true` if a line cannot be a command: the end of IDLE, or a response of AUTHENTICATE, which is base64 or `*`.
/// Such a line has no space.
pub(crate) fn is_continuation(line: &str) -> bool {
    let base64 = |next: u8| next.is_ascii_alphanumeric() || matches!(next, b'+' | b'/' | b'=');
    line == "*" || line.bytes().all(base64)
}

/// The state of a command that is being read, a part at a time: up to a literal, or to its end.
#[derive(Clone, Debug, Default)]
pub(crate) struct CommandGrammar {
    place: Place,
    /// The number of open parentheses.
    depth: usize,
    literals: bool,
    is_id: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    /// Before the tag.
    #[default]
    Start,
    /// After a space: an argument is expected.
    Argument,
    /// After an opening parenthesis: an argument or a closing parenthesis is expected.
    Open,
    /// After an argument.
    Argued,
    /// After a closing parenthesis, which `]` may follow: `BODY[HEADER.FIELDS (DATE)]`.
    Closed,
}

impl CommandGrammar {
    /// Reads the next part, without CRLF. Returns the literal at its end; without one the command is complete.
    pub(crate) fn part(&mut self, text: &str) -> Result<Option<Announced>, ParseError> {
        let mut rest = text;
        if self.place == Place::Start {
            let head = Head::parse(text)?;
            rest = head.rest;
            self.place = Place::Argued;
            self.literals = head.is_among(WITH_STRINGS);
            self.is_id = head.is("ID");
            if head.is_among(BARE) && !rest.is_empty() {
                let at = text.len().saturating_sub(rest.len());
                return Err(ParseError::new(ErrorKind::Trailing, COMMAND, at));
            }
        }
        let before = text.len().saturating_sub(rest.len());
        let read = rules::whole(rest, COMMAND, |input| self.arguments(input));
        read.map_err(|error| error.moved(before))
    }

    fn arguments<'a>(&mut self, mut rest: &'a str) -> Read<'a, Option<Announced>> {
        loop {
            let mut next = rest.chars();
            let due = matches!(self.place, Place::Argument | Place::Open);
            (self.place, rest) = match next.next() {
                // The list of ID has its own parser, which reports errors more precisely.
                None if self.is_id || !due && self.depth == 0 => return Ok((rest, None)),
                None => return Err(Failure::new(ErrorKind::Empty, COMMAND, rest).error()),
                Some(' ') if !due => (Place::Argument, next.as_str()),
                Some(')') if self.depth > 0 && self.place != Place::Argument => {
                    self.depth = self.depth.saturating_sub(1);
                    (Place::Closed, next.as_str())
                }
                Some(']') if self.place == Place::Closed => (Place::Argued, atom(rest)?.0),
                Some('(') if due => {
                    self.depth = self.depth.saturating_add(1);
                    (Place::Open, next.as_str())
                }
                Some('"') if due => (Place::Argued, quoted(rest, usize::MAX)?.0),
                // `~` is of the literals that may have NUL, RFC 3516 section 4.4.
                Some('{' | '~') if due && self.literals && is_literal(rest) => {
                    let announced = rest.strip_prefix('~');
                    let (end, literal) = last_of_line(announced.unwrap_or(rest))?;
                    self.place = Place::Argued;
                    let may_have_nul = announced.is_some();
                    return Ok((
                        end,
                        Some(Announced {
                            may_have_nul,
                            ..literal
                        }),
                    ));
                }
                // A flag.
                Some('\\') if due => (Place::Argued, atom(next.as_str())?.0),
                Some(_) if due => (Place::Argued, atom(rest)?.0),
                Some(_) => {
                    let kind = match rest.starts_with(' ') {
                        true => ErrorKind::ExtraSpace,
                        false => ErrorKind::Character,
                    };
                    return Err(Failure::new(kind, COMMAND, rest).error());
                }
            };
        }
    }
}

fn is_literal(text: &str) -> bool {
    text.starts_with('{') || text.starts_with("~{")
}

/// Reads an argument that is neither a string nor a list, with the wildcards of LIST and the brackets of FETCH.
fn atom(input: &str) -> Read<'_> {
    let part = |next: char| is_atom(next) || matches!(next, '%' | '*' | ']');
    match take_while(part).parse(input)? {
        (rest, "") => {
            let kind = match rest.chars().next() {
                None => ErrorKind::Empty,
                Some(' ') => ErrorKind::ExtraSpace,
                Some(_) => ErrorKind::Character,
            };
            Err(Failure::new(kind, COMMAND, rest).error())
        }
        read => Ok(read),
    }
}

/// Returns the end of the next line of `octets`, before its CRLF, or `None` if the end was not received. The first
/// `from` octets were searched before.
///
/// # Errors
/// Returns the offset of a CR, LF or NUL within the line.
pub(crate) fn line_end(octets: &[u8], from: usize) -> Result<Option<usize>, usize> {
    let special = |octet: &u8| matches!(octet, b'\r' | b'\n' | 0);
    let rest = octets.get(from..).unwrap_or_default();
    let Some(place) = rest.iter().position(special) else {
        return Ok(None);
    };
    let at = from.saturating_add(place);
    match rest.get(place..).unwrap_or_default() {
        [b'\r', b'\n', ..] => Ok(Some(at)),
        [b'\r'] => Ok(None),
        _ => Err(at),
    }
}
