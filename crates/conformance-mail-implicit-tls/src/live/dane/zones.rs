//! Hosts by the security of their zones and aliases, and the hosts that SRV records name.

use std::{fmt::Write as _, path::Path, sync::Arc};

use conformance::outcome::{Checked, Failure, passed, same};
use mail_implicit_tls::{
    account::HostSource,
    dane::DaneRules,
    dns::{
        self, LookupFailure, Resolve,
        anchors::TrustAnchors,
        hickory::HickoryResolver,
        host::HostFailure,
        resolver::{LoopbackResolver, ValidatingResolver},
    },
    failure::Cause,
    identity::ReferenceIdentity,
    name::DomainName,
    privacy::PrivacyLevel,
    service::Service,
    setup::{Offer, SetupLookup},
    verdict::{
        CertificateUsage, ChainProblem, DaneNotUsed, DaneVerdict, IdentityVerdict, Mismatch,
        RecordProblem,
    },
};
use test_support::pki::Certificate;

use super::{
    super::tree::Tree,
    certificates::{Authorities, Chains, Shows, WRONG, show, tlsa},
    ends::{
        BOTH, End, TRUSTED, accepted, account, differs, dns_id, end, imaps, matches, matching,
        not_verified, presented, refused, verdict,
    },
    imap::Imap,
};

/// A host of one of the zones, and how the client's attempt ends there.
pub(super) struct Attempt {
    pub(super) host: String,
    pub(super) right: End,
}

