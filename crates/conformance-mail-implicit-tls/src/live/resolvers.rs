//! The resolvers and lookups against the signed tree.

use std::{net::Ipv4Addr, path::Path, sync::Arc, time::Duration};

use conformance::{
    Live, Scenario,
    outcome::{Checked, Failure, passed, run, same},
};
use mail_implicit_tls::{
    dns::{
        self, Denial, LookupFailure, Question, Record, RecordKind, Resolve,
        anchors::TrustAnchors,
        hickory::HickoryResolver,
        host::{DaneUse, HostFailure, HostLookup, TlsaRecords},
        resolver::{LoopbackResolver, ResolverError, ValidatingResolver},
    },
    name::DomainName,
    privacy::PrivacyLevel,
    service::Service,
    setup::{Candidate, Offer, SetupLookup, Source},
};
use tokio::{net::UdpSocket, time::Instant};

use super::{
    answers::{Given, Right, SECURE, given, name, question, table, the_tlsa},
    tree::{self, MANY, TOO_MANY, Tree},
};

/// The scenarios.
pub(crate) const SCENARIOS: &[Scenario] = &[
    scenario("mail-implicit-tls/dns-validating-resolver", |root| {
        Live::unless(tree::missing(), || run(validating(root)))
    }),
    scenario("mail-implicit-tls/dns-loopback-resolver", |root| {
        Live::unless(tree::missing(), || run(loopback(root)))
    }),
    scenario("mail-implicit-tls/dns-hickory-resolver", |root| {
        Live::unless(tree::missing(), || run(hickory(root)))
    }),
    scenario("mail-implicit-tls/dns-failures", |root| {
        Live::unless(tree::missing(), || run(failures(root)))
    }),
    scenario("mail-implicit-tls/dns-hosts-and-setup", |root| {
        Live::unless(tree::missing(), || run(hosts_and_setup(root)))
    }),
];

const fn scenario(name: &'static str, run: fn(&Path) -> Result<Live, String>) -> Scenario {
    Scenario::with_peer("Knot DNS, unbound", name, run)
}

/// The time for an answer of a server that answers.
const PATIENCE: Duration = Duration::from_secs(10);

/// The time for an answer of a server that does not.
const SILENCE: Duration = Duration::from_secs(2);

/// Asks all questions, and returns those with a wrong answer.
async fn wrong(resolver: &dyn Resolve) -> Vec<(Question, Given)> {
    let mut wrong = Vec::new();
    for (question, right) in table() {
        let given = given(resolver, &question).await;
        if !right.accepts(&given) {
            wrong.push((question, given));
        }
    }
    wrong
}

async fn validating(root: &Path) -> Checked {
    let tree = Tree::start(root, "").await?;
    let anchors = tree.anchors()?;
    for server in [tree.validating, tree.plain] {
        let resolver = ValidatingResolver::new(server, &anchors);
        same("wrong answers", wrong(&resolver).await, Vec::new())?;
        // Again, from the cache of the resolver and of the validator.
        same("wrong answers", wrong(&resolver).await, Vec::new())?;
    }
    // The anchors of another root make no answer secure, and no denial.
    let resolver = ValidatingResolver::new(tree.validating, &TrustAnchors::iana());
    for (question, right) in table() {
        let given = given(&resolver, &question).await;
        if right != Right::Bogus || !matches!(given, Given::Failed(_)) {
            let failed = matches!(given, Given::Failed(LookupFailure::Bogus));
            same(
                &format!("{question} under another root: {given:?}"),
                failed,
                true,
            )?;
        }
    }
    passed(format!(
        "{} answers right through a validating and a plain resolver; none under another root",
        table().len()
    ))
}

