//! Tests of permissions over redirects and of scripts.

use super::*;

#[tokio::test]
async fn uses_a_permission_for_one_hop() {
    let pki = Pki::new();
    let second = Server::start(pki.acceptor(HTTP11), |_| ok()).await;
    let to = second.url("/second");
    let first = Server::start(pki.acceptor(HTTP11), move |_| redirect(302, &to)).await;
    let to = first.url("/first");
    let consumer = Server::start(pki.acceptor(HTTP11), move |_| permitting(302, &to)).await;
    text(fetch(&pki.client(), &consumer.url("/")).await).await;
    let consumers_key = consumer.last().key_id();
    assert_eq!(consumer.last().referred, None);
    assert_eq!(first.last().referred_key_id(), Some(consumers_key));
    assert_eq!(second.last().referred, None);
    let keys = [consumer.last(), first.last(), second.last()].map(|seen| seen.key_id());
    assert!(keys[0] != keys[1] && keys[1] != keys[2] && keys[0] != keys[2]);
}

#[tokio::test]
async fn permits_on_301_and_302_with_one_header_only() {
    let pki = Pki::new();
    let provider = Server::start(pki.acceptor(H2), |_| ok()).await;
    let to = provider.url("/");
    let consumer = Server::start(pki.acceptor(H2), move |seen| {
        let name = INCLUDE_REFERER_TOKEN_BINDING_ID;
        let mut parts = seen.path().trim_start_matches('/').split('/');
        let mut response = redirect(parts.next().unwrap().parse().unwrap(), &to);
        for value in parts {
            let value = http::HeaderValue::from_str(value).unwrap();
            response.headers_mut().append(name, value);
        }
        response
    })
    .await;
    let client = pki.client();
    for (path, reveals) in [
        ("/301/true", true),
        ("/302/true", true),
        ("/303/true", false),
        ("/307/true", false),
        ("/308/true", false),
        ("/302", false),
        ("/302/True", false),
        ("/302/false", false),
        ("/302/1", false),
        ("/302/true/true", false),
        ("/302/true/false", false),
    ] {
        text(fetch(&client, &consumer.url(path)).await).await;
        let expected = reveals.then(|| consumer.last().key_id());
        assert_eq!(provider.last().referred_key_id(), expected, "{path}");
    }
    text(fetch(&client, &provider.url("/")).await).await;
    assert_eq!(provider.last().referred, None);
}

#[tokio::test]
async fn reveals_nothing_on_a_redirect_within_the_origin_and_reports_it() {
    let pki = Pki::new();
    let server = Server::start(pki.acceptor(HTTP11), |seen| match seen.path() {
        "/" => permitting(302, "/again"),
        _ => ok(),
    })
    .await;
    let response = fetch(&pki.client(), &server.url("/")).await;
    let withheld = Disclosure::Withhold(WithheldReason::SameOrigin);
    let disclosed = response.extensions().get().cloned();
    assert_eq!(disclosed, Some(Disclosed(withheld)));
    assert_eq!(server.last().referred, None);
}

fn script_of(consumer: &Origin) -> RequestOptions {
    RequestOptions {
        with_referer_token_binding_id: Some(consumer.clone()),
        ..RequestOptions::default()
    }
}

fn disclosure<B>(response: &Response<B>) -> Option<Disclosure> {
    let disclosed = response.extensions().get::<Disclosed>();
    disclosed.map(|disclosed| disclosed.0.clone())
}

