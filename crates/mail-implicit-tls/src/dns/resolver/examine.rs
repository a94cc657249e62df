//! Answers with their signatures, for a monitor.

use std::{net::SocketAddr, time::Duration};

use domain::{
    base::{Message, Name, ParsedName, Rtype, name::ToName},
    rdata::{Dnskey, Ds, Rrsig},
};
use futures_util::future::join_all;
use tokio::time::timeout;

use super::{Flags, ValidatingResolver, ask, ask_type, data, read, validation::now};
use crate::dns::{
    Answer, DnsName, Dnssec, LookupFailure, Question,
    signatures::{Examine, KeyTag, Signature, SignedAnswer, SignedFuture, ZoneKeys},
};

/// The greatest number of zones whose keys are asked for by one answer.
const MAX_ZONES: usize = 8;

type Response = Message<bytes::Bytes>;

const FLAGS: Flags = Flags {
    dnssec_ok: true,
    checking_disabled: true,
};

impl Examine for ValidatingResolver {
    fn examine<'a>(&'a self, question: &'a Question) -> SignedFuture<'a> {
        Box::pin(async move {
            let mut signed = SignedAnswer {
                question: question.clone(),
                state: Err(LookupFailure::Timeout),
                has_records: false,
                signatures: Vec::new(),
                zones: Vec::new(),
            };
            let shortages = &self.validation.upstream().shortages;
            let before = shortages.count();
            let collect = self.collect(question, &mut signed);
            // The signatures that came before the time was over stay.
            let _ = timeout(self.timeout, collect).await;
            signed.state = signed.state.map_err(|it| shortages.cause(before, it));
            signed.signatures.sort();
            signed.signatures.dedup();
            signed
        })
    }

    fn server(&self) -> Option<SocketAddr> {
        Some(self.server)
    }
}

impl ValidatingResolver {
    async fn collect(&self, question: &Question, signed: &mut SignedAnswer) {
        let message = match ask(self.validation.upstream(), question, FLAGS).await {
            Ok(message) => message,
            Err(failure) => {
                signed.state = Err(failure);
                return;
            }
        };
        let mut signers = signatures(&message, &mut signed.signatures);
        let answer = self.answer(question).await;
        signed.has_records = matches!(answer, Ok(Answer::Records(_)));
        signed.state = answer.and_then(|answer| state(&answer));
        if let Err(failure) = read(&message, question, Dnssec::Insecure) {
            signed.state = Err(failure);
        }
        signers.truncate(MAX_ZONES);
        for (zone, signatures) in join_all(signers.iter().map(|zone| self.zone(zone))).await {
            signed.zones.push(zone);
            signed.signatures.extend(signatures);
        }
    }

    /// Returns the keys of a zone and those that its parent names, with the signatures of both.
    async fn zone(&self, zone: &DnsName) -> (ZoneKeys, Vec<Signature>) {
        let ask = |kind| ask_type(self.validation.upstream(), zone, kind, FLAGS);
        let (keys, delegated) = tokio::join!(ask(Rtype::DNSKEY), ask(Rtype::DS));
        let mut found = Vec::new();
        for message in keys.iter().chain(&delegated) {
            let _ = signatures(message, &mut found);
        }
        let keys = keys.map(|message| {
            tags(&message, |record| {
                data::<Dnskey<bytes::Bytes>>(record).map(|key| KeyTag {
                    tag: key.key_tag(),
                    algorithm: key.algorithm().to_int(),
                })
            })
        });
        let delegated = delegated.map(|message| {
            tags(&message, |record| {
                data::<Ds<bytes::Bytes>>(record).map(|ds| KeyTag {
                    tag: ds.key_tag(),
                    algorithm: ds.algorithm().to_int(),
                })
            })
        });
        let zone = ZoneKeys {
            zone: zone.to_string(),
            delegated,
            keys,
        };
        (zone, found)
    }
}

const fn state(answer: &Answer) -> Result<Dnssec, LookupFailure> {
    match answer {
        Answer::Records(records) => Ok(records.dnssec),
        Answer::Denied { dnssec, .. } => Ok(*dnssec),
        Answer::Failed(failure) => Err(*failure),
    }
}

fn tags(
    message: &Response,
    read: impl Fn(&super::AnswerRecord<'_>) -> Option<KeyTag>,
) -> Vec<KeyTag> {
    let Ok(answer) = message.answer() else {
        return Vec::new();
    };
    let mut tags: Vec<_> = answer
        .flatten()
        .filter_map(|record| read(&record))
        .collect();
    tags.sort_unstable();
    tags.dedup();
    tags
}

/// Adds the signatures of a message, and returns the zones that made them.
fn signatures(message: &Response, found: &mut Vec<Signature>) -> Vec<DnsName> {
    let mut signers = Vec::new();
    for (record, _) in message.iter().flatten() {
        if record.rtype() != Rtype::RRSIG {
            continue;
        }
        let Some(rrsig) = data::<Rrsig<bytes::Bytes, ParsedName<bytes::Bytes>>>(&record) else {
            continue;
        };
        found.push(Signature {
            owner: text(&record.owner()),
            covered: rrsig.type_covered().to_string(),
            inception: near(rrsig.inception().into_int(), now()),
            expiration: near(rrsig.expiration().into_int(), now()),
            original_ttl: rrsig.original_ttl().into_duration(),
        });
        if let Some(signer) = super::dns_name(rrsig.signer_name())
            && !signers.contains(&signer)
        {
            signers.push(signer);
        }
    }
    signers
}

fn text(name: &impl ToName) -> String {
    let name: Name<Vec<u8>> = name.to_name();
    name.fmt_with_dot().to_string().to_ascii_lowercase()
}

/// Returns the time next to the present that a serial number of 32 bits means: RFC 4034 section 3.1.5.
fn near(serial: u32, now: u64) -> Duration {
    let [.., a, b, c, d] = now.to_be_bytes();
    let distance = serial.wrapping_sub(u32::from_be_bytes([a, b, c, d]));
    let seconds = now.checked_add_signed(i64::from(distance.cast_signed()));
    Duration::from_secs(seconds.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_times_of_signatures_next_to_the_present() {
        let wrapped = 1_u64 << 32;
        for (serial, now, expected) in [
            (200, 100, 200),
            (100, 200, 100),
            (5, wrapped - 10, wrapped + 5),
            (u32::MAX, wrapped + 5, wrapped - 1),
            (u32::MAX, 5, 0),
        ] {
            assert_eq!(near(serial, now), Duration::from_secs(expected));
        }
    }
}
