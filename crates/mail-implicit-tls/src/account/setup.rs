//! Setup and change of an account, and what the draft demands of an account as a whole.

use std::collections::BTreeSet;

use super::{
    Account, LowPrivacy, Profile,
    error::{AccountError, AccountErrorKind},
    host::Host,
    id::AccountId,
    pin::{MAX_CERTIFICATE_BYTES, MAX_PINS, Pin},
    server::Server,
};
use crate::{
    failure::StatusPage, identity::Rules, name::DomainName, privacy::PrivacyLevel, service::Service,
};

/// The greatest number of servers of an account.
pub const MAX_SERVERS: usize = 64;

/// An account that is being set up or changed.
#[derive(Clone, Debug)]
#[must_use]
pub struct AccountSetup {
    account: Account,
    existing: BTreeSet<(Service, Host, u16)>,
    error: Option<AccountError>,
}

impl Account {
    /// Begins a change of the account that its user asked for. Servers that stay keep their pins; a server that the
    /// account has already cannot be pinned anew.
    pub fn reconfigure(self) -> AccountSetup {
        AccountSetup {
            existing: self.servers.iter().map(Server::key).collect(),
            account: self,
            error: None,
        }
    }
}

impl AccountSetup {
    /// Begins an account with the high privacy level, rules of RFC 7817 and no servers.
    pub const fn new(id: AccountId) -> Self {
        Self {
            account: Account {
                id,
                domain: None,
                profile: Profile::Draft,
                level: PrivacyLevel::High,
                low: LowPrivacy {
                    ignore_certificate: false,
                    clear_text_fallback: false,
                },
                rules: Rules::Rfc7817,
                dane: false,
                servers: Vec::new(),
                status_page: None,
            },
            existing: BTreeSet::new(),
            error: None,
        }
    }

    /// Sets the mail domain.
    pub fn domain(mut self, domain: DomainName) -> Self {
        self.account.domain = Some(domain);
        self
    }

    /// Sets the profile.
    pub const fn profile(mut self, profile: Profile) -> Self {
        self.account.profile = profile;
        self
    }

    /// Sets the privacy level to high.
    pub const fn high(mut self) -> Self {
        self.account.level = PrivacyLevel::High;
        self
    }

    /// Sets the privacy level to low, with these concessions. Show the [warnings](Account::warnings) of the account
    /// before it is used.
    pub const fn low(mut self, low: LowPrivacy) -> Self {
        self.account.level = PrivacyLevel::Low;
        self.account.low = low;
        self
    }

    /// Sets the rules of server identity.
    pub const fn rules(mut self, rules: Rules) -> Self {
        self.account.rules = rules;
        self
    }

    /// Sets whether the account uses DANE.
    pub const fn dane(mut self, dane: bool) -> Self {
        self.account.dane = dane;
        self
    }

    /// Sets the provider's status page.
    pub fn status_page(mut self, page: StatusPage) -> Self {
        self.account.status_page = Some(page);
        self
    }

    /// Adds a server.
    pub fn server(mut self, server: Server) -> Self {
        self.account.servers.push(server);
        self
    }

    /// Removes the servers of a service.
    pub fn without(mut self, service: Service) -> Self {
        self.account
            .servers
            .retain(|server| server.service != service);
        self
    }

    /// Pins the certificate of the server that was added last. [`build`](Self::build) reports an error if the
    /// account had the server before, since a pin is part of account setup only (section 3.2).
    pub fn pin(mut self, certificate: &[u8]) -> Self {
        if let Err(error) = self.try_pin(certificate) {
            self.error = self.error.or(Some(error));
        }
        self
    }

    fn try_pin(&mut self, certificate: &[u8]) -> Result<(), AccountError> {
        let index = self.account.servers.len().saturating_sub(1);
        let error = |kind| AccountError::new(kind, Some(index));
        let Some(server) = self.account.servers.last_mut() else {
            return Err(AccountError::new(AccountErrorKind::NoServer, None));
        };
        if self.existing.contains(&server.key()) {
            return Err(error(AccountErrorKind::PinOfExistingServer));
        }
        if certificate.is_empty() || certificate.len() > MAX_CERTIFICATE_BYTES {
            return Err(error(AccountErrorKind::PinnedCertificate));
        }
        let pin = Pin::new(self.account.id.clone(), server.host.clone(), certificate);
        server.pins.push(pin);
        Ok(())
    }

    /// Checks the account and returns it.
    ///
    /// # Errors
    /// Returns [`AccountErrorKind`] for a combination that the draft excludes.
    pub fn build(self) -> Result<Account, AccountError> {
        match self.error {
            Some(error) => Err(error),
            None => check(self.account),
        }
    }
}

/// Checks what the draft demands of an account as a whole.
pub(super) fn check(account: Account) -> Result<Account, AccountError> {
    use AccountErrorKind as Kind;

    let high = account.level == PrivacyLevel::High;
    if account.profile == Profile::Rfc8314 && !high {
        return Err(AccountError::new(Kind::LevelOfProfile, None));
    }
    if account.servers.is_empty() {
        return Err(AccountError::new(Kind::NoServer, None));
    }
    if account.servers.len() > MAX_SERVERS {
        return Err(AccountError::new(Kind::TooManyServers, None));
    }
    let mut seen = BTreeSet::new();
    for (index, server) in account.servers.iter().enumerate() {
        let fails = |kind| Err(AccountError::new(kind, Some(index)));
        // newman-3-1-1: TLS on every connection of an account with high privacy.
        if high && !server.service.uses_tls() {
            return fails(Kind::ClearTextWithHigh);
        }
        // newman-3-2-4: a pinned certificate does not provide high privacy.
        if high && !server.pins.is_empty() {
            return fails(Kind::PinWithHigh);
        }
        if !server.pins.is_empty() && !server.service.uses_tls() {
            return fails(Kind::PinWithoutTls);
        }
        if server.pins.len() > MAX_PINS {
            return fails(Kind::TooManyPins);
        }
        // newman-3-2-3: a pin of one account does not validate connections of another.
        let foreign = |pin: &Pin| *pin.account() != account.id || *pin.host() != server.host;
        if server.pins.iter().any(foreign) {
            return fails(Kind::PinOfAnother);
        }
        if server.port == 0 {
            return fails(Kind::Port);
        }
        if server.source.is_srv() && account.domain.is_none() {
            return fails(Kind::SrvWithoutDomain);
        }
        if !seen.insert(server.key()) {
            return fails(Kind::DuplicateServer);
        }
    }
    Ok(account)
}
