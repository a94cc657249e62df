//! The server's side: what each request of a connection costs, and why a connection ends.

#![cfg(feature = "client")]
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

#[path = "support/sessions.rs"]
mod sessions;

use std::sync::{Arc, Mutex, OnceLock};

use sessions::{Counting, P256, RSA, header, id, octets, p256, rsa, server, session};
use tokenbind_http::{
    ReferredTokenBinding, TokenBindings,
    federation::{TokenToIssue, UnboundReason},
    header::{self, HeaderErrorKind, HeaderOptions},
    server::{self, MAX_REMEMBERED_HEADER_BYTES, MAX_VERIFIED_MESSAGES, RequestOutcome},
};
use tokenbind_wire::{
    EncodingProfile, ErrorKind, Extension, KeyParameters, RustCrypto, Session, Sign,
    SignatureInvalid, SignedOctets, TerminateKind, TokenBinding, TokenBindingMessage,
    TokenBindingType, Verify,
    registry::ExtensionType,
    token::{BearerPolicy, DiscardReason, TokenClaim, TokenVerdict},
};

const LENIENT: server::Options = server::Options {
    allow_later_requests_without_header: true,
    header: HeaderOptions {
        allow_padding: true,
    },
    decode: tokenbind_wire::DecodeOptions {
        profile: EncodingProfile::ALL[0],
        limits: tokenbind_wire::Limits {
            message_bytes: 4096,
            token_bindings: 2,
            extension_bytes: 4096,
        },
    },
};

#[test]
fn compares_a_repeated_header_without_verifying_it() {
    let (session, verifier) = (session(P256, 1), Counting::default());
    let mut binding = server(session);
    let (provided, consumer) = (p256(), rsa(0));
    let plain = header(&session, &*provided, None);
    let federated = header(&session, &*provided, Some(&*consumer));
    let mut costs = Vec::new();
    let mut seen = Vec::new();
    for value in [&plain, &plain, &federated, &plain, &federated, &federated] {
        seen.push(bound(binding.request([value.as_bytes()], &verifier)));
        costs.push(verifier.taken());
    }
    assert_eq!(costs, [1, 0, 2, 0, 0, 0]);
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[2], seen[5]);
    assert_eq!(seen[0].referred(), None);
    let expected = id(TokenBindingType::REFERRED, &*consumer);
    assert_eq!(
        seen[2].referred(),
        Some(&ReferredTokenBinding::Verified(expected.into()))
    );
    assert_eq!(
        *seen[2].provided().id(),
        id(TokenBindingType::PROVIDED, &*provided)
    );
}

#[test]
fn forgets_the_oldest_message_first() {
    let (session, verifier) = (session(P256, 1), Counting::default());
    let mut binding = server(session);
    let provided = p256();
    let values: Vec<_> = (0..=MAX_VERIFIED_MESSAGES)
        .map(|_| header(&session, &*provided, Some(&*p256())))
        .collect();
    let mut cost = |number: usize| {
        let _ = bound(binding.request([values[number].as_bytes()], &verifier));
        verifier.taken()
    };
    let fill: Vec<_> = (0..MAX_VERIFIED_MESSAGES).map(&mut cost).collect();
    assert_eq!(fill, [2; MAX_VERIFIED_MESSAGES]);
    let known: Vec<_> = (0..MAX_VERIFIED_MESSAGES).map(&mut cost).collect();
    assert_eq!(known, [0; MAX_VERIFIED_MESSAGES]);
    assert_eq!(cost(MAX_VERIFIED_MESSAGES), 2, "takes the place of 0");
    assert_eq!([1, 2, 3, 4].map(&mut cost), [0; 4]);
    assert_eq!(cost(0), 2, "takes the place of 1");
    assert_eq!([2, 3, 4, 0].map(&mut cost), [0; 4]);
    assert_eq!(cost(1), 2, "takes the place of 2");
    assert_eq!(cost(3), 0);
}

