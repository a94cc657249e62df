//! The three token stores, in memory, SQLite and PostgreSQL, decide alike and lose nothing.

#![cfg(unix)]
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests"
)]

mod concurrency;
mod contents;
mod decision;
mod killed;
mod model;
mod postgres;
mod schema;

use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error,
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use proptest::{prelude::*, test_runner::TestRunner};
use sqlx::{
    Connection, Executor, PgConnection, SqliteConnection,
    postgres::{PgConnectOptions, PgSslMode},
    sqlite::SqliteConnectOptions,
};
use test_databases::{
    postgres::PostgresServer,
    stores::{self, Stores},
};
use tokenbind_http::{
    federation::{TokenToIssue, UnboundReason},
    token_store::{
        MAX_KEY_ID_BYTES, MAX_TOKEN_DATA_BYTES, MAX_TOKEN_SUBJECT_BYTES, MemoryTokenStore,
        SecurityToken, StoredBinding,
        StoredTokenDiscardReason::{self, Binding, Expired, Revoked, Store, Unknown},
        StoredTokenVerdict::{self, Discard, HonorBearer, HonorBound},
        TOKENS_PER_BATCH, TokenCounts, TokenDigest, TokenRecord, TokenRecordError, TokenStore,
        TokenStoreErrorKind, TokensOf,
    },
};
use tokenbind_http_sqlx::{PostgresTokenStore, SqliteTokenStore, SqlxOptions};
use tokenbind_wire::{
    PointEncoding, PublicKey, TokenBindingId, TokenBindingType,
    token::{BearerPolicy, DiscardReason},
};

const HOUR: Duration = Duration::from_secs(3600);

/// 2014-11-24T00:00:00Z, and so many seconds.
fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_416_787_200 + seconds)
}

fn id(binding: TokenBindingType, key: &PublicKey) -> TokenBindingId {
    TokenBindingId::try_new(binding, key, PointEncoding::X962).unwrap()
}

/// A P-256 key of the vectors.
fn key() -> PublicKey {
    let point = "5df5d403b24d077edf5b95425736907d32109cea1a98713a0edb8ef17484c42f\
                 b781e6edd2dab053f7bb6934b8a7cacb03d584946347501d4bdfbab14576b4eb";
    PublicKey::P256(hex::decode(point).unwrap().try_into().unwrap())
}

/// Another, the curve's generator.
fn other_key() -> PublicKey {
    let point = "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296\
                 4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";
    PublicKey::P256(hex::decode(point).unwrap().try_into().unwrap())
}

/// One of the largest.
fn rsa_key() -> PublicKey {
    PublicKey::Rsa2048 {
        modulus: vec![0xff; 256],
        publicexponent: vec![1, 0, 1],
    }
}

fn provided(key: &PublicKey) -> TokenBindingId {
    id(TokenBindingType::PROVIDED, key)
}

fn referred(key: &PublicKey) -> TokenBindingId {
    id(TokenBindingType::REFERRED, key)
}

fn bound(key: &PublicKey, subject: &str) -> TokenRecord {
    let binding = provided(key).view().into();
    TokenRecord::try_new(binding, subject.as_bytes(), at(0), HOUR).unwrap()
}

fn bearer() -> TokenRecord {
    TokenRecord::try_new(StoredBinding::Unbound, b"mallory", at(0), HOUR).unwrap()
}

fn digest(number: u32) -> TokenDigest {
    TokenDigest::of(&number.to_be_bytes())
}

/// Returns options with a limit that a busy machine does not reach: the tests here are not about time.
fn patient() -> SqlxOptions {
    SqlxOptions {
        timeout: Duration::from_secs(60),
        ..SqlxOptions::default()
    }
}

/// The three kinds of store.
struct TokenStores;

impl Stores for TokenStores {
    type Store = dyn TokenStore;
    type Error = TokenStoreErrorKind;

    fn in_memory() -> Arc<dyn TokenStore> {
        Arc::new(MemoryTokenStore::new())
    }

    async fn sqlite(path: &Path) -> Result<Arc<dyn TokenStore>, TokenStoreErrorKind> {
        match SqliteTokenStore::open(path, patient()).await {
            Ok(store) => Ok(Arc::new(store)),
            Err(error) => Err(error.kind()),
        }
    }

    async fn postgres(
        database: PgConnectOptions,
    ) -> Result<Arc<dyn TokenStore>, TokenStoreErrorKind> {
        match PostgresTokenStore::connect(database, patient()).await {
            Ok(store) => Ok(Arc::new(store)),
            Err(error) => Err(error.kind()),
        }
    }
}

type Around = stores::Around<TokenStores>;

async fn on_each(database: &str, scenario: impl AsyncFn(Arc<dyn TokenStore>)) {
    stores::on_each::<TokenStores>(database, scenario).await;
}

async fn open(path: &Path) -> SqliteTokenStore {
    SqliteTokenStore::open(path, patient()).await.unwrap()
}

async fn connect(server: PgConnectOptions) -> PostgresTokenStore {
    PostgresTokenStore::connect(server, patient())
        .await
        .unwrap()
}

async fn verdict(
    store: &dyn TokenStore,
    token: &SecurityToken,
    connection: Option<&TokenBindingId>,
    now: SystemTime,
) -> StoredTokenVerdict {
    let connection = connection.and_then(TokenBindingId::provided);
    let policy = BearerPolicy::Discard;
    store
        .check(token.as_str().as_bytes(), connection, policy, now)
        .await
}
