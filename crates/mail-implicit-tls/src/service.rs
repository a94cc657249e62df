//! Services of mail and how each uses TLS: draft-newman-email-deep-02 sections 4 and 8, registrations of section
//! 11.

use std::fmt;

use crate::name::DomainName;

/// A protocol by which a mail client accesses or submits mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum Protocol {
    /// POP3, RFC 1939.
    Pop,
    /// IMAP, RFC 3501 and 9051.
    Imap,
    /// Message submission over SMTP, RFC 6409.
    Submission,
}

/// The way a connection begins TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Security {
    /// The TLS handshake begins immediately: "Implicit TLS", section 4.
    Implicit,
    /// The connection begins in clear text and is upgraded by `STARTTLS` or `STLS`.
    #[cfg_attr(feature = "serde", serde(rename = "starttls"))]
    StartTls,
    /// The connection stays in clear text.
    Clear,
}

/// A service: a protocol and how it uses TLS.
///
/// ```
/// use mail_implicit_tls::service::Service;
///
/// assert_eq!(Service::IMAPS.to_string(), "imaps");
/// assert_eq!(Service::IMAPS.default_port(), 993);
/// assert_eq!(Service::IMAPS.srv_label(), "_imaps._tcp");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct Service {
    /// The protocol.
    pub protocol: Protocol,
    /// The way the protocol uses TLS.
    pub security: Security,
}

impl Service {
    /// `pop3s`, port 995: section 4.1.
    pub const POP3S: Self = Self::new(Protocol::Pop, Security::Implicit);
    /// `imaps`, port 993: section 4.2.
    pub const IMAPS: Self = Self::new(Protocol::Imap, Security::Implicit);
    /// `submissions`, port 465: section 4.3.
    pub const SUBMISSIONS: Self = Self::new(Protocol::Submission, Security::Implicit);
    /// `pop3` with `STLS`, port 110.
    pub const POP3_STARTTLS: Self = Self::new(Protocol::Pop, Security::StartTls);
    /// `imap` with `STARTTLS`, port 143.
    pub const IMAP_STARTTLS: Self = Self::new(Protocol::Imap, Security::StartTls);
    /// `submission` with `STARTTLS`, port 587.
    pub const SUBMISSION_STARTTLS: Self = Self::new(Protocol::Submission, Security::StartTls);
    /// `pop3` in clear text, port 110.
    pub const POP3_CLEAR: Self = Self::new(Protocol::Pop, Security::Clear);
    /// `imap` in clear text, port 143.
    pub const IMAP_CLEAR: Self = Self::new(Protocol::Imap, Security::Clear);
    /// `submission` in clear text, port 587.
    pub const SUBMISSION_CLEAR: Self = Self::new(Protocol::Submission, Security::Clear);

    /// All services, those with implicit TLS first.
    pub const ALL: [Self; 9] = [
        Self::POP3S,
        Self::IMAPS,
        Self::SUBMISSIONS,
        Self::POP3_STARTTLS,
        Self::IMAP_STARTTLS,
        Self::SUBMISSION_STARTTLS,
        Self::POP3_CLEAR,
        Self::IMAP_CLEAR,
        Self::SUBMISSION_CLEAR,
    ];

    /// Returns the service of a protocol with this use of TLS.
    #[must_use]
    pub const fn new(protocol: Protocol, security: Security) -> Self {
        Self { protocol, security }
    }

