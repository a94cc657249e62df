//! The facts of a connection, as plain data: from rustls, from another TLS engine, or from the SASL exchange. A
//! verdict that was not reached has a value of its own and never counts as achieved.

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

/// The verdict of PKIX (RFC 5280) on the server's certificate, by the caller's verifier.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ChainVerdict {
    /// Not checked.
    #[default]
    NotChecked,
    /// The certificate leads to a trust anchor and is valid now.
    Trusted,
    /// The certificate leads to no trust anchor, or is not valid now. Use this value also for a pinned certificate
    /// that was not verified with PKIX.
    Refused,
}

/// The verdict on the names of the certificate, by the rules of the protocol in use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum IdentityVerdict {
    /// Not checked.
    #[default]
    NotChecked,
    /// The certificate is that of the wanted server.
    Matches,
    /// The certificate is that of another server.
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

/// The verdict of the server's TLSA records on its certificate (RFC 6698).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum DaneVerdict {
    /// Not checked.
    #[default]
    NotChecked,
    /// The server has no TLSA records, or none that DNSSEC secures.
    NoRecords,
    /// A record that DNSSEC secures matches.
    Matches(CertificateUsage),
    /// No record matches.
    Differs,
}

/// A TLS session, once its handshake is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TlsFacts {
    /// The protocol version.
    pub version: ProtocolVersion,
    /// The strength of the cipher in bits: the length of its symmetric key, or less for a cipher that is known to be
    /// weaker. `None` if it is not known.
    pub strength_bits: Option<u16>,
    /// The verdict of PKIX on the server's certificate.
    pub chain: ChainVerdict,
    /// The verdict on the names of the certificate.
    pub identity: IdentityVerdict,
    /// The verdict of DANE.
    pub dane: DaneVerdict,
}

/// The kind of login.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Login {
    /// A login by a mechanism that does not authenticate the server.
    Done,
    /// A login by a SCRAM mechanism with channel binding to this TLS session (RFC 5802 section 6), and the server's
    /// signature was verified. That authenticates the server.
    ScramPlus,
}

/// The facts of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SessionFacts {
    /// The TLS session; `None` while the connection is in clear.
    pub tls: Option<TlsFacts>,
    /// The login; `None` before it.
    pub login: Option<Login>,
}
