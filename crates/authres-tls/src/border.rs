//! Feature `strip`: the work of a border MTA on a message, for a filter beside it: whose messages are stripped, and
//! how the client's certificate is compared with the client's name.

use alloc::{string::String, vec::Vec};
use core::{fmt, net::IpAddr, str::FromStr};

use ipnet::IpNet;

use crate::{
    AuthenticationResultsBuf, AuthservId, Policy, Session, StripPolicy, WriteError, WriteOptions,
    facts::{ChainVerdict, DaneVerdict, HostVerdict, LocalVerdict, PresentedCertificate},
    strip::{AuthservIdError, StripScope},
    tls::{TlsResult, dn::DnForm, san::AltName},
};

/// The work on a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Task {
    /// Forged fields are removed, and the local field is added.
    #[default]
    StripAndAdd,
    /// Forged fields are removed.
    Strip,
    /// The local field is added. Forged fields stay, so that another filter must have removed them.
    Add,
    /// The message is not changed.
    Nothing,
}

impl Task {
    /// Returns `true` if forged fields are removed.
    #[must_use]
    pub const fn strips(self) -> bool {
        matches!(self, Self::StripAndAdd | Self::Strip)
    }

    /// Returns `true` if the local field is added.
    #[must_use]
    pub const fn adds(self) -> bool {
        matches!(self, Self::StripAndAdd | Self::Add)
    }
}

/// The name with which the name in a client's certificate is compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum HostSource {
    /// No name: the host identity stays unchecked, and no session results in `pass`.
    #[default]
    Unchecked,
    /// The name in HELO or EHLO, which the client chooses.
    Helo,
    /// The name of the client's address in the DNS, if that name has the address.
    ReverseDns,
}

/// A host name with at least two labels: in lower case, with A-labels, without a trailing dot.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostName(AuthservId);

/// An error: the text is not a host name with at least two labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostNameError;

impl fmt::Display for HostNameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("host name: expected two or more labels of letters, digits and hyphens")
    }
}

impl core::error::Error for HostNameError {}

impl HostName {
    /// Converts a host name.
    ///
    /// # Errors
    /// Returns an error if the text is an address or a single label, or if a label is empty or contains other
    /// characters than letters, digits, hyphens and underscores.
    pub fn try_new(text: &str) -> Result<Self, HostNameError> {
        if text.trim() != text {
            return Err(HostNameError);
        }
        let name = AuthservId::try_new(text).map_err(|_| HostNameError)?;
        let is_label = |label: &str| {
            let is_allowed = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'_');
            !label.is_empty() && label.bytes().all(is_allowed)
        };
        let mut labels = name.as_str().rsplit('.');
        let is_name = labels.next().is_some_and(|last| {
            is_label(last) && !last.bytes().all(|octet| octet.is_ascii_digit())
        });
        let mut others = labels.peekable();
        if is_name && others.peek().is_some() && others.all(is_label) {
            return Ok(Self(name));
        }
        Err(HostNameError)
    }

    /// Returns the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl FromStr for HostName {
    type Err = HostNameError;

    fn from_str(text: &str) -> Result<Self, HostNameError> {
        Self::try_new(text)
    }
}

/// A name in a certificate: a host name, or the names with one label more than another (RFC 6125 section 6.4.3).
enum CertificateName {
    Host(HostName),
    Below(HostName),
}

impl CertificateName {
    fn of(text: &str) -> Option<Self> {
        match text.strip_prefix("*.") {
            Some(parent) => HostName::try_new(parent).map(Self::Below),
            None => HostName::try_new(text).map(Self::Host),
        }
        .ok()
    }

    fn names(&self, host: &HostName) -> bool {
        match self {
            Self::Host(name) => name == host,
            Self::Below(parent) => {
                let below = host.as_str().split_once('.');
                below.is_some_and(|(_, rest)| rest == parent.as_str())
            }
        }
    }
}

/// A network of addresses, e.g. `192.0.2.0/24`. An address alone is the network of that address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network(IpNet);

/// An error: the text is neither an address nor a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NetworkError;

impl fmt::Display for NetworkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("network: expected an address, or an address and the length of its prefix")
    }
}

impl core::error::Error for NetworkError {}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let network = match text.parse::<IpNet>() {
            Ok(network) => network,
            Err(_) => IpNet::from(text.parse::<IpAddr>().map_err(|_| NetworkError)?),
        };
        // Octets after the prefix are an oversight, and may hide a prefix that is too short.
        if network.addr() != network.network() {
            return Err(NetworkError);
        }
        Ok(Self(network))
    }
}

impl Network {
    /// Returns `true` if the address is in the network. An IPv4 address that is mapped to IPv6 counts as IPv4.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

/// The client that sent a message, as the MTA reports it. A fact that the MTA does not report is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Client<'c> {
    /// The name in HELO or EHLO.
    pub helo: Option<&'c str>,
    /// The name of the address in the DNS, if that name has the address.
    pub verified_name: Option<&'c str>,
    /// The address.
    pub address: Option<IpAddr>,
    /// The client authenticated itself by SASL.
    pub is_authenticated: bool,
    /// The common name of the certificate's subject. If absent, it is taken from the subject, unless that is in
    /// OpenSSL's one-line form, in which it could be forged.
    pub common_name: Option<&'c str>,
}

