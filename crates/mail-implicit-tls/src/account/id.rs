//! Identifiers of accounts.

use std::fmt;

use super::error::{AccountError, AccountErrorKind};

/// The greatest length of an account's identifier, in octets.
pub const MAX_ACCOUNT_ID_BYTES: usize = 256;

/// The identifier of an account in its client: pins, sessions and latches of one account are not used for another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "String", into = "String"))]
pub struct AccountId(String);

impl AccountId {
    /// Returns the identifier with this text.
    ///
    /// # Errors
    /// Returns [`AccountErrorKind::Id`] for an empty text, one of more than [`MAX_ACCOUNT_ID_BYTES`], and one with
    /// control characters.
    pub fn try_new(text: impl Into<String>) -> Result<Self, AccountError> {
        let text = text.into();
        let long = text.len() > MAX_ACCOUNT_ID_BYTES;
        if text.is_empty() || long || text.contains(char::is_control) {
            return Err(AccountError::new(AccountErrorKind::Id, None));
        }
        Ok(Self(text))
    }

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for AccountId {
    type Error = AccountError;

    fn try_from(text: String) -> Result<Self, AccountError> {
        Self::try_new(text)
    }
}

impl From<AccountId> for String {
    fn from(id: AccountId) -> Self {
        id.0
    }
}
