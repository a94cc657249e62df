//! Invariants of any sealed token of `tokenbind-http`, and of any `Cookie` header.

use std::{
    sync::{Arc, LazyLock},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use conformance::oracle::Broken;
use ring::hmac;
use tokenbind_http::sealed_tokens::{
    BoundCookie, BoundTokens, CookieAttributes, IssueTo, MAX_EXPIRES_SECS, MAX_PAYLOAD_BYTES,
    MAX_SEALED_BYTES, OpenedToken, SealedTokenVerdict, TokenKeyId, TokenKeys, TokenRefusal,
    TokenRefusalKind,
};
use tokenbind_wire::{PointEncoding, ProvidedIdRef, TokenBindingId, token::BearerPolicy};

/// Checks that a token that is honored is what sealing its content gives, is honored until its last second on its own
/// connection only, and that no other text near it is honored. A refusal points into the text, or to its end.
///
/// # Errors
/// Returns the invariant that was broken.
pub fn sealed_token(
    tokens: &BoundTokens,
    token: &[u8],
    connection: Option<ProvidedIdRef<'_>>,
    now: SystemTime,
) -> Result<(), Broken> {
    let (opened, to) = match (tokens.open(token, connection, now), connection) {
        (SealedTokenVerdict::HonorBound(opened), Some(id)) => (opened, IssueTo::Key(id.id())),
        (SealedTokenVerdict::HonorBound(_), None) => return Err("bound, to no connection".into()),
        (SealedTokenVerdict::HonorBearer(opened), _) => (opened, IssueTo::Bearer),
        (SealedTokenVerdict::Discard(refusal), _) if refusal.offset() <= token.len() => {
            return Ok(());
        }
        (SealedTokenVerdict::Discard(refusal), _) => {
            return Err(format!("{refusal}: outside {} bytes", token.len()));
        }
    };
    if token.len() > MAX_SEALED_BYTES || opened.payload().len() > MAX_PAYLOAD_BYTES {
        return Err("honored beyond the limits".into());
    }
    if sealed_again(tokens, &opened, to)?.as_bytes() != token {
        return Err("seals to another text".into());
    }
    let last = opened.expires() - Duration::from_secs(1);
    for time in [last, UNIX_EPOCH] {
        if tokens.open(token, connection, time) == tokens.open(token, connection, now) {
            continue;
        }
        return Err("honored now but not in another second before it expires".into());
    }
    refused(tokens, token, connection, opened.expires(), "expired")?;
    if to != IssueTo::Bearer {
        refused(tokens, token, None, now, "no-token-binding-established")?;
    }
    let (_, less) = token.split_last().ok_or("honored though empty")?;
    for near in [less, &[token, b"A"].concat(), &[token, b"="].concat()] {
        not_honored(tokens, near, connection, now)?;
    }
    let mut near = token.to_vec();
    for at in (0..token.len()).step_by(1 + token.len() / 128) {
        for changed in [b'A', b'_', b'=', token[at] ^ 1] {
            if changed != token[at] {
                near[at] = changed;
                not_honored(tokens, &near, connection, now)?;
                near[at] = token[at];
            }
        }
    }
    Ok(())
}

fn sealed_again(
    tokens: &BoundTokens,
    opened: &OpenedToken,
    to: IssueTo<'_>,
) -> Result<String, Broken> {
    let keys = tokens.keys();
    let current = keys.current();
    keys.seal_with(opened.key()).map_err(|e| e.to_string())?;
    let sealed = tokens.seal(to, opened.payload(), opened.expires());
    keys.seal_with(current).map_err(|e| e.to_string())?;
    sealed.map_err(|error| error.to_string())
}

fn refused(
    tokens: &BoundTokens,
    token: &[u8],
    connection: Option<ProvidedIdRef<'_>>,
    now: SystemTime,
    kind: &str,
) -> Result<(), Broken> {
    match tokens.open(token, connection, now) {
        SealedTokenVerdict::Discard(refusal) if refusal.kind().name() == kind => Ok(()),
        other => Err(format!("not {kind}: {other:?}")),
    }
}

fn not_honored(
    tokens: &BoundTokens,
    near: &[u8],
    connection: Option<ProvidedIdRef<'_>>,
    now: SystemTime,
) -> Result<(), Broken> {
    match tokens.open(near, connection, now) {
        SealedTokenVerdict::Discard(_) => Ok(()),
        _ => Err(format!(
            "honored too: {:?}",
            near.escape_ascii().to_string()
        )),
    }
}

const PURPOSE: &str = "session";
const COOKIE: &str = "__Host-session";
/// Ids of keys, and the first byte of each secret; the next is greater by 7, and so on. These, the
/// client and the time are those of the vectors, so that they can be seeds.
const KEYS: [(u32, u8); 2] = [(1, 31), (u32::MAX, 93)];
const NOW_SECS: u64 = 1_700_000_000;

/// The generator of P-256, as the key of a client.
static CLIENT: LazyLock<Vec<u8>> = LazyLock::new(|| {
    hex::decode(
        "0004030017\
         41046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296\
         4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5",
    )
    .unwrap_or_default()
});

/// The first byte chooses what the rest is: a token as text; octets to which a right MAC is put
/// before they are opened, by another implementation of HMAC than the crate's; or `Cookie` headers,
/// one a line. It also chooses the connection, the policy and the key. What comes out is what a
/// second reader of the format says.
///
/// # Errors
/// Returns the invariant that was broken.
pub fn sealed_token_input(data: &[u8]) -> Result<(), Broken> {
    let Some((&choice, rest)) = data.split_first() else {
        return Ok(());
    };
    let policy = if choice & 1 == 0 {
        BearerPolicy::Discard
    } else {
        BearerPolicy::Honor
    };
    let tokens = tokens(policy)?;
    let id = TokenBindingId::from_bytes(&CLIENT, PointEncoding::X962);
    let id = id.map_err(|error| error.to_string())?;
    let connection = id.provided().filter(|_| choice & 2 == 0);
    let now = UNIX_EPOCH + Duration::from_secs(NOW_SECS);
    match choice >> 6 {
        0 => {
            let (_, first) = KEYS[usize::from(choice >> 2 & 1)];
            let octets = [rest, &mac(first, rest)].concat();
            let text = base64url(&octets);
            sealed_token(&tokens, text.as_bytes(), connection, now)?;
            let expected = second_reader(&octets, &text, connection, policy);
            let actual = match tokens.open(text.as_bytes(), connection, now) {
                SealedTokenVerdict::Discard(refusal) => Err(refusal.kind().name()),
                SealedTokenVerdict::HonorBound(token) => Ok((true, token.into_payload())),
                SealedTokenVerdict::HonorBearer(token) => Ok((false, token.into_payload())),
            };
            if actual != expected {
                return Err(format!("{actual:?}, but a second reader says {expected:?}"));
            }
            Ok(())
        }
        1 => sealed_token(&tokens, rest, connection, now),
        _ => cookie_headers(&tokens, rest, connection, now),
    }
}

fn tokens(policy: BearerPolicy) -> Result<BoundTokens, Broken> {
    let [first, second] = KEYS;
    let keys = TokenKeys::try_new(TokenKeyId(first.0), &secret(first.1));
    let keys = keys.map_err(|error| error.to_string())?;
    let accepted = keys.accept(TokenKeyId(second.0), &secret(second.1));
    accepted.map_err(|error| error.to_string())?;
    let tokens = BoundTokens::try_new(Arc::new(keys), PURPOSE);
    Ok(tokens
        .map_err(|error| error.to_string())?
        .bearer_policy(policy))
}

fn secret(first: u8) -> [u8; 32] {
    let mut next = first.wrapping_sub(7);
    [(); 32].map(|()| {
        next = next.wrapping_add(7);
        next
    })
}

fn mac(first: u8, signed: &[u8]) -> [u8; 32] {
    let key = hmac::Key::new(hmac::HMAC_SHA256, &secret(first));
    let mut context = hmac::Context::with_key(&key);
    for part in ["tokenbind-http sealed token", PURPOSE, ""] {
        context.update(&[u8::try_from(part.len()).unwrap_or(u8::MAX)]);
        context.update(part.as_bytes());
    }
    context.update(signed);
    let mut mac = [0; 32];
    mac.copy_from_slice(context.sign().as_ref());
    mac
}

fn base64url(octets: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for group in octets.chunks(3) {
        let bits = group.iter().enumerate().fold(0_u32, |bits, (at, octet)| {
            bits | u32::from(*octet) << (16 - 8 * at)
        });
        for sextet in 0..=group.len() {
            let index = bits >> (18 - 6 * sextet) & 63;
            text.push(char::from(ALPHABET[index as usize]));
        }
    }
    text
}

/// The format once more, by counting bytes: whether bound, and the payload, or the refusal's name.
fn second_reader(
    octets: &[u8],
    text: &str,
    connection: Option<ProvidedIdRef<'_>>,
    policy: BearerPolicy,
) -> Result<(bool, Vec<u8>), &'static str> {
    if text.len() > MAX_SEALED_BYTES {
        return Err("too-long");
    }
    let signed = &octets[..octets.len() - 32];
    if octets[0] != 1 {
        return Err("version");
    }
    if octets.len() < 5 + 32 {
        return Err("truncated");
    }
    let key = u32::from_be_bytes([octets[1], octets[2], octets[3], octets[4]]);
    let Some((_, first)) = KEYS.into_iter().find(|(id, _)| *id == key) else {
        return Err("unknown-key");
    };
    if mac(first, signed) != octets[signed.len()..] {
        return Err("mac-mismatch");
    }
    let expires_at = match signed.get(5) {
        None => return Err("truncated"),
        Some(0) => 6,
        Some(1) => 38,
        Some(_) => return Err("unknown-binding"),
    };
    let payload_at = expires_at + 10;
    if signed.len() < expires_at + 8 {
        return Err("truncated");
    }
    let number = |range: std::ops::Range<usize>| {
        signed[range]
            .iter()
            .fold(0_u64, |number, octet| number << 8 | u64::from(*octet))
    };
    let expires = number(expires_at..expires_at + 8);
    if expires > MAX_EXPIRES_SECS {
        return Err("expiry-range");
    }
    if signed.len() < payload_at {
        return Err("truncated");
    }
    let length = number(expires_at + 8..payload_at) as usize;
    let payload = &signed[payload_at..];
    match payload.len() {
        _ if length > MAX_PAYLOAD_BYTES => return Err("too-long"),
        actual if actual < length => return Err("truncated"),
        actual if actual > length => return Err("trailing-bytes"),
        _ => {}
    }
    if expires <= NOW_SECS {
        return Err("expired");
    }
    if expires_at == 6 {
        return match policy {
            BearerPolicy::Honor => Ok((false, payload.to_vec())),
            BearerPolicy::Discard => Err("bearer-not-honored"),
        };
    }
    match connection {
        None => Err("no-token-binding-established"),
        Some(id) if id.id().key_id_sha256() == signed[6..38] => Ok((true, payload.to_vec())),
        Some(_) => Err("mismatch"),
    }
}

