//! The support of DNSSEC by the server that is asked.
//!
//! To a validator a server that leaves signatures out looks like a zone whose signatures are missing. The keys of the trust
//! anchor's zone tell the two apart: they have a signature wherever DNSSEC works. The answer is not trusted: it decides
//! about the reason of a failure, and never about a success.

use domain::{
    base::{ParsedName, Rtype},
    rdata::Rrsig,
};
use tokio::{sync::Mutex, time::Instant};

use super::{Flags, RETRY, Upstream, ask_type, data};
use crate::dns::{DnsName, LookupFailure, Question, anchors::TrustAnchors};

/// The time for which an answer holds: the machine may move to another network.
const HOLDS: std::time::Duration = RETRY.saturating_mul(30);

/// The support of DNSSEC by a server.
pub(super) struct Support {
    zones: Vec<DnsName>,
    known: Mutex<Option<(DnsName, Instant, LookupFailure)>>,
}

impl Support {
    pub(super) fn new(anchors: &TrustAnchors) -> Self {
        let mut zones: Vec<_> = anchors.owners().collect();
        zones.dedup();
        Self {
            zones,
            known: Mutex::default(),
        }
    }

    /// Returns the cause of an answer that is bogus: [`LookupFailure::Bogus`] unless the server gives no DNSSEC. One
    /// question is asked for all answers of some time.
    pub(super) async fn cause_of_bogus(
        &self,
        upstream: &Upstream,
        question: &Question,
    ) -> LookupFailure {
        let is_above = |zone: &&DnsName| question.name.is_below(zone);
        let Some(zone) = self.zones.iter().find(is_above) else {
            return LookupFailure::Bogus;
        };
        let mut known = self.known.lock().await;
        if let Some((of, at, cause)) = &*known
            && of == zone
            && at.elapsed() < HOLDS
        {
            return *cause;
        }
        let cause = ask(upstream, zone).await;
        *known = Some((zone.clone(), Instant::now(), cause));
        cause
    }
}

async fn ask(upstream: &Upstream, zone: &DnsName) -> LookupFailure {
    let flags = Flags {
        dnssec_ok: true,
        checking_disabled: true,
    };
    let message = match ask_type(upstream, zone, Rtype::DNSKEY, flags).await {
        Ok(message) => message,
        // Servers that do not know the type or the flag.
        Err(LookupFailure::Refused | LookupFailure::Code | LookupFailure::Malformed) => {
            return LookupFailure::NoDnssec;
        }
        // The validator lacked an answer, which is no fault of the name.
        Err(failure) => return failure,
    };
    let is_signature = |record: &super::AnswerRecord<'_>| {
        let signature = data::<Rrsig<bytes::Bytes, ParsedName<bytes::Bytes>>>(record);
        signature.is_some_and(|it| it.type_covered() == Rtype::DNSKEY)
    };
    let mut records = message.answer().into_iter().flatten().flatten();
    match records.any(|record| is_signature(&record)) {
        true => LookupFailure::Bogus,
        false => LookupFailure::NoDnssec,
    }
}
