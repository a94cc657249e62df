//! Authserv-ids of local servers, as operators name them.

use std::str::FromStr;

use authres_tls::AuthservId;

/// An authserv-id that protects something: one name, and not a list, a pattern or a URL, which no field would have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LocalId(pub(crate) AuthservId);

impl FromStr for LocalId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        check(text)?;
        let id = AuthservId::try_new(text);
        id.map(Self).map_err(|error| error.to_string())
    }
}

/// Refuses text that is not one name. An id with such characters would have to be quoted in a field (RFC 2045 section 5.1).
///
/// # Errors
/// Returns a message with an example.
pub(crate) fn check(text: &str) -> Result<(), String> {
    let name = text.trim();
    let name = name.strip_suffix('.').unwrap_or(name);
    let is_foreign =
        |it: &char| it.is_whitespace() || it.is_control() || "()<>@,;:\\\"/[]?=*$'".contains(*it);
    match name.chars().find(is_foreign) {
        Some(',' | ';' | ' ') => {
            Err("authserv-id: one id expected; each is given by an option of its own".to_owned())
        }
        Some(other) => Err(format!(
            "authserv-id: a name such as mx.example.org expected, without {other:?}"
        )),
        None if name.contains('.') && name.split('.').any(str::is_empty) => Err(
            "authserv-id: a name such as mx.example.org expected, without empty labels".to_owned(),
        ),
        None => Ok(()),
    }
}