/// The configuration of a filter at the border.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Border {
    /// The field without a result.
    field: AuthenticationResultsBuf,
    /// The fields that are removed.
    pub strip: StripPolicy,
    /// The policy that converts facts into a result.
    pub policy: Policy,
    /// The name with which a certificate's name is compared.
    pub host: HostSource,
    /// The names that the local policy accepts in a verified certificate, whatever name the client has. They result in
    /// `cert.verif=LOCAL`.
    pub local_names: Vec<HostName>,
    /// The networks of trusted servers, whose messages are not changed.
    pub trusted_networks: Vec<Network>,
    /// The work on messages of authenticated clients.
    pub authenticated: Task,
    /// The work on all other messages.
    pub task: Task,
}

impl Border {
    /// Returns a configuration that removes fields with this authserv-id, or one below it, and adds one.
    ///
    /// # Errors
    /// Returns an error if the text is empty, or is neither ASCII nor a valid domain name.
    pub fn try_new(authserv_id: &str) -> Result<Self, AuthservIdError> {
        let own = AuthservId::try_new(authserv_id)?;
        // U-labels are written as A-labels, so that the field is ASCII.
        let written = match authserv_id.is_ascii() {
            true => String::from(authserv_id.trim()),
            false => String::from(own.as_str()),
        };
        let field = AuthenticationResultsBuf::try_new(written).map_err(|_| AuthservIdError)?;
        Ok(Self {
            field,
            strip: StripPolicy::new([own]),
            policy: Policy::default(),
            host: HostSource::default(),
            local_names: Vec::new(),
            trusted_networks: Vec::new(),
            authenticated: Task::default(),
            task: Task::default(),
        })
    }

    /// Adds an authserv-id of another local server, whose fields are removed as well.
    #[must_use]
    pub fn with_own_id(mut self, id: AuthservId) -> Self {
        if let StripScope::OwnIds(own) = &mut self.strip.scope {
            own.push(id);
        }
        self
    }

    /// Returns the work on a message of this client.
    #[must_use]
    pub fn task_for(&self, client: &Client<'_>) -> Task {
        let is_trusted = |address| self.trusted_networks.iter().any(|it| it.contains(address));
        if client.address.is_some_and(is_trusted) {
            Task::Nothing
        } else if client.is_authenticated {
            self.authenticated
        } else {
            self.task
        }
    }

    /// Adds the verdicts on names to a session whose certificate the MTA verified. All other sessions are unchanged.
    pub fn judge(&self, session: &mut Session, client: &Client<'_>) {
        let Some(presented) = session.presented_mut() else {
            return;
        };
        if presented.chain != ChainVerdict::Trusted && presented.dane != DaneVerdict::Match {
            return;
        }
        let names = names(presented, client.common_name);
        let is_named = |host: &HostName| names.iter().any(|name| name.names(host));
        if self.local_names.iter().any(is_named) {
            presented.local = LocalVerdict::Accepted;
            presented.chain = ChainVerdict::NotChecked;
            presented.host = HostVerdict::Match;
            return;
        }
        let host = match self.host {
            HostSource::Unchecked => None,
            HostSource::Helo => client.helo,
            HostSource::ReverseDns => client.verified_name,
        };
        let Some(host) = host.and_then(|host| HostName::try_new(host).ok()) else {
            return;
        };
        presented.host = match names.is_empty() {
            true => HostVerdict::NotChecked,
            false if is_named(&host) => HostVerdict::Match,
            false => HostVerdict::Mismatch,
        };
    }

    /// Returns the result for a session, and the value of the local field, which begins after the colon and a space.
    ///
    /// # Errors
    /// Returns an error if a line of the value would be too long, e.g. for the authserv-id.
    pub fn field(&self, session: &Session) -> Result<(TlsResult, String), WriteError> {
        let report = self.policy.evaluate(session);
        let result = report.result;
        let field = self.field.clone().with_result(report.try_into()?);
        Ok((result, field.write(&WriteOptions::default())?))
    }
}

/// Returns the host names in a certificate: the alternative names if they are known, or else the common name.
fn names(presented: &PresentedCertificate, common_name: Option<&str>) -> Vec<CertificateName> {
    if let Some(alt_names) = &presented.fields.alt_names {
        let names = alt_names.iter().filter_map(|name| match name {
            AltName::Dns(name) => CertificateName::of(&name),
            _ => None,
        });
        return names.collect();
    }
    if let Some(name) = common_name {
        return CertificateName::of(name).into_iter().collect();
    }
    let subject = presented.fields.subject.as_ref();
    let subject = subject.filter(|subject| subject.form() == DnForm::Rfc4514);
    let names = subject.into_iter().flat_map(|subject| subject.values("CN"));
    names
        .filter_map(|name| CertificateName::of(&name))
        .collect()
}