async fn loopback(root: &Path) -> Checked {
    let tree = Tree::start(root, "").await?;
    let resolver = LoopbackResolver::new(tree.validating)?;
    same("wrong answers", wrong(&resolver).await, Vec::new())?;
    // A resolver that does not validate never sets AD: each answer is insecure, bogus ones too.
    let resolver = LoopbackResolver::new(tree.plain)?;
    for (question, _) in table() {
        let given = given(&resolver, &question).await;
        let secure = matches!(
            given,
            Given::Records(_, _, SECURE) | Given::Denied(_, SECURE)
        );
        same(&question.to_string(), secure, false)?;
    }
    let elsewhere = (Ipv4Addr::new(192, 0, 2, 1), 53).into();
    match LoopbackResolver::new(elsewhere) {
        Err(ResolverError::NotLoopback(server)) => same("server", server, elsewhere)?,
        other => return Err(Failure::new(format!("{other:?}"))),
    }
    passed(format!(
        "{} answers correctly; AD is trusted on loopback only",
        table().len()
    ))
}

/// The questions that hickory answers wrongly: each with the failure of a bogus answer, though the answer is secure or
/// insecure. An entry that is out of date fails the scenario.
const KNOWN_WRONG: &[(&str, RecordKind)] = &[
    // From a wildcard, in the zone with NSEC.
    ("x.w.good.test", RecordKind::A),
    ("_993._tcp.mailw.good.test", RecordKind::Tlsa),
    ("_993._tcp.mailx.good.test", RecordKind::Tlsa),
    // Through DNAME.
    ("host.dn.good.test", RecordKind::A),
    ("host.dn.n3.test", RecordKind::A),
    ("host.dn.a7.test", RecordKind::A),
];

async fn hickory(root: &Path) -> Checked {
    let tree = Tree::start(root, "").await?;
    let anchors = tree.anchors()?;
    let known: Vec<_> = KNOWN_WRONG
        .iter()
        .map(|(name, kind)| question(name, *kind))
        .collect();
    for server in [tree.validating, tree.plain] {
        let resolver = HickoryResolver::new(server, &anchors)
            .ok_or_else(|| Failure::new("hickory refuses the trust anchor"))?;
        let wrong = wrong(&resolver).await;
        for (question, given) in &wrong {
            let failed = Right::Bogus.accepts(given);
            same(&format!("{question}: {given:?}"), failed, true)?;
        }
        let questions: Vec<_> = wrong.into_iter().map(|(question, _)| question).collect();
        same("wrong answers", &questions, &known)?;
    }
    passed(format!(
        "{} of {} answers right; the others are failures",
        table().len() - known.len(),
        table().len()
    ))
}

