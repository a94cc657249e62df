//! Feature `rustls`: what a client offers, read from its ClientHello before a configuration is
//! chosen, and the choice (draft-popov-token-binding-00 sections 3 and 9.4).

use std::fmt;

use tls_parser::{
    TlsExtension, TlsExtensionType, TlsRecordType, TlsVersion, parse_tls_client_hello_extension,
    parse_tls_extension_unknown, parse_tls_handshake_client_hello, parse_tls_raw_record,
};
use tokenbind_wire::{ProtocolVersion, Selection, TlsFacts, TokenBindingAlpn};

/// The longest ClientHello looked at, in bytes, as rustls has it for handshake messages.
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

/// What a client offers, as far as Token Binding goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientOffer {
    /// The ALPN identifiers, in the client's order.
    pub alpn: Vec<Vec<u8>>,
    /// Whether Extended Master Secret is offered.
    pub extended_master_secret: bool,
    /// Whether TLS 1.2 is offered.
    pub tls12: bool,
    /// Whether TLS 1.3 is offered.
    pub tls13: bool,
    /// The cipher suites.
    pub cipher_suites: Vec<u16>,
    /// Uncompressed points are accepted (RFC 8422 section 5.1.2): without an extension that says otherwise they are.
    /// TLS 1.2 does not work without, and TLS 1.3 does not ask.
    pub uncompressed_points: bool,
}

/// The bytes are not a ClientHello that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientOfferError;

impl fmt::Display for ClientOfferError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a ClientHello that can be read")
    }
}

impl std::error::Error for ClientOfferError {}

impl ClientOffer {
    /// Reads the TLS records a connection begins with. What follows the ClientHello is not looked at.
    ///
    /// # Errors
    /// When they do not hold a whole ClientHello. Go on without Token Binding; the TLS engine will
    /// tell the client.
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
            // Into an extension of no interest here nobody needs to look: it may be newer than the
            // parser.
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

/// The operator's policy for clients that can do TLS 1.3, where tls-unique does not exist, as well as
/// Token Binding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum VersionPreference {
    /// Token Binding, under TLS 1.2.
    #[default]
    TokenBinding,
    /// TLS 1.3, without Token Binding.
    Tls13,
}

/// With which configuration a server goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Choice {
    /// The one that negotiates Token Binding.
    TokenBinding,
    /// The one without, and why.
    Plain(PlainReason),
}

/// Why Token Binding is not negotiated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PlainReason {
    /// The ClientHello cannot be read.
    Unreadable,
    /// The client offers none of the identifiers this server has.
    NotOffered,
    /// It offers no Extended Master Secret (section 9.4).
    ExtendedMasterSecret,
    /// It does not offer TLS 1.2.
    ProtocolVersion,
    /// It offers no cipher suite of TLS 1.2 that this server has, or none that goes with the certificate's key.
    CipherSuites,
    /// It accepts no uncompressed points, which TLS 1.2 needs.
    PointFormats,
    /// It offers TLS 1.3, which the operator prefers.
    Tls13Preferred,
    /// It offers TLS 1.3, and there is no certificate for it.
    Certificate,
    /// It offers TLS 1.3, and under TLS 1.2 no group in common for the key exchange, or not the curve of the
    /// certificate's key.
    NamedGroups,
    /// It offers TLS 1.3, and under TLS 1.2 no signature scheme that the certificate's key can sign with.
    SignatureSchemes,
}

impl PlainReason {
    /// The name as it stands in conformance vectors and logs.
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

/// Decides whether to negotiate Token Binding with a client that makes this offer. `ours` are the
/// identifiers this server has, `suites` its cipher suites of TLS 1.2.
///
/// The certificate is not known here: [`ServerConfigs::choose`](crate::ServerConfigs::choose) looks at it as well.
pub fn choose(
    offer: &ClientOffer,
    ours: &[TokenBindingAlpn],
    suites: &[u16],
    preference: VersionPreference,
) -> Choice {
    let facts = TlsFacts {
        version: ProtocolVersion::TLS1_2,
        extended_master_secret: true,
    };
    let ours: Vec<_> = ours.iter().map(|alpn| alpn.as_str()).collect();
    if !matches!(facts.select(&ours, &offer.alpn), Selection::TokenBinding(_)) {
        return Choice::Plain(PlainReason::NotOffered);
    }
    if !offer.extended_master_secret {
        // balfanz-4-3-1
        return Choice::Plain(PlainReason::ExtendedMasterSecret);
    }
    if !offer.tls12 {
        return Choice::Plain(PlainReason::ProtocolVersion);
    }
    if !offer
        .cipher_suites
        .iter()
        .any(|suite| suites.contains(suite))
    {
        return Choice::Plain(PlainReason::CipherSuites);
    }
    if !offer.uncompressed_points {
        return Choice::Plain(PlainReason::PointFormats);
    }
    if offer.tls13 && preference == VersionPreference::Tls13 {
        return Choice::Plain(PlainReason::Tls13Preferred);
    }
    Choice::TokenBinding
}
