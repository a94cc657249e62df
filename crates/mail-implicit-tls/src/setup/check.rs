//! Feature `client`: checks of candidates by connections, before they are offered to the user.
//!
//! A name server that answers for every name, a record that is out of date or a server with a certificate of another
//! host would otherwise become a configuration that fails later, with an error about a host that the user never typed.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::{
    io::AsyncWriteExt,
    time::{Instant, timeout, timeout_at},
};

use super::{Candidate, Offer, Offers, SetupLookup};
use crate::{
    account::{Account, AccountError, AccountSetup},
    client::{Connection, Connector, after},
    dialogue::Capabilities,
    dns::{Lookup, Next, Resolve, host::HostFailure},
    failure::{Cause, Failure},
    privacy::{Indication, ProtocolVersion},
    service::{Protocol, Security, Service},
    verdict::Verdict,
};

/// The time that the lookup, and the check, may take each, for all servers together.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// The greatest number of candidates of one protocol that are checked. Each costs a connection to a host that the mail
/// domain chooses.
pub const MAX_CHECKED: usize = 8;

/// The time for the close alert of TLS after a check.
const CLOSE: Duration = Duration::from_secs(1);

/// A candidate and the result of its check.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The candidate.
    pub candidate: Candidate,
    /// The result.
    pub outcome: Outcome,
}

/// The result of the check of a candidate.
#[derive(Clone, Debug)]
#[non_exhaustive]
#[must_use]
pub enum Outcome {
    /// The connection reached the point where the client may log in. With TLS, the server is verified.
    Ready(Box<Facts>),
    /// The connection failed.
    Failed(Box<Failure>),
    /// No connection was made.
    NotChecked(NotChecked),
}

/// The reason why no connection to a candidate was made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotChecked {
    /// There are more than [`MAX_CHECKED`] candidates before it.
    Limit,
    /// The candidate is in clear text, and the account does not permit that.
    NotPermitted,
    /// The candidate is in clear text, and the domain advertises servers with TLS (section 8).
    TlsIsAdvertised,
    /// The candidate is in clear text, and the certificate of a server was not verified: an attacker could cause that
    /// failure (section 3.3).
    NotVerified,
    /// The candidate is in clear text, and it is not known that the server lacks TLS.
    TlsNotRefused,
    /// The candidate makes no valid account.
    Account(AccountError),
}

impl std::fmt::Display for NotChecked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Limit => write!(f, "more than {MAX_CHECKED} servers are advertised"),
            Self::NotPermitted => f.write_str("the account does not permit clear text"),
            Self::TlsIsAdvertised => f.write_str("servers with TLS are advertised"),
            Self::NotVerified => {
                f.write_str("a server was not verified, so clear text is not tried")
            }
            Self::TlsNotRefused => f.write_str("the server does not state that it lacks TLS"),
            Self::Account(error) => error.fmt(f),
        }
    }
}

/// The facts of a connection on which the client may log in.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The privacy of the connection.
    pub indication: Indication,
    /// The verdict about the server, or nothing in clear text.
    pub verdict: Option<Verdict>,
    /// The version of TLS.
    pub version: Option<ProtocolVersion>,
    /// The registered number of the cipher suite.
    pub cipher_suite: Option<u16>,
    /// The registered number of the group of the key exchange.
    pub group: Option<u16>,
    /// The capabilities that the server advertises.
    pub capabilities: Capabilities,
}

/// The checked candidates of each protocol, in the order of preference.
#[derive(Clone, Debug, Default)]
pub struct CheckedOffers {
    /// The servers for IMAP.
    pub imap: Vec<Checked>,
    /// The servers for POP.
    pub pop: Vec<Checked>,
    /// The servers for submission.
    pub submission: Vec<Checked>,
}

impl CheckedOffers {
    /// Returns the candidates of a protocol.
    #[must_use]
    pub fn of(&self, protocol: Protocol) -> &[Checked] {
        match protocol {
            Protocol::Imap => &self.imap,
            Protocol::Pop => &self.pop,
            Protocol::Submission => &self.submission,
        }
    }

    /// Returns the candidate of a protocol to offer to the user: the first that is ready. Show its
    /// [warnings](Candidate::warnings).
    #[must_use]
    pub fn best(&self, protocol: Protocol) -> Option<&Candidate> {
        self.of(protocol)
            .iter()
            .find(|checked| matches!(checked.outcome, Outcome::Ready(_)))
            .map(|checked| &checked.candidate)
    }
}

/// Runs the lookup of a mail domain with a resolver, within a time. A question without an answer by then is a
/// failure of its protocol and of no other.
pub async fn look_up(resolver: &dyn Resolve, lookup: SetupLookup, deadline: Duration) -> Offers {
    let mut lookup = lookup;
    let end = after(Instant::now(), deadline);
    if let Next::Ask(questions) = lookup.next() {
        let answers = questions
            .iter()
            .map(|question| timeout_at(end, resolver.lookup(question)));
        let answers = join_all(answers).await;
        for (question, answer) in questions.iter().zip(answers) {
            if let Ok(answer) = answer {
                lookup.answer(question, answer.checked(question));
            }
        }
    }
    lookup.offers()
}