#[test]
fn remembers_nothing_across_connections() {
    let verifier = Counting::default();
    let (one, other) = (session(P256, 1), session(P256, 2));
    let key = p256();
    let value = header(&one, &*key, None);
    let _ = bound(server(one).request([value.as_bytes()], &verifier));
    let refusal = refused(server(other).request([value.as_bytes()], &verifier));
    let kind = server::TerminateKind::Message(TerminateKind::SignatureInvalid);
    assert_eq!(
        (refusal.kind(), refusal.field(), refusal.offset()),
        (kind, "TokenBinding.signature", 75)
    );
    assert_eq!(
        verifier.taken(),
        2,
        "verified on each connection for itself"
    );
}

/// Every kind but those of one wire error each, with its field, offset and text.
#[test]
fn reports_each_reason_to_terminate_and_keeps_it() {
    use HeaderErrorKind as Header;
    let session = session(P256, 1);
    let (key, other) = (p256(), p256());
    let good = header(&session, &*key, None);
    let referred_only = {
        let whole = octets(&session, &*key, Some(&*other));
        let body = &whole[2..];
        let first = octets(&session, &*key, None).len() - 2;
        let rest = &body[first..];
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        header::encode(&[&length, rest].concat())
    };
    let by_rsa = header(&sessions::session(RSA, 1), &*rsa(0), None);
    let text = |value: &str| vec![value.to_owned()];
    let h = server::TerminateKind::Header;
    let m = server::TerminateKind::Message;
    let negotiated = KeyParameters::P256;
    let (padded, end) = (format!("{good}="), good.len());
    type Case<'a> = (Vec<String>, server::TerminateKind, &'a str, usize, String);
    let tb = |kind: &str, at: usize| format!("Token-Binding: {kind} at byte {at}");
    #[rustfmt::skip]
    let cases: Vec<Case<'_>> = vec![
        (vec![good.clone(), good.clone()], h(Header::Duplicate), "Token-Binding", 0, tb("more than one header", 0)),
        (text(""), h(Header::Empty), "Token-Binding", 0, tb("the value is empty", 0)),
        (text(&"A".repeat(87_385)), h(Header::TooLong { actual: 87_385 }), "Token-Binding", 87_384, tb("the value is too long", 87_384)),
        (text("AAAA,"), h(Header::List), "Token-Binding", 4, tb("a comma, though one value is expected", 4)),
        (text("AA A"), h(Header::Whitespace), "Token-Binding", 2, tb("a space or a control character", 2)),
        (text("+AAA"), h(Header::StandardAlphabet), "Token-Binding", 0, tb("a character of base64 that base64url lacks", 0)),
        (text("AAA."), h(Header::Alphabet), "Token-Binding", 3, tb("an octet outside of the base64url alphabet", 3)),
        (text(&padded), h(Header::Padding), "Token-Binding", end, tb("padding that is not allowed or not correct", end)),
        (text("AAAAA"), h(Header::Length), "Token-Binding", 5, tb("a length that base64url cannot have", 5)),
        (text("AB"), h(Header::TrailingBits), "Token-Binding", 1, tb("unused bits that are not zero", 1)),
        (vec![], m(TerminateKind::MissingMessage), "TokenBindingMessage", 0,
            "TokenBindingMessage: not sent, but Token Binding was negotiated at byte 0".into()),
        (text("AAA"), m(TerminateKind::Malformed(ErrorKind::NoTokenBinding)), "TokenBindingMessage.tokenbindings", 2,
            "TokenBindingMessage.tokenbindings: no TokenBinding at byte 2".into()),
        (text(&referred_only), m(TerminateKind::MissingProvided), "TokenBindingMessage.tokenbindings", 2,
            "TokenBindingMessage.tokenbindings: no provided_token_binding at byte 2".into()),
        (text(&by_rsa), m(TerminateKind::KeyParametersMismatch { negotiated }), "TokenBindingID.algorithm", 3,
            "TokenBindingID.algorithm: not a p256 key, which was negotiated at byte 3".into()),
    ];
    for (values, kind, field, offset, text) in cases {
        let mut binding = server(session);
        let values: Vec<_> = values.iter().map(String::as_bytes).collect();
        let refusal = refused(binding.request(values, &RustCrypto));
        let seen = (refusal.kind(), refusal.field(), refusal.offset());
        assert_eq!(seen, (kind, field, offset), "{text}");
        assert_eq!(refusal.to_string(), text);
        assert_eq!(format!("{refusal:?}"), format!("TerminateReason({text})"));
        assert_eq!(binding.terminate_reason(), Some(refusal));
        // Whatever comes now.
        let verifier = Counting::default();
        for later in [vec![good.as_bytes()], vec![], vec![b"".as_slice(); 2]] {
            assert_eq!(refused(binding.request(later, &verifier)), refusal);
        }
        assert_eq!(verifier.taken(), 0);
    }
}

