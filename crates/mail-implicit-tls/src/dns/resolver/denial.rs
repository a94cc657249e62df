//! Denials of zones that are not signed. Some name servers leave the SOA record out of them (RFC 2308 section 2.2, type 3), and
//! the validator takes such a denial for one whose proof was removed.

use domain::{
    base::{Message, Rtype},
    dnssec::validator::context::ValidationState,
};

use super::{Flags, ValidatingResolver, ask_type, validation::now};
use crate::dns::{DnsName, Question};

/// The greatest number of names that are asked for their zone: that of a question, and those above it.
const MAX_LABELS: usize = 16;

/// Returns `true` for an answer without any record.
pub(super) fn is_empty(message: &Message<bytes::Bytes>) -> bool {
    let counts = message.header_counts();
    (counts.ancount(), counts.nscount()) == (0, 0)
}

impl ValidatingResolver {
    /// Returns `true` if DNSSEC proves that the zone of a name is not signed: the next name above it that has an SOA record
    /// decides, and the proof is that of its parents.
    pub(super) async fn is_in_unsigned_zone(&self, question: &Question) -> bool {
        let mut name = question.name.clone();
        for _ in 0..MAX_LABELS {
            if let Some(state) = self.soa(&name).await {
                return matches!(
                    state,
                    ValidationState::Insecure | ValidationState::Indeterminate
                );
            }
            match name.parent() {
                Some(parent) => name = parent,
                None => return false,
            }
        }
        false
    }

    /// Returns the state of a name's SOA record, if the name has one.
    async fn soa(&self, name: &DnsName) -> Option<ValidationState> {
        let flags = Flags {
            dnssec_ok: true,
            checking_disabled: true,
        };
        let upstream = self.validation.upstream();
        let mut message = ask_type(upstream, name, Rtype::SOA, flags).await.ok()?;
        let answer = message.answer().ok()?;
        if !answer.flatten().any(|record| record.rtype() == Rtype::SOA) {
            return None;
        }
        self.validation.validate(&mut message, now()).await.ok()
    }
}
