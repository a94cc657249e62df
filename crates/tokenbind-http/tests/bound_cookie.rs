//! Cookies with sealed tokens: attributes, prefixes, reading them.

#![cfg(feature = "sealed-tokens")]
#![allow(
    missing_docs,
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "tests"
)]

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use proptest::prelude::*;
use tokenbind_http::sealed_tokens::{
    BoundCookie, BoundTokens, CookieAttributes, CookieError, IssueTo, MAX_COOKIE_BYTES,
    MAX_PAYLOAD_BYTES, SameSite, SealError, SealedTokenVerdict, TokenKeyId, TokenKeys,
};
use tokenbind_wire::{PointEncoding, TokenBindingId, token::BearerPolicy};

const CLIENT: &str = "000403001741046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c2964fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";
const NAME: &str = "__Host-session";
const DAY: Duration = Duration::from_secs(86_400);

#[test]
fn honors_a_cookie_that_it_issued() {
    let session = session();
    let issued = issue(&session, b"user 17");
    let (pair, attributes) = split(&issued);
    assert_eq!(
        attributes,
        "Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=86400"
    );
    assert_eq!(pair.len(), NAME.len() + 1 + 116);
    let honored = Some(Ok(b"user 17".to_vec()));
    assert_eq!(open(&session, &[pair.as_bytes()]), honored);
    assert_eq!(session.name(), NAME);
}

#[test]
fn writes_the_attributes_as_they_are_set() {
    let attributes = CookieAttributes {
        path: "/app/a=b",
        domain: Some("Shop.example-1.com"),
        same_site: SameSite::None,
        http_only: false,
        persistent: false,
    };
    let plain = cookie("sid", attributes).expect("a cookie");
    assert_eq!(
        split(&issue(&plain, b"")).1,
        "Path=/app/a=b; Domain=Shop.example-1.com; Secure; SameSite=None"
    );
    let strict = CookieAttributes {
        same_site: SameSite::Strict,
        ..CookieAttributes::default()
    };
    let strict = cookie("__Secure-sid", strict).expect("a cookie");
    assert_eq!(
        split(&issue(&strict, b"")).1,
        "Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=86400"
    );
    assert_eq!(
        plain.removal(),
        "sid=; Path=/app/a=b; Domain=Shop.example-1.com; Secure; SameSite=None; Max-Age=0"
    );
    assert_eq!(
        session().removal(),
        "__Host-session=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0"
    );
}

#[test]
fn refuses_an_invalid_name_path_or_domain() {
    let refusal = |name: &str, path: &str, domain: Option<&str>| {
        let attributes = CookieAttributes {
            path,
            domain,
            ..CookieAttributes::default()
        };
        cookie(name, attributes).err()
    };
    for name in [
        "",
        "a b",
        "a=b",
        "a;b",
        "a,b",
        "a\"",
        "ä",
        "a\r\n",
        "\u{2000}a",
        "[a]",
    ] {
        assert_eq!(
            refusal(name, "/", None),
            Some(CookieError::Name),
            "{name:?}"
        );
    }
    assert_eq!(refusal("!#$%&'*+-.^_`|~09azAZ", "/", None), None);
    for path in ["", "app", "/a;b", "/a b", "/\r\nX: y", "/ä", "/\u{7f}"] {
        assert_eq!(
            refusal("a", path, None),
            Some(CookieError::Path),
            "{path:?}"
        );
    }
    let long_label = "a".repeat(64);
    for domain in [
        "",
        ".example.com",
        "example.com.",
        "a..b",
        "-a.b",
        "a-.b",
        "a_b",
        "ä.de",
        "a;b",
        long_label.as_str(),
    ] {
        let error = Some(CookieError::Domain);
        assert_eq!(refusal("a", "/", Some(domain)), error, "{domain:?}");
    }
    assert_eq!(refusal("a", "/", Some("xn--4ca.example")), None);
}

#[test]
fn enforces_the_rules_of_the_name_prefixes() {
    let refusal = |name: &str, path: &'static str, domain: Option<&'static str>| {
        let attributes = CookieAttributes {
            path,
            domain,
            ..CookieAttributes::default()
        };
        cookie(name, attributes).err()
    };
    let (host, case) = (Some(CookieError::HostPrefix), Some(CookieError::PrefixCase));
    assert_eq!(refusal("__Host-a", "/", None), None);
    assert_eq!(refusal("__Host-a", "/app", None), host);
    assert_eq!(refusal("__Host-a", "/", Some("example.com")), host);
    assert_eq!(refusal("__Secure-a", "/app", Some("example.com")), None);
    for name in ["__host-a", "__HOST-a", "__secure-a", "__SECURE-a"] {
        assert_eq!(refusal(name, "/", None), case, "{name}");
    }
    assert_eq!(refusal("__Host", "/app", None), None);
}

