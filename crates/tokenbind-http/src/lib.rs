// The README's examples need these features, and are compiled where they are on.
#![cfg_attr(
    all(feature = "client", feature = "hmac", feature = "hyper", feature = "sqlx-postgres", feature = "sqlx-sqlite"),
    doc = include_str!("../README.md")
)]
#![cfg_attr(
    not(all(
        feature = "client",
        feature = "hmac",
        feature = "hyper",
        feature = "sqlx-postgres",
        feature = "sqlx-sqlite"
    )),
    doc = "Token Binding over HTTP for servers, clients and reverse proxies: see the README."
)]

#[cfg(feature = "tokio")]
mod acceptor;
#[cfg(feature = "hmac")]
mod bound_cookie;
#[cfg(feature = "hmac")]
mod bound_token;
#[cfg(feature = "client")]
mod client;
#[cfg(feature = "rustls")]
mod client_hello;
#[cfg(feature = "rustls")]
mod configs;
mod connection;
#[cfg(all(feature = "client", feature = "tokio"))]
mod connector;
#[cfg(feature = "http")]
mod consumer;
#[cfg(feature = "client")]
mod federation;
#[cfg(feature = "chacha20poly1305")]
mod file_key_store;
#[cfg(feature = "hyper")]
mod first_request;
mod header;
#[cfg(feature = "hyper")]
mod http_server;
#[cfg(all(feature = "client", feature = "hyper"))]
mod hyper_client;
#[cfg(feature = "hyper")]
mod hyper_server;
#[cfg(feature = "client")]
mod key_store;
#[cfg(feature = "tower")]
mod layer;
#[cfg(feature = "client")]
mod origin;
#[cfg(feature = "http")]
pub mod proxy;
#[cfg(feature = "tower")]
mod request_body;
mod server;
#[cfg(any(feature = "sqlx-postgres", feature = "sqlx-sqlite"))]
mod sqlx_token_store;
#[cfg(feature = "rustls")]
mod tls12_handshake;
#[cfg(feature = "rustls")]
mod tls_sessions;
#[cfg(feature = "rustls")]
mod tls_unique;
#[cfg(feature = "token-store")]
mod token_store;

#[cfg(feature = "tokio")]
pub use acceptor::{TokenBindingAcceptor, TokenBindingStream};
#[cfg(all(feature = "client", feature = "tokio"))]
pub use connector::{ConnectedStream, TokenBindingConnector};
#[cfg(feature = "http")]
pub use consumer::{
    PermissionError, permit_referral, redirect_to_provider, redirect_to_provider_with,
};
#[cfg(feature = "chacha20poly1305")]
pub use file_key_store::FileKeyStore;
#[cfg(all(feature = "client", feature = "hyper"))]
pub use hyper_client::{
    Client, Disclosed, HttpsStream, HttpsTokenBindingConnector, MAX_REDIRECTS, RequestError,
    RequestOptions, permission_of,
};
#[cfg(feature = "sqlx-postgres")]
pub use sqlx_token_store::PostgresTokenStore;
#[cfg(feature = "sqlx-sqlite")]
pub use sqlx_token_store::SqliteTokenStore;
#[cfg(any(feature = "sqlx-postgres", feature = "sqlx-sqlite"))]
pub use sqlx_token_store::{SqlxOptions, SqlxTokenStore};
#[cfg(feature = "token-store")]
pub use token_store::{
    MAX_KEY_ID_BYTES, MAX_TOKEN_DATA_BYTES, MAX_TOKEN_SUBJECT_BYTES, MemoryTokenStore,
    SecurityToken, StoreFuture, StoredBinding, StoredTokenDiscardReason, StoredTokenVerdict,
    TOKENS_PER_BATCH, TokenCounts, TokenDigest, TokenRecord, TokenRecordError, TokenStore,
    TokenStoreError, TokenStoreErrorKind, TokensOf,
};
#[cfg(feature = "hmac")]
pub use {
    bound_cookie::{BoundCookie, CookieAttributes, CookieError, MAX_COOKIE_BYTES, SameSite},
    bound_token::{
        BoundTokens, IssueTo, MAX_EXPIRES_SECS, MAX_PAYLOAD_BYTES, MAX_SEALED_BYTES,
        MAX_TOKEN_KEY_BYTES, MIN_TOKEN_KEY_BYTES, OpenedToken, PurposeError, SealError,
        SealedTokenVerdict, TokenKeyError, TokenKeyId, TokenKeys, TokenRefusal, TokenRefusalKind,
    },
};
#[cfg(feature = "client")]
pub use {
    client::{
        ClearCookies, ClientBinding, ClientError, ClientOptions, ClientState, Opening,
        RequestHeader,
    },
    federation::{
        Disclosure, Party, Permission, Referral, WithheldReason, redirect_permission,
        script_permission,
    },
    key_store::{Key, KeyStore, KeyStoreError, KeyStoreErrorKind, MemoryKeyStore, Reset},
    origin::{Origin, OriginError, Scope, ScopeRule},
};
#[cfg(feature = "rustls")]
pub use {
    client_hello::{
        Choice, ClientOffer, ClientOfferError, MAX_CLIENT_HELLO_BYTES, PlainReason,
        VersionPreference, choose,
    },
    configs::{ServerConfigs, SessionError, client_config, client_session},
    tls_unique::{Capture, CaptureError, CaptureFuture, capturing},
};
pub use {
    connection::{OnTerminate, TokenBindingConnection},
    header::{
        HeaderError, HeaderErrorKind, HeaderOptions, INCLUDE_REFERER_TOKEN_BINDING_ID,
        MAX_HEADER_BYTES, TOKEN_BINDING, decode_header, encode_header,
    },
    server::{
        MAX_REMEMBERED_HEADER_BYTES, MAX_VERIFIED_MESSAGES, ProvidedTokenBinding,
        ReferredTokenBinding, Refusal, RefusalKind, RequestOutcome, ServerBinding, ServerOptions,
        TokenBindings, TokenToIssue, UnboundReason, token_to_issue,
    },
};
#[cfg(feature = "hyper")]
pub use {
    http_server::{
        HANDSHAKE_TIMEOUT, MAX_CONNECTIONS, MAX_CONNECTIONS_PER_ADDRESS, SHUTDOWN_TIMEOUT,
        ServerEvent, TokenBindingPeer, TokenBindingServer,
    },
    hyper_server::{
        ConnectionSettings, IDLE_TIMEOUT, ServeError, TokenBindingRequest, serve_connection,
        serve_connection_with,
    },
};
#[cfg(feature = "tower")]
pub use {
    layer::{TokenBindingLayer, TokenBindingResponse, TokenBindingService},
    request_body::{RequestBody, RequestBodyError},
};