#[test]
fn requires_the_header_and_the_same_key_in_later_requests() {
    let session = session(P256, 1);
    let (key, other) = (p256(), p256());
    let good = header(&session, &*key, None);
    let first = |options| {
        let mut binding = server::ConnectionState::new(Some(session), options);
        let bindings = bound(binding.request([good.as_bytes()], &RustCrypto));
        (binding, bindings)
    };
    let (mut binding, _) = first(server::Options::default());
    let refusal = refused(binding.request([], &RustCrypto));
    assert_eq!(refusal.kind(), server::TerminateKind::MissingInLaterRequest);
    assert_eq!(
        refusal.to_string(),
        "Token-Binding: missing in a request after the first at byte 0"
    );

    let changed = header(&session, &*other, Some(&*key));
    for options in [server::Options::default(), LENIENT] {
        let (mut binding, _) = first(options);
        let refusal = refused(binding.request([changed.as_bytes()], &RustCrypto));
        assert_eq!(refusal.kind(), server::TerminateKind::ProvidedKeyChanged);
        assert_eq!(
            refusal.to_string(),
            "Token-Binding: the provided key is not that of the first request at byte 0"
        );
        assert_eq!(refused(binding.request([], &RustCrypto)), refusal);
    }

    let (mut binding, bindings) = first(LENIENT);
    let federated = header(&session, &*key, Some(&*other));
    let _ = bound(binding.request([federated.as_bytes()], &RustCrypto));
    let verifier = Counting::default();
    let without = bound(binding.request([], &verifier));
    assert_eq!((without, verifier.taken()), (bindings, 0));
}

#[test]
fn terminates_on_any_header_without_token_binding() {
    let session = session(P256, 1);
    let good = header(&session, &*p256(), None);
    for options in [server::Options::default(), LENIENT] {
        for values in [
            vec![good.as_bytes()],
            vec![b"".as_slice()],
            vec![good.as_bytes(); 2],
        ] {
            let mut binding = server::ConnectionState::new(None, options);
            for _ in 0..3 {
                let outcome = binding.request([], &RustCrypto);
                assert_eq!(outcome, RequestOutcome::NotInUse);
            }
            let verifier = Counting::default();
            let refusal = refused(binding.request(values, &verifier));
            let kind = server::TerminateKind::Message(TerminateKind::NotNegotiated);
            assert_eq!(
                (refusal.kind(), refusal.field(), refusal.offset()),
                (kind, "TokenBindingMessage", 0)
            );
            assert_eq!(refused(binding.request([], &verifier)), refusal);
            assert_eq!(verifier.taken(), 0);
        }
    }
}

#[test]
fn reports_an_rsa_referral_as_unsupported_with_a_verifier_without_rsa() {
    let session = session(P256, 1);
    let verifier = Counting {
        without: Some(KeyParameters::Rsa2048),
        ..Counting::default()
    };
    let value = header(&session, &*p256(), Some(&*rsa(0)));
    let bindings = bound(server(session).request([value.as_bytes()], &verifier));
    let algorithm = KeyParameters::Rsa2048.algorithm();
    let referred = ReferredTokenBinding::Unsupported(algorithm);
    assert_eq!(bindings.referred(), Some(&referred));
    assert_eq!(verifier.taken(), 1);
    assert_eq!(
        TokenToIssue::from_referred(bindings.referred()),
        TokenToIssue::Unbound(UnboundReason::UnsupportedAlgorithm(algorithm))
    );

    let session = sessions::session(RSA, 1);
    let value = header(&session, &*rsa(0), None);
    let refusal = refused(server(session).request([value.as_bytes()], &verifier));
    let negotiated = KeyParameters::Rsa2048;
    let kind = server::TerminateKind::Message(TerminateKind::VerifierUnsupported { negotiated });
    assert_eq!(
        (refusal.kind(), refusal.field(), refusal.offset()),
        (kind, "TokenBindingID.algorithm", 3)
    );
}