pub(super) async fn zones(root: &Path) -> Checked {
    let imap = Imap::listen().await?;
    let port = imap.port;
    let authorities = Authorities::new();
    let mut chains = Chains::default();
    let (mut good, mut plain) = (String::new(), String::new());
    let unknown = || refused(&[ChainProblem::UnknownIssuer]);
    let ee = |host: &str| -> Checked<End> {
        let dane = matches(CertificateUsage::DaneEe, DaneRules::Rfc6698);
        accepted(unknown(), host, dane)
    };
    let pkix = |host: &str, reason| -> Checked<End> {
        let dane = DaneVerdict::NotUsed(reason);
        accepted(TRUSTED, host, dane)
    };
    let failed = |failure| Err(Cause::Lookup(failure));
    let mut attempts = Vec::new();
    let mut attempt = |host: &str, right| {
        let host = host.to_owned();
        attempts.push(Attempt { host, right });
    };

    // A chain of aliases, all secure: the last name is the base, the name in SNI and the name of the certificate.
    let shown = show(&authorities, &mut chains, "three.good.test", Shows::Private)?;
    writeln!(good, "one CNAME two\ntwo CNAME three\nthree A 127.0.0.1")?;
    writeln!(
        good,
        "_{port}._tcp.three TLSA {}",
        tlsa(&shown.own, 3, 1, 1)
    )?;
    writeln!(good, "_{port}._tcp.one TLSA 3 1 1 {WRONG}")?;
    attempt("one.good.test", {
        let dane = matches(CertificateUsage::DaneEe, DaneRules::Rfc6698);
        Ok(verdict(unknown(), matching("three.good.test")?, dane))
    });
    // Records at the alias alone.
    let shown = show(&authorities, &mut chains, "late.good.test", Shows::Private)?;
    writeln!(good, "late CNAME bare\nbare A 127.0.0.1")?;
    writeln!(good, "_{port}._tcp.late TLSA {}", tlsa(&shown.own, 3, 1, 1))?;
    attempt("late.good.test", ee("late.good.test")?);
    // A secure alias of a host that is not signed: the records at the alias count.
    let shown = show(
        &authorities,
        &mut chains,
        "out-with.good.test",
        Shows::Private,
    )?;
    writeln!(good, "out-with CNAME dane.plain.test.")?;
    writeln!(
        good,
        "_{port}._tcp.out-with TLSA {}",
        tlsa(&shown.own, 3, 1, 1)
    )?;
    attempt("out-with.good.test", ee("out-with.good.test")?);
    show(
        &authorities,
        &mut chains,
        "out-without.good.test",
        Shows::Good,
    )?;
    writeln!(good, "out-without CNAME dane.plain.test.")?;
    let right = pkix("out-without.good.test", DaneNotUsed::NoRecords)?;
    attempt("out-without.good.test", right);
    // Hosts that are not signed: records that contradict the certificate are not asked for.
    show(&authorities, &mut chains, "dane.plain.test", Shows::Good)?;
    writeln!(
        plain,
        "dane A 127.0.0.1\n_{port}._tcp.dane TLSA 3 1 1 {WRONG}"
    )?;
    attempt(
        "dane.plain.test",
        pkix("dane.plain.test", DaneNotUsed::AddressInsecure)?,
    );
    show(&authorities, &mut chains, "in.plain.test", Shows::Good)?;
    writeln!(plain, "in CNAME three.good.test.")?;
    attempt(
        "in.plain.test",
        pkix("in.plain.test", DaneNotUsed::AddressInsecure)?,
    );
    // Records reached through an alias: secure, not signed, bogus, too many.
    let shown = show(
        &authorities,
        &mut chains,
        "shared.good.test",
        Shows::Private,
    )?;
    writeln!(
        good,
        "shared A 127.0.0.1\n_{port}._tcp.shared CNAME _shared"
    )?;
    writeln!(good, "_shared TLSA {}", tlsa(&shown.own, 3, 0, 1))?;
    attempt("shared.good.test", ee("shared.good.test")?);
    show(&authorities, &mut chains, "unsigned.good.test", Shows::Good)?;
    writeln!(
        good,
        "unsigned A 127.0.0.1\n_{port}._tcp.unsigned CNAME _{port}._tcp.dane.plain.test."
    )?;
    let right = pkix("unsigned.good.test", DaneNotUsed::RecordsInsecure)?;
    attempt("unsigned.good.test", right);
    let bogus = "_993._tcp.mail.bad.test.";
    writeln!(good, "bogus A 127.0.0.1\n_{port}._tcp.bogus CNAME {bogus}")?;
    attempt(
        "bogus.good.test",
        failed(HostFailure::Tlsa(LookupFailure::Bogus)),
    );
    let old = "_993._tcp.mail.expired.test.";
    writeln!(good, "old A 127.0.0.1\n_{port}._tcp.old CNAME {old}")?;
    attempt(
        "old.good.test",
        failed(HostFailure::Tlsa(LookupFailure::Bogus)),
    );
    let many = "_993._tcp.toomany";
    writeln!(
        good,
        "many-more A 127.0.0.1\n_{port}._tcp.many-more CNAME {many}"
    )?;
    attempt(
        "many-more.good.test",
        failed(HostFailure::Tlsa(LookupFailure::TooLarge)),
    );
    // Hosts that are bogus, without an address, or reached through too many aliases.
    attempt(
        "mail.bad.test",
        failed(HostFailure::Address(LookupFailure::Bogus)),
    );
    attempt(
        "mail.expired.test",
        failed(HostFailure::Address(LookupFailure::Bogus)),
    );
    attempt("nothing.good.test", failed(HostFailure::NoAddress));
    attempt(
        "nine.good.test",
        failed(HostFailure::Address(LookupFailure::Aliases)),
    );

    let tree = Tree::start_with(root, &[("good.test", &good), ("plain.test", &plain)]).await?;
    let _serving = imap.serve(chains)?;
    let anchors = tree.anchors()?;
    let hickory = HickoryResolver::new(tree.plain, &anchors)
        .ok_or_else(|| Failure::new("hickory refuses the trust anchor"))?;
    let resolvers: [(&str, Arc<dyn Resolve>); 4] = [
        (
            "domain",
            Arc::new(ValidatingResolver::new(tree.plain, &anchors)),
        ),
        (
            "domain with a validator",
            Arc::new(ValidatingResolver::new(tree.validating, &anchors)),
        ),
        ("AD", Arc::new(LoopbackResolver::new(tree.validating)?)),
        ("hickory", Arc::new(hickory)),
    ];
    for (what, resolver) in resolvers {
        let connector = authorities.connector(resolver, DaneRules::Rfc6698)?;
        for Attempt { host, right } in &attempts {
            let server = imaps(host, port)?;
            let end = end(&connector, &account(None, &server)?, &server).await?;
            // A validator's refusal reaches its clients as a server failure.
            let end = end.map_err(|cause| match cause {
                Cause::Lookup(HostFailure::Address(LookupFailure::ServerFailure)) => {
                    Cause::Lookup(HostFailure::Address(LookupFailure::Bogus))
                }
                Cause::Lookup(HostFailure::Tlsa(LookupFailure::ServerFailure)) => {
                    Cause::Lookup(HostFailure::Tlsa(LookupFailure::Bogus))
                }
                cause => cause,
            });
            same(&format!("{host} by {what}"), end, right.clone())?;
        }
    }
    // Without a validator no address is secure, so that PKIX decides alone; under another root nothing is found.
    let unsigned: Arc<dyn Resolve> = Arc::new(LoopbackResolver::new(tree.plain)?);
    let connector = authorities.connector(unsigned, DaneRules::Rfc6698)?;
    let server = imaps("unsigned.good.test", port)?;
    let right = pkix("unsigned.good.test", DaneNotUsed::AddressInsecure)?;
    let found = end(&connector, &account(None, &server)?, &server).await?;
    same("without a validator", found, right)?;
    let other = ValidatingResolver::new(tree.plain, &TrustAnchors::iana());
    let connector = authorities.connector(Arc::new(other), DaneRules::Rfc6698)?;
    let found = end(&connector, &account(None, &server)?, &server).await?;
    let right: End = failed(HostFailure::Address(LookupFailure::Bogus));
    same("under another root", found, right)?;
    passed(format!(
        "{} hosts, by four resolvers: secure, insecure and bogus addresses, aliases and records",
        attempts.len()
    ))
}

