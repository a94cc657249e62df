//! Accounts, and all combinations of verdicts.

use mail_implicit_tls::{
    account::{AccountErrorKind, AccountId, AccountSetup, Host, LowPrivacy, Server},
    identity::{PresentedIdentity, ReferenceIdentity},
    name::DomainName,
    service::Service,
    verdict::{
        CertificateUsage, ChainProblem, ChainVerdict, DaneVerdict, IdentityVerdict, PinVerdict,
        RecordFinding, RecordProblem, Verdict,
    },
};

pub(crate) const IGNORE: LowPrivacy = LowPrivacy {
    ignore_certificate: true,
    clear_text_fallback: false,
};

pub(crate) fn id(text: &str) -> AccountId {
    AccountId::try_new(text).unwrap()
}

pub(crate) fn name(text: &str) -> DomainName {
    DomainName::parse(text).unwrap()
}

pub(crate) fn imaps() -> Server {
    Server::new(Service::IMAPS, Host::parse("imap.example.org").unwrap())
}

pub(crate) fn setup() -> AccountSetup {
    AccountSetup::new(id("alice"))
}

pub(crate) fn error(setup: AccountSetup) -> (AccountErrorKind, Option<usize>) {
    let error = setup.build().unwrap_err();
    (error.kind(), error.server())
}

pub(crate) fn matches() -> IdentityVerdict {
    IdentityVerdict::Matches {
        reference: ReferenceIdentity::Dns(name("imap.example.org")),
        presented: PresentedIdentity::Dns(b"imap.example.org"[..].into()),
    }
}

/// All combinations of chain, name, DANE and pin.
pub(crate) fn verdicts() -> Vec<Verdict> {
    let unknown = ChainVerdict::Refused(vec![ChainProblem::UnknownIssuer]);
    let chains = [ChainVerdict::NotChecked, ChainVerdict::Trusted, unknown];
    let differs = IdentityVerdict::Differs(Box::default());
    let identities = [IdentityVerdict::NotChecked, matches(), differs];
    let mut danes = vec![DaneVerdict::default()];
    for usage in [
        CertificateUsage::PkixTa,
        CertificateUsage::PkixEe,
        CertificateUsage::DaneTa,
        CertificateUsage::DaneEe,
    ] {
        for covers_identity in [false, true] {
            danes.push(DaneVerdict::Matches {
                usage,
                covers_identity,
            });
        }
    }
    danes.push(DaneVerdict::Differs(vec![RecordFinding {
        usage: 3,
        selector: 1,
        matching_type: 1,
        problem: RecordProblem::NoMatch,
    }]));
    let pins = [
        PinVerdict::NotPinned,
        PinVerdict::Matches,
        PinVerdict::Differs,
    ];
    let mut verdicts = Vec::new();
    for chain in &chains {
        for identity in &identities {
            for dane in &danes {
                for pin in pins {
                    verdicts.push(Verdict {
                        chain: chain.clone(),
                        identity: identity.clone(),
                        dane: dane.clone(),
                        pin,
                    });
                }
            }
        }
    }
    verdicts
}

/// Section 3.1 in other words than the crate's.
pub(crate) fn is_verified(verdict: &Verdict) -> bool {
    let named = verdict.identity == matches();
    let pkix = named && verdict.chain == ChainVerdict::Trusted;
    match &verdict.dane {
        DaneVerdict::Matches {
            usage: CertificateUsage::DaneTa,
            ..
        } => named,
        DaneVerdict::Matches {
            usage: CertificateUsage::DaneEe,
            covers_identity,
        } => named || *covers_identity,
        DaneVerdict::Differs(_) => false,
        _ => pkix,
    }
}
