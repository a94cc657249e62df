//! What a client reports to a server: the fields of IMAP ID and the parameters of CLIENT,
//! draft-newman-email-deep-02 sections 7.1 and 7.3.

use alloc::{string::String, vec::Vec};

use crate::{cipher::TlsCipher, tag::SecurityTag};

/// What a client reports: who it is, what it has latched, and what it could not achieve.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientReport {
    /// `name`: the client software's, RFC 2971 section 3.3. It need not be given (section 12).
    pub name: Option<String>,
    /// `version`: the client software's.
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

/// Which names of the fields are written. The text of section 7.1 has `deep` and `latch-fail`, its examples
/// have `deep-status` and `latch-failure`. Both are read always.
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