    /// Returns the registered service name: `pop3s`, `imaps` or `submissions` with implicit TLS, `pop3`, `imap` or
    /// `submission` otherwise. It is the name in SRV labels and SRV-IDs, without the underscore.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match (self.protocol, self.security) {
            (Protocol::Pop, Security::Implicit) => "pop3s",
            (Protocol::Pop, _) => "pop3",
            (Protocol::Imap, Security::Implicit) => "imaps",
            (Protocol::Imap, _) => "imap",
            (Protocol::Submission, Security::Implicit) => "submissions",
            (Protocol::Submission, _) => "submission",
        }
    }

    /// Returns the default port.
    #[must_use]
    pub const fn default_port(self) -> u16 {
        match (self.protocol, self.security) {
            (Protocol::Pop, Security::Implicit) => 995,
            (Protocol::Pop, _) => 110,
            (Protocol::Imap, Security::Implicit) => 993,
            (Protocol::Imap, _) => 143,
            (Protocol::Submission, Security::Implicit) => 465,
            (Protocol::Submission, _) => 587,
        }
    }

    /// Returns the label of the service's SRV records, RFC 6186 section 3 and draft-newman-email-deep-02 section 8:
    /// `_imaps._tcp`.
    #[must_use]
    pub const fn srv_label(self) -> &'static str {
        match (self.protocol, self.security) {
            (Protocol::Pop, Security::Implicit) => "_pop3s._tcp",
            (Protocol::Pop, _) => "_pop3._tcp",
            (Protocol::Imap, Security::Implicit) => "_imaps._tcp",
            (Protocol::Imap, _) => "_imap._tcp",
            (Protocol::Submission, Security::Implicit) => "_submissions._tcp",
            (Protocol::Submission, _) => "_submission._tcp",
        }
    }

    /// Returns the name of the service's SRV records for a mail domain, with the final dot:
    /// `_imaps._tcp.example.org.`
    #[must_use]
    pub fn srv_owner(self, domain: &DomainName) -> String {
        format!("{}.{domain}.", self.srv_label())
    }

    /// Returns the name of the TLSA records of a port of a host, with the final dot: `_993._tcp.imap.example.org.`
    /// (RFC 6698 section 3). The port is the one that is connected to, which an SRV record may have chosen.
    #[must_use]
    pub fn tlsa_owner(port: u16, base: &DomainName) -> String {
        format!("_{port}._tcp.{base}.")
    }

    /// Returns `true` if the service uses TLS, from the beginning or after an upgrade.
    #[must_use]
    pub const fn uses_tls(self) -> bool {
        !matches!(self.security, Security::Clear)
    }

    /// Returns the IANA registration of draft-newman-email-deep-02 section 11, if the draft has one: those of the
    /// services with implicit TLS.
    #[must_use]
    pub const fn registration(self) -> Option<&'static PortRegistration> {
        match self {
            Self::POP3S => Some(&PortRegistration::POP3S),
            Self::IMAPS => Some(&PortRegistration::IMAPS),
            Self::SUBMISSIONS => Some(&PortRegistration::SUBMISSIONS),
            _ => None,
        }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match self.security {
            Security::Implicit => Ok(()),
            Security::StartTls => f.write_str(" with STARTTLS"),
            Security::Clear => f.write_str(" in clear text"),
        }
    }
}

/// The registration of a port, by the template of RFC 6335, draft-newman-email-deep-02 sections 11.3 to 11.5.
///
/// The draft prints each template twice; the copies are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PortRegistration {
    /// `Service Name`
    pub service_name: &'static str,
    /// `Transport Protocol`
    pub transport_protocol: &'static str,
    /// The port number. The draft's templates state it in the text before them.
    pub port: u16,
    /// `Assignee`
    pub assignee: &'static str,
    /// `Contact`
    pub contact: &'static str,
    /// `Description`
    pub description: &'static str,
    /// `Reference`
    pub reference: &'static str,
    /// The kind of request that the draft makes to IANA.
    pub request: PortRequest,
}

/// The kind of request that draft-newman-email-deep-02 makes to IANA for a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PortRequest {
    /// An update of the existing registration: sections 11.3 and 11.4.
    Update,
    /// An alternate usage in addition to the current assignment: section 11.5, "a one time procedural exception to
    /// the rules in RFC 6335".
    AlternateUsage,
}

impl PortRegistration {
    /// Section 11.3.
    pub const POP3S: Self = Self::new("pop3s", 995, "POP3 over TLS protocol", PortRequest::Update);
    /// Section 11.4.
    pub const IMAPS: Self = Self::new("imaps", 993, "IMAP over TLS protocol", PortRequest::Update);
    /// Section 11.5.
    pub const SUBMISSIONS: Self = Self::new(
        "submissions",
        465,
        "Message Submission over TLS protocol",
        PortRequest::AlternateUsage,
    );

    const fn new(
        service_name: &'static str,
        port: u16,
        description: &'static str,
        request: PortRequest,
    ) -> Self {
        Self {
            service_name,
            transport_protocol: "TCP",
            port,
            assignee: "IETF <iesg@ietf.org>",
            contact: "IESG <iesg@ietf.org>",
            description,
            reference: "RFC XXXX (this document once published)",
            request,
        }
    }
}

/// Writes the template as the draft prints it.
impl fmt::Display for PortRegistration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Service Name: {}", self.service_name)?;
        writeln!(f, "Transport Protocol: {}", self.transport_protocol)?;
        writeln!(f, "Assignee: {}", self.assignee)?;
        writeln!(f, "Contact: {}", self.contact)?;
        writeln!(f, "Description: {}", self.description)?;
        write!(f, "Reference: {}", self.reference)
    }
}
