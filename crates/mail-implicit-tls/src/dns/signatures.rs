//! Feature `monitor`: the signatures of an answer, and the keys of the zones that made them.

use std::{future::Future, net::SocketAddr, pin::Pin, time::Duration};

use super::{Dnssec, LookupFailure, Question, Resolve};

/// An answer of the DNS with its signatures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedAnswer {
    /// The question.
    pub question: Question,
    /// The state of the answer, or the failure of the lookup.
    pub state: Result<Dnssec, LookupFailure>,
    /// `true` if the answer has records, and `false` for a denial or a failure.
    pub has_records: bool,
    /// The signatures, those of the keys of each zone too. An answer that is bogus has them, if there are any.
    pub signatures: Vec<Signature>,
    /// The zones that signed the answer.
    pub zones: Vec<ZoneKeys>,
}

/// A signature: the RRSIG record of RFC 4034 section 3, without its octets.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Signature {
    /// The name of the signed records, with the final dot.
    pub owner: String,
    /// The type of the signed records.
    pub covered: String,
    /// The first second of the validity, since the Unix epoch.
    pub inception: Duration,
    /// The last second of the validity, since the Unix epoch.
    pub expiration: Duration,
    /// The time to live of the records at their source.
    pub original_ttl: Duration,
}

/// The keys of a zone, and those that its parent names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZoneKeys {
    /// The zone, with the final dot.
    pub zone: String,
    /// The keys that the DS records of the parent name.
    pub delegated: Result<Vec<KeyTag>, LookupFailure>,
    /// The keys of the zone.
    pub keys: Result<Vec<KeyTag>, LookupFailure>,
}

/// A key, as DS records name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyTag {
    /// The tag, RFC 4034 appendix B.
    pub tag: u16,
    /// The number of the algorithm.
    pub algorithm: u8,
}

/// A future of an answer with its signatures.
pub type SignedFuture<'a> = Pin<Box<dyn Future<Output = SignedAnswer> + Send + 'a>>;

/// A resolver that shows the signatures of answers.
pub trait Examine: Resolve {
    /// Answers a question, and shows the signatures of the answer even if they are not valid.
    fn examine<'a>(&'a self, question: &'a Question) -> SignedFuture<'a>;

    /// Returns the server that is asked, if there is one.
    fn server(&self) -> Option<SocketAddr> {
        None
    }
}
