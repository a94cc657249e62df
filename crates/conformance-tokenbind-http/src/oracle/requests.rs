//! The requests of one connection, as a server decides on them.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use conformance::oracle::Broken;
use tokenbind_http::{
    ReferredTokenBinding,
    header::{self, HeaderOptions},
    server::{self, MAX_REMEMBERED_HEADER_BYTES, MAX_VERIFIED_MESSAGES, RequestOutcome},
};
use tokenbind_wire::{
    DecodeOptions, EncodingProfile, KeyParameters, Outcome, Position, Referred, Session,
    SignatureInvalid, SignedOctets, TokenBindingAlpn, Verify, establish,
};

use super::{header::web_safe, session::session};

/// An outcome as plain data: one refusal or one binding is like another of the same parts.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Plain {
    NotInUse,
    Bound(Vec<u8>, PlainReferred),
    Terminate(&'static str, &'static str, usize),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum PlainReferred {
    None,
    Verified(Vec<u8>),
    Unsupported(u8, u8),
}

impl From<&RequestOutcome> for Plain {
    fn from(outcome: &RequestOutcome) -> Self {
        match outcome {
            RequestOutcome::NotInUse => Self::NotInUse,
            RequestOutcome::Bound(bindings) => Self::Bound(
                bindings.provided().id().as_bytes().to_vec(),
                match bindings.referred() {
                    None => PlainReferred::None,
                    Some(ReferredTokenBinding::Verified(id)) => {
                        PlainReferred::Verified(id.as_bytes().to_vec())
                    }
                    Some(ReferredTokenBinding::Unsupported(algorithm)) => {
                        PlainReferred::Unsupported(algorithm.hash.0, algorithm.signature.0)
                    }
                },
            ),
            RequestOutcome::Terminate(refusal) => {
                Self::Terminate(refusal.kind().name(), refusal.field(), refusal.offset())
            }
        }
    }
}

/// Counts the signatures that are verified.
struct Counting<V> {
    verifier: V,
    count: AtomicUsize,
}

impl<V: Verify> Verify for Counting<V> {
    fn supports(&self, parameters: KeyParameters) -> bool {
        self.verifier.supports(parameters)
    }

    fn verify_p256(
        &self,
        coordinates: &[u8; 64],
        octets: &SignedOctets,
        signature: &[u8; 64],
    ) -> Result<(), SignatureInvalid> {
        self.count.fetch_add(1, Ordering::Relaxed);
        self.verifier.verify_p256(coordinates, octets, signature)
    }

    fn verify_rsa2048(
        &self,
        modulus: &[u8],
        publicexponent: &[u8],
        octets: &SignedOctets,
        signature: &[u8; 256],
    ) -> Result<(), SignatureInvalid> {
        self.count.fetch_add(1, Ordering::Relaxed);
        let verifier = &self.verifier;
        verifier.verify_rsa2048(modulus, publicexponent, octets, signature)
    }
}

/// The rule without a memory of verified messages: each header is decoded and verified.
struct Model {
    session: Option<Session>,
    options: server::Options,
    provided: Option<Vec<u8>>,
    ended: Option<Plain>,
}

impl Model {
    fn request<V: Verify>(&mut self, values: &[Vec<u8>], verifier: &V) -> Plain {
        if let Some(ended) = &self.ended {
            return ended.clone();
        }
        let outcome = self.check(values, verifier);
        match &outcome {
            Plain::Terminate(..) => self.ended = Some(outcome.clone()),
            Plain::Bound(provided, _) => self.provided = Some(provided.clone()),
            Plain::NotInUse => {}
        }
        outcome
    }

