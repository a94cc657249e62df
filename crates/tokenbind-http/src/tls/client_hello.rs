//! A client's offer, read from its ClientHello before a configuration is chosen, and the choice
//! (draft-popov-token-binding-00 sections 3 and 9.4).

use std::fmt;

use tls_parser::{
    TlsExtension, TlsExtensionType, TlsRecordType, TlsVersion, parse_tls_client_hello_extension,
    parse_tls_extension_unknown, parse_tls_handshake_client_hello, parse_tls_raw_record,
};
use tokenbind_wire::{ProtocolVersion, Selection, TlsFacts, TokenBindingAlpn};

/// The longest ClientHello that is read, in bytes: the limit of rustls for handshake messages.
pub const MAX_CLIENT_HELLO_BYTES: usize = 0xffff;

/// `HandshakeType.client_hello`.
const CLIENT_HELLO: u8 = 1;
const ALPN: TlsExtensionType = TlsExtensionType::ApplicationLayerProtocolNegotiation;
const EXTENDED_MASTER_SECRET: TlsExtensionType = TlsExtensionType::ExtendedMasterSecret;
const EC_POINT_FORMATS: TlsExtensionType = TlsExtensionType::EcPointFormats;
/// `ECPointFormat.uncompressed`.
const UNCOMPRESSED_POINT: u8 = 0;
const SUPPORTED_VERSIONS: TlsExtensionType = TlsExtensionType::SupportedVersions;
const TLS12: TlsVersion = TlsVersion::Tls12;
const TLS13: TlsVersion = TlsVersion::Tls13;

/// The properties of a client's offer that Token Binding depends on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientOffer {
    /// The ALPN identifiers, in the client's order.
    pub alpn: Vec<Vec<u8>>,
    /// `true` if Extended Master Secret is offered.
    pub extended_master_secret: bool,
    /// `true` if TLS 1.2 is offered.
    pub tls12: bool,
    /// `true` if TLS 1.3 is offered.
    pub tls13: bool,
    /// The cipher suites.
    pub cipher_suites: Vec<u16>,
    /// `true` if uncompressed points are accepted (RFC 8422 section 5.1.2), as they are without an extension that
    /// excludes them. TLS 1.2 needs them, TLS 1.3 does not use the extension.
    pub uncompressed_points: bool,
}

/// An error: the bytes are not a ClientHello that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientOfferError;

impl fmt::Display for ClientOfferError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the records do not contain a readable ClientHello")
    }
}

impl std::error::Error for ClientOfferError {}

impl ClientOffer {
    /// Reads the TLS records that a connection begins with. Bytes after the ClientHello are ignored.
    ///
    /// # Errors
    /// [`ClientOfferError`] if the records do not contain a whole ClientHello. Continue without Token
    /// Binding; the TLS engine will alert the client.
    pub fn from_records(mut records: &[u8]) -> Result<Self, ClientOfferError> {
        let mut message = Vec::new();
        loop {
            if let Some(length) = message.get(1..4) {
                let length = length.iter().fold(0_usize, |sum, byte| {
                    sum.saturating_mul(256).saturating_add(usize::from(*byte))
                });
                let whole = length.saturating_add(4);
                if whole > MAX_CLIENT_HELLO_BYTES {
                    return Err(ClientOfferError);
                }
                if let Some(message) = message.get(..whole) {
                    return Self::from_message(message);
                }
            }
            let (rest, record) = parse_tls_raw_record(records).map_err(|_| ClientOfferError)?;
            if record.hdr.record_type != TlsRecordType::Handshake || record.data.is_empty() {
                return Err(ClientOfferError);
            }
            message.extend_from_slice(record.data);
            records = rest;
        }
    }

    fn from_message(message: &[u8]) -> Result<Self, ClientOfferError> {
        let Some((&CLIENT_HELLO, [_, _, _, body @ ..])) = message.split_first() else {
            return Err(ClientOfferError);
        };
        let Ok(([], hello)) = parse_tls_handshake_client_hello(body) else {
            return Err(ClientOfferError);
        };
        let mut offer = Self {
            tls12: hello.version.0 >= TLS12.0,
            cipher_suites: hello.ciphers.iter().map(|cipher| cipher.0).collect(),
            uncompressed_points: true,
            ..Self::default()
        };
        let mut extensions = hello.ext.unwrap_or_default();
        while !extensions.is_empty() {
            // Other extensions are skipped unread: they may be newer than the parser.
            let Ok((rest, TlsExtension::Unknown(number, _))) =
                parse_tls_extension_unknown(extensions)
            else {
                return Err(ClientOfferError);
            };
            if matches!(
                number,
                ALPN | EXTENDED_MASTER_SECRET | SUPPORTED_VERSIONS | EC_POINT_FORMATS
            ) {
                let (_, extension) =
                    parse_tls_client_hello_extension(extensions).map_err(|_| ClientOfferError)?;
                offer.take_in(extension);
            }
            extensions = rest;
        }
        Ok(offer)
    }

