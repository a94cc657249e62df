//! Bytes that are read as a record and as events.

use deep_latch::{
    DeepStatus, TlsFacts,
    facts::{CertificateUsage, ChainVerdict, DaneVerdict, IdentityVerdict, ProtocolVersion},
    status::StatusOptions,
};

/// A reader of the bytes; after their end it returns zeros.
pub(super) struct Bytes<'a>(pub(super) &'a [u8]);

impl<'a> Bytes<'a> {
    pub(super) fn next(&mut self) -> u8 {
        match self.0.split_first() {
            Some((&first, rest)) => {
                self.0 = rest;
                first
            }
            None => 0,
        }
    }

    /// After its length, in one byte.
    pub(super) fn take(&mut self) -> &'a [u8] {
        let length = usize::from(self.next()).min(self.0.len());
        let (taken, rest) = self.0.split_at(length);
        self.0 = rest;
        taken
    }

    /// Reads a status: by bits, or as text, read with leniency; `None` if the text is not a status.
    pub(super) fn status(&mut self) -> Option<DeepStatus<'static>> {
        let bits = self.next();
        if bits & 0x80 != 0 {
            let text = std::str::from_utf8(self.take()).ok()?;
            let options = StatusOptions {
                allow_extra_spaces: true,
                allow_malformed_elements: true,
            };
            let status = DeepStatus::parse_with(text, options).ok()?;
            return Some(status.into_owned());
        }
        let words = (0..7)
            .filter(|bit| bits >> bit & 1 == 1)
            .map(|bit| WORDS[bit]);
        let text = words.collect::<Vec<_>>().join(" ");
        DeepStatus::parse(&text).ok().map(DeepStatus::into_owned)
    }

    pub(super) fn facts(&mut self) -> TlsFacts {
        let (first, second) = (usize::from(self.next()), usize::from(self.next()));
        let versions = [
            0x0300, 0x0301, 0x0302, 0x0303, 0x0304, 0x0305, 0xfefd, 0x7f1c,
        ];
        let strengths = [None, Some(0), Some(112), Some(127), Some(128), Some(256)];
        let chains = [
            ChainVerdict::NotChecked,
            ChainVerdict::Trusted,
            ChainVerdict::Refused,
        ];
        let identities = [
            IdentityVerdict::NotChecked,
            IdentityVerdict::Matches,
            IdentityVerdict::Differs,
        ];
        let danes = [
            DaneVerdict::NotChecked,
            DaneVerdict::NoRecords,
            DaneVerdict::Differs,
            DaneVerdict::Matches(CertificateUsage::PkixTa),
            DaneVerdict::Matches(CertificateUsage::PkixEe),
            DaneVerdict::Matches(CertificateUsage::DaneTa),
            DaneVerdict::Matches(CertificateUsage::DaneEe),
        ];
        TlsFacts {
            version: ProtocolVersion(versions[first & 7]),
            strength_bits: strengths[(first >> 3) % strengths.len()],
            chain: chains[second % 3],
            identity: identities[second / 3 % 3],
            dane: danes[second / 9 % 7],
        }
    }
}

pub(super) const WORDS: [&str; 7] = [
    "tls10",
    "tls12",
    "tls-cert",
    "tls-dane-tlsa",
    "x-bound",
    "y-unknown",
    "<https://now.example/>",
];
