//! The ends of attempts to connect, and the verdicts in them.

use conformance::outcome::{Checked, Failure, same};
use mail_implicit_tls::{
    account::{Account, AccountId, AccountSetup, Host, Server},
    client::Connector,
    dane::DaneRules,
    failure::Cause,
    identity::{PresentedIdentity, ReferenceIdentity},
    name::DomainName,
    privacy::PrivacyLevel,
    service::Service,
    verdict::{
        CertificateUsage, ChainProblem, ChainVerdict, DaneVerdict, IdentityVerdict, Mismatch,
        PinVerdict, RecordFinding, RecordProblem, Verdict,
    },
};
use tokio::io::AsyncWriteExt;

/// The end of an attempt to connect: the verdict about a server that was accepted, or the cause of the failure.
pub(super) type End = Result<Verdict, Cause>;

pub(super) async fn end(connector: &Connector, account: &Account, server: &Server) -> Checked<End> {
    match connector.connect(account, server).await {
        Err(failure) => Ok(Err(sorted(failure.cause().clone()))),
        Ok(connection) => {
            let level = connection.indication().level();
            same("level", level, Some(PrivacyLevel::High))?;
            let verdict = connection.verdict().cloned();
            let verdict = verdict.ok_or_else(|| Failure::new("no verdict"))?;
            connection.into_stream().shutdown().await?;
            Ok(Ok(verdict))
        }
    }
}

/// Sorts the findings about records by their numbers: servers send records in any order.
pub(super) fn sorted(cause: Cause) -> Cause {
    let Cause::NotVerified(mut verdict) = cause else {
        return cause;
    };
    if let DaneVerdict::Differs(findings) = &mut verdict.dane {
        findings.sort_by_key(|it| (it.usage, it.selector, it.matching_type));
    }
    Cause::NotVerified(verdict)
}

pub(super) fn account(domain: Option<&str>, server: &Server) -> Checked<Account> {
    let mut setup = AccountSetup::new(AccountId::try_new("alice")?)
        .server(server.clone())
        .dane(true);
    if let Some(domain) = domain {
        setup = setup.domain(DomainName::parse(domain)?);
    }
    Ok(setup.build()?)
}

pub(super) fn imaps(host: &str, port: u16) -> Checked<Server> {
    Ok(Server::new(Service::IMAPS, Host::parse(host)?).with_port(port))
}

pub(super) fn dns_id(name: &str) -> Checked<ReferenceIdentity> {
    Ok(ReferenceIdentity::Dns(DomainName::parse(name)?))
}

pub(super) fn presented(name: &str) -> PresentedIdentity<'static> {
    PresentedIdentity::Dns(name.as_bytes().to_vec().into())
}

pub(super) fn matching(name: &str) -> Checked<IdentityVerdict> {
    Ok(IdentityVerdict::Matches {
        reference: dns_id(name)?,
        presented: presented(name),
    })
}

pub(super) fn differing(expected: &[&str], found: &str) -> Checked<IdentityVerdict> {
    let expected: Checked<Vec<_>> = expected.iter().map(|name| dns_id(name)).collect();
    Ok(IdentityVerdict::Differs(Box::new(Mismatch {
        expected: expected?,
        presented: vec![presented(found)],
        ..Mismatch::default()
    })))
}

pub(super) fn matches(usage: CertificateUsage, rules: DaneRules) -> DaneVerdict {
    DaneVerdict::Matches {
        usage,
        covers_identity: usage == CertificateUsage::DaneEe && rules == DaneRules::Rfc7671,
    }
}

pub(super) fn finding(numbers: [u8; 3], problem: RecordProblem) -> RecordFinding {
    let [usage, selector, matching_type] = numbers;
    RecordFinding {
        usage,
        selector,
        matching_type,
        problem,
    }
}

pub(super) fn differs(numbers: [u8; 3], problem: RecordProblem) -> DaneVerdict {
    DaneVerdict::Differs(vec![finding(numbers, problem)])
}

pub(super) fn verdict(
    chain: ChainVerdict,
    identity: IdentityVerdict,
    dane: DaneVerdict,
) -> Verdict {
    Verdict {
        chain,
        identity,
        dane,
        pin: PinVerdict::NotPinned,
    }
}

pub(super) const TRUSTED: ChainVerdict = ChainVerdict::Trusted;

pub(super) fn refused(problems: &[ChainProblem]) -> ChainVerdict {
    ChainVerdict::Refused(problems.to_vec())
}

/// The end of an attempt to connect to a server that is not accepted.
pub(super) fn not_verified(verdict: Verdict) -> End {
    Err(Cause::NotVerified(Box::new(verdict)))
}

/// Returns the end of a connection to a host whose name matches, and whose verdict is accepted.
pub(super) fn accepted(chain: ChainVerdict, host: &str, dane: DaneVerdict) -> Checked<End> {
    Ok(Ok(verdict(chain, matching(host)?, dane)))
}

/// Returns the end of a connection to a host whose name matches, and whose verdict is not accepted.
pub(super) fn rejected(chain: ChainVerdict, host: &str, dane: DaneVerdict) -> Checked<End> {
    Ok(not_verified(verdict(chain, matching(host)?, dane)))
}

pub(super) const BOTH: [DaneRules; 2] = [DaneRules::Rfc6698, DaneRules::Rfc7671];