#[test]
fn accepts_the_longest_cookie_and_refuses_a_longer_frame() {
    let frame = "=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=253402300799";
    let name = "n".repeat(256 - frame.len());
    let longest = cookie(&name, CookieAttributes::default()).expect("a cookie");
    let client = client();
    let forever = Duration::from_secs(253_402_300_799);
    let issued = longest.issue(client.view(), &[7; MAX_PAYLOAD_BYTES], forever, UNIX_EPOCH);
    assert_eq!(issued.map(|issued| issued.len()), Ok(MAX_COOKIE_BYTES));
    assert_eq!(
        cookie(&format!("{name}n"), CookieAttributes::default()).err(),
        Some(CookieError::TooLong {
            limit: 256,
            actual: 257
        })
    );
    assert_eq!(
        cookie(&"n".repeat(5000), CookieAttributes::default()).err(),
        Some(CookieError::TooLong {
            limit: 256,
            actual: 5000 + frame.len()
        })
    );
}

#[test]
fn requires_a_lifetime_of_a_second_at_least() {
    let (session, client) = (session(), client());
    let issued = |lifetime| session.issue(client.view(), b"", lifetime, now());
    let second = issued(Duration::from_millis(1999)).expect("issued");
    assert!(second.ends_with("; Max-Age=1"), "{second}");
    for lifetime in [Duration::ZERO, Duration::from_millis(999), Duration::MAX] {
        assert_eq!(issued(lifetime), Err(SealError::Expires));
    }
    let end_of_9999 = Duration::from_secs(253_402_300_799 - 1_700_000_000);
    assert!(issued(end_of_9999).is_ok());
    let longer = end_of_9999 + Duration::from_secs(1);
    assert_eq!(issued(longer), Err(SealError::Expires));
}

#[test]
fn finds_a_cookie_at_any_place() {
    let session = session();
    let issued = issue(&session, b"user 17");
    let pair = split(&issued).0;
    for header in [
        pair.to_owned(),
        format!("a=b; {pair}"),
        format!("{pair}; a=b"),
        format!("a; =b; ;; c={pair}; {pair};"),
        format!("a=b;{pair};c=d"),
        format!(" \t{pair}\t "),
    ] {
        let honored = Some(Ok(b"user 17".to_vec()));
        assert_eq!(open(&session, &[header.as_bytes()]), honored, "{header}");
        let crumbs = [&b"x=\xff\xfe"[..], header.as_bytes(), b""];
        assert_eq!(open(&session, &crumbs), honored, "{header}");
    }
}

#[test]
fn distinguishes_cookies_of_other_names() {
    let session = session();
    let issued = issue(&session, b"user 17");
    let value = &split(&issued).0[NAME.len() + 1..];
    for name in [
        "__host-session",
        "session",
        "x__Host-session",
        "__Host-session2",
        "__Host-session ",
        // To a browser these have no prefix, so any host of the domain may set them.
        "\u{a0}__Host-session",
        "\u{2000}__Host-session",
        "\u{b}__Host-session",
        "\u{c}__Host-session",
    ] {
        let header = format!("{name}={value}");
        assert_eq!(open(&session, &[header.as_bytes()]), None, "{name:?}");
    }
    let latin_1 = [&b"\xa0"[..], NAME.as_bytes(), b"=", value.as_bytes()].concat();
    assert_eq!(open(&session, &[&latin_1]), None);
    assert_eq!(open(&session, &[]), None);
    assert_eq!(open(&session, &[NAME.as_bytes()]), None);
}

#[test]
fn refuses_two_cookies_of_the_name_even_if_equal() {
    let session = session();
    let issued = issue(&session, b"user 17");
    let pair = split(&issued).0;
    let refused = Some(Err("duplicate-cookie"));
    for other in [pair, "__Host-session=", "__Host-session=forged"] {
        for header in [format!("{pair}; {other}"), format!("{other}; a=b; {pair}")] {
            assert_eq!(open(&session, &[header.as_bytes()]), refused, "{header}");
        }
        let two = [pair.as_bytes(), other.as_bytes()];
        assert_eq!(open(&session, &two), refused);
    }
}

#[test]
fn refuses_a_cookie_value_that_was_not_issued() {
    let session = session();
    let issued = issue(&session, b"user 17");
    let value = &split(&issued).0[NAME.len() + 1..];
    for (value, kind) in [
        (String::new(), "empty"),
        (format!("\"{value}\""), "alphabet"),
        (format!(" {value}"), "alphabet"),
        (format!("={value}"), "alphabet"),
        (format!("{value}, {value}"), "alphabet"),
        (format!("B{}", &value[1..]), "version"),
    ] {
        let header = format!("{NAME}={value}");
        let refused = Some(Err(kind));
        assert_eq!(open(&session, &[header.as_bytes()]), refused, "{header}");
    }
}

