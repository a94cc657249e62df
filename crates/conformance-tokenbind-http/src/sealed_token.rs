//! The suite of `tokenbind-http`'s sealed tokens.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use conformance::{
    Input, MalformedCase, Outcome, Ran, Stopped, Suite, malformed, octets::from_hex, violated,
};
use serde::Deserialize;
use serde_json::json;
use tokenbind_http::sealed_tokens::{
    BoundCookie, BoundTokens, CookieAttributes, OpenedToken, SealedTokenVerdict, TokenKeyId,
    TokenKeys,
};
use tokenbind_wire::{PointEncoding, ProvidedIdRef, TokenBindingId, token::BearerPolicy};

use crate::oracle;

/// The suite.
pub(crate) const SUITES: &[Suite] = &[Suite {
    name: "tokenbind-http/sealed-token",
    run,
    import: Some(|case| case.rename("input", "token")),
    is_right: None,
}];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Key {
    id: u32,
    secret: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Policy {
    Honor,
    Discard,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenInput {
    token: String,
    keys: Vec<Key>,
    purpose: String,
    cookie: Option<String>,
    connection: Option<String>,
    bearer_policy: Policy,
    now: u64,
}

fn bytes(hex: &str) -> Result<Vec<u8>, MalformedCase> {
    from_hex(hex)
}

fn ring(keys: &[Key]) -> Result<TokenKeys, MalformedCase> {
    let (first, others) = keys.split_first().ok_or_else(|| malformed("no key"))?;
    let ring = TokenKeys::try_new(TokenKeyId(first.id), &bytes(&first.secret)?);
    let ring = ring.map_err(malformed)?;
    for key in others {
        ring.accept(TokenKeyId(key.id), &bytes(&key.secret)?)
            .map_err(malformed)?;
    }
    Ok(ring)
}

fn run(input: Input) -> Ran {
    let case: TokenInput = input.parse()?;
    let policy = match case.bearer_policy {
        Policy::Honor => BearerPolicy::Honor,
        Policy::Discard => BearerPolicy::Discard,
    };
    let keys = Arc::new(ring(&case.keys)?);
    let tokens = BoundTokens::try_new(keys, &case.purpose);
    let tokens = tokens.map_err(malformed)?.bearer_policy(policy);
    let id = case.connection.as_deref().map(bytes).transpose()?;
    let id = id.map(|id| TokenBindingId::from_bytes(&id, PointEncoding::X962));
    let id = id.transpose().map_err(malformed)?;
    let connection = id.as_ref().and_then(TokenBindingId::provided);
    let now = UNIX_EPOCH.checked_add(Duration::from_secs(case.now));
    let now = now.ok_or_else(|| malformed("now: too great"))?;
    let token = case.token.as_bytes();
    let verdict = match &case.cookie {
        None => {
            oracle::sealed_token(&tokens, token, connection, now).map_err(violated)?;
            tokens.open(token, connection, now)
        }
        Some(name) => in_cookie(&tokens, name, token, connection, now)?,
    };
    let honored = |verdict, token: OpenedToken| {
        let expires = token.expires().duration_since(UNIX_EPOCH);
        Ok(Outcome::Accept(json!({
            "verdict": verdict,
            "payload": hex::encode(token.payload()),
            "expires": expires.map_err(violated)?.as_secs(),
            "key": token.key().0,
        })))
    };
    match verdict {
        SealedTokenVerdict::HonorBound(token) => honored("honor-bound", token),
        SealedTokenVerdict::HonorBearer(token) => honored("honor-bearer", token),
        SealedTokenVerdict::Discard(refusal) => {
            let kind = refusal.kind().name();
            Ok(Outcome::reject(kind, refusal.field(), refusal.offset()))
        }
    }
}

fn in_cookie(
    tokens: &BoundTokens,
    name: &str,
    token: &[u8],
    connection: Option<ProvidedIdRef<'_>>,
    now: SystemTime,
) -> Result<SealedTokenVerdict, Stopped> {
    let cookie = BoundCookie::try_new(tokens, name, CookieAttributes::default());
    let header = [name.as_bytes(), b"=", token].concat();
    cookie
        .map_err(malformed)?
        .open([header.as_slice()], connection, now)
        .ok_or_else(|| violated("the cookie was not found"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use conformance::{Origin, VectorFile, Verdict};

    #[test]
    fn reads_tokens_that_foreign_files_call_the_input() {
        let root = conformance::repository();
        let path = root.join("crates/conformance-tokenbind-http/vectors/sealed-token.json");
        let file = VectorFile::load(&path, Origin::Own).expect("vectors");
        let [suite] = SUITES else {
            panic!("one suite");
        };
        let own = &file.cases[0];
        let mut foreign = own.clone();
        foreign.rename("token", "input");
        assert_eq!(suite.check(own, Origin::Own), Verdict::Passed);
        assert_eq!(suite.check(&foreign, Origin::Foreign), Verdict::Passed);
    }
}
