//! Capabilities of a server, as each protocol lists them.

use crate::service::Protocol;

/// The capabilities of a server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    protocol: Option<Protocol>,
    items: Vec<String>,
}

impl Capabilities {
    pub(crate) const fn new(protocol: Protocol, items: Vec<String>) -> Self {
        Self {
            protocol: Some(protocol),
            items,
        }
    }

    /// Returns the capabilities: words of IMAP's `CAPABILITY`, lines of POP's `CAPA` or of SMTP's reply to `EHLO`.
    #[must_use]
    pub fn items(&self) -> &[String] {
        &self.items
    }

    /// Returns the arguments of a capability, or `None` if it is not advertised. Case does not count.
    #[must_use]
    pub fn arguments(&self, name: &str) -> Option<&str> {
        self.items.iter().find_map(|item| {
            let (word, arguments) = item.split_once(' ').unwrap_or((item, ""));
            word.eq_ignore_ascii_case(name).then_some(arguments)
        })
    }

    /// Returns `true` if the server advertises that it can be upgraded to TLS.
    #[must_use]
    pub fn has_starttls(&self) -> bool {
        let name = match self.protocol {
            Some(Protocol::Pop) => "STLS",
            _ => "STARTTLS",
        };
        self.arguments(name).is_some()
    }

    /// Returns the SASL mechanisms, in upper case and in the server's order. In SMTP, `AUTH=` before the first one is accepted
    /// too: servers have it for clients of 1999, some of them alone.
    #[must_use]
    pub fn mechanisms(&self) -> Vec<String> {
        match self.protocol {
            Some(Protocol::Imap) => {
                let named = self.items.iter().filter_map(|item| prefixed(item, "AUTH="));
                named.map(str::to_ascii_uppercase).collect()
            }
            Some(Protocol::Pop) => words(self.arguments("SASL")),
            Some(Protocol::Submission) | None => {
                let mut mechanisms = words(self.arguments("AUTH"));
                let old = self.items.iter().filter_map(|item| prefixed(item, "AUTH="));
                for mechanism in old.flat_map(|list| words(Some(list))) {
                    if !mechanisms.contains(&mechanism) {
                        mechanisms.push(mechanism);
                    }
                }
                mechanisms
            }
        }
    }

    /// Returns `true` if the server forbids a password on this connection: `LOGINDISABLED` of IMAP.
    #[must_use]
    pub fn is_login_disabled(&self) -> bool {
        self.protocol == Some(Protocol::Imap) && self.arguments("LOGINDISABLED").is_some()
    }
}

/// Returns the text after a prefix whose case does not count.
fn prefixed<'a>(item: &'a str, prefix: &str) -> Option<&'a str> {
    let (start, rest) = item.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}

fn words(text: Option<&str>) -> Vec<String> {
    text.unwrap_or_default()
        .split_ascii_whitespace()
        .map(str::to_ascii_uppercase)
        .collect()
}
