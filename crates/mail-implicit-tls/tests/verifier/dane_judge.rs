//! The place of DANE's judge in the verdict.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use mail_implicit_tls::{
    identity::ReferenceIdentity,
    name::DomainName,
    verdict::{CertificateUsage, ChainProblem, ChainVerdict, DaneNotUsed, DaneVerdict, Verdict},
    verifier::{DaneJudge, DaneJudgement, ServerCertificates, server_name, verdict_of},
};
use rustls::{client::danger::ServerCertVerifier, pki_types::CertificateDer};
use test_support::pki::Authority;

use crate::{
    accounts::{imaps, problems, typed},
    certificates::{NOW, ROOT, at, issued, named},
    handshakes::{bridge, config, good_server, handshake, server},
};

#[derive(Debug)]
struct Dane(DaneVerdict);

impl DaneJudge for Dane {
    fn judge(&self, _: &ServerCertificates<'_>, _: &Verdict) -> DaneJudgement {
        self.0.clone().into()
    }
}

/// DANE's verdict falls within the handshake, in both directions.
#[test]
fn asks_dane_within_the_handshake() {
    let strange = server(&bridge());
    let by = |verdict| config(Arc::new(typed().with_dane(Arc::new(Dane(verdict)))));
    let without = config(Arc::new(typed()));
    assert!(handshake(&without, &strange).is_err());
    let matches = DaneVerdict::Matches {
        usage: CertificateUsage::DaneEe,
        covers_identity: true,
    };
    assert!(handshake(&by(matches), &strange).is_ok());
    let good = good_server();
    let error = handshake(&by(DaneVerdict::Differs(Vec::new())), &good).unwrap_err();
    let verdict = verdict_of(&error).unwrap();
    assert_eq!(verdict.chain, ChainVerdict::Trusted);
    assert_eq!(verdict.dane, DaneVerdict::Differs(Vec::new()));
    assert!(handshake(&without, &good).is_ok());
}

/// Counts how often it is asked.
#[derive(Debug, Default)]
struct Counting(AtomicUsize);

impl Counting {
    fn asked(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl DaneJudge for Counting {
    fn judge(&self, _: &ServerCertificates<'_>, _: &Verdict) -> DaneJudgement {
        self.0.fetch_add(1, Ordering::Relaxed);
        DaneVerdict::NotUsed(DaneNotUsed::NoRecords).into()
    }
}

/// A connection asks for the verdict after its handshake. It is computed again if anything that it depends on is another.
#[test]
fn judges_once_for_the_handshake_and_the_connection() {
    let [good, other] = [(), ()].map(|()| issued(&named(&["imap.example.org"]), &ROOT));
    let root = [ROOT.certificate()];
    let judge = Arc::new(Counting::default());
    let verifier = typed().with_dane(judge.clone());
    let name = server_name(&imaps()).unwrap();
    let shaken = verifier.verify_server_cert(&good, &[], &name, &[], at(NOW));
    assert!(shaken.is_ok());
    let verdict = verifier.judge(&good, &[], at(NOW));
    assert!(verdict.is_verified());
    assert_eq!(judge.asked(), 1);
    let old = at(NOW + 3_000 * 31_556_952);
    for (certificate, others, now, accepted) in [
        (&other, &[][..], at(NOW), true),
        (&good, &root, at(NOW), true),
        (&good, &[], at(NOW + 1), true),
        (&good, &[], old, false),
    ] {
        let before = judge.asked();
        let again = verifier.judge(certificate, others, now);
        assert_eq!(judge.asked(), before + 1);
        assert_eq!(again.is_verified(), accepted);
    }
    // The verdict of one verifier is not another's.
    let records = Arc::new(Counting::default());
    let other_records = verifier.with_dane(records.clone());
    assert_eq!(other_records.judge(&good, &[], at(NOW)), verdict);
    assert_eq!(records.asked(), 1);
}

/// Verifies under a private authority, which PKIX does not know.
#[derive(Debug)]
struct Private(CertificateDer<'static>, Vec<ReferenceIdentity>);

impl DaneJudge for Private {
    fn judge(&self, server: &ServerCertificates<'_>, pkix: &Verdict) -> DaneJudgement {
        assert_eq!(problems(pkix), [ChainProblem::UnknownIssuer]);
        assert_eq!(server.pkix_path(), None);
        let mut trust = rustls::RootCertStore::empty();
        trust.add(self.0.clone()).unwrap();
        let (chain, identity) = server.verify_under(&trust.roots, &self.1);
        assert_eq!(chain, ChainVerdict::Trusted);
        assert_eq!(server.names_match(&self.1), identity);
        let usage = CertificateUsage::DaneTa;
        let verdict = DaneVerdict::Matches {
            usage,
            covers_identity: false,
        };
        DaneJudgement {
            verdict,
            identity: Some(identity),
        }
    }
}

#[test]
fn verifies_under_anchors_of_dane_with_further_names() {
    let private = Authority::new("Private");
    let certificate = issued(&named(&["target.example.org"]), &private);
    let others = [private.certificate()];
    let verifier = typed();
    let also = |names: Vec<ReferenceIdentity>| {
        let judge = Private(private.certificate(), names);
        let verifier = verifier.with_dane(Arc::new(judge));
        verifier.judge(&certificate, &others, at(NOW)).is_verified()
    };
    let base = DomainName::parse("target.example.org").unwrap();
    assert!(!also(Vec::new()));
    assert!(also(vec![ReferenceIdentity::Dns(base)]));
}

#[derive(Debug)]
struct Path(Vec<CertificateDer<'static>>);

impl DaneJudge for Path {
    fn judge(&self, server: &ServerCertificates<'_>, _: &Verdict) -> DaneJudgement {
        let path = server.pkix_path().unwrap();
        let path: Vec<_> = path
            .intermediates
            .into_iter()
            .chain(path.anchor_certificates)
            .collect();
        assert_eq!(path, self.0);
        DaneVerdict::default().into()
    }
}

#[test]
fn gives_dane_the_path_that_pkix_verified() {
    let middle = ROOT.intermediate("Intermediate", |_| {});
    let unused = ROOT.intermediate("Unused", |_| {});
    let certificate = issued(&named(&["imap.example.org"]), &middle);
    let path = vec![middle.certificate(), ROOT.certificate()];
    let verifier = typed().with_dane(Arc::new(Path(path)));
    let others = [unused.certificate(), middle.certificate()];
    assert!(verifier.judge(&certificate, &others, at(NOW)).is_verified());
}
