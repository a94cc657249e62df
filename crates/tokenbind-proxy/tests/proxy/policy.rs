//! The operator's policy on Token Binding.

use http::StatusCode;
use tokenbind_wire::TokenBindingAlpn;

use crate::setup::{Frames, H2, PROVIDED, Setup, send, spoofed};

#[tokio::test]
async fn refuses_requests_without_token_binding_if_it_is_required() {
    let setup = Setup::start("required", &["--require-token-binding"]).await;
    let (unbound, _) = setup.client(&[]);
    let response = send(&unbound, setup.request("/").body(Frames::of([])).unwrap()).await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert_eq!(setup.backend.seen.lock().unwrap().len(), 0);
    let (bound, _) = setup.client(H2);
    let response = send(&bound, setup.request("/").body(Frames::of([])).unwrap()).await;
    assert_eq!(response.status(), StatusCode::OK);
}

#[tokio::test]
async fn prefers_tls_1_3_if_configured() {
    let setup = Setup::start("tls13", &["--prefer", "tls13"]).await;
    let (client, _) = setup.client(&TokenBindingAlpn::ALL);
    send(&client, spoofed(setup.request("/"))).await;
    assert_eq!(setup.backend.last().all(PROVIDED), [""; 0]);
}
