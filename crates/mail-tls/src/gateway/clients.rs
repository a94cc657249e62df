//! The users that certificates of clients are for.

use std::collections::BTreeMap;

use mail_implicit_tls::{
    identity::{PresentedIdentity, presented},
    server::MapCertificate,
};
use rustls::pki_types::CertificateDer;
use sha2::{Digest, Sha256};

use super::config::{ClientCertificates, Fingerprint};

/// The users by the fingerprint of their certificate, and by the common name in it if that is permitted.
#[derive(Debug)]
pub(super) struct UserMap {
    users: BTreeMap<Fingerprint, String>,
    by_common_name: bool,
}

impl UserMap {
    pub(super) fn new(config: &ClientCertificates) -> Self {
        Self {
            users: config.users.clone(),
            by_common_name: config.common_name,
        }
    }
}

impl MapCertificate for UserMap {
    fn identity(&self, chain: &[CertificateDer<'_>]) -> Option<String> {
        let own = chain.first()?;
        let fingerprint = Fingerprint(Sha256::digest(own).into());
        if let Some(user) = self.users.get(&fingerprint) {
            return Some(user.clone());
        }
        if !self.by_common_name {
            return None;
        }
        let names = presented(own)?;
        let name = names.iter().find_map(|name| match name {
            PresentedIdentity::Cn(octets) => std::str::from_utf8(octets).ok(),
            _ => None,
        })?;
        let is_fit = !name.is_empty() && !name.chars().any(char::is_control);
        is_fit.then(|| name.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use test_support::pki::{Authority, Certificate, Identity};

    use super::*;

    fn client(name: &str) -> Identity {
        Certificate::client(name).issue(&Authority::new("Clients"))
    }

    fn map(users: &[(&Identity, &str)], by_common_name: bool) -> UserMap {
        let users = users.iter().map(|(identity, user)| {
            let digest = Sha256::digest(identity.certificate());
            (Fingerprint(digest.into()), (*user).to_owned())
        });
        UserMap {
            users: users.collect(),
            by_common_name,
        }
    }

    #[test]
    fn maps_a_certificate_by_its_fingerprint_first() {
        let (alice, other) = (client("alice"), client("alice"));
        let map = map(&[(&alice, "alice@example.org")], true);
        let user = map.identity(&[alice.certificate()]);
        assert_eq!(user.as_deref(), Some("alice@example.org"));
        let user = map.identity(&[other.certificate()]);
        assert_eq!(user.as_deref(), Some("alice"));
    }

    #[test]
    fn maps_no_common_name_unless_permitted() {
        let alice = client("alice");
        assert_eq!(map(&[], false).identity(&[alice.certificate()]), None);
        assert_eq!(map(&[], false).identity(&[]), None);
    }

    #[test]
    fn maps_no_common_name_that_a_line_cannot_carry() {
        let forged = client("alice\r\nadmin");
        assert_eq!(map(&[], true).identity(&[forged.certificate()]), None);
        let empty = client("");
        assert_eq!(map(&[], true).identity(&[empty.certificate()]), None);
    }
}
