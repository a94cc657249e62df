//! Looking at SRV records again, from time to time, to alert the user of a change: draft-newman-email-deep-02 section
//! 8, last paragraph. An account never moves by itself.

use std::time::Duration;

use super::{Candidate, Offer, Offers};
use crate::{
    account::{Host, Server},
    service::Security,
};

/// The least time between two lookups of a domain. "MUST NOT consult SRV records ... on every connection attempt".
pub const MIN_INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);

/// A difference between an account and what its domain advertises. It is for the user to see, and changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// The account uses a server that is not advertised any more. The first of the advertised ones is beside it.
    NotAdvertised {
        /// The server of the account.
        configured: Server,
        /// The server to compare it with.
        advertised: Box<Candidate>,
    },
    /// The domain states that the protocol is not available.
    Unavailable(Server),
    /// The account uses STARTTLS or clear text, and the domain advertises a server with implicit TLS.
    MorePrivate {
        /// The server of the account.
        configured: Server,
        /// The more private server.
        advertised: Box<Candidate>,
    },
}

/// Returns `true` if the records may be consulted again. Times are since the Unix epoch; a last look in the future
/// comes from a clock that was set back, and counts as long ago.
#[must_use]
pub fn is_due(last: Option<Duration>, now: Duration) -> bool {
    last.is_none_or(|last| {
        now.checked_sub(last)
            .is_none_or(|since| since >= MIN_INTERVAL)
    })
}

/// Compares an account's servers with what its domain advertises. A lookup that failed, or a domain that advertises
/// nothing, gives no change.
#[must_use]
pub fn changes(servers: &[Server], offers: &Offers) -> Vec<Change> {
    servers
        .iter()
        .filter_map(|configured| change(configured, offers))
        .collect()
}

fn change(configured: &Server, offers: &Offers) -> Option<Change> {
    let candidates = match offers.of(configured.service.protocol) {
        Offer::NotAdvertised(_) | Offer::Failed { .. } => return None,
        Offer::Unavailable(_) => return Some(Change::Unavailable(configured.clone())),
        Offer::Candidates { candidates, .. } => candidates,
    };
    let first = candidates.first()?;
    if configured.service.security != Security::Implicit
        && first.service().security == Security::Implicit
    {
        return Some(Change::MorePrivate {
            configured: configured.clone(),
            advertised: Box::new(first.clone()),
        });
    }
    let is_same = |candidate: &Candidate| {
        configured.host == Host::Name(candidate.host().clone())
            && candidate.port() == configured.port
            && (candidate.service().security == Security::Implicit)
                == (configured.service.security == Security::Implicit)
    };
    match candidates.iter().any(is_same) {
        true => None,
        false => Some(Change::NotAdvertised {
            configured: configured.clone(),
            advertised: Box::new(first.clone()),
        }),
    }
}
