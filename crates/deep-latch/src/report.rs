//! Reports of a client to a server: the fields of IMAP ID and the parameters of CLIENT,
//! draft-newman-email-deep-02 sections 7.1 and 7.3.

use alloc::{borrow::Cow, string::String, vec::Vec};

use crate::{
    cipher::TlsCipher,
    tag::{SecurityTag, Separator},
};

/// The report of a client: its software, the tags that it has latched, and the tags that it could not achieve.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientReport {
    /// `name` of the client software, RFC 2971 section 3.3. The name is optional (section 12).
    pub name: Option<String>,
    /// `version` of the client software.
    pub version: Option<String>,
    /// `latch`: the tags that are latched for this server.
    pub latch: Vec<SecurityTag<'static>>,
    /// `latch-fail`: the latched tags that could not be achieved.
    pub latch_fail: Vec<SecurityTag<'static>>,
    /// `security-tags`: the tags that the client supports and has not latched.
    pub security_tags: Vec<SecurityTag<'static>>,
    /// `tls`: the cipher suite of the client's connection to a proxy, which the proxy adds.
    pub tls: Option<TlsCipher<'static>>,
}

impl ClientReport {
    /// Returns the fields that are not empty, with their names, in the order of the draft's list.
    pub(crate) fn fields(
        &self,
        names: FieldNames,
        separator: Separator,
    ) -> impl Iterator<Item = (&'static str, Cow<'_, str>)> {
        let tags = |tags: &Vec<SecurityTag<'_>>| {
            (!tags.is_empty()).then(|| Cow::Owned(SecurityTag::join(tags, separator)))
        };
        let fail = |written: bool| tags(&self.latch_fail).filter(|_| written);
        [
            ("name", self.name.as_deref().map(Cow::Borrowed)),
            ("version", self.version.as_deref().map(Cow::Borrowed)),
            ("latch", tags(&self.latch)),
            ("latch-fail", fail(names.text())),
            ("latch-failure", fail(names.examples())),
            ("security-tags", tags(&self.security_tags)),
            (
                "tls",
                self.tls
                    .as_ref()
                    .map(|cipher| Cow::Borrowed(cipher.as_str())),
            ),
        ]
        .into_iter()
        .filter_map(|(field, value)| Some((field, value?)))
    }
}

/// The names of the fields that are written. The text of section 7.1 has `deep` and `latch-fail`, its examples have
/// `deep-status` and `latch-failure`. Both are always read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum FieldNames {
    /// `deep` and `latch-fail`.
    #[default]
    Text,
    /// `deep-status` and `latch-failure`.
    Examples,
    /// Both, with the same value.
    Both,
}

impl FieldNames {
    /// Returns `true` if the names of the text are written.
    pub(crate) const fn text(self) -> bool {
        matches!(self, Self::Text | Self::Both)
    }

    /// Returns `true` if the names of the examples are written.
    pub(crate) const fn examples(self) -> bool {
        matches!(self, Self::Examples | Self::Both)
    }
}