async fn failures(root: &Path) -> Checked {
    let tree = Tree::start(root, "").await?;
    let anchors = tree.anchors()?;
    let resolvers_within = |server, time| -> Checked<Vec<(&str, Arc<dyn Resolve>)>> {
        let domain = ValidatingResolver::new(server, &anchors).with_timeout(time);
        let ad = LoopbackResolver::new(server)?.with_timeout(time);
        let hickory = HickoryResolver::new(server, &anchors)
            .ok_or_else(|| Failure::new("hickory refuses the trust anchor"))?
            .with_timeout(time);
        Ok(vec![
            ("domain", Arc::new(domain)),
            ("AD", Arc::new(ad)),
            ("hickory", Arc::new(hickory)),
        ])
    };
    let resolvers = |server| resolvers_within(server, PATIENCE);
    for (what, resolver) in resolvers(tree.validating)? {
        // 100 records come over TCP, since they do not fit into an answer over UDP.
        let many = question("_993._tcp.many.good.test", RecordKind::Tlsa);
        let Given::Records(records, owner, SECURE) = given(&*resolver, &many).await else {
            return Err(Failure::new(format!("{what}: records expected")));
        };
        same(what, (records.len(), owner), (MANY, many.name))?;
        let distinct = |record: &Record| match record {
            Record::Tlsa(tlsa) => tlsa.association.last().copied(),
            _ => None,
        };
        let numbers: Vec<_> = records
            .iter()
            .filter_map(distinct)
            .map(usize::from)
            .collect();
        same(what, numbers, (0..MANY).collect::<Vec<_>>())?;
        let too_many = question("_993._tcp.toomany.good.test", RecordKind::Tlsa);
        let what = format!("{what}: {TOO_MANY} records");
        let expected = Given::Failed(LookupFailure::TooLarge);
        same(&what, given(&*resolver, &too_many).await, expected)?;
    }
    for (what, resolver) in resolvers(tree.validating)? {
        // unbound reports SERVFAIL for a circle; what else is said of it depends on who follows.
        let circle = given(&*resolver, &question("circle1.good.test", RecordKind::A)).await;
        let failures = [LookupFailure::Aliases, LookupFailure::ServerFailure];
        let failed = matches!(circle, Given::Failed(failure) if failures.contains(&failure));
        same(&format!("{what}: circle: {circle:?}"), failed, true)?;
        let nine = given(&*resolver, &question("nine.good.test", RecordKind::A)).await;
        same(
            &format!("{what}: 9 aliases"),
            nine,
            Given::Failed(LookupFailure::Aliases),
        )?;
        let eight = given(&*resolver, &question("eight.good.test", RecordKind::A)).await;
        let address = Record::Address(Ipv4Addr::new(127, 0, 0, 10).into());
        let right = Given::Records(vec![address], name("mail.good.test"), SECURE);
        same(&format!("{what}: 8 aliases"), eight, right)?;
        let refused = question("imap.refused", RecordKind::A);
        let expected = Given::Failed(LookupFailure::Refused);
        same(
            &format!("{what}: refused"),
            given(&*resolver, &refused).await,
            expected,
        )?;
    }
    // A server that is silent, and one that is not there.
    let silent = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let begin = Instant::now();
    let asked = question("mail.good.test", RecordKind::A);
    let mut waiting = Vec::new();
    for (what, resolver) in resolvers_within(silent.local_addr()?, SILENCE)? {
        let asked = asked.clone();
        waiting.push((
            what,
            tokio::spawn(async move { given(&*resolver, &asked).await }),
        ));
    }
    for (what, answer) in waiting {
        let what = format!("{what}: silence");
        same(&what, answer.await?, Given::Failed(LookupFailure::Timeout))?;
    }
    let time = begin.elapsed();
    same(&format!("{time:?} of silence"), time < SILENCE * 2, true)?;
    let gone = silent.local_addr()?;
    drop(silent);
    for (what, resolver) in resolvers_within(gone, SILENCE)? {
        // The crates ask again, and some report only that the time is over.
        let answer = given(&*resolver, &asked).await;
        let failures = [LookupFailure::Unreachable, LookupFailure::Timeout];
        let failed = matches!(answer, Given::Failed(failure) if failures.contains(&failure));
        same(&format!("{what}: closed port: {answer:?}"), failed, true)?;
    }
    passed(
        "100 records over TCP, 129 refused; circles, 9 aliases, REFUSED, silence and a closed port are failures",
    )
}

