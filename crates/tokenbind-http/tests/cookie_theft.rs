//! A session cookie of an application with `server::Layer`: issued, used, stolen.

#![cfg(all(feature = "client", feature = "sealed-tokens", feature = "tower"))]
#![allow(
    missing_docs,
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests"
)]

use std::{
    convert::Infallible,
    future::{Ready, ready},
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, SystemTime},
};

use http::{
    HeaderValue, Request, Response, StatusCode,
    header::{COOKIE, SET_COOKIE},
};
use tokenbind_http::{
    ProvidedTokenBinding, client,
    header::TOKEN_BINDING,
    keys::MemoryKeyStore,
    origin::Origin,
    sealed_tokens::{
        BoundCookie, BoundTokens, CookieAttributes, SealedTokenVerdict, TokenKeyId, TokenKeys,
    },
    server,
};
use tokenbind_wire::{
    Negotiated, ProtocolVersion, RustCrypto, Session, TlsFacts, TlsUnique, TokenBindingAlpn,
};
use tower_layer::Layer;
use tower_service::Service;

#[tokio::test]
async fn discards_a_stolen_cookie() {
    let (mut site, victim, thief) = (Site::new(), client(), client());
    let login = site.request(Some(&victim), "/login", None).await;
    assert_eq!(login.status(), StatusCode::OK);
    let set_cookie = login.headers()[SET_COOKIE].to_str().unwrap();
    let (cookie, attributes) = set_cookie.split_once("; ").unwrap();
    assert_eq!(
        attributes,
        "Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=60"
    );

    for (client, cookie, seen) in [
        (Some(&victim), Some(cookie), "user 17"),
        (Some(&victim), None, "no cookie"),
        (
            Some(&thief),
            Some(cookie),
            "SealedToken.binding: mismatch at byte 5",
        ),
        (
            None,
            Some(cookie),
            "SealedToken.binding: no-token-binding-established at byte 5",
        ),
        (Some(&victim), Some(cookie), "user 17"),
    ] {
        let response = site.request(client, "/", cookie).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.body(), seen);
    }
}

/// `/login` sets the cookie; everything else says whose it is.
#[derive(Clone)]
struct Application {
    session: BoundCookie,
}

impl<B> Service<Request<B>> for Application {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let binding = request.extensions().get::<ProvidedTokenBinding>();
        let now = SystemTime::now();
        if request.uri().path() == "/login" {
            let binding = binding.expect("a client with token binding logs in");
            let cookie = self
                .session
                .issue(binding, b"user 17", Duration::from_secs(60), now);
            let response = Response::builder().header(SET_COOKIE, cookie.expect("short"));
            return ready(Ok(response.body(String::new()).expect("a response")));
        }
        let cookies = request.headers().get_all(COOKIE);
        let verdict = self.session.open(
            cookies.iter().map(HeaderValue::as_bytes),
            binding.and_then(|binding| binding.id().provided()),
            now,
        );
        ready(Ok(Response::new(match verdict {
            Some(SealedTokenVerdict::HonorBound(token)) => {
                String::from_utf8(token.into_payload()).expect("ours")
            }
            Some(SealedTokenVerdict::HonorBearer(_)) => "a bearer token".to_owned(),
            Some(SealedTokenVerdict::Discard(why)) => why.to_string(),
            None => "no cookie".to_owned(),
        })))
    }
}

struct Site {
    application: Application,
    connections: u8,
}

impl Site {
    fn new() -> Self {
        let keys = TokenKeys::try_new(TokenKeyId(1), &[1; 32]).unwrap();
        let tokens = BoundTokens::try_new(Arc::new(keys), "session").unwrap();
        let attributes = CookieAttributes::default();
        let session = BoundCookie::try_new(&tokens, "__Host-session", attributes).unwrap();
        Self {
            application: Application { session },
            connections: 0,
        }
    }

    /// A request on a new connection, without Token Binding if there is no client.
    async fn request(
        &mut self,
        client: Option<&client::State>,
        path: &str,
        cookie: Option<&str>,
    ) -> Response<String> {
        self.connections += 1;
        let facts = TlsFacts {
            version: ProtocolVersion::TLS1_2,
            extended_master_secret: true,
        };
        let session = client.map(|_| Session {
            negotiated: Negotiated::try_new(TokenBindingAlpn::Http11P256, facts).unwrap(),
            tls_unique: TlsUnique::from_engine(&[self.connections; 12], facts).unwrap(),
        });
        let mut request = Request::builder().uri(path);
        if let Some(client) = client {
            let origin: Origin = "https://shop.example".parse().unwrap();
            let header = client.connection(origin, session).header(client, None);
            let value = header.unwrap().value.expect("negotiated");
            request = request.header(TOKEN_BINDING, &*value);
        }
        if let Some(cookie) = cookie {
            request = request.header(COOKIE, cookie);
        }
        let connection =
            server::Connection::new(session, Arc::new(RustCrypto), server::Options::default());
        let layer = server::Layer::for_connection(connection);
        let mut service = layer.layer(self.application.clone());
        service.call(request.body(()).unwrap()).await.unwrap()
    }
}

fn client() -> client::State {
    client::State::new(MemoryKeyStore::new(), client::Options::default())
}
