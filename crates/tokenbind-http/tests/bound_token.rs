//! Sealed tokens: theft, rotation, framing, expiry, limits.

#![cfg(feature = "sealed-tokens")]
#![allow(
    missing_docs,
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

use std::{
    sync::Arc,
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use base64::{DecodeError, Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use proptest::prelude::*;
use tokenbind_http::{
    ReferredTokenBinding,
    federation::TokenToIssue,
    sealed_tokens::{
        BoundTokens, IssueTo, MAX_EXPIRES_SECS, MAX_PAYLOAD_BYTES, MAX_SEALED_BYTES, OpenedToken,
        PurposeError, SealError, SealedTokenVerdict, TokenKeyError, TokenKeyId, TokenKeys,
    },
};
use tokenbind_wire::{
    PointEncoding, SignatureAndHashAlgorithm, TokenBindingId, TokenBindingType, token::BearerPolicy,
};

const CLIENT: &str = "000403001741046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c2964fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";
const OTHER: &str = "0004030017410460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb67903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299";
const FIRST: TokenKeyId = TokenKeyId(1);
const SECOND: TokenKeyId = TokenKeyId(2);

#[test]
fn honors_a_token_on_its_clients_connections_only() {
    let (tokens, client, other) = (tokens(), id(CLIENT), id(OTHER));
    let sealed = seal(&tokens, b"user 17");
    let on = |connection| opened(tokens.open(sealed.as_bytes(), connection, at(NOW)));
    assert_eq!(on(client.provided()), Ok(("bound", b"user 17".to_vec())));
    let binding = "SealedToken.binding";
    assert_eq!(on(other.provided()), Err(("mismatch", binding, 5)));
    let none = Err(("no-token-binding-established", binding, 5));
    assert_eq!(on(None), none);
    // What the client referred to was established as another server's.
    let referred = client.clone().with_type(TokenBindingType::REFERRED);
    assert_eq!(on(referred.provided()), none);
}

#[test]
fn honors_at_the_consumer_a_token_bound_to_a_referred_key() {
    let (provider, consumer) = (tokens(), tokens());
    let referred = id(CLIENT).with_type(TokenBindingType::REFERRED);
    let issue = TokenToIssue::from_referred(Some(&ReferredTokenBinding::Verified(referred.into())));
    let sealed = provider.seal(&issue, b"user 17", at(NOW + 60));
    let sealed = sealed.expect("sealed");
    assert_eq!(open(&consumer, &sealed), Ok(("bound", b"user 17".to_vec())));
    let stolen = consumer.open(sealed.as_bytes(), id(OTHER).provided(), at(NOW));
    assert_eq!(opened(stolen), Err(("mismatch", "SealedToken.binding", 5)));
}

#[test]
fn honors_an_unbound_token_only_under_the_policy() {
    let tokens = tokens();
    let unsupported = SignatureAndHashAlgorithm::ECDSA_P256_SHA256;
    let referred = ReferredTokenBinding::Unsupported(unsupported);
    for issue in [
        TokenToIssue::from_referred(Some(&referred)),
        TokenToIssue::from_referred(None),
    ] {
        assert!(matches!(issue, TokenToIssue::Unbound(_)));
        let sealed = tokens.seal(&issue, b"user 17", at(NOW + 60));
        let sealed = sealed.expect("sealed");
        let discarded = Err(("bearer-not-honored", "SealedToken.binding", 5));
        let honored = Ok(("bearer", b"user 17".to_vec()));
        let lenient = tokens.clone().bearer_policy(BearerPolicy::Honor);
        for connection in [None, Some(id(OTHER))] {
            let connection = connection.as_ref().and_then(TokenBindingId::provided);
            let on =
                |tokens: &BoundTokens| opened(tokens.open(sealed.as_bytes(), connection, at(NOW)));
            assert_eq!(on(&tokens), discarded);
            assert_eq!(on(&lenient), honored);
        }
    }
    // The policy is about bearer tokens: a bound one stays bound.
    let lenient = tokens.clone().bearer_policy(BearerPolicy::Honor);
    let sealed = seal(&tokens, b"user 17");
    assert_eq!(
        opened(lenient.open(sealed.as_bytes(), None, at(NOW))),
        Err(("no-token-binding-established", "SealedToken.binding", 5))
    );
}

#[test]
fn refuses_every_other_octet_at_every_place_of_a_token() {
    let tokens = tokens();
    let sealed = seal(&tokens, b"user 17").into_bytes();
    // 87 octets are 116 characters: no bit of the last one stands for nothing.
    assert_eq!(sealed.len(), 116);
    let mut changed = sealed.clone();
    for at in 0..sealed.len() {
        for octet in (0..=u8::MAX).filter(|octet| *octet != sealed[at]) {
            changed[at] = octet;
            let why = match URL_SAFE_NO_PAD.decode(&changed).as_deref() {
                Err(_) => ("alphabet", "SealedToken", at),
                Ok([1, 0, 0, 0, 1, ..]) => ("mac-mismatch", "SealedToken.mac", 55),
                Ok([1, ..]) => ("unknown-key", "SealedToken.key", 1),
                Ok(_) => ("version", "SealedToken.version", 0),
            };
            assert_eq!(open(&tokens, &changed), Err(why), "{octet} at {at}");
        }
        changed[at] = sealed[at];
    }
    assert_eq!(open(&tokens, &changed), Ok(("bound", b"user 17".to_vec())));
}

#[test]
fn refuses_every_part_of_a_token_and_every_longer_token() {
    let tokens = tokens();
    let sealed = seal(&tokens, b"user 17").into_bytes();
    for length in 0..sealed.len() {
        for part in [&sealed[..length], &sealed[sealed.len() - length..]] {
            let why = match URL_SAFE_NO_PAD.decode(part).as_deref() {
                _ if part.is_empty() => ("empty", "SealedToken", 0),
                Err(DecodeError::InvalidLastSymbol { .. }) => {
                    ("trailing-bits", "SealedToken", length - 1)
                }
                Err(_) => ("length", "SealedToken", length),
                Ok([1, rest @ ..]) if rest.len() < 4 => ("truncated", "SealedToken.key", 1),
                Ok([1, rest @ ..]) if rest.len() < 36 => ("truncated", "SealedToken.mac", 5),
                Ok(octets @ [1, 0, 0, 0, 1, ..]) => {
                    ("mac-mismatch", "SealedToken.mac", octets.len() - 32)
                }
                Ok([1, ..]) => ("unknown-key", "SealedToken.key", 1),
                Ok(_) => ("version", "SealedToken.version", 0),
            };
            assert_eq!(open(&tokens, part), Err(why), "{length} characters");
        }
    }
    let mut longer = sealed.clone();
    for octet in 0..=u8::MAX {
        longer.push(octet);
        let in_alphabet = octet.is_ascii_alphanumeric() || b"-_".contains(&octet);
        let why = |at| match in_alphabet {
            true => Err(("length", "SealedToken", 117)),
            false => Err(("alphabet", "SealedToken", at)),
        };
        assert_eq!(open(&tokens, &longer), why(116), "{octet} after");
        longer.rotate_right(1);
        assert_eq!(open(&tokens, &longer), why(0), "{octet} before");
        longer.rotate_left(1);
        longer.pop();
    }
}

#[test]
fn accepts_a_token_for_its_purpose_only() {
    let keys = keys();
    let of = |purpose| BoundTokens::try_new(keys.clone(), purpose).expect("a purpose");
    let sealed = seal(&of("session"), b"user 17");
    let refused = Err(("mac-mismatch", "SealedToken.mac", 55));
    for other in [
        "sessio",
        "session2",
        "Session",
        "session\0",
        " session",
        "login",
    ] {
        assert_eq!(open(&of(other), &sealed), refused, "{other}");
    }
    let honored = Ok(("bound", b"user 17".to_vec()));
    assert_eq!(open(&of("session"), &sealed), honored);
}

#[test]
fn accepts_a_purpose_of_1_to_255_bytes() {
    let purpose = |purpose: &str| BoundTokens::try_new(keys(), purpose).map(|_| ());
    assert_eq!(purpose(""), Err(PurposeError));
    assert_eq!(purpose("p"), Ok(()));
    assert_eq!(purpose(&"p".repeat(255)), Ok(()));
    assert_eq!(purpose(&"p".repeat(256)), Err(PurposeError));
}

#[test]
fn rotates_keys_without_refusing_a_token() {
    let tokens = tokens();
    let keys = tokens.keys();
    let old = seal(&tokens, b"old");
    let honored = |payload: &[u8]| Ok(("bound", payload.to_vec()));

    keys.accept(SECOND, &[2; 64]).expect("accepted");
    assert_eq!((keys.current(), keys.ids()), (FIRST, vec![FIRST, SECOND]));
    assert_eq!(seal(&tokens, b"old"), old, "sealed with the current key");

    // The next server has rotated already.
    let next = BoundTokens::try_new(
        Arc::new(TokenKeys::try_new(SECOND, &[2; 64]).expect("a key")),
        "session",
    )
    .expect("a purpose");
    assert_eq!(open(&tokens, seal(&next, b"new")), honored(b"new"));

    keys.seal_with(SECOND).expect("known");
    assert_eq!((keys.current(), keys.ids()), (SECOND, vec![FIRST, SECOND]));
    let new = seal(&tokens, b"new");
    assert_eq!(new, seal(&next, b"new"));
    for (sealed, payload, key) in [(&old, b"old", FIRST), (&new, b"new", SECOND)] {
        let opened = token(tokens.open(sealed.as_bytes(), id(CLIENT).provided(), at(NOW)));
        assert_eq!((opened.payload(), opened.key()), (&payload[..], key));
        assert_eq!(opened.expires(), at(NOW + 60));
    }

    keys.retire(FIRST).expect("not current");
    assert_eq!((keys.current(), keys.ids()), (SECOND, vec![SECOND]));
    let unknown = Err(("unknown-key", "SealedToken.key", 1));
    assert_eq!(open(&tokens, &old), unknown);
    assert_eq!(open(&tokens, &new), honored(b"new"));

    // An id that comes back with another secret honors nothing of old.
    keys.accept(FIRST, &[3; 32]).expect("accepted");
    let mismatch = Err(("mac-mismatch", "SealedToken.mac", 51));
    assert_eq!(open(&tokens, &old), mismatch);
}

#[test]
fn keeps_the_key_that_seals_and_one_key_per_id() {
    let keys = keys();
    assert_eq!(keys.retire(FIRST), Err(TokenKeyError::Current(FIRST)));
    assert_eq!(keys.retire(SECOND), Err(TokenKeyError::Unknown(SECOND)));
    assert_eq!(keys.seal_with(SECOND), Err(TokenKeyError::Unknown(SECOND)));
    assert_eq!(keys.seal_with(FIRST), Ok(()));
    let exists = |id| Err(TokenKeyError::Exists(id));
    assert_eq!(keys.accept(FIRST, &[2; 32]), exists(FIRST));
    assert_eq!(keys.accept(SECOND, &[2; 32]), Ok(()));
    assert_eq!(keys.accept(SECOND, &[3; 32]), exists(SECOND));
    assert_eq!((keys.current(), keys.ids()), (FIRST, vec![FIRST, SECOND]));
}

#[test]
fn accepts_a_secret_of_32_to_64_bytes() {
    let keys = keys();
    for actual in [0, 1, 16, 31, 65, 4096] {
        let error = TokenKeyError::Length { actual };
        let secret = vec![7; actual];
        assert_eq!(TokenKeys::try_new(FIRST, &secret).err(), Some(error));
        assert_eq!(keys.accept(SECOND, &secret), Err(error));
    }
    for length in [32, 33, 64] {
        assert!(TokenKeys::try_new(FIRST, &vec![7; length]).is_ok());
    }
    assert_eq!(keys.ids(), [FIRST]);
}

#[test]
fn prints_no_secret_and_no_payload() {
    let tokens = tokens();
    assert_eq!(
        format!("{tokens:?}"),
        "BoundTokens { keys: TokenKeys { current: TokenKeyId(1), ids: [TokenKeyId(1)], .. }, \
         purpose: \"session\", bearer_policy: Discard, .. }"
    );
    let sealed = seal(&tokens, b"user 17");
    let opened = token(tokens.open(sealed.as_bytes(), id(CLIENT).provided(), at(NOW)));
    let printed = format!("{opened:?}");
    assert!(printed.starts_with("OpenedToken { expires: "), "{printed}");
    assert!(printed.ends_with(", key: TokenKeyId(1), .. }"), "{printed}");
    assert!(!printed.contains("117"), "{printed}");
}

#[test]
fn refuses_a_token_from_its_expiry_on() {
    let (tokens, client) = (tokens(), id(CLIENT));
    let half = Duration::from_millis(500);
    let sealed = tokens.seal(client.view(), b"", at(NOW + 60) + half);
    let sealed = sealed.expect("sealed");
    let on = |now| opened(tokens.open(sealed.as_bytes(), client.provided(), now));
    let honored = Ok(("bound", Vec::new()));
    let expired = Err(("expired", "SealedToken.expires", 38));
    let clock = Err(("clock", "SealedToken.expires", 38));
    for now in [UNIX_EPOCH, at(NOW), at(NOW + 60) - Duration::from_nanos(1)] {
        assert_eq!(on(now), honored, "{now:?}");
    }
    for now in [at(NOW + 60), at(NOW + 60) + half, at(MAX_EXPIRES_SECS)] {
        assert_eq!(on(now), expired, "{now:?}");
    }
    // Without a clock, nothing is honored.
    for now in [
        UNIX_EPOCH - Duration::from_nanos(1),
        at(MAX_EXPIRES_SECS + 1),
    ] {
        assert_eq!(on(now), clock, "{now:?}");
    }
}

#[test]
fn accepts_an_expiry_between_1970_and_9999() {
    let (tokens, client) = (tokens(), id(CLIENT));
    let sealed = |expires| tokens.seal(client.view(), b"", expires);
    for expires in [
        UNIX_EPOCH - Duration::from_secs(1),
        at(MAX_EXPIRES_SECS + 1),
    ] {
        assert_eq!(sealed(expires), Err(SealError::Expires));
    }
    let last = sealed(at(MAX_EXPIRES_SECS)).expect("sealed");
    assert_eq!(open(&tokens, last), Ok(("bound", Vec::new())));
}

#[test]
fn seals_the_longest_payload_into_the_longest_token_and_refuses_a_longer_one() {
    let (tokens, client) = (tokens(), id(CLIENT));
    let longest = vec![7; MAX_PAYLOAD_BYTES];
    let sealed = seal(&tokens, &longest);
    assert_eq!(sealed.len(), MAX_SEALED_BYTES);
    assert_eq!(open(&tokens, &sealed), Ok(("bound", longest.clone())));
    for actual in [MAX_PAYLOAD_BYTES + 1, 65_535, 65_536, 100_000] {
        for to in [IssueTo::Key(client.view()), IssueTo::Bearer] {
            assert_eq!(
                tokens.seal(to, &vec![7; actual], at(NOW + 60)),
                Err(SealError::PayloadTooLong { actual })
            );
        }
    }
}

#[test]
fn seals_and_opens_on_threads_while_keys_rotate() {
    let tokens = tokens();
    thread::scope(|scope| {
        for thread in 0..3_u8 {
            let tokens = tokens.clone();
            scope.spawn(move || {
                for number in 0..100_u8 {
                    let sealed = seal(&tokens, &[thread, number]);
                    let honored = Ok(("bound", vec![thread, number]));
                    assert_eq!(open(&tokens, sealed), honored);
                }
            });
        }
        for number in 2..30 {
            let keys = tokens.keys();
            let secret = [u8::try_from(number).expect("small"); 32];
            keys.accept(TokenKeyId(number), &secret).expect("new");
            keys.seal_with(TokenKeyId(number)).expect("known");
        }
    });
    assert_eq!(tokens.keys().current(), TokenKeyId(29));
}

proptest! {
    #[test]
    fn opens_what_it_seals(
        payload in prop::collection::vec(any::<u8>(), 0..=MAX_PAYLOAD_BYTES), purpose in ".{1,60}", bound: bool,
        secret in prop::collection::vec(any::<u8>(), 32..=64), key: u32, lifetime in 1_u64..1 << 32,
    ) {
        let keys = Arc::new(TokenKeys::try_new(TokenKeyId(key), &secret).expect("a key"));
        let tokens = BoundTokens::try_new(keys, &purpose).expect("a purpose").bearer_policy(BearerPolicy::Honor);
        let client = id(CLIENT);
        let to = if bound { IssueTo::Key(client.view()) } else { IssueTo::Bearer };
        let sealed = tokens.seal(to, &payload, at(NOW + lifetime)).expect("sealed");
        prop_assert!(sealed.len() <= MAX_SEALED_BYTES);
        let honored = |kind| Ok((kind, payload.clone()));
        prop_assert_eq!(open(&tokens, &sealed), honored(if bound { "bound" } else { "bearer" }));
    }
}

fn id(hex: &str) -> TokenBindingId {
    let bytes = hex::decode(hex).expect("hex");
    TokenBindingId::from_bytes(&bytes, PointEncoding::X962).expect("an id")
}

fn keys() -> Arc<TokenKeys> {
    Arc::new(TokenKeys::try_new(FIRST, &[1; 32]).expect("a key"))
}

fn tokens() -> BoundTokens {
    BoundTokens::try_new(keys(), "session").expect("a purpose")
}

fn at(secs: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(secs)
}

const NOW: u64 = 1_700_000_000;

fn seal(tokens: &BoundTokens, payload: &[u8]) -> String {
    let client = id(CLIENT);
    tokens
        .seal(client.view(), payload, at(NOW + 60))
        .expect("sealed")
}

/// Kind, field, offset.
type Why = (&'static str, &'static str, usize);

fn opened(verdict: SealedTokenVerdict) -> Result<(&'static str, Vec<u8>), Why> {
    match verdict {
        SealedTokenVerdict::HonorBound(token) => Ok(("bound", token.into_payload())),
        SealedTokenVerdict::HonorBearer(token) => Ok(("bearer", token.into_payload())),
        SealedTokenVerdict::Discard(why) => Err((why.kind().name(), why.field(), why.offset())),
    }
}

fn open(tokens: &BoundTokens, token: impl AsRef<[u8]>) -> Result<(&'static str, Vec<u8>), Why> {
    opened(tokens.open(token.as_ref(), id(CLIENT).provided(), at(NOW)))
}

fn token(verdict: SealedTokenVerdict) -> OpenedToken {
    match verdict {
        SealedTokenVerdict::HonorBound(token) => token,
        other => panic!("{other:?}"),
    }
}