#[tokio::test]
async fn reveals_the_origin_of_a_script_for_one_request_if_both_negotiated() {
    let pki = Pki::new();
    let consumer = Server::start(pki.acceptor(HTTP11), |_| ok()).await;
    let beyond = Server::start(pki.acceptor(H2), |_| ok()).await;
    let to = beyond.url("/");
    let provider = Server::start(pki.acceptor(H2), move |seen| match seen.path() {
        "/token" => ok(),
        _ => redirect(302, &to),
    })
    .await;
    let client = pki.client();
    text(fetch(&client, &consumer.url("/page")).await).await;
    let key = consumer.last().key_id();

    let options = script_of(&consumer.origin);
    let response = soon(client.request(get(&provider.url("/token")), options)).await;
    let response = response.unwrap();
    let Some(Disclosure::Reveal(referral)) = disclosure(&response) else {
        panic!("{response:?}");
    };
    assert_eq!(referral.consumer(), &consumer.origin);
    text(response).await;
    assert_eq!(provider.last().referred_key_id(), Some(key.clone()));

    // The property is off by default, and what it permits does not outlive a redirect.
    text(fetch(&client, &provider.url("/token")).await).await;
    assert_eq!(provider.last().referred, None);
    let options = script_of(&consumer.origin);
    let response = soon(client.request(get(&provider.url("/away")), options)).await;
    assert_eq!(disclosure(response.as_ref().unwrap()), None);
    text(response.unwrap()).await;
    assert_eq!(provider.last().referred_key_id(), Some(key));
    assert_eq!(beyond.last().referred, None);
}

#[tokio::test]
async fn reveals_nothing_for_a_script_if_either_side_did_not_negotiate() {
    let pki = Pki::new();
    let bound = Server::start(pki.acceptor(HTTP11), |_| ok()).await;
    let unbound = Server::start(pki.acceptor(NONE), |_| ok()).await;
    let client = pki.client();
    let send = async |to: &Server, options| {
        let response = soon(client.request(get(&to.url("/")), options)).await;
        let response = response.unwrap();
        let withheld = disclosure(&response);
        text(response).await;
        assert_eq!(to.last().referred, None);
        withheld
    };
    let withheld = |reason| Some(Disclosure::Withhold(reason));

    let never_visited = "https://never.example".parse().unwrap();
    assert_eq!(
        send(&bound, script_of(&never_visited)).await,
        withheld(WithheldReason::ConsumerNotNegotiated)
    );
    text(fetch(&client, &unbound.url("/page")).await).await;
    assert_eq!(
        send(&bound, script_of(&unbound.origin)).await,
        withheld(WithheldReason::ConsumerNotNegotiated)
    );
    assert_eq!(
        send(&unbound, script_of(&bound.origin)).await,
        withheld(WithheldReason::ProviderNotNegotiated)
    );
    assert_eq!(
        send(&bound, script_of(&bound.origin)).await,
        withheld(WithheldReason::SameOrigin)
    );
    assert_eq!(send(&bound, RequestOptions::default()).await, None);
}

#[tokio::test]
async fn uses_up_a_permission_carried_by_hand_and_voids_it_at_a_reset() {
    let pki = Pki::new();
    let provider = Server::start(pki.acceptor(H2), |_| ok()).await;
    let to = provider.url("/");
    let consumer = Server::start(pki.acceptor(H2), move |_| permitting(301, &to)).await;
    let (client, state) = pki.client_with(&TokenBindingAlpn::ALL, MemoryKeyStore::new());
    let permitted = async || {
        let request = client.send(get(&consumer.url("/")), RequestOptions::default());
        let (response, binding) = soon(request).await.unwrap();
        let permission = binding.response_permission(&response).unwrap();
        text(response).await;
        RequestOptions {
            permission: Some(permission),
            ..RequestOptions::default()
        }
    };
    let options = permitted().await;
    let (response, _) = soon(client.send(get(&provider.url("/")), options))
        .await
        .unwrap();
    text(response).await;
    assert_eq!(
        provider.last().referred_key_id(),
        Some(consumer.last().key_id())
    );
    let (before, options) = (consumer.last().key_id(), permitted().await);
    state.reset(&Reset::All, &NoCookies).unwrap();
    let (response, _) = soon(client.send(get(&provider.url("/")), options))
        .await
        .unwrap();
    let withheld = Disclosure::Withhold(WithheldReason::KeysReset);
    assert_eq!(disclosure(&response), Some(withheld));
    text(response).await;
    assert_eq!(provider.last().referred, None);
    drop(permitted().await);
    assert_ne!(consumer.last().key_id(), before);
}

struct NoCookies;

impl tokenbind_http::client::ClearCookies for NoCookies {
    fn clear(&self, _: &Reset) -> Result<(), KeyStoreError> {
        Ok(())
    }
}