#[test]
fn honors_a_token_bound_to_a_referred_binding_at_the_consumer_only() {
    let (provider, consumer) = (session(P256, 1), session(RSA, 2));
    let (at_provider, at_consumer, thief) = (p256(), rsa(0), rsa(1));
    let request = |session: Session, key: &dyn Sign, referred: Option<&dyn Sign>| {
        let value = header(&session, key, referred);
        bound(server(session).request([value.as_bytes()], &RustCrypto))
    };
    let bindings = request(provider, &*at_provider, Some(&*at_consumer));
    let TokenToIssue::BoundTo(token) = TokenToIssue::from_referred(bindings.referred()) else {
        panic!("unbound");
    };
    assert_eq!(*token, id(TokenBindingType::REFERRED, &*at_consumer));
    let verdict = |claim: TokenClaim<'_>, bindings: &TokenBindings| {
        let connection = bindings.provided().id().provided();
        claim.check(connection, BearerPolicy::Discard)
    };
    let own = request(consumer, &*at_consumer, None);
    let stolen = request(consumer, &*thief, None);
    let by_key = TokenClaim::KeyId(token.key_id());
    assert_eq!(verdict(by_key, &own), TokenVerdict::HonorBound);
    let mismatch = TokenVerdict::Discard(DiscardReason::Mismatch);
    assert_eq!(verdict(by_key, &stolen), mismatch);
    assert_eq!(verdict(by_key, &bindings), mismatch);
    // The literal ID says `referred`, which no consumer sees.
    let literal = TokenClaim::Id(token.as_bytes());
    assert_eq!(verdict(literal, &own), mismatch);
}

/// Verifies, and asks the connection meanwhile.
#[derive(Default)]
struct AsksBack {
    connection: OnceLock<server::Connection>,
    refusals: Mutex<Vec<Option<server::TerminateReason>>>,
}

impl AsksBack {
    fn ask(&self) {
        let connection = self.connection.get().unwrap();
        assert!(connection.session().is_some());
        assert!(!connection.is_terminated());
        self.refusals
            .lock()
            .unwrap()
            .push(connection.terminate_reason());
    }
}

impl Verify for AsksBack {
    fn supports(&self, parameters: KeyParameters) -> bool {
        self.ask();
        RustCrypto.supports(parameters)
    }

    fn verify_p256(
        &self,
        coordinates: &[u8; 64],
        octets: &SignedOctets,
        signature: &[u8; 64],
    ) -> Result<(), SignatureInvalid> {
        self.ask();
        RustCrypto.verify_p256(coordinates, octets, signature)
    }

    fn verify_rsa2048(
        &self,
        modulus: &[u8],
        publicexponent: &[u8],
        octets: &SignedOctets,
        signature: &[u8; 256],
    ) -> Result<(), SignatureInvalid> {
        RustCrypto.verify_rsa2048(modulus, publicexponent, octets, signature)
    }
}

#[test]
fn lets_headers_and_verifier_ask_the_connection_while_a_request_is_checked() {
    let (done, result) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let session = session(P256, 1);
        let verifier = Arc::new(AsksBack::default());
        let options = server::Options::default();
        let connection = server::Connection::new(Some(session), verifier.clone(), options);
        verifier.connection.set(connection.clone()).unwrap();
        let value = header(&session, &*p256(), None);
        let asking = std::iter::once(value.as_bytes()).inspect(|_| verifier.ask());
        let _ = bound(connection.request(asking));
        // By the header, and by the verifier: what it supports, and a signature.
        done.send(verifier.refusals.lock().unwrap().clone())
    });
    let refusals = result.recv_timeout(std::time::Duration::from_secs(30));
    assert_eq!(refusals, Ok(vec![None; 3]), "it waits for itself");
}

