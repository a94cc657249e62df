//! The capabilities of a server, RFC 3501 section 9, and the places of a response at which they can be.

use core::ops::Range;

use crate::{
    error::{ErrorKind, ParseError},
    imap::string::is_atom,
    registry::DEEP,
};

/// `capability-data`, RFC 3501 section 9: the capabilities of a server, from an untagged response or a response code.
///
/// ```abnf
/// capability-data = "CAPABILITY" *(SP capability)
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities<'a>(&'a str);

impl<'a> Capabilities<'a> {
    /// Parses a list that is the whole of `text`, beginning with `CAPABILITY`: an untagged response without the asterisk,
    /// or a response code without its brackets.
    ///
    /// ```
    /// # use deep_latch::imap::Capabilities;
    /// let capabilities = Capabilities::parse("CAPABILITY IMAP4rev1 DEEP ID AUTH=PLAIN")?;
    /// assert!(capabilities.has_deep() && !capabilities.contains("STARTTLS"));
    /// # Ok::<(), deep_latch::ParseError>(())
    /// ```
    ///
    /// # Errors
    /// Returns an error if `text` is not such a list.
    pub fn parse(text: &'a str) -> Result<Self, ParseError> {
        const FIELD: &str = "capability-data";
        let (keyword, list) = match text.split_once(' ') {
            Some((keyword, list)) => (keyword, Some(list)),
            None => (text, None),
        };
        if !keyword.eq_ignore_ascii_case("CAPABILITY") {
            return Err(ParseError::new(ErrorKind::Expected, FIELD, 0));
        }
        let Some(list) = list else {
            return Err(ParseError::new(ErrorKind::Empty, FIELD, text.len()));
        };
        let mut offset = keyword.len().saturating_add(1);
        for capability in list.split(' ') {
            if capability.is_empty() {
                return Err(ParseError::new(ErrorKind::ExtraSpace, FIELD, offset));
            }
            if let Some(place) = capability.find(|next| !is_atom(next)) {
                let place = offset.saturating_add(place);
                return Err(ParseError::new(ErrorKind::Character, FIELD, place));
            }
            offset = offset.saturating_add(capability.len()).saturating_add(1);
        }
        Ok(Self(list))
    }

    /// Returns the capabilities in their order.
    pub fn iter(&self) -> impl Iterator<Item = &'a str> {
        self.0.split(' ')
    }

    /// Returns `true` if the list has a capability. The case of letters does not matter.
    #[must_use]
    pub fn contains(&self, capability: &str) -> bool {
        self.iter()
            .any(|name| name.eq_ignore_ascii_case(capability))
    }

    /// Returns `true` if the list has `DEEP`: the server then supports ID too, which returns the status (section 7.1).
    #[must_use]
    pub fn has_deep(&self) -> bool {
        self.contains(DEEP)
    }
}

const KEYWORD: &[u8] = b"CAPABILITY";

/// The first words of responses with a text, which can begin with a response code.
const WITH_TEXT: &[&[u8]] = &[b"OK", b"NO", b"BAD", b"BYE", b"PREAUTH"];

/// Returns the place of the capabilities in the first line of a response, without its CRLF: after `* CAPABILITY`, or in
/// the response code of a greeting, a status response or a continuation request. More spaces than the grammar has are
/// accepted: a client may accept them too.
pub(crate) fn capability_list(line: &[u8]) -> Option<Range<usize>> {
    let first = word(line, 0);
    let second = word(line, first.end);
    let octets = |place: &Range<usize>| line.get(place.clone()).unwrap_or_default();
    let is = |place: &Range<usize>, name: &[u8]| octets(place).eq_ignore_ascii_case(name);
    if octets(&first) == b"*" && is(&second, KEYWORD) {
        return Some(second.end..line.len());
    }
    let before_text = match octets(&first) {
        b"+" => first.end,
        _ if WITH_TEXT.iter().any(|name| is(&second, name)) => second.end,
        _ => return None,
    };
    let text = word(line, before_text).start;
    let code = line.get(text..)?.strip_prefix(b"[")?;
    let length = code.iter().position(|octet| *octet == b']');
    let start = text.saturating_add(1);
    let end = start.saturating_add(length.unwrap_or(code.len()));
    let name = word(line.get(..end)?, start);
    is(&name, KEYWORD).then_some(name.end..end)
}

/// Returns `true` if these octets begin an untagged response that has neither capabilities nor parameters of ID, and no
/// text for people, however it continues.
pub(crate) fn begins_other_data(octets: &[u8]) -> bool {
    let place = word(octets, 1);
    let name = octets.get(place.clone()).unwrap_or_default();
    let mut known = [KEYWORD, b"ID"]
        .into_iter()
        .chain(WITH_TEXT.iter().copied());
    let is_whole = !name.is_empty() && place.end < octets.len();
    octets.starts_with(b"* ") && is_whole && !known.any(|it| it.eq_ignore_ascii_case(name))
}

/// Returns the words of a list of capabilities.
pub(crate) fn capability_words(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    let words = list.split(is_space);
    words.filter(|word| !word.is_empty())
}

/// Returns the place of the next word, which spaces precede.
fn word(line: &[u8], from: usize) -> Range<usize> {
    let rest = line.get(from..).unwrap_or_default();
    let spaces = rest.iter().take_while(|octet| is_space(octet)).count();
    let start = from.saturating_add(spaces);
    let rest = rest.get(spaces..).unwrap_or_default();
    let length = rest.iter().take_while(|octet| !is_space(octet)).count();
    start..start.saturating_add(length)
}

const fn is_space(octet: &u8) -> bool {
    matches!(*octet, b' ' | b'\t')
}