    fn take_in(&mut self, extension: TlsExtension<'_>) {
        match extension {
            TlsExtension::ALPN(identifiers) => {
                self.alpn = identifiers.into_iter().map(<[u8]>::to_vec).collect();
            }
            TlsExtension::EcPointFormats(formats) => {
                self.uncompressed_points = formats.contains(&UNCOMPRESSED_POINT);
            }
            TlsExtension::ExtendedMasterSecret => self.extended_master_secret = true,
            TlsExtension::SupportedVersions(versions) => {
                self.tls12 = versions.contains(&TLS12);
                self.tls13 = versions.contains(&TLS13);
            }
            _ => {}
        }
    }
}

/// The operator's policy for clients that support both Token Binding and TLS 1.3, which has no
/// `tls-unique`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum VersionPreference {
    /// Token Binding, under TLS 1.2.
    #[default]
    TokenBinding,
    /// TLS 1.3, without Token Binding.
    Tls13,
}

/// The choice of a server's configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Choice {
    /// The configuration that negotiates Token Binding.
    TokenBinding,
    /// The configuration without Token Binding, and the reason.
    Plain(PlainReason),
}

/// The reason why Token Binding is not negotiated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PlainReason {
    /// The ClientHello cannot be read.
    Unreadable,
    /// The client offers no identifier that this server has.
    NotOffered,
    /// The client offers no Extended Master Secret (section 9.4).
    ExtendedMasterSecret,
    /// The client does not offer TLS 1.2.
    ProtocolVersion,
    /// The client offers no cipher suite of TLS 1.2 that this server has and the certificate's key fits.
    CipherSuites,
    /// The client accepts no uncompressed points, which TLS 1.2 needs.
    PointFormats,
    /// The client offers TLS 1.3, which the operator prefers.
    Tls13Preferred,
    /// The client offers TLS 1.3, and the resolver has no certificate for this client.
    Certificate,
    /// The client offers TLS 1.3, and for TLS 1.2 no common group for the key exchange, or not the curve of the
    /// certificate's key.
    NamedGroups,
    /// The client offers TLS 1.3, and for TLS 1.2 no signature scheme that the certificate's key can sign with.
    SignatureSchemes,
}

impl PlainReason {
    /// Returns the name as it appears in conformance vectors and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::NotOffered => "not-offered",
            Self::ExtendedMasterSecret => "extended-master-secret",
            Self::ProtocolVersion => "protocol-version",
            Self::CipherSuites => "cipher-suites",
            Self::PointFormats => "point-formats",
            Self::Tls13Preferred => "tls13-preferred",
            Self::Certificate => "certificate",
            Self::NamedGroups => "named-groups",
            Self::SignatureSchemes => "signature-schemes",
        }
    }
}

impl ClientOffer {
    /// Decides if Token Binding is negotiated with a client that makes this offer. `ours` are the
    /// identifiers of this server, `suites` its cipher suites of TLS 1.2, `preference` its policy for clients
    /// that support TLS 1.3.
    ///
    /// The certificate is not known here; [`ServerConfigs::choose`](crate::tls::ServerConfigs::choose) checks it
    /// as well.
    pub fn choose(
        &self,
        ours: &[TokenBindingAlpn],
        suites: &[u16],
        preference: VersionPreference,
    ) -> Choice {
        let facts = TlsFacts {
            version: ProtocolVersion::TLS1_2,
            extended_master_secret: true,
        };
        let ours: Vec<_> = ours.iter().map(|alpn| alpn.as_str()).collect();
        if !matches!(facts.select(&ours, &self.alpn), Selection::TokenBinding(_)) {
            return Choice::Plain(PlainReason::NotOffered);
        }
        if !self.extended_master_secret {
            // balfanz-4-3-1
            return Choice::Plain(PlainReason::ExtendedMasterSecret);
        }
        if !self.tls12 {
            return Choice::Plain(PlainReason::ProtocolVersion);
        }
        if !self
            .cipher_suites
            .iter()
            .any(|suite| suites.contains(suite))
        {
            return Choice::Plain(PlainReason::CipherSuites);
        }
        if !self.uncompressed_points {
            return Choice::Plain(PlainReason::PointFormats);
        }
        if self.tls13 && preference == VersionPreference::Tls13 {
            return Choice::Plain(PlainReason::Tls13Preferred);
        }
        Choice::TokenBinding
    }
}