/// The header of a message with an extension of so many bytes.
fn extended(session: &Session, key: &dyn Sign, bytes: usize) -> String {
    let octets = octets(session, key, None);
    let message = TokenBindingMessage::from_bytes(&octets, EncodingProfile::default()).unwrap();
    let binding = message.token_bindings().first().unwrap();
    let extension = Extension {
        extension_type: ExtensionType(9),
        extension_data: vec![0; bytes],
    };
    let (id, signature) = (binding.id().clone(), binding.signature().to_vec());
    let binding = TokenBinding::new(id, signature, vec![extension]);
    let message = TokenBindingMessage::try_new(vec![binding], EncodingProfile::default());
    header::encode(&message.unwrap().to_vec().unwrap())
}

#[test]
fn verifies_headers_that_are_too_long_to_be_remembered_each_time() {
    let (session, key, verifier) = (session(P256, 1), p256(), Counting::default());
    let mut binding = server(session);
    let lengths = [5900, 6200, 65_000].map(|bytes| extended(&session, &*key, bytes));
    let [remembered, long, longest] = &lengths;
    assert!(remembered.len() <= MAX_REMEMBERED_HEADER_BYTES);
    assert!(long.len() > MAX_REMEMBERED_HEADER_BYTES);
    for (value, first, later) in [(longest, 1, 1), (long, 1, 1), (remembered, 1, 0)] {
        for expected in [first, later, later] {
            let provided = bound(binding.request([value.as_bytes()], &verifier));
            let provided = provided.provided().id().clone();
            assert_eq!(provided, id(TokenBindingType::PROVIDED, &*key));
            assert_eq!(verifier.taken(), expected, "{} bytes", value.len());
        }
    }
}

#[test]
fn shares_the_state_of_a_connection_among_clones_and_reports_a_refusal_once() {
    let session = session(P256, 1);
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell = told.clone();
    let verifier = Arc::new(Counting::default());
    let connection =
        server::Connection::new(Some(session), verifier.clone(), server::Options::default());
    let connection = connection.on_terminate(move |reason| tell.lock().unwrap().push(reason));
    let other = connection.clone();
    let value = header(&session, &*p256(), None);
    let bindings = bound(connection.request([value.as_bytes()]));
    assert_eq!(bound(other.request([value.as_bytes()])), bindings);
    assert_eq!(verifier.taken(), 1);
    assert_eq!(connection.session(), Some(&session));
    assert_eq!(
        (connection.is_terminated(), connection.terminate_reason()),
        (false, None)
    );
    assert_eq!(*told.lock().unwrap(), []);

    let refusal = refused(other.request([]));
    for handle in [&connection, &other] {
        assert_eq!(refused(handle.request([value.as_bytes()])), refusal);
        assert_eq!(
            (handle.is_terminated(), handle.terminate_reason()),
            (true, Some(refusal))
        );
    }
    assert_eq!(*told.lock().unwrap(), [refusal]);
    assert_eq!(verifier.taken(), 0);
    let text = format!("{connection:?}");
    assert!(text.contains("terminated: true"), "{text}");
}

#[test]
fn verifies_a_header_once_on_many_threads() {
    let session = session(P256, 1);
    let verifier = Arc::new(Counting::default());
    let options = server::Options::default();
    let connection = server::Connection::new(Some(session), verifier.clone(), options);
    let value = header(&session, &*p256(), None);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..50 {
                    let _ = bound(connection.request([value.as_bytes()]));
                }
            });
        }
    });
    assert_eq!(verifier.taken(), 1);
}

fn bound(outcome: RequestOutcome) -> TokenBindings {
    match outcome {
        RequestOutcome::Bound(bindings) => bindings,
        other => panic!("not bound: {other:?}"),
    }
}

fn refused(outcome: RequestOutcome) -> server::TerminateReason {
    match outcome {
        RequestOutcome::Terminate(refusal) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}
