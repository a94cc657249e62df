//! The headers that a reverse proxy sends to its backend.

#![cfg(all(feature = "client", feature = "proxy"))]
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

#[path = "support/sessions.rs"]
mod sessions;

use http::{HeaderMap, HeaderValue};
use sessions::{Counting, P256, header, id, p256, rsa, server, session};
use tokenbind_http::{TokenBindings, header, proxy, server::RequestOutcome};
use tokenbind_wire::{KeyParameters, Sign, TokenBindingType};

fn bindings(key: &dyn Sign, referred: Option<&dyn Sign>) -> TokenBindings {
    let session = session(P256, 1);
    let value = header(&session, key, referred);
    let verifier = Counting {
        without: Some(KeyParameters::Rsa2048),
        ..Counting::default()
    };
    match server(session).request([value.as_bytes()], &verifier) {
        RequestOutcome::Bound(bindings) => bindings,
        other => panic!("not bound: {other:?}"),
    }
}

#[test]
fn sends_the_backend_verified_identifiers_only() {
    let (key, consumer) = (p256(), p256());
    let encoded = |kind, key: &dyn Sign| header::encode(id(kind, key).as_bytes());
    let provided = encoded(TokenBindingType::PROVIDED, &*key);
    let referred = encoded(TokenBindingType::REFERRED, &*consumer);
    let says = "sec-provided-token-binding-id";
    for (bindings, expected) in [
        (bindings(&*key, None), vec![(says, provided.as_str())]),
        (
            bindings(&*key, Some(&*consumer)),
            vec![
                (says, provided.as_str()),
                ("sec-referred-token-binding-id", referred.as_str()),
            ],
        ),
        (
            bindings(&*key, Some(&*rsa(0))),
            vec![
                (says, provided.as_str()),
                ("sec-unsupported-referred-token-binding", "4.1"),
            ],
        ),
    ] {
        let mut headers = HeaderMap::new();
        for name in [
            "token-binding",
            "sec-provided-token-binding-id",
            "sec-referred-token-binding-id",
            "sec-unsupported-referred-token-binding",
        ] {
            headers.append(name, HeaderValue::from_static("forged"));
            headers.append(name, HeaderValue::from_static("twice"));
        }
        headers.insert("cookie", HeaderValue::from_static("kept"));
        proxy::forward(&mut headers, Some(&bindings));
        let mut told: Vec<_> = headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
            .collect();
        told.sort_unstable();
        let mut expected = expected;
        expected.push(("cookie", "kept"));
        expected.sort_unstable();
        assert_eq!(told, expected);
    }
}