/// Checks that a cookie is found if it appears once, at any place and beside any other text.
fn cookie_headers(
    tokens: &BoundTokens,
    lines: &[u8],
    connection: Option<ProvidedIdRef<'_>>,
    now: SystemTime,
) -> Result<(), Broken> {
    let cookie = BoundCookie::try_new(tokens, COOKIE, CookieAttributes::default());
    let cookie = cookie.map_err(|error| error.to_string())?;
    let headers = || lines.split(|octet| *octet == b'\n');
    let open = |headers: Vec<&[u8]>| cookie.open(headers, connection, now);
    let found = open(headers().collect());
    if let Some(SealedTokenVerdict::HonorBearer(opened) | SealedTokenVerdict::HonorBound(opened)) =
        &found
        && opened.expires() <= now
    {
        return Err("honored though expired".into());
    }

    // Latin-1: one character an octet, none of them stripped but space and tab.
    let own = format!("{COOKIE}=");
    let latin_1 = |octets: &[u8]| {
        octets
            .iter()
            .map(|octet| char::from(*octet))
            .collect::<String>()
    };
    let values: Vec<_> = headers()
        .map(latin_1)
        .flat_map(|header| header.split(';').map(str::to_owned).collect::<Vec<_>>())
        .filter_map(|pair| {
            Some(
                pair.trim_matches([' ', '\t'])
                    .strip_prefix(&own)?
                    .to_owned(),
            )
        })
        .collect();
    let expected = match values.as_slice() {
        [] => None,
        [value] => {
            let octets = value.chars().map(|octet| octet as u8);
            let alone: Vec<u8> = own.bytes().chain(octets).collect();
            open(vec![&alone])
        }
        _ => {
            return match found {
                Some(SealedTokenVerdict::Discard(refusal)) if is_duplicate(refusal) => Ok(()),
                other => Err(format!("{} cookies of one name: {other:?}", values.len())),
            };
        }
    };
    if found != expected {
        return Err(format!("{found:?}, alone {expected:?}"));
    }
    Ok(())
}

fn is_duplicate(refusal: TokenRefusal) -> bool {
    refusal.kind() == TokenRefusalKind::DuplicateCookie
}
