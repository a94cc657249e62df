//! The oracles of `tokenbind-http`: the header, a connection's requests, what a redirect or a script
//! reveals, and what a ClientHello offers. Each states its rule once more, independently, and
//! compares.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, LazyLock, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use conformance::oracle::Broken;
use rustls::server::Acceptor;
use tokenbind_http::{
    ReferredTokenBinding, client,
    federation::{Disclosure, Party, Permission, WithheldReason},
    header::{self, Header, HeaderOptions},
    keys::{Key, KeyStore, KeyStoreError, KeyStoreErrorKind},
    origin::{Origin, Scope},
    server::{self, MAX_REMEMBERED_HEADER_BYTES, MAX_VERIFIED_MESSAGES, RequestOutcome},
    tls::ClientOffer,
};
use tokenbind_wire::{
    DecodeOptions, EncodingProfile, KeyParameters, Negotiated, Outcome, P256Key, Position,
    ProtocolVersion, PublicKey, Referred, Session, Sign, SignError, Signature, SignatureInvalid,
    SignedOctets, TlsFacts, TlsUnique, TokenBindingAlpn, TokenBindingMessageRef, Verify, establish,
};

const FACTS: TlsFacts = TlsFacts {
    version: ProtocolVersion::TLS1_2,
    extended_master_secret: true,
};

fn broken(what: impl ToString) -> Broken {
    what.to_string()
}

// --- the header ------------------------------------------------------------------------------------

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Section 2's encoding bit by bit; the kind of the error and its offset.
fn web_safe(value: &[u8], allow_padding: bool) -> Result<Vec<u8>, (&'static str, usize)> {
    if value.is_empty() {
        return Err(("empty", 0));
    }
    // Base64 of 65,537 octets: a multiple of four.
    if value.len() > 87384 {
        return Err(("too-long", 87384));
    }
    let padding = value.iter().rev().take_while(|octet| **octet == b'=');
    let padding = if allow_padding { padding.count() } else { 0 };
    let body = &value[..value.len() - padding];
    let mut bits = Vec::with_capacity(body.len() * 6);
    for (offset, octet) in body.iter().enumerate() {
        let Some(six) = ALPHABET.iter().position(|known| known == octet) else {
            let kind = match octet {
                b',' => "list",
                b'=' => "padding",
                b'+' | b'/' => "standard-alphabet",
                0..=32 | 127 => "whitespace",
                _ => "alphabet",
            };
            return Err((kind, offset));
        };
        bits.extend((0..6).rev().map(|bit| (six >> bit & 1) as u8));
    }
    if padding > 2 || padding > 0 && !value.len().is_multiple_of(4) {
        return Err(("padding", body.len()));
    }
    if body.len() % 4 == 1 {
        return Err(("length", value.len()));
    }
    let (octets, rest) = bits.split_at(bits.len() / 8 * 8);
    if rest.contains(&1) {
        return Err(("trailing-bits", body.len() - 1));
    }
    let octet = |bits: &[u8]| bits.iter().fold(0, |octet, bit| octet << 1 | bit);
    Ok(octets.chunks(8).map(octet).collect())
}

/// A header's value decodes as bit by bit; what decodes is written again, but for padding; one
/// character more or less is refused or another message.
///
/// # Errors
/// Returns the invariant that was broken.
pub fn header(value: &[u8]) -> Result<(), Broken> {
    for allow_padding in [false, true] {
        let options = HeaderOptions { allow_padding };
        let decode = |value: &[u8]| match Header::One(value).decode(options) {
            Ok(message) => message.ok_or(("no header", 0)),
            Err(error) => Err((error.kind().name(), error.offset())),
        };
        let (decoded, expected) = (decode(value), web_safe(value, allow_padding));
        if decoded != expected {
            return Err(format!("{decoded:?}, not {expected:?}"));
        }
        if let Ok(message) = &decoded {
            let written = header::encode(message);
            let unpadded = value.trim_ascii_end().split(|octet| *octet == b'=').next();
            if Some(written.as_bytes()) != unpadded || !allow_padding && written.as_bytes() != value
            {
                return Err(format!("written again as {written}"));
            }
            let less = value.split_last().map(|(_, less)| less).unwrap_or_default();
            let longer = [value, b"A"].concat();
            for other in [less, &longer] {
                let is_padding = other.len() < value.len() && value.ends_with(b"=");
                if !is_padding && decode(other).as_ref() == Ok(message) {
                    return Err("one character more or less is the same message".into());
                }
            }
        }
        let twice = Header::from_values([value, value])
            .decode(options)
            .map_err(|error| error.kind().name());
        if twice != Err("duplicate") {
            return Err(format!("two headers: {twice:?}"));
        }
        let none = Header::from_values([]).decode(options);
        if none != Ok(None) {
            return Err(format!("no header: {none:?}"));
        }
    }
    Ok(())
}

