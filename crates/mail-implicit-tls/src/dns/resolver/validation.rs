//! Validation, as long as the signatures that it checked are as valid as they were.
//!
//! The validator of `domain` keeps the result of each signature that it checked, without the time until which it holds.
//! Within a context an answer would count as secure after its signature has expired (RFC 4035 section 5.3.1). So a
//! context is used until the validity of a signature that it has received changes, and the next question begins a new
//! one. So it does after a question of the validator for which this machine had no descriptor: the validator takes a
//! question without an answer for a proof that is missing, and keeps that too.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use domain::{
    base::{Message, Rtype, rdata::UnknownRecordData},
    dnssec::validator::context::{ValidationContext, ValidationState},
    net::client::request::{Error, GetResponse, RequestMessage, SendRequest},
};

use super::{Shortages, TrustAnchors, Upstream, data, trust};
use crate::dns::LookupFailure;

type Answer = Message<bytes::Bytes>;

/// Validates answers of one server from the trust anchors on.
pub(super) struct Validation {
    anchors: TrustAnchors,
    upstream: Upstream,
    context: Mutex<Arc<Context>>,
}

/// A context, and the time of the first change of what it has received.
pub(super) struct Context {
    context: ValidationContext<Noted>,
    change: Arc<FirstChange>,
}

impl Validation {
    pub(super) fn new(anchors: &TrustAnchors, upstream: Upstream) -> Self {
        let context = Mutex::new(Context::new(anchors, &upstream));
        Self {
            anchors: anchors.clone(),
            upstream,
            context,
        }
    }

    /// Returns the server.
    pub(super) const fn upstream(&self) -> &Upstream {
        &self.upstream
    }

    /// Validates an answer at this time, in seconds since the Unix epoch.
    pub(super) async fn validate(
        &self,
        answer: &mut Answer,
        now: u64,
    ) -> Result<ValidationState, LookupFailure> {
        let context = self.context_at(now);
        context.change.note(answer, now);
        let validated = context.context.validate_msg::<_, Vec<u8>>(answer).await;
        match validated {
            Ok((state, _)) => Ok(state),
            Err(_) => Err(LookupFailure::Malformed),
        }
    }

    /// Returns the context, which is a new one if the validity of a signature has changed.
    fn context_at(&self, now: u64) -> Arc<Context> {
        let mut context = self.context.lock().unwrap_or_else(|it| it.into_inner());
        if context.change.is_past(now) {
            *context = Context::new(&self.anchors, &self.upstream);
        }
        context.clone()
    }
}

impl Context {
    fn new(anchors: &TrustAnchors, upstream: &Upstream) -> Arc<Self> {
        let change = Arc::new(FirstChange::default());
        let noted = Noted {
            upstream: upstream.clone(),
            change: change.clone(),
        };
        Arc::new(Self {
            context: ValidationContext::new(trust(anchors), noted),
            change,
        })
    }
}

/// Returns the time, in seconds since the Unix epoch.
pub(super) fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map(|time| time.as_secs())
        .unwrap_or_default()
}

/// The first second in which a signature is valid that was not, or no longer valid.
#[derive(Debug)]
struct FirstChange(AtomicU64);

impl Default for FirstChange {
    fn default() -> Self {
        Self(AtomicU64::new(u64::MAX))
    }
}

impl FirstChange {
    /// Lets the next question begin a new context.
    fn end(&self) {
        self.0.store(0, Ordering::Release);
    }

    fn is_past(&self, now: u64) -> bool {
        now >= self.0.load(Ordering::Acquire)
    }

    /// Takes note of the signatures of an answer.
    fn note(&self, answer: &Answer, now: u64) {
        for (record, _) in answer.iter().flatten() {
            if record.rtype() == Rtype::RRSIG
                && let Some(signature) = data::<UnknownRecordData<bytes::Bytes>>(&record)
                && let Some(change) = next_change(signature.data(), now)
            {
                self.0.fetch_min(change, Ordering::AcqRel);
            }
        }
    }
}

