//! The capabilities of a server, RFC 3501 section 9.

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