// --- a connection's requests -----------------------------------------------------------------------

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

fn session(alpn: TokenBindingAlpn, connection: u8) -> Result<Session, Broken> {
    Ok(Session {
        negotiated: Negotiated::try_new(alpn, FACTS).map_err(broken)?,
        tls_unique: TlsUnique::from_engine(&[connection; 12], FACTS).map_err(broken)?,
    })
}

// --- what a redirect or a script reveals --------------------------------------------------------------

/// One redirect: the response, and where it leads.
#[derive(Clone, Debug)]
pub struct Hop {
    /// The response's status.
    pub status: u16,
    /// The values of its `Include-Referer-Token-Binding-ID` headers.
    pub values: Vec<Vec<u8>>,
    /// The next request's origin, and what is negotiated with it.
    pub to: Party,
}

/// A public key for each scope and kind, with invalid signatures: only the signed octets and the key matter here.
struct Stubs;

struct Stub(PublicKey);

impl Sign for Stub {
    fn public_key(&self) -> &PublicKey {
        &self.0
    }

    fn sign(&self, _: &SignedOctets) -> Result<Signature, SignError> {
        Ok(match self.0.parameters() {
            KeyParameters::P256 => Signature::P256([1; 64]),
            _ => Signature::Rsa2048(Box::new([1; 256])),
        })
    }
}

impl KeyStore for Stubs {
    fn key(&self, scope: &Scope, parameters: KeyParameters) -> Result<Key, KeyStoreError> {
        static KEYS: LazyLock<Mutex<HashMap<String, PublicKey>>> = LazyLock::new(Mutex::default);
        if parameters == KeyParameters::Rsa2048 {
            let mut modulus = vec![0xff; 256];
            let text = scope.as_str().bytes().chain([0]);
            modulus
                .iter_mut()
                .skip(1)
                .zip(text)
                .for_each(|(to, octet)| *to = octet);
            let publicexponent = vec![1, 0, 1];
            return Ok(Arc::new(Stub(PublicKey::Rsa2048 {
                modulus,
                publicexponent,
            })));
        }
        let mut keys = KEYS.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = keys.get(scope.as_str()) {
            return Ok(Arc::new(Stub(key.clone())));
        }
        let new = P256Key::generate().map_err(|_| KeyStoreErrorKind::Backend)?;
        let new = new.public_key().clone();
        keys.insert(scope.as_str().to_owned(), new.clone());
        Ok(Arc::new(Stub(new)))
    }

    fn reset(&self, _: Option<&Scope>) -> Result<(), KeyStoreError> {
        Ok(())
    }
}

/// A client with connections to parties.
struct Browser {
    state: client::State,
    connections: u8,
}

impl Browser {
    fn new() -> Self {
        Self {
            state: client::State::new(Stubs, client::Options::default()),
            connections: 0,
        }
    }

    fn connect(&mut self, party: &Party) -> Result<client::Connection, Broken> {
        self.connections = self.connections.wrapping_add(1);
        let alpn = party.negotiated.map(|parameters| match parameters {
            KeyParameters::Rsa2048 => TokenBindingAlpn::Http11Rsa2048,
            _ => TokenBindingAlpn::Http11P256,
        });
        let session = alpn
            .map(|alpn| session(alpn, self.connections))
            .transpose()?;
        Ok(self.state.connection(party.origin.clone(), session))
    }

    /// Sends a request, and sees that its header holds what the disclosure says, under the keys of
    /// the parties.
    fn request(
        &self,
        to: &client::Connection,
        permission: Result<Permission, WithheldReason>,
    ) -> Result<Disclosure, Broken> {
        let (permission, withheld) = match permission {
            Ok(permission) => (Some(permission), None),
            Err(reason) => (None, Some(Disclosure::Withhold(reason))),
        };
        let header = to.header(&self.state, permission).map_err(broken)?;
        let disclosure = match (withheld, header.disclosure) {
            (Some(withheld), None) => withheld,
            (None, Some(disclosure)) => disclosure,
            _ => return Err("a disclosure without a permission, or none with one".into()),
        };
        let Some(negotiated) = to.party().negotiated else {
            let sent = header.value.is_some() || matches!(disclosure, Disclosure::Reveal(_));
            return if sent {
                Err("a header though nothing was negotiated".into())
            } else {
                Ok(disclosure)
            };
        };
        let value = header.value.ok_or("no header though negotiated")?;
        let octets = web_safe(value.as_bytes(), false).map_err(|error| format!("{error:?}"))?;
        let message = TokenBindingMessageRef::from_bytes(&octets, EncodingProfile::default())
            .map_err(broken)?;
        let provided = message.provided().ok_or("no provided binding")?.id();
        if provided.key_id() != key_id(to.origin(), negotiated)? {
            return Err("the provided binding is of another key".into());
        }
        let referred = message.referred().map(|binding| binding.id().key_id());
        let expected = match &disclosure {
            Disclosure::Reveal(referral) => {
                Some(key_id(referral.consumer(), referral.parameters())?)
            }
            Disclosure::Withhold(_) => None,
        };
        if referred != expected.as_deref() {
            return Err("the referred binding is not what is disclosed".into());
        }
        if message.token_bindings().len() != 1 + usize::from(expected.is_some()) {
            return Err("another binding is sent".into());
        }
        Ok(disclosure)
    }
}

