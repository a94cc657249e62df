//! Feature `serde`: the serialized form of an account.

use super::{
    Account, LowPrivacy, Profile,
    error::{AccountError, AccountErrorKind},
    id::AccountId,
    server::Server,
    setup::check,
};
use crate::{failure::StatusPage, identity::Rules, name::DomainName, privacy::PrivacyLevel};

/// The serialized form of an [`Account`], with a version. Unknown fields and other versions are refused, because a
/// client that does not understand a field could use the account less privately than its user configured.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Configuration {
    version: u32,
    id: AccountId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    domain: Option<DomainName>,
    #[serde(default)]
    profile: Profile,
    #[serde(default)]
    level: PrivacyLevel,
    #[serde(default)]
    low: LowPrivacy,
    #[serde(default)]
    rules: Rules,
    #[serde(default)]
    dane: bool,
    servers: Vec<Server>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status_page: Option<StatusPage>,
}

impl Configuration {
    /// The version that this crate reads and writes.
    pub const VERSION: u32 = 1;
}

impl TryFrom<Configuration> for Account {
    type Error = AccountError;

    fn try_from(configuration: Configuration) -> Result<Self, AccountError> {
        let Configuration {
            version,
            id,
            domain,
            profile,
            level,
            low,
            rules,
            dane,
            servers,
            status_page,
        } = configuration;
        if version != Configuration::VERSION {
            return Err(AccountError::new(AccountErrorKind::Version, None));
        }
        check(Self {
            id,
            domain,
            profile,
            level,
            low,
            rules,
            dane,
            servers,
            status_page,
        })
    }
}

impl From<Account> for Configuration {
    fn from(account: Account) -> Self {
        let Account {
            id,
            domain,
            profile,
            level,
            low,
            rules,
            dane,
            servers,
            status_page,
        } = account;
        Self {
            version: Self::VERSION,
            id,
            domain,
            profile,
            level,
            low,
            rules,
            dane,
            servers,
            status_page,
        }
    }
}