pub(super) async fn behind_srv(root: &Path) -> Checked {
    let imap = Imap::listen().await?;
    let port = imap.port;
    let authorities = Authorities::new();
    let mut chains = Chains::default();
    let (mut good, mut plain) = (String::new(), String::new());
    let shown = show(
        &authorities,
        &mut chains,
        "target.good.test",
        Shows::Private,
    )?;
    writeln!(
        good,
        "target A 127.0.0.1\n_{port}._tcp.target TLSA {}",
        tlsa(&shown.own, 3, 1, 1)
    )?;
    show(&authorities, &mut chains, "other.good.test", Shows::Good)?;
    writeln!(
        good,
        "other A 127.0.0.1\n_{port}._tcp.other TLSA 3 1 1 {WRONG}"
    )?;
    show(
        &authorities,
        &mut chains,
        "host-of-corp.plain.test",
        Shows::Good,
    )?;
    writeln!(plain, "host-of-corp A 127.0.0.1")?;
    // A host that has a certificate of the mail domain, not of its own.
    let own = Certificate::server(&["own.plain.test"]).issue(&authorities.issuer);
    chains.add("shop.good.test", &own, Some(&authorities.issuer))?;
    writeln!(
        good,
        "shop A 127.0.0.1\n_{port}._tcp.shop TLSA 3 1 1 {WRONG}"
    )?;
    let srv = |zone: &mut String, domain: &str, target: &str| {
        writeln!(zone, "_imaps._tcp.{domain} SRV 0 1 {port} {target}.")
    };
    srv(&mut good, "corp", "target.good.test")?;
    // Records at the source domain do not count (RFC 7673 section 3.3).
    writeln!(good, "_{port}._tcp.corp TLSA 3 1 1 {WRONG}")?;
    srv(&mut good, "wrong", "other.good.test")?;
    srv(&mut good, "unsigned", "host-of-corp.plain.test")?;
    srv(&mut plain, "corp", "target.good.test")?;
    srv(&mut plain, "own", "shop.good.test")?;
    let tree = Tree::start_with(root, &[("good.test", &good), ("plain.test", &plain)]).await?;
    let _serving = imap.serve(chains)?;
    let resolver: Arc<dyn Resolve> =
        Arc::new(ValidatingResolver::new(tree.plain, &tree.anchors()?));

    let unknown = || refused(&[ChainProblem::UnknownIssuer]);
    let expected = |target: Option<&str>, domain: &str| -> Checked<Vec<ReferenceIdentity>> {
        let mut expected = Vec::new();
        if let Some(target) = target {
            expected.push(dns_id(target)?);
        }
        let domain_name = DomainName::parse(domain)?;
        expected.push(ReferenceIdentity::Srv(Service::IMAPS, domain_name));
        expected.push(dns_id(domain)?);
        Ok(expected)
    };
    for rules in BOTH {
        let dane_ee = || matches(CertificateUsage::DaneEe, rules);
        let foreign = IdentityVerdict::Differs(Box::new(Mismatch {
            expected: expected(None, "corp.plain.test")?,
            presented: vec![presented("target.good.test")],
            ..Mismatch::default()
        }));
        let insecure = || DaneVerdict::NotUsed(DaneNotUsed::SrvInsecure);
        let wrong = differs([3, 1, 1], RecordProblem::NoMatch);
        let unused = DaneVerdict::NotUsed(DaneNotUsed::AddressInsecure);
        let rows = [
            // Secure: the target is the base domain and an expected name.
            (
                "corp.good.test",
                HostSource::SecureSrv,
                Ok(verdict(unknown(), matching("target.good.test")?, dane_ee())),
            ),
            (
                "wrong.good.test",
                HostSource::SecureSrv,
                not_verified(verdict(TRUSTED, matching("other.good.test")?, wrong)),
            ),
            (
                "unsigned.good.test",
                HostSource::SecureSrv,
                Ok(verdict(
                    TRUSTED,
                    matching("host-of-corp.plain.test")?,
                    unused,
                )),
            ),
            // Insecure: the target's records match and do not count, whatever they are.
            (
                "corp.plain.test",
                HostSource::InsecureSrv,
                not_verified(verdict(unknown(), foreign, insecure())),
            ),
            (
                "own.plain.test",
                HostSource::InsecureSrv,
                Ok(verdict(TRUSTED, matching("own.plain.test")?, insecure())),
            ),
            // The user confirmed the host, which counts as one that the user typed.
            (
                "corp.plain.test",
                HostSource::ConfirmedSrv,
                Ok(verdict(unknown(), matching("target.good.test")?, dane_ee())),
            ),
        ];
        for (domain, source, right) in rows {
            let lookup = SetupLookup::new(DomainName::parse(domain)?, PrivacyLevel::High, 1);
            let offer = dns::run(&*resolver, lookup).await.imap;
            let Offer::Candidates { candidates, .. } = &offer else {
                return Err(Failure::new(format!("{domain}: {offer:?}")));
            };
            let [candidate] = candidates.as_slice() else {
                return Err(Failure::new(format!("{domain}: {offer:?}")));
            };
            let candidate = match source {
                HostSource::ConfirmedSrv => candidate.clone().confirmed_by_user(),
                _ => candidate.clone(),
            };
            let server = candidate.to_server();
            same(domain, (server.source, server.port), (source, port))?;
            let connector = authorities.connector(resolver.clone(), rules)?;
            let account = account(Some(domain), &server)?;
            let end = end(&connector, &account, &server).await?;
            same(&format!("{domain} {source:?} {rules:?}"), end, right)?;
        }
    }
    // No host is guessed where the SRV records are bogus.
    let lookup = SetupLookup::new(DomainName::parse("bad.test")?, PrivacyLevel::High, 1);
    let offer = dns::run(&*resolver, lookup).await.imap;
    let (service, failure) = (Service::IMAPS, LookupFailure::Bogus);
    same("bad.test", offer, Offer::Failed { service, failure })?;
    passed(
        "targets of secure SRV records with DANE; those of insecure ones without it until the user confirms; bogus ones not",
    )
}