fn key_id(origin: &Origin, parameters: KeyParameters) -> Result<Vec<u8>, Broken> {
    use tokenbind_wire::{PointEncoding, TokenBindingId, TokenBindingType};
    let scope = client::Options::default().scope.scope(origin);
    let key = Stubs.key(&scope, parameters).map_err(broken)?;
    let id = TokenBindingId::try_new(
        TokenBindingType::REFERRED,
        key.public_key(),
        PointEncoding::X962,
    );
    Ok(id.map_err(broken)?.key_id().to_vec())
}

/// A disclosure as plain data, from the parties or from the client.
fn plain(disclosure: &Disclosure) -> Result<(String, &'static str), &'static str> {
    match disclosure {
        Disclosure::Reveal(referral) => Ok((
            referral.consumer().to_string(),
            referral.parameters().name(),
        )),
        Disclosure::Withhold(reason) => Err(reason.name()),
    }
}

/// Sections 3.3 and 3.4 once more: what may be revealed if it was asked for.
fn may_reveal(
    asked: Result<(), &'static str>,
    consumer: &Party,
    provider: &Party,
) -> Result<(String, &'static str), &'static str> {
    asked?;
    let parameters = consumer.negotiated.ok_or("consumer-not-negotiated")?;
    if provider.negotiated.is_none() {
        Err("provider-not-negotiated")
    } else if consumer.origin == provider.origin {
        Err("same-origin")
    } else {
        Ok((consumer.origin.to_string(), parameters.name()))
    }
}

/// Redirects from one party to the next: what each request reveals is what its own response
/// permits, by the rule; and its header holds the keys of the parties, and nothing else.
///
/// # Errors
/// Returns the invariant that was broken.
pub fn redirects(consumer: &Party, hops: &[Hop]) -> Result<Vec<Disclosure>, Broken> {
    let mut browser = Browser::new();
    let mut from = browser.connect(consumer)?;
    let mut disclosures = Vec::new();
    for hop in hops {
        let to = browser.connect(&hop.to)?;
        let values = hop.values.iter().map(Vec::as_slice);
        let disclosure = browser.request(&to, from.redirect_permission(hop.status, values))?;
        let asked = match (hop.values.as_slice(), hop.status) {
            ([], _) => Err("not-asked"),
            ([_, _, ..], _) => Err("duplicate-header"),
            ([_], status) if status != 301 && status != 302 => Err("status"),
            ([value], _) if value == b"true" => Ok(()),
            _ => Err("header-value"),
        };
        let expected = may_reveal(asked, &from.party(), &hop.to);
        if plain(&disclosure) != expected {
            return Err(format!("{disclosure:?}, not {expected:?}"));
        }
        disclosures.push(disclosure);
        from = to;
    }
    Ok(disclosures)
}

/// A request of a page of `consumer` to `provider`, with the property `withRefererTokenBindingID`.
///
/// # Errors
/// Returns the invariant that was broken.
pub fn script(asked: bool, consumer: &Party, provider: &Party) -> Result<Disclosure, Broken> {
    let mut browser = Browser::new();
    browser.connect(consumer)?;
    let to = browser.connect(provider)?;
    // The page's own connection is the latest with its origin.
    browser.connect(consumer)?;
    let permission = browser.state.script_permission(asked, &consumer.origin);
    if permission != Permission::by_script(asked, consumer) {
        return Err("the client does not know what was negotiated".into());
    }
    let disclosure = browser.request(&to, permission)?;
    let asked = asked.then_some(()).ok_or("not-asked");
    let expected = may_reveal(asked, consumer, provider);
    if plain(&disclosure) != expected {
        return Err(format!("{disclosure:?}, not {expected:?}"));
    }
    Ok(disclosure)
}

/// Redirects and a script's request from any bytes: a party; then hops, of a party, a choice of
/// status, and the number of headers with their values.
///
/// # Errors
/// Returns the invariant that was broken.
pub fn redirect(data: &[u8]) -> Result<(), Broken> {
    let Some((&first, mut data)) = data.split_first() else {
        return Ok(());
    };
    let consumer = chosen_party(first)?;
    let mut hops: Vec<Hop> = Vec::new();
    while let [to, status, headers, rest @ ..] = data
        && hops.len() < 8
    {
        data = rest;
        let mut values = Vec::new();
        for _ in 0..headers % 3 {
            let (&length, rest) = data.split_first().unwrap_or((&0, &[]));
            let (value, rest) = rest.split_at(usize::from(length).min(rest.len()));
            values.push(value.to_vec());
            data = rest;
        }
        hops.push(Hop {
            status: 290 + u16::from(*status),
            values,
            to: chosen_party(*to)?,
        });
    }
    redirects(&consumer, &hops)?;
    let provider = hops.first().map_or(&consumer, |hop| &hop.to);
    for asked in [false, true] {
        // A page has one origin, and knows it by its latest connection.
        if provider.origin != consumer.origin || provider == &consumer {
            script(asked, &consumer, provider).map(drop)?;
        }
    }
    Ok(())
}

fn chosen_party(choice: u8) -> Result<Party, Broken> {
    let origins = [
        "https://rp.example",
        "https://idp.example",
        "https://rp.example:8443",
        "https://a.rp.example",
    ];
    Ok(Party {
        origin: origins[usize::from(choice & 3)].parse().map_err(broken)?,
        negotiated: match choice >> 2 & 3 {
            0 => None,
            1 => Some(KeyParameters::Rsa2048),
            _ => Some(KeyParameters::P256),
        },
    })
}

// --- what a ClientHello offers -------------------------------------------------------------------------

/// The records a connection begins with, from any bytes: what rustls accepts can be read, and rustls
/// sees the same identifiers and cipher suites; how the ClientHello is cut into records does not matter, nor
/// what follows it, and without its last byte it cannot be read.
///
/// # Errors
/// Returns the invariant that was broken.
pub fn client_hello(records: &[u8]) -> Result<(), Broken> {
    let offer = ClientOffer::from_records(records);
    if let Some((alpn, cipher_suites)) = rustls_sees(records) {
        match &offer {
            Ok(offer) if offer.alpn == alpn && offer.cipher_suites == cipher_suites => {}
            _ => {
                return Err(format!(
                    "{offer:?}, but rustls sees {alpn:?} and {cipher_suites:?}"
                ));
            }
        }
    }
    let Ok(offer) = offer else {
        return Ok(());
    };
    let message = handshake_message(records).ok_or("a record was read that is malformed")?;
    for size in [1, 7, 1000, 16384] {
        let cut: Vec<u8> = message
            .chunks(size)
            .flat_map(|part| [&[22, 3, 1][..], &(part.len() as u16).to_be_bytes(), part].concat())
            .collect();
        if ClientOffer::from_records(&cut).as_ref() != Ok(&offer) {
            return Err(format!("in records of {size} bytes it is another offer"));
        }
        if ClientOffer::from_records(&[cut.as_slice(), b"?"].concat()).as_ref() != Ok(&offer) {
            return Err("octets after the ClientHello change the result".into());
        }
        if ClientOffer::from_records(&cut[..cut.len() - 1]).is_ok() {
            return Err("its last byte does not matter".into());
        }
    }
    Ok(())
}

fn rustls_sees(mut records: &[u8]) -> Option<(Vec<Vec<u8>>, Vec<u16>)> {
    let mut acceptor = Acceptor::default();
    loop {
        let read = acceptor.read_tls(&mut records).ok()?;
        if let Some(accepted) = acceptor.accept().ok()? {
            let hello = accepted.client_hello();
            let alpn = hello
                .alpn()
                .map(|names| names.map(<[u8]>::to_vec).collect());
            let cipher_suites = hello.cipher_suites().iter().map(|suite| (*suite).into());
            return Some((alpn.unwrap_or_default(), cipher_suites.collect()));
        }
        if read == 0 {
            return None;
        }
    }
}

/// The handshake message that the records begin with.
fn handshake_message(mut records: &[u8]) -> Option<Vec<u8>> {
    let mut message = Vec::new();
    loop {
        if let [_, high, middle, low, body @ ..] = message.as_slice() {
            let length = u32::from_be_bytes([0, *high, *middle, *low]) as usize;
            if body.len() >= length {
                message.truncate(4 + length);
                return Some(message);
            }
        }
        let [22, _, _, high, low, rest @ ..] = records else {
            return None;
        };
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        message.extend_from_slice(rest.get(..length)?);
        records = &rest[length..];
    }
}
