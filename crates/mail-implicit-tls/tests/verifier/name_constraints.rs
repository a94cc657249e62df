//! Names under the constraints of a path.

use std::sync::Arc;

use mail_implicit_tls::{
    account::HostSource,
    identity::{Disregarded, Rules},
    verdict::{ChainProblem, ChainVerdict, IdentityVerdict, Verdict},
    verifier::{ServerVerifier, Trust},
};
use test_support::pki::{Authority, copy};

use crate::{
    accounts::{account, problems, provider, verifier},
    certificates::{NOW, ROOT, at, common, constrained, issued, named, only, srv},
};

fn disregarded(verdict: &Verdict) -> Vec<Disregarded> {
    match &verdict.identity {
        IdentityVerdict::Differs(mismatch) => mismatch
            .disregarded
            .iter()
            .map(|(_, reason)| *reason)
            .collect(),
        IdentityVerdict::Matches { .. } | IdentityVerdict::NotChecked => Vec::new(),
    }
}

/// webpki applies constraints to dNSName only: a chain with an SRV-ID that violates them is fine to it.
#[test]
fn rejects_srv_ids_that_violate_name_constraints() {
    let verifier = verifier(&account(Rules::Rfc7817, HostSource::SecureSrv));
    let judge = |issuer: &Authority| {
        let certificate = issued(&srv("_imaps.example.org"), issuer);
        verifier.judge(&certificate, &[issuer.certificate()], at(NOW))
    };
    assert!(judge(&ROOT.intermediate("Free", |_| {})).is_verified());
    assert!(judge(&constrained("Ours", "example.org")).is_verified());
    let verdict = judge(&constrained("Other", "example.net"));
    assert_eq!(verdict.chain, ChainVerdict::Trusted);
    assert_eq!(disregarded(&verdict), [Disregarded::NameConstraints]);
    assert!(!verdict.is_verified());
}

#[test]
fn rejects_common_names_that_violate_name_constraints() {
    let verifier = verifier(&account(Rules::Rfc6125, HostSource::User));
    let judge = |issuer: &Authority| {
        let certificate = issued(&common("imap.example.org"), issuer);
        verifier.judge(&certificate, &[issuer.certificate()], at(NOW))
    };
    assert!(judge(&ROOT.intermediate("Free", |_| {})).is_verified());
    assert!(judge(&constrained("Ours", "imap.example.org")).is_verified());
    let verdict = judge(&constrained("Other", "example.net"));
    assert_eq!(verdict.chain, ChainVerdict::Trusted);
    assert_eq!(disregarded(&verdict), [Disregarded::NameConstraints]);
}

/// Constraints of the trust anchor itself count too.
#[test]
fn applies_name_constraints_of_the_trust_anchor() {
    let root = Authority::with("Constrained root", |params| {
        params.name_constraints = only("example.net");
    });
    let trust = Arc::new(Trust::in_certificates([root.certificate()]).unwrap());
    let account = account(Rules::Rfc6125, HostSource::SecureSrv);
    let verifier = ServerVerifier::new(&account, &account.servers()[0], trust, &provider());
    for named in [srv("_imaps.example.org"), common("imap.example.org")] {
        let verdict = verifier.judge(&issued(&named, &root), &[], at(NOW));
        assert_eq!(verdict.chain, ChainVerdict::Trusted);
        assert_eq!(disregarded(&verdict), [Disregarded::NameConstraints]);
    }
    let dns = issued(&named(&["imap.example.org"]), &root);
    let verdict = verifier.judge(&dns, &[], at(NOW));
    assert_eq!(problems(&verdict), [ChainProblem::NameConstraints]);
}

/// Two certificates of one authority, of which one is constrained: the path that permits the name counts, in either
/// order.
#[test]
fn finds_the_path_that_permits_a_name() {
    let free = ROOT.intermediate("Cross", |_| {});
    let narrow = ROOT.intermediate_with_key("Cross", copy(free.key()), |params| {
        params.name_constraints = only("example.net");
    });
    let certificate = issued(&srv("_imaps.example.org"), &free);
    let verifier = verifier(&account(Rules::Rfc7817, HostSource::SecureSrv));
    let (free, narrow) = (free.certificate(), narrow.certificate());
    for others in [[narrow.clone(), free.clone()], [free, narrow]] {
        assert!(verifier.judge(&certificate, &others, at(NOW)).is_verified());
    }
}