/// Returns the next second in which the validity of a signature changes: RFC 4034 section 3.1, whose times are serial
/// numbers of 32 bits.
fn next_change(rdata: &[u8], now: u64) -> Option<u64> {
    let times: [u8; 8] = rdata.get(8..16)?.try_into().ok()?;
    let [a, b, c, d, e, f, g, h] = times;
    let until = |octets| {
        let [.., p, q, r, s] = now.to_be_bytes();
        let distance = u32::from_be_bytes(octets).wrapping_sub(u32::from_be_bytes([p, q, r, s]));
        i64::from(distance.cast_signed())
    };
    // The second of the expiration is the last one, that of the inception the first.
    let ends = until([a, b, c, d]).saturating_add(1);
    let begins = until([e, f, g, h]);
    let next = [ends, begins]
        .into_iter()
        .filter(|change| *change > 0)
        .min()?;
    now.checked_add_signed(next)
}

/// A server, whose signatures are noted for the validation.
#[derive(Clone, Debug)]
struct Noted {
    upstream: Upstream,
    change: Arc<FirstChange>,
}

impl SendRequest<RequestMessage<Vec<u8>>> for Noted {
    fn send_request(&self, request: RequestMessage<Vec<u8>>) -> Box<dyn GetResponse + Send + Sync> {
        Box::new(NotedResponse {
            response: self.upstream.connection.send_request(request),
            shortages: self.upstream.shortages.clone(),
            change: self.change.clone(),
        })
    }
}

#[derive(Debug)]
struct NotedResponse {
    response: Box<dyn GetResponse + Send + Sync>,
    shortages: Shortages,
    change: Arc<FirstChange>,
}

impl GetResponse for NotedResponse {
    fn get_response(
        &mut self,
    ) -> Pin<Box<dyn Future<Output = Result<Answer, Error>> + Send + Sync + '_>> {
        Box::pin(async {
            let before = self.shortages.count();
            let answer = self.response.get_response().await;
            match &answer {
                Ok(answer) => self.change.note(answer, now()),
                Err(_) if self.shortages.count() != before => self.change.end(),
                Err(_) => {}
            }
            answer
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The RDATA of a signature with these times, as far as it is read.
    fn signature(inception: u32, expiration: u32) -> Vec<u8> {
        let times = [expiration.to_be_bytes(), inception.to_be_bytes()].concat();
        [&[0; 8][..], &times].concat()
    }

    #[test]
    fn finds_the_second_in_which_the_validity_of_a_signature_changes() {
        let wrapped = 1_u64 << 32;
        for (inception, expiration, now, expected) in [
            // Valid: up to the second of the expiration.
            (100, 200, 100, Some(201)),
            (100, 200, 200, Some(201)),
            // Expired for good.
            (100, 200, 201, None),
            (100, 200, 500, None),
            // Not valid yet.
            (100, 200, 50, Some(100)),
            (100, 200, 99, Some(100)),
            // Serial numbers: the times are those next to the present.
            (u32::MAX, 5, wrapped + 1, Some(wrapped + 6)),
            (u32::MAX, 5, wrapped - 2, Some(wrapped - 1)),
        ] {
            let change = next_change(&signature(inception, expiration), now);
            assert_eq!(change, expected, "{inception} to {expiration} at {now}");
        }
        assert_eq!(next_change(&[0; 15], 0), None);
    }

    #[test]
    fn begins_anew_in_the_second_of_the_first_change() {
        let change = FirstChange::default();
        assert!(!change.is_past(u64::MAX - 1));
        for second in [300, 201, 250] {
            change.0.fetch_min(second, Ordering::AcqRel);
        }
        assert!(!change.is_past(200));
        assert!(change.is_past(201));
        change.end();
        assert!(change.is_past(0));
    }
}