#[test]
fn accepts_a_token_in_its_cookie_only() {
    let (tokens, client) = (tokens(), client());
    let session = session();
    let issued = issue(&session, b"user 17");
    let value = &split(&issued).0[NAME.len() + 1..];
    let refused = Some(Err("mac-mismatch"));

    let other = cookie("__Host-other", CookieAttributes::default()).expect("a cookie");
    let header = format!("__Host-other={value}");
    assert_eq!(open(&other, &[header.as_bytes()]), refused);

    let outside = tokens.open(value.as_bytes(), client.provided(), now());
    assert!(
        matches!(outside, SealedTokenVerdict::Discard(why) if why.kind().name() == "mac-mismatch")
    );
    let plain = tokens.seal(client.view(), b"user 17", now() + DAY);
    let header = format!("{NAME}={}", plain.expect("sealed"));
    assert_eq!(open(&session, &[header.as_bytes()]), refused);
}

#[test]
fn refuses_a_cookie_without_a_key_unless_the_policy_honors_bearers() {
    let honoring = tokens().bearer_policy(BearerPolicy::Honor);
    let honoring = BoundCookie::try_new(&honoring, NAME, CookieAttributes::default());
    let issued = session().issue(IssueTo::Bearer, b"user 17", DAY, now());
    let issued = issued.expect("issued");
    let header = [split(&issued).0.as_bytes()];
    assert_eq!(open(&session(), &header), Some(Err("bearer-not-honored")));
    let verdict = honoring.expect("a cookie").open(header, None, now());
    assert!(
        matches!(&verdict, Some(SealedTokenVerdict::HonorBearer(token)) if token.payload() == b"user 17"),
        "{verdict:?}"
    );
}

proptest! {
    #[test]
    fn separates_the_purpose_and_the_name_of_a_cookie(
        text in "[a-c]{2,12}", first in any::<prop::sample::Index>(), second in any::<prop::sample::Index>(),
    ) {
        let cookie = |at: prop::sample::Index| {
            let (purpose, name) = text.split_at(1 + at.index(text.len() - 1));
            let keys = TokenKeys::try_new(TokenKeyId(1), &[1; 32]).expect("a key");
            let tokens = BoundTokens::try_new(Arc::new(keys), purpose).expect("a purpose");
            BoundCookie::try_new(&tokens, name, CookieAttributes::default()).expect("a cookie")
        };
        let (issuer, reader) = (cookie(first), cookie(second));
        let issued = issue(&issuer, b"user 17");
        let (_, value) = split(&issued).0.split_once('=').expect("a pair");
        let header = format!("{}={value}", reader.name());
        let outcome = open(&reader, &[header.as_bytes()]);
        if issuer.name() == reader.name() {
            prop_assert_eq!(outcome, Some(Ok(b"user 17".to_vec())));
        } else {
            prop_assert_eq!(outcome, Some(Err("mac-mismatch")));
        }
    }
}

fn client() -> TokenBindingId {
    let bytes = hex::decode(CLIENT).expect("hex");
    TokenBindingId::from_bytes(&bytes, PointEncoding::X962).expect("an id")
}

fn tokens() -> BoundTokens {
    let keys = TokenKeys::try_new(TokenKeyId(1), &[1; 32]).expect("a key");
    BoundTokens::try_new(Arc::new(keys), "session").expect("a purpose")
}

fn cookie(name: &str, attributes: CookieAttributes<'_>) -> Result<BoundCookie, CookieError> {
    BoundCookie::try_new(&tokens(), name, attributes)
}

fn session() -> BoundCookie {
    cookie(NAME, CookieAttributes::default()).expect("a cookie")
}

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_700_000_000)
}

fn issue(cookie: &BoundCookie, payload: &[u8]) -> String {
    let client = client();
    cookie
        .issue(client.view(), payload, DAY, now())
        .expect("issued")
}

/// `name=value` of a `Set-Cookie`, and the attributes.
fn split(set_cookie: &str) -> (&str, &str) {
    set_cookie.split_once("; ").expect("attributes")
}

fn open(cookie: &BoundCookie, headers: &[&[u8]]) -> Option<Result<Vec<u8>, &'static str>> {
    let verdict = cookie.open(headers.iter().copied(), client().provided(), now());
    verdict.map(|verdict| match verdict {
        SealedTokenVerdict::HonorBound(token) => Ok(token.into_payload()),
        SealedTokenVerdict::HonorBearer(_) => Err("a bearer token"),
        SealedTokenVerdict::Discard(why) => Err(why.kind().name()),
    })
}
