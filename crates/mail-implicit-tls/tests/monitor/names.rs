//! Names and paths of certificates that clients refuse or accept.

use mail_implicit_tls::{
    dns::Dnssec,
    failure::Cause,
    identity::{PresentedIdentity, ReferenceIdentity},
    monitor::{Check, ServerSource, State},
    verdict::{
        CertificateUsage, ChainProblem, ChainVerdict, DaneNotUsed, DaneVerdict, IdentityVerdict,
        Mismatch, Verdict,
    },
};

use crate::facts::{
    DAY, HOST, NOW, certificate, first, fresh, issued, name, observation, of, of_check, only,
    report, verdict,
};

fn refused(verdict: Verdict, source: ServerSource) -> Vec<(Check, State, String)> {
    let mut observation = observation(&fresh());
    observation.servers.first_mut().unwrap().source = source;
    first(&mut observation).client = Err(Cause::NotVerified(Box::new(verdict)));
    let report = report(&observation);
    let findings = report.findings.iter();
    findings
        .filter(|it| matches!(it.check, Check::Chain | Check::Names | Check::Connection))
        .map(|it| (it.check, it.state, it.sentence()))
        .collect()
}

const SECURE: ServerSource = ServerSource::Srv(Dnssec::Secure);

fn without_dane(chain: ChainVerdict) -> Verdict {
    Verdict {
        chain,
        dane: DaneVerdict::NotUsed(DaneNotUsed::NoRecords),
        ..verdict()
    }
}

#[test]
fn says_what_is_wrong_with_the_path() {
    let chain = |problems: &[ChainProblem]| {
        let found = refused(
            without_dane(ChainVerdict::Refused(problems.to_vec())),
            SECURE,
        );
        let (_, state, sentence) = found
            .into_iter()
            .find(|(check, ..)| *check == Check::Chain)
            .unwrap();
        assert_eq!(state, State::Bad);
        sentence
    };
    assert_eq!(
        chain(&[
            ChainProblem::UnknownIssuer,
            ChainProblem::IntermediateMissing
        ]),
        "The certificate is not trusted, the certificate was issued by an unknown authority and the issuer is unknown \
         and the server sends no intermediate certificate: let the server send the certificate of the issuer after its \
         own"
    );
    assert_eq!(
        chain(&[ChainProblem::Revoked]),
        "The certificate is not trusted, the certificate was revoked: replace the certificate and its key"
    );
    assert!(
        chain(&[ChainProblem::SelfSigned])
            .ends_with(": install a certificate for servers, of an authority that clients trust")
    );
}

#[test]
fn says_which_names_are_expected() {
    let mismatch = |expected: &str| {
        let dns = |text: &str| PresentedIdentity::Dns(text.as_bytes().to_vec().into());
        Verdict {
            identity: IdentityVerdict::Differs(Box::new(Mismatch {
                expected: vec![ReferenceIdentity::Dns(name(expected))],
                presented: vec![dns("www.example.org")],
                ..Mismatch::default()
            })),
            ..without_dane(ChainVerdict::Trusted)
        }
    };
    let found = refused(mismatch(HOST), SECURE);
    let names = found.iter().find(|(check, ..)| *check == Check::Names);
    assert_eq!(
        names,
        Some(&(
            Check::Names,
            State::Bad,
            "The names of the certificate do not match, expected DNS-ID imap.example.org but the certificate has DNS-ID \
             www.example.org: install a certificate that has one of the expected names"
                .to_owned()
        ))
    );
    let found = refused(mismatch("example.org"), ServerSource::Srv(Dnssec::Insecure));
    let (_, _, sentence) = found
        .iter()
        .find(|(check, ..)| *check == Check::Names)
        .unwrap();
    assert!(
        sentence.ends_with("or sign the SRV records, so that the host's name counts"),
        "{sentence}"
    );
}

/// Other servers deliver to any certificate, unless TLSA records contradict it.
#[test]
fn refuses_no_certificate_of_a_server_for_inbound_mail_without_dane() {
    let mx = ServerSource::Mx(Dnssec::Secure);
    let chain = ChainVerdict::Refused(vec![ChainProblem::SelfSigned]);
    let states = |verdict| {
        let found = refused(verdict, mx);
        found
            .into_iter()
            .map(|(check, state, _)| (check, state))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        states(without_dane(chain.clone())),
        [
            (Check::Connection, State::Advice),
            (Check::Chain, State::Advice),
            (Check::Names, State::Good)
        ]
    );
    let other_name = Verdict {
        identity: IdentityVerdict::Differs(Box::default()),
        ..without_dane(ChainVerdict::Trusted)
    };
    assert_eq!(
        states(other_name),
        [
            (Check::Connection, State::Advice),
            (Check::Names, State::Advice),
            (Check::Chain, State::Good)
        ]
    );
    let contradicted = Verdict {
        dane: DaneVerdict::Differs(Vec::new()),
        ..without_dane(chain)
    };
    assert_eq!(
        states(contradicted).first(),
        Some(&(Check::Connection, State::Bad))
    );
}

/// Clients without DANE fail where only TLSA records vouch for the server.
#[test]
fn warns_if_dane_alone_vouches_for_the_server() {
    let mut observation = observation(&fresh());
    let tls = first(&mut observation).tls.as_mut().unwrap();
    tls.verdict.chain = ChainVerdict::Refused(vec![ChainProblem::SelfSigned]);
    tls.verdict.dane = DaneVerdict::Matches {
        usage: CertificateUsage::DaneEe,
        covers_identity: false,
    };
    let (state, _, sentence) = only(&report(&observation), Check::Chain);
    assert_eq!(state, State::Warning);
    assert!(
        sentence
            .starts_with("Clients without DANE refuse the server, the certificate is self-signed"),
        "{sentence}"
    );
}

/// No public authority issues SRV-IDs, so that they are shown and not asked for.
#[test]
fn shows_srv_ids_and_does_not_ask_for_them() {
    let plain = report(&observation(&certificate(NOW - DAY, NOW + 89 * DAY)));
    assert_eq!(
        only(&plain, Check::Names),
        (
            State::Good,
            "imaps imap.example.org:993 at 192.0.2.1".to_owned(),
            "The certificate has DNS-ID imap.example.org".to_owned()
        )
    );
    let authority = test_support::pki::Authority::new("Root");
    let srv = test_support::pki::Certificate::server(&[]).srv_ids(&["_imaps.example.org"]);
    let with_srv = of(&srv.issue(&authority));
    assert!(with_srv.has_srv_id());
    assert!(!of(&issued(&[HOST], 0, NOW)).has_srv_id());
    let report = report(&observation(&with_srv));
    assert_eq!(
        of_check(&report, Check::Names)
            .first()
            .map(|it| it.2.as_str()),
        Some("The certificate has DNS-ID imap.example.org, and presents SRV-ID _imaps.example.org")
    );
}
