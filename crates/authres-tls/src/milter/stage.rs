//! The macros of a stage that the filter reads.

use alloc::{boxed::Box, string::String};

use super::{command::Macros, options::MacroStage};
use crate::facts::milter::MilterMacros;

/// The macros that the filter names, where the MTA lets it. Those of TLS are named twice: with HELO they may be those
/// before STARTTLS if the client does not greet again.
pub(super) const WANTED: [(MacroStage, &str); 4] = [
    (MacroStage::Connect, "v {client_resolve}"),
    (
        MacroStage::Helo,
        "{tls_version} {cipher} {cipher_bits} {cert_subject} {cert_issuer} {verify} {cn_subject}",
    ),
    (
        MacroStage::Mail,
        "i {auth_type} {auth_authen} {tls_version} {cipher} {cipher_bits} {cert_subject} {cert_issuer} {verify} \
         {cn_subject}",
    ),
    (MacroStage::EndOfMessage, "i"),
];

/// The macros of one stage. A macro that is absent, empty or not UTF-8 is `None`.
#[derive(Clone, Debug, Default)]
pub(super) struct StageMacros(Option<Box<Known>>);

#[derive(Clone, Debug, Default)]
struct Known {
    mta_version: Option<String>,
    client_resolve: Option<String>,
    queue_id: Option<String>,
    auth_type: Option<String>,
    auth_authen: Option<String>,
    tls_version: Option<String>,
    cipher: Option<String>,
    cipher_bits: Option<String>,
    cert_subject: Option<String>,
    cert_issuer: Option<String>,
    verify: Option<String>,
    cn_subject: Option<String>,
}

impl Known {
    fn place(&mut self, name: &[u8]) -> Option<&mut Option<String>> {
        Some(match name {
            b"v" => &mut self.mta_version,
            b"client_resolve" => &mut self.client_resolve,
            b"i" => &mut self.queue_id,
            b"auth_type" => &mut self.auth_type,
            b"auth_authen" => &mut self.auth_authen,
            b"tls_version" => &mut self.tls_version,
            b"cipher" => &mut self.cipher,
            b"cipher_bits" => &mut self.cipher_bits,
            b"cert_subject" => &mut self.cert_subject,
            b"cert_issuer" => &mut self.cert_issuer,
            b"verify" => &mut self.verify,
            b"cn_subject" => &mut self.cn_subject,
            _ => return None,
        })
    }
}

impl StageMacros {
    /// Adds the macros of a packet. Sendmail may send several for one command.
    pub(super) fn add(&mut self, macros: Macros<'_>) {
        for (name, value) in macros.iter() {
            let known = self.0.get_or_insert_default();
            if let Some(place) = known.place(name) {
                let value = core::str::from_utf8(value).ok();
                *place = value.filter(|it| !it.is_empty()).map(String::from);
            }
        }
    }

    fn known(&self) -> Option<&Known> {
        self.0.as_deref()
    }

    pub(super) fn mta_version(&self) -> Option<&str> {
        self.known()?.mta_version.as_deref()
    }

    pub(super) fn client_resolve(&self) -> Option<&str> {
        self.known()?.client_resolve.as_deref()
    }

    pub(super) fn queue_id(&self) -> Option<&str> {
        self.known()?.queue_id.as_deref()
    }

    pub(super) fn cn_subject(&self) -> Option<&str> {
        self.known()?.cn_subject.as_deref()
    }

    pub(super) fn is_authenticated(&self) -> bool {
        let known = self.known();
        known.is_some_and(|it| it.auth_type.is_some() || it.auth_authen.is_some())
    }

    /// Returns the macros about TLS.
    pub(super) fn tls(&self) -> MilterMacros<'_> {
        let Some(known) = self.known() else {
            return MilterMacros::default();
        };
        MilterMacros {
            tls_version: known.tls_version.as_deref(),
            cipher: known.cipher.as_deref(),
            cipher_bits: known.cipher_bits.as_deref(),
            cert_subject: known.cert_subject.as_deref(),
            cert_issuer: known.cert_issuer.as_deref(),
            verify: known.verify.as_deref(),
        }
    }
}