    fn check<V: Verify>(&self, values: &[Vec<u8>], verifier: &V) -> Plain {
        let refuse = |kind, offset| Plain::Terminate(kind, "Token-Binding", offset);
        let value = match (&self.session, values) {
            (None, []) => return Plain::NotInUse,
            (None, _) => return Plain::Terminate("not-negotiated", "TokenBindingMessage", 0),
            (Some(_), [_, _, ..]) => return refuse("duplicate", 0),
            (Some(_), []) => {
                return match &self.provided {
                    None => Plain::Terminate("missing-message", "TokenBindingMessage", 0),
                    Some(provided) if self.options.allow_later_requests_without_header => {
                        Plain::Bound(provided.clone(), PlainReferred::None)
                    }
                    Some(_) => refuse("missing-in-later-request", 0),
                };
            }
            (Some(_), [value]) => value,
        };
        let message = match web_safe(value, self.options.header.allow_padding) {
            Ok(message) => message,
            Err((kind, offset)) => return refuse(kind, offset),
        };
        let session = self.session.as_ref();
        let (first, decode) = (Position::First, self.options.decode);
        match establish(session, first, Some(&message), verifier, decode) {
            Outcome::Terminate(reason) => {
                Plain::Terminate(reason.kind().name(), reason.field(), reason.offset())
            }
            Outcome::NotInUse | Outcome::Unchanged => Plain::NotInUse,
            Outcome::Established(established) => {
                let provided = established.provided().id().as_bytes().to_vec();
                if self.provided.as_ref().is_some_and(|old| *old != provided) {
                    return refuse("provided-key-changed", 0);
                }
                let referred = match established.referred() {
                    Referred::None => PlainReferred::None,
                    Referred::Verified(binding) => {
                        PlainReferred::Verified(binding.id().as_bytes().to_vec())
                    }
                    Referred::Unsupported(algorithm) => {
                        PlainReferred::Unsupported(algorithm.hash.0, algorithm.signature.0)
                    }
                };
                Plain::Bound(provided, referred)
            }
        }
    }
}

/// The requests of a connection, each with the values of its `Token-Binding` headers: outcomes are
/// those of the rule without memory; a header that is remembered, a request without one and a
/// connection that is terminated cost no verification, any other at most two; the shared connection
/// decides alike, and tells of a refusal once.
///
/// # Errors
/// Returns the invariant that was broken.
pub fn request_sequence<V: Verify + Clone + Send + Sync + 'static>(
    session: Option<Session>,
    options: server::Options,
    requests: &[Vec<Vec<u8>>],
    verifier: &V,
) -> Result<Vec<RequestOutcome>, Broken> {
    let counting = || Counting {
        verifier: verifier.clone(),
        count: AtomicUsize::new(0),
    };
    let counter = counting();
    let mut binding = server::ConnectionState::new(session, options);
    let told = Arc::new(AtomicUsize::new(0));
    let tell = told.clone();
    let shared = server::Connection::new(session, Arc::new(counting()), options);
    let shared = shared.on_terminate(move |_| {
        tell.fetch_add(1, Ordering::Relaxed);
    });
    let mut model = Model {
        session,
        options,
        provided: None,
        ended: None,
    };
    let mut remembered: VecDeque<&[u8]> = VecDeque::new();
    let mut outcomes = Vec::new();
    for (number, values) in requests.iter().enumerate() {
        let free = model.ended.is_some()
            || match values.as_slice() {
                [value] => remembered.contains(&value.as_slice()),
                _ => true,
            };
        let expected = model.request(values, verifier);
        let before = counter.count.load(Ordering::Relaxed);
        let outcome = binding.request(values.iter().map(Vec::as_slice), &counter);
        let cost = counter.count.load(Ordering::Relaxed) - before;
        if Plain::from(&outcome) != expected {
            return Err(format!("request {number}: {outcome:?}, not {expected:?}"));
        }
        if cost > if free { 0 } else { 2 } {
            return Err(format!("request {number}: {cost} signatures verified"));
        }
        if shared.request(values.iter().map(Vec::as_slice)) != outcome {
            return Err(format!("request {number}: the shared connection differs"));
        }
        let terminated = matches!(outcome, RequestOutcome::Terminate(_));
        if shared.is_terminated() != terminated
            || shared.terminate_reason() != binding.terminate_reason()
            || binding.terminate_reason().is_some() != terminated
            || told.load(Ordering::Relaxed) != usize::from(terminated)
        {
            return Err(format!(
                "request {number}: the refusal is not kept, or not reported once"
            ));
        }
        if matches!(expected, Plain::Bound(..))
            && let [value] = values.as_slice()
            && !free
            && value.len() <= MAX_REMEMBERED_HEADER_BYTES
        {
            if remembered.len() == MAX_VERIFIED_MESSAGES {
                remembered.pop_front();
            }
            remembered.push_back(value);
        }
        outcomes.push(outcome);
    }
    Ok(outcomes)
}