async fn hosts_and_setup(root: &Path) -> Checked {
    let tree = Tree::start(root, "").await?;
    let resolver = ValidatingResolver::new(tree.plain, &tree.anchors()?);
    let host = |text: &str| DomainName::parse(text);
    let records = |base: &str| -> Checked<TlsaRecords> {
        Ok(TlsaRecords::Records {
            base: host(base)?,
            records: vec![the_tlsa()],
        })
    };
    for (asked, port, address, tlsa) in [
        ("mail.good.test", 993, 10, records("mail.good.test")?),
        ("mail.n3.test", 993, 10, records("mail.n3.test")?),
        ("mail.good.test", 995, 10, TlsaRecords::None),
        // A secure alias of a secure host: the target is the base domain.
        ("alias.good.test", 993, 10, records("mail.good.test")?),
        // A secure alias of an insecure host: only records at the alias would count.
        ("out.good.test", 993, 12, TlsaRecords::None),
        // An insecure alias of a secure host.
        ("tosec.plain.test", 993, 10, TlsaRecords::AddressInsecure),
        ("host.plain.test", 993, 12, TlsaRecords::AddressInsecure),
        // A wildcard's records, and a wildcard's alias of records.
        ("mailw.good.test", 993, 14, records("mailw.good.test")?),
        ("mailx.n3.test", 993, 15, records("mailx.n3.test")?),
    ] {
        let lookup = HostLookup::new(host(asked)?, port, DaneUse::Lookup);
        let found = dns::run(&resolver, lookup).await;
        let found = found.map_err(|failure| Failure::new(format!("{asked}: {failure}")))?;
        let address = Ipv4Addr::new(127, 0, 0, address).into();
        same(asked, (found.addresses, found.tlsa), (vec![address], tlsa))?;
        same(asked, found.failed_family, None)?;
    }
    for (asked, failure) in [
        ("mail.bad.test", HostFailure::Address(LookupFailure::Bogus)),
        (
            "mail.expired.test",
            HostFailure::Address(LookupFailure::Bogus),
        ),
        ("nothing.good.test", HostFailure::NoAddress),
        (
            "nine.good.test",
            HostFailure::Address(LookupFailure::Aliases),
        ),
    ] {
        let lookup = HostLookup::new(host(asked)?, 993, DaneUse::Lookup);
        same(asked, dns::run(&resolver, lookup).await, Err(failure))?;
    }
    let setup = async |domain: &str| -> Checked<_> {
        let lookup = SetupLookup::new(host(domain)?, PrivacyLevel::High, 1);
        Ok(dns::run(&resolver, lookup).await)
    };
    let offered = |domain: &str, service, target: &str, port, source| -> Checked<_> {
        Ok(Candidate::new(
            service,
            host(target)?,
            port,
            host(domain)?,
            source,
        ))
    };
    let candidates = |candidates| Offer::Candidates {
        candidates,
        clear: Vec::new(),
        refused: Vec::new(),
    };
    for domain in ["good.test", "n3.test", "a7.test"] {
        let offers = setup(domain).await?;
        let source = Source::Srv(SECURE);
        let [mail, alias] = ["mail", "alias"].map(|label| format!("{label}.{domain}"));
        let imap = vec![offered(domain, Service::IMAPS, &mail, 993, source)?];
        same(domain, offers.imap, candidates(imap))?;
        same(domain, offers.pop, Offer::Unavailable(SECURE))?;
        let submission = vec![
            offered(domain, Service::SUBMISSIONS, &alias, 465, source)?,
            offered(domain, Service::SUBMISSIONS, &mail, 465, source)?,
        ];
        same(domain, offers.submission, candidates(submission))?;
    }
    // Records reached through aliases: secure, and into a zone that is not signed.
    let insecure = Source::Srv(dns::Dnssec::Insecure);
    for (domain, target, source) in [
        ("sub.good.test", "mail.good.test", Source::Srv(SECURE)),
        ("ext.good.test", "host.plain.test", insecure),
        ("plain.test", "host.plain.test", insecure),
    ] {
        let offers = setup(domain).await?;
        let imap = vec![offered(domain, Service::IMAPS, target, 993, source)?];
        same(domain, offers.imap, candidates(imap))?;
        let state = if domain == "plain.test" {
            dns::Dnssec::Insecure
        } else {
            SECURE
        };
        same(domain, offers.pop, Offer::NotAdvertised(state))?;
    }
    for domain in ["bad.test", "expired.test"] {
        let offers = setup(domain).await?;
        for (offer, service) in [
            (offers.imap, Service::IMAPS),
            (offers.pop, Service::POP3S),
            (offers.submission, Service::SUBMISSIONS),
        ] {
            let failure = LookupFailure::Bogus;
            same(domain, offer, Offer::Failed { service, failure })?;
        }
    }
    let denied = Given::Denied(Denial::NoName, SECURE);
    let asked = question("nothing.good.test", RecordKind::A);
    same("nothing", given(&resolver, &asked).await, denied)?;
    passed(
        "base domains reached through aliases and wildcards; offers secure, insecure, unavailable; bogus is no offer",
    )
}