/// Checks what a domain offers, all protocols and candidates in parallel, within a time for all of them.
///
/// `account` has the identifier and settings of the account that is set up, and no servers. A candidate with TLS is
/// [`Outcome::Ready`] only if the server is verified, whatever the account's level is: at the low level the user may
/// configure another server, and no server is found that way. Candidates in clear text are tried only at the low
/// level with a fallback to clear text, if the domain advertises no implicit TLS, no certificate was refused, and the
/// same server did not offer or refused STARTTLS.
pub async fn check(
    connector: &Connector,
    account: &AccountSetup,
    offers: &Offers,
    deadline: Duration,
) -> CheckedOffers {
    let end = after(Instant::now(), deadline);
    let of = |offer| check_offer(connector, account, offer, end);
    let (imap, pop, submission) =
        tokio::join!(of(&offers.imap), of(&offers.pop), of(&offers.submission));
    CheckedOffers {
        imap,
        pop,
        submission,
    }
}

async fn check_offer(
    connector: &Connector,
    account: &AccountSetup,
    offer: &Offer,
    end: Instant,
) -> Vec<Checked> {
    let Offer::Candidates {
        candidates, clear, ..
    } = offer
    else {
        return Vec::new();
    };
    let private = account.clone().high();
    let checks = candidates
        .iter()
        .enumerate()
        .map(async |(index, candidate)| {
            let outcome = match index < MAX_CHECKED {
                true => connect(connector, &private, candidate, end).await,
                false => Outcome::NotChecked(NotChecked::Limit),
            };
            let candidate = candidate.clone();
            Checked { candidate, outcome }
        });
    let mut checked = join_all(checks).await;
    let attempts = clear.iter().enumerate().map(async |(index, candidate)| {
        let outcome = match permits(account, candidate, &checked) {
            Ok(()) if index < MAX_CHECKED => connect(connector, account, candidate, end).await,
            Ok(()) => Outcome::NotChecked(NotChecked::Limit),
            Err(reason) => Outcome::NotChecked(reason),
        };
        let candidate = candidate.clone();
        Checked { candidate, outcome }
    });
    let in_clear = join_all(attempts).await;
    checked.extend(in_clear);
    checked
}

fn account_of(setup: &AccountSetup, candidate: &Candidate) -> Result<Account, AccountError> {
    setup
        .clone()
        .domain(candidate.domain().clone())
        .server(candidate.to_server())
        .build()
}

async fn connect(
    connector: &Connector,
    setup: &AccountSetup,
    candidate: &Candidate,
    end: Instant,
) -> Outcome {
    let account = match account_of(setup, candidate) {
        Ok(account) => account,
        Err(error) => return Outcome::NotChecked(NotChecked::Account(error)),
    };
    let server = candidate.to_server();
    match connector.connect_until(&account, &server, end).await {
        Err(failure) => Outcome::Failed(Box::new(failure)),
        Ok(connection) => {
            let facts = Facts::of(&connection);
            // newman-4-4-1: the close alert.
            let _ = timeout(CLOSE, connection.into_stream().shutdown()).await;
            Outcome::Ready(Box::new(facts))
        }
    }
}

impl Facts {
    fn of(connection: &Connection) -> Self {
        Self {
            indication: connection.indication(),
            verdict: connection.verdict().cloned(),
            version: connection.version(),
            cipher_suite: connection.cipher_suite(),
            group: connection.group(),
            capabilities: connection.capabilities().clone(),
        }
    }
}

/// Returns the reason why a candidate in clear text must not be tried.
fn permits(
    setup: &AccountSetup,
    candidate: &Candidate,
    private: &[Checked],
) -> Result<(), NotChecked> {
    let account = account_of(setup, candidate);
    if !account.is_ok_and(|account| account.low().clear_text_fallback) {
        return Err(NotChecked::NotPermitted);
    }
    let has_implicit =
        |checked: &Checked| checked.candidate.service().security == Security::Implicit;
    let ready = |checked: &Checked| matches!(checked.outcome, Outcome::Ready(_));
    if private.iter().any(|it| has_implicit(it) || ready(it)) {
        return Err(NotChecked::TlsIsAdvertised);
    }
    let not_verified = |checked: &Checked| {
        matches!(&checked.outcome, Outcome::Failed(failure)
            if matches!(failure.cause(), Cause::NotVerified(_) | Cause::Lookup(HostFailure::Tlsa(_))))
    };
    if private.iter().any(not_verified) {
        return Err(NotChecked::NotVerified);
    }
    let sibling = Service::new(candidate.service().protocol, Security::StartTls);
    let is_sibling = |it: &Candidate| {
        it.service() == sibling && it.host() == candidate.host() && it.port() == candidate.port()
    };
    let refuses_tls = |checked: &Checked| matches!(&checked.outcome, Outcome::Failed(failure) if failure.cause().is_tls_negotiation());
    match private
        .iter()
        .find(|checked| is_sibling(&checked.candidate))
    {
        Some(sibling) if !refuses_tls(sibling) => Err(NotChecked::TlsNotRefused),
        Some(_) => Ok(()),
        None if private.is_empty() => Ok(()),
        None => Err(NotChecked::TlsIsAdvertised),
    }
}