/// A verifier that takes a signature's last octet's three low bits for its verdict: states that need signatures are
/// within the reach of a fuzzer.
#[derive(Clone)]
struct LowBits;

impl Verify for LowBits {
    fn supports(&self, parameters: KeyParameters) -> bool {
        matches!(parameters, KeyParameters::P256 | KeyParameters::Rsa2048)
    }

    fn verify_p256(
        &self,
        _: &[u8; 64],
        _: &SignedOctets,
        signature: &[u8; 64],
    ) -> Result<(), SignatureInvalid> {
        low_bits(signature)
    }

    fn verify_rsa2048(
        &self,
        _: &[u8],
        _: &[u8],
        _: &SignedOctets,
        signature: &[u8; 256],
    ) -> Result<(), SignatureInvalid> {
        low_bits(signature)
    }
}

fn low_bits(signature: &[u8]) -> Result<(), SignatureInvalid> {
    let good = signature.last().is_some_and(|last| last & 7 != 0);
    good.then_some(()).ok_or(SignatureInvalid)
}

/// A connection's requests from any bytes: the first byte chooses the identifier (bits 0, 1), the
/// profile (2, 3), no Token Binding (4), padding (5) and requests without the header (6). Then
/// requests, of an operation (one byte, modulo 5), a number n (two bytes), and what they say.
///
/// 0: no header. 1: the next n bytes. 2: their base64url. 3: the same, padded. 4: what request n,
/// modulo their number, had; twice if n is 32768 or more.
///
/// # Errors
/// Returns the invariant that was broken.
pub fn requests(data: &[u8]) -> Result<(), Broken> {
    let Some((&choice, mut data)) = data.split_first() else {
        return Ok(());
    };
    let alpn = TokenBindingAlpn::ALL[usize::from(choice & 3)];
    let options = server::Options {
        decode: DecodeOptions::from(EncodingProfile::ALL[usize::from(choice >> 2 & 3)]),
        header: HeaderOptions {
            allow_padding: choice & 32 != 0,
        },
        allow_later_requests_without_header: choice & 64 != 0,
    };
    let session = (choice & 16 == 0).then(|| session(alpn, 0)).transpose()?;
    let mut requests: Vec<Vec<Vec<u8>>> = Vec::new();
    while let [operation, high, low, rest @ ..] = data
        && requests.len() < 24
    {
        let operation = operation % 5;
        let number = usize::from(u16::from_be_bytes([*high, *low]));
        let length = if matches!(operation, 1..=3) {
            number
        } else {
            0
        };
        let (taken, after) = rest.split_at(length.min(rest.len()));
        let mut encoded = header::encode(taken).into_bytes();
        requests.push(match operation {
            0 => Vec::new(),
            1 => vec![taken.to_vec()],
            2 => vec![encoded],
            3 => {
                encoded.resize(encoded.len().next_multiple_of(4), b'=');
                vec![encoded]
            }
            _ => {
                let earlier = (number & 0x7fff).checked_rem(requests.len());
                let values = earlier.and_then(|earlier| requests.get(earlier));
                let times = 1 + (number >> 15);
                vec![values.cloned().unwrap_or_default(); times].concat()
            }
        });
        data = after;
    }
    request_sequence(session, options, &requests, &LowBits).map(drop)
}
