//! What is known of a connection, as plain data: from rustls, from another TLS engine, or from the SASL
//! exchange. Whatever is not known says so, and never counts as achieved.

/// A protocol version of SSL or TLS, as TLS encodes it, e.g. 0x0303 for TLS 1.2. Later ones are greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProtocolVersion(pub u16);

impl ProtocolVersion {
    /// SSL 3.0
    pub const SSL3: Self = Self(0x0300);
    /// TLS 1.0
    pub const TLS1_0: Self = Self(0x0301);
    /// TLS 1.1
    pub const TLS1_1: Self = Self(0x0302);
    /// TLS 1.2
    pub const TLS1_2: Self = Self(0x0303);
    /// TLS 1.3
    pub const TLS1_3: Self = Self(0x0304);
}

/// Whether the server's certificate leads to a trust anchor by PKIX (RFC 5280), by the caller's verifier.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ChainVerdict {
    /// Nobody looked.
    #[default]
    NotChecked,
    /// It does, and is valid now.
    Trusted,
    /// It does not, or is not valid now. A certificate that is trusted because it was pinned is none that
    /// was verified with PKIX: say this of it.
    Refused,
}

/// Whether the certificate is of the server that the client wanted, by the rules of the protocol in use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum IdentityVerdict {
    /// Nobody looked.
    #[default]
    NotChecked,
    /// It is.
    Matches,
    /// It is of another.
    Differs,
}

/// The first field of a TLSA record, RFC 6698 section 2.1.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CertificateUsage {
    /// 0, PKIX-TA
    PkixTa,
    /// 1, PKIX-EE
    PkixEe,
    /// 2, DANE-TA
    DaneTa,
    /// 3, DANE-EE
    DaneEe,
}

/// What the TLSA records of the server say of its certificate (RFC 6698).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum DaneVerdict {
    /// Nobody looked.
    #[default]
    NotChecked,
    /// There is none, or none that DNSSEC secures.
    NoRecords,
    /// One of them, secured by DNSSEC, matches.
    Matches(CertificateUsage),
    /// None matches.
    Differs,
}

/// A TLS session, once its handshake is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TlsFacts {
    /// The protocol version.
    pub version: ProtocolVersion,
    /// How strong the cipher is, in bits: the length of its symmetric key, or less for one that is known
    /// to be weaker. Nothing when it is not known.
    pub strength_bits: Option<u16>,
    /// PKIX's verdict of the server's certificate.
    pub chain: ChainVerdict,
    /// Whether it is of the wanted server.
    pub identity: IdentityVerdict,
    /// DANE's verdict.
    pub dane: DaneVerdict,
}

/// How the client logged in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Login {
    /// By a mechanism that says nothing of the server.
    Done,
    /// By a SCRAM mechanism with channel binding to this TLS session (RFC 5802 section 6), and the server's
    /// signature was verified. That authenticates the server.
    ScramPlus,
}

/// What is known of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SessionFacts {
    /// Its TLS session; nothing while it is in clear.
    pub tls: Option<TlsFacts>,
    /// How the client logged in; nothing before it has.
    pub login: Option<Login>,
}
