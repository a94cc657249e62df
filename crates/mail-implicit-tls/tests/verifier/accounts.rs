//! Accounts, and verifiers of their servers.

use std::sync::Arc;

use mail_implicit_tls::{
    account::{Account, AccountId, AccountSetup, Host, HostSource, LowPrivacy, Server},
    identity::Rules,
    name::DomainName,
    service::Service,
    verdict::{ChainProblem, ChainVerdict, IdentityVerdict, Verdict},
    verifier::{ServerVerifier, Trust},
};
use rustls::{
    crypto::{CryptoProvider, ring},
    pki_types::CertificateDer,
};
use test_support::pki::Authority;

use crate::certificates::{NOW, ROOT, at};

pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

pub(crate) fn trust() -> Arc<Trust> {
    Arc::new(Trust::in_certificates([ROOT.certificate()]).unwrap())
}

pub(crate) fn domain() -> DomainName {
    DomainName::parse("example.org").unwrap()
}

pub(crate) fn imaps() -> Server {
    Server::new(Service::IMAPS, Host::parse("imap.example.org").unwrap())
}

pub(crate) fn setup(id: &str) -> AccountSetup {
    AccountSetup::new(AccountId::try_new(id).unwrap()).domain(domain())
}

pub(crate) fn account(rules: Rules, source: HostSource) -> Account {
    let setup = setup("alice").rules(rules);
    setup.server(imaps().with_source(source)).build().unwrap()
}

pub(crate) fn pinned(id: &str, certificate: &[u8]) -> Account {
    let setup = setup(id).low(LowPrivacy::default()).server(imaps());
    setup.pin(certificate).build().unwrap()
}

pub(crate) fn verifier(account: &Account) -> ServerVerifier {
    ServerVerifier::new(account, &account.servers()[0], trust(), &provider())
}

/// An account whose host the user typed.
pub(crate) fn typed() -> ServerVerifier {
    verifier(&account(Rules::Rfc7817, HostSource::User))
}

pub(crate) fn judge(end_entity: &CertificateDer<'_>, others: &[&Authority]) -> Verdict {
    let others: Vec<_> = others.iter().map(|it| it.certificate()).collect();
    typed().judge(end_entity, &others, at(NOW))
}

pub(crate) fn is_named(verdict: &Verdict) -> bool {
    matches!(verdict.identity, IdentityVerdict::Matches { .. })
}

pub(crate) fn problems(verdict: &Verdict) -> &[ChainProblem] {
    match &verdict.chain {
        ChainVerdict::Refused(problems) => problems,
        ChainVerdict::Trusted | ChainVerdict::NotChecked => &[],
    }
}
