//! The mail protocols that draft-newman-email-deep-02 extends.

use core::fmt;

/// A mail protocol, draft-newman-email-deep-02 section 7.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MailProtocol {
    /// IMAP, section 7.1.
    Imap,
    /// POP, section 7.2.
    Pop,
    /// SMTP, section 7.3.
    Smtp,
}

impl MailProtocol {
    /// Returns the protocol's name in lower case, for logs and databases.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Imap => "imap",
            Self::Pop => "pop",
            Self::Smtp => "smtp",
        }
    }
}

impl fmt::Display for MailProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
