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

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    error::Error,
    fs,
    io::{BufRead, BufReader, Write},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
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
use tempfile::TempDir;
use test_support::postgres::PostgresServer;
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

/// The environment variable that makes this process a writer, with the database: `sqlite:PATH`, or a URL of
/// PostgreSQL.
const WRITE_TO: &str = "TOKENBIND_WRITE_TO";

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

/// An empty store of each kind, one after another.
async fn on_each(database: &str, scenario: impl AsyncFn(Arc<dyn TokenStore>)) {
    println!("in memory");
    scenario(Arc::new(MemoryTokenStore::new())).await;

    println!("in SQLite");
    let directory = tempfile::tempdir().unwrap();
    let sqlite = Arc::new(open(&directory.path().join("tokens.db")).await);
    scenario(sqlite.clone()).await;
    sqlite.close().await;

    println!("in PostgreSQL");
    let server = PostgresServer::shared();
    let postgres = Arc::new(connect(server.database(database).await).await);
    scenario(postgres.clone()).await;
    postgres.close().await;
}

async fn open(path: &Path) -> SqliteTokenStore {
    SqliteTokenStore::open(path, SqlxOptions::default())
        .await
        .unwrap()
}

async fn connect(server: PgConnectOptions) -> PostgresTokenStore {
    PostgresTokenStore::connect(server, SqlxOptions::default())
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

#[tokio::test]
async fn honors_a_token_on_connections_of_its_key_only() {
    on_each("bindings", async |store| {
        for key in [key(), rsa_key()] {
            let to_issue = TokenToIssue::BoundTo(referred(&key).into());
            let records = [
                bound(&key, "alice").with_data(b"\0data\xff").unwrap(),
                TokenRecord::try_new((&to_issue).into(), b"", at(0), HOUR).unwrap(),
            ];
            for record in records {
                let token = store.issue(&record).await.unwrap();
                let presented = token.as_str().as_bytes();
                let expected = [
                    (Some(provided(&key)), HonorBound(record.clone())),
                    (
                        None,
                        Discard(Binding(DiscardReason::NoTokenBindingEstablished)),
                    ),
                    (
                        Some(provided(&other_key())),
                        Discard(Binding(DiscardReason::Mismatch)),
                    ),
                    // A referred identifier says nothing of the connection's own key.
                    (
                        Some(referred(&key)),
                        Discard(Binding(DiscardReason::NoTokenBindingEstablished)),
                    ),
                ];
                for (connection, expected) in expected {
                    // A policy for bearer tokens is none for bound ones.
                    for policy in [BearerPolicy::Honor, BearerPolicy::Discard] {
                        let connection = connection.as_ref().and_then(TokenBindingId::provided);
                        let verdict = store.check(presented, connection, policy, at(1)).await;
                        assert_eq!(verdict, expected);
                    }
                }
            }
        }
    })
    .await;
}

#[tokio::test]
async fn honors_a_bearer_token_only_under_the_policy() {
    on_each("bearers", async |store| {
        let unbound = TokenToIssue::Unbound(UnboundReason::NotReferred);
        let record = TokenRecord::try_new((&unbound).into(), b"mallory", at(0), HOUR).unwrap();
        assert_eq!(record, bearer());
        let token = store.issue(&record).await.unwrap();
        for connection in [None, Some(provided(&key()))] {
            let connection = connection.as_ref().and_then(TokenBindingId::provided);
            let check = |policy| store.check(token.as_str().as_bytes(), connection, policy, at(1));
            assert_eq!(
                check(BearerPolicy::Honor).await,
                HonorBearer(record.clone())
            );
            assert_eq!(
                check(BearerPolicy::Discard).await,
                Discard(Binding(DiscardReason::BearerNotHonored))
            );
        }
    })
    .await;
}

#[tokio::test]
async fn reports_a_token_that_was_not_issued_as_unknown() {
    on_each("unknown", async |store| {
        let token = store.issue(&bound(&key(), "alice")).await.unwrap();
        let token = token.as_str();
        let connection = provided(&key());
        let digest = TokenDigest::of(token.as_bytes());
        let near = [
            String::new(),
            token.chars().skip(1).collect(),
            format!("{token}="),
            format!(" {token}"),
            token.to_ascii_lowercase() + "0",
            hex::encode(digest.as_bytes()),
        ];
        for presented in near
            .iter()
            .map(String::as_bytes)
            .chain([&digest.as_bytes()[..], &[0xff; 70_000]])
        {
            let connection = connection.provided();
            let verdict = store
                .check(presented, connection, BearerPolicy::Honor, at(1))
                .await;
            assert_eq!(verdict, Discard(Unknown));
        }
    })
    .await;
}

#[tokio::test]
async fn expires_a_token_with_its_last_second() {
    on_each("expiry", async |store| {
        let half = Duration::from_millis(500);
        let binding = StoredBinding::from(provided(&key()).view());
        // What is over a second is cut off: 3600.5 + 3600.4 seconds.
        let lifetime = HOUR + Duration::from_millis(400);
        let record = TokenRecord::try_new(binding, b"", at(3600) + half, lifetime).unwrap();
        assert_eq!(record.issued_at(), at(3600));
        assert_eq!(record.expires_at(), at(7200));
        let token = store.issue(&record).await.unwrap();
        let connection = provided(&key());
        let check = |now| verdict(&*store, &token, Some(&connection), now);
        let nanosecond = Duration::from_nanos(1);
        assert_eq!(
            check(at(7200) - nanosecond).await,
            HonorBound(record.clone())
        );
        assert_eq!(check(at(7200)).await, Discard(Expired));
        assert_eq!(check(at(7200) + half).await, Discard(Expired));
        assert_eq!(check(at(1 << 40)).await, Discard(Expired));
        // A clock that is behind that of the issuer, or lost, does not discard.
        assert_eq!(check(at(0)).await, HonorBound(record.clone()));
        assert_eq!(
            check(SystemTime::UNIX_EPOCH - HOUR).await,
            HonorBound(record.clone())
        );
    })
    .await;
}

#[tokio::test]
async fn discards_a_revoked_token_and_keeps_the_time_of_revocation() {
    on_each("revocation", async |store| {
        let record = bound(&key(), "alice");
        let token = store.issue(&record).await.unwrap();
        let other = store.issue(&record).await.unwrap();
        let connection = provided(&key());
        let check = |token, now| verdict(&*store, token, Some(&connection), now);
        assert!(store.revoke(token.digest(), at(10)).await.unwrap());
        assert!(!store.revoke(token.digest(), at(20)).await.unwrap());
        assert!(!store.revoke(digest(0), at(20)).await.unwrap());
        // Also at a time before it was revoked, and after it would have expired.
        for now in [at(5), at(10), at(20), at(7200)] {
            assert_eq!(check(&token, now).await, Discard(Revoked));
        }
        assert_eq!(check(&other, at(20)).await, HonorBound(record.clone()));
        let kept = store.look_up(token.digest()).await.unwrap().unwrap();
        assert_eq!(kept.revoked_at(), Some(at(10)));
        assert_eq!(kept.binding(), record.binding());
        assert_eq!(kept.subject(), b"alice");
        assert_eq!((kept.issued_at(), kept.expires_at()), (at(0), at(3600)));
        assert_eq!(store.look_up(digest(0)).await.unwrap(), None);
        // A record that comes revoked, e.g. from another store, is kept so.
        store.insert(digest(1), &kept).await.unwrap();
        assert_eq!(store.look_up(digest(1)).await.unwrap(), Some(kept));
    })
    .await;
}

#[tokio::test]
async fn revokes_all_tokens_of_a_key_or_of_a_subject_and_no_others() {
    on_each("all", async |store| {
        let records = [
            bound(&key(), "alice"),
            bound(&key(), "bob"),
            bound(&other_key(), "alice"),
            bound(&other_key(), "bob"),
            bound(&rsa_key(), ""),
            bearer(),
        ];
        for (number, record) in (0..).zip(&records) {
            store.insert(digest(number), record).await.unwrap();
        }
        let connection = provided(&key());
        let reset = TokensOf::KeyId(connection.key_id());
        assert!(store.revoke(digest(0), at(5)).await.unwrap());
        assert_eq!(store.revoke_all(reset, at(10)).await.unwrap(), 1);
        assert_eq!(store.revoke_all(reset, at(20)).await.unwrap(), 0);
        let taken_over = TokensOf::Subject(b"alice");
        assert_eq!(store.revoke_all(taken_over, at(30)).await.unwrap(), 1);
        let nobody = [
            TokensOf::KeyId(&connection.key_id()[1..]),
            TokensOf::KeyId(connection.as_bytes()),
            TokensOf::KeyId(b""),
            TokensOf::Subject(b"alic"),
            TokensOf::Subject(b"alice\0"),
            TokensOf::Subject(b"Alice"),
        ];
        for nobody in nobody {
            assert_eq!(store.revoke_all(nobody, at(40)).await.unwrap(), 0);
        }
        let mut revoked_at = Vec::new();
        for number in 0..6 {
            let record = store.look_up(digest(number)).await.unwrap().unwrap();
            revoked_at.push(record.revoked_at());
        }
        let expected = [Some(at(5)), Some(at(10)), Some(at(30)), None, None, None];
        assert_eq!(revoked_at, expected);
        let counts = TokenCounts {
            live: 3,
            revoked: 3,
            expired: 0,
        };
        assert_eq!(store.count(at(40)).await.unwrap(), counts);
        assert_eq!(
            store
                .revoke_all(TokensOf::Subject(b""), at(50))
                .await
                .unwrap(),
            1
        );
    })
    .await;
}

#[tokio::test]
async fn reports_a_second_insert_of_a_token_as_a_conflict() {
    on_each("conflict", async |store| {
        let record = bound(&key(), "alice");
        store.insert(digest(0), &record).await.unwrap();
        for other in [&record, &bearer()] {
            let error = store.insert(digest(0), other).await.unwrap_err();
            assert_eq!(error.kind(), TokenStoreErrorKind::Conflict);
            assert_eq!(
                store.look_up(digest(0)).await.unwrap(),
                Some(record.clone())
            );
        }
        // Of eight at once, one is kept: the one that was told so.
        for number in 1..20 {
            let inserts = (0..8).map(|writer| {
                let store = store.clone();
                tokio::spawn(async move {
                    let record = bound(&key(), &format!("writer {writer}"));
                    match store.insert(digest(number), &record).await {
                        Ok(()) => Some(record),
                        Err(error) => {
                            assert_eq!(error.kind(), TokenStoreErrorKind::Conflict);
                            None
                        }
                    }
                })
            });
            let mut kept = Vec::new();
            for insert in inserts.collect::<Vec<_>>() {
                kept.extend(insert.await.unwrap());
            }
            assert_eq!(kept.len(), 1);
            assert_eq!(store.look_up(digest(number)).await.unwrap(), kept.pop());
        }
    })
    .await;
}

#[tokio::test]
async fn lists_and_purges_tokens_in_batches() {
    on_each("batches", async |store| {
        let more = 3;
        let all = u32::try_from(TOKENS_PER_BATCH).unwrap() + more;
        let record = bound(&key(), "alice");
        let mut expected = BTreeMap::new();
        for number in 0..all {
            store.insert(digest(number), &record).await.unwrap();
            expected.insert(digest(number), record.clone());
        }
        let lasting =
            TokenRecord::try_new(StoredBinding::Unbound, b"bob", at(0), 2 * HOUR).unwrap();
        store.insert(digest(all), &lasting).await.unwrap();

        let expected: Vec<_> = expected.into_iter().collect();
        let connection = provided(&key());
        for of in [
            TokensOf::KeyId(connection.key_id()),
            TokensOf::Subject(b"alice"),
        ] {
            let first = store.list(of, None).await.unwrap();
            assert_eq!(first, expected[..TOKENS_PER_BATCH]);
            let last = first.last().map(|(digest, _)| *digest);
            let second = store.list(of, last).await.unwrap();
            assert_eq!(second, expected[TOKENS_PER_BATCH..]);
            let last = second.last().map(|(digest, _)| *digest);
            assert_eq!(store.list(of, last).await.unwrap(), []);
        }
        let bobs = store.list(TokensOf::Subject(b"bob"), None).await.unwrap();
        assert_eq!(bobs, [(digest(all), lasting.clone())]);
        assert_eq!(
            store.list(TokensOf::Subject(b"bo"), None).await.unwrap(),
            []
        );

        let batch = u64::try_from(TOKENS_PER_BATCH).unwrap();
        assert!(store.revoke(digest(0), at(1)).await.unwrap());
        let counts = TokenCounts {
            live: batch + 3,
            revoked: 1,
            expired: 0,
        };
        assert_eq!(store.count(at(3599)).await.unwrap(), counts);
        let counts = TokenCounts {
            live: 1,
            revoked: 0,
            expired: batch + 3,
        };
        assert_eq!(store.count(at(3600)).await.unwrap(), counts);
        assert_eq!(store.purge(at(3599)).await.unwrap(), 0);
        assert_eq!(store.purge(at(3600)).await.unwrap(), batch);
        assert_eq!(store.purge(at(3600)).await.unwrap(), 3);
        assert_eq!(store.purge(at(3600)).await.unwrap(), 0);
        let counts = TokenCounts {
            live: 1,
            revoked: 0,
            expired: 0,
        };
        assert_eq!(store.count(at(3600)).await.unwrap(), counts);
        assert_eq!(store.look_up(digest(1)).await.unwrap(), None);
        assert_eq!(store.look_up(digest(all)).await.unwrap(), Some(lasting));
    })
    .await;
}

#[tokio::test]
async fn returns_values_at_a_limit_whole_and_refuses_larger_ones() {
    let every_byte: Vec<u8> = (0..=255).cycle().take(MAX_TOKEN_DATA_BYTES + 1).collect();
    let (subject, data) = (
        &every_byte[..MAX_TOKEN_SUBJECT_BYTES],
        &every_byte[..MAX_TOKEN_DATA_BYTES],
    );
    let new = |subject, now, lifetime| {
        TokenRecord::try_new(StoredBinding::Unbound, subject, now, lifetime)
    };
    let longest = new(subject, at(0), HOUR).unwrap();
    on_each("limits", async |store| {
        let largest = TokenRecord::try_new(
            StoredBinding::from(provided(&rsa_key()).view()),
            subject,
            SystemTime::UNIX_EPOCH,
            Duration::from_secs(1 << 40),
        );
        let largest = largest.unwrap().with_data(data).unwrap();
        store.insert(digest(0), &largest).await.unwrap();
        assert_eq!(store.look_up(digest(0)).await.unwrap(), Some(largest));
        for (number, length) in [(1, 1), (2, MAX_KEY_ID_BYTES)] {
            let binding = StoredBinding::KeyId(every_byte[1..=length].into());
            let record = TokenRecord::try_new(binding, subject, at(0), HOUR).unwrap();
            store.insert(digest(number), &record).await.unwrap();
            let kept = store.look_up(digest(number)).await.unwrap();
            assert_eq!(kept, Some(record));
        }
        let before = SystemTime::UNIX_EPOCH - Duration::from_nanos(1);
        let errors = [
            store.revoke(digest(0), before).await.unwrap_err(),
            store
                .revoke_all(TokensOf::Subject(subject), before)
                .await
                .unwrap_err(),
            store.purge(before).await.unwrap_err(),
            store.count(before).await.unwrap_err(),
        ];
        for error in errors {
            assert_eq!(error.kind(), TokenStoreErrorKind::Time);
        }
    })
    .await;
    let of_key = |length| {
        let binding = StoredBinding::KeyId(vec![0; length].into());
        TokenRecord::try_new(binding, b"", at(0), HOUR).map(drop)
    };
    assert_eq!(of_key(MAX_KEY_ID_BYTES), Ok(()));
    for length in [0, MAX_KEY_ID_BYTES + 1] {
        assert_eq!(of_key(length), Err(TokenRecordError::KeyIdLength));
    }
    let too_long = &every_byte[..MAX_TOKEN_SUBJECT_BYTES + 1];
    assert_eq!(
        new(too_long, at(0), HOUR),
        Err(TokenRecordError::SubjectTooLong)
    );
    assert_eq!(
        longest.with_data(&every_byte),
        Err(TokenRecordError::DataTooLong)
    );
    let second = Duration::from_secs(1);
    let almost = Duration::from_nanos(999_999_999);
    assert_eq!(new(b"", at(0), almost), Err(TokenRecordError::Lifetime));
    assert_eq!(
        new(b"", at(0), second).map(|record| record.expires_at()),
        Ok(at(1))
    );
    assert_eq!(new(b"", at(0), Duration::MAX), Err(TokenRecordError::Time));
    let before = SystemTime::UNIX_EPOCH - second;
    assert_eq!(new(b"", before, HOUR), Err(TokenRecordError::Time));
}

/// Each writes all the while the others do.
async fn write_at_once(stores: [Arc<dyn TokenStore>; 8]) {
    const TOKENS: usize = 100;
    let [store, ..] = &stores;
    let writers = (0..).zip(&stores).map(|(writer, store)| {
        let store = store.clone();
        tokio::spawn(async move {
            let record = bound(&key(), &format!("writer {writer}"));
            let mut tokens = Vec::new();
            for _ in 0..TOKENS {
                tokens.push(store.issue(&record).await.unwrap());
            }
            (record, tokens)
        })
    });
    let connection = provided(&key());
    let mut digests = Vec::new();
    for writer in writers.collect::<Vec<_>>() {
        let (record, tokens) = writer.await.unwrap();
        for token in tokens {
            let verdict = verdict(&**store, &token, Some(&connection), at(1)).await;
            assert_eq!(verdict, HonorBound(record.clone()));
            digests.push(token.digest());
        }
    }
    digests.sort();
    let of = TokensOf::KeyId(connection.key_id());
    let listed = store.list(of, None).await.unwrap();
    let listed: Vec<_> = listed.into_iter().map(|(digest, _)| digest).collect();
    assert_eq!(listed, digests);
    assert_eq!(listed.len(), 8 * TOKENS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn loses_nothing_of_eight_writers_at_once() {
    on_each("writers", async |store| {
        write_at_once(std::array::from_fn(|_| store.clone())).await;
    })
    .await;

    println!("eight servers' SQLite");
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens.db");
    let mut stores: Vec<Arc<dyn TokenStore>> = Vec::new();
    for _ in 0..8 {
        stores.push(Arc::new(open(&path).await));
    }
    write_at_once(stores.try_into().ok().unwrap()).await;
}

/// Checks a token over one store all the while it is revoked over another.
async fn revoke_while_checking(issuer: Arc<dyn TokenStore>, checker: Arc<dyn TokenStore>) {
    let record = bound(&key(), "alice");
    for _ in 0..20 {
        let token = Arc::new(issuer.issue(&record).await.unwrap());
        let revoked = Arc::new(AtomicBool::new(false));
        let checks = (0..4).map(|_| {
            let (checker, token, revoked) = (checker.clone(), token.clone(), revoked.clone());
            let record = record.clone();
            tokio::spawn(async move {
                let connection = provided(&key());
                loop {
                    let was_revoked = revoked.load(Ordering::SeqCst);
                    let verdict = verdict(&*checker, &token, Some(&connection), at(1)).await;
                    if was_revoked {
                        assert_eq!(verdict, Discard(Revoked));
                        return;
                    }
                    // Neither unknown nor anything else at any time.
                    assert!(verdict == HonorBound(record.clone()) || verdict == Discard(Revoked));
                }
            })
        });
        let checks: Vec<_> = checks.collect();
        assert!(issuer.revoke(token.digest(), at(1)).await.unwrap());
        revoked.store(true, Ordering::SeqCst);
        for check in checks {
            check.await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn honors_no_token_in_a_check_that_begins_after_its_revocation() {
    on_each("races", async |store| {
        revoke_while_checking(store.clone(), store).await
    })
    .await;

    println!("two servers' SQLite");
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens.db");
    let (one, other) = (open(&path).await, open(&path).await);
    revoke_while_checking(Arc::new(one), Arc::new(other)).await;

    println!("two servers' PostgreSQL");
    let server = PostgresServer::shared();
    let database = server.database("fleet").await;
    let (one, other) = (connect(database.clone()).await, connect(database).await);
    revoke_while_checking(Arc::new(one), Arc::new(other)).await;
}

#[tokio::test]
async fn keeps_only_the_digest_of_a_token_and_prints_nothing_of_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens.db");
    let store = open(&path).await;
    let mut kept = Vec::new();
    for _ in 0..50 {
        let record = bound(&key(), "subject").with_data(b"some data").unwrap();
        let token = store.issue(&record).await.unwrap();
        assert_eq!(token.as_str().len(), 43);
        let random = URL_SAFE_NO_PAD.decode(token.as_str()).unwrap();
        assert_eq!(random.len(), 32);
        let honored = HonorBound(record.clone());
        let of = TokensOf::Subject(b"subject");
        let printed = format!("{token:?} {record:?} {honored:?} {store:?} {of:?}");
        for secret in [token.as_str(), "subject", "some data"] {
            assert!(!printed.contains(secret), "{printed}");
            assert!(
                !printed.contains(&format!("{:?}", secret.as_bytes())),
                "{printed}"
            );
        }
        kept.push((token, random));
    }
    let journal = fs::read(directory.path().join("tokens.db-journal")).unwrap();
    store.close().await;
    let files = [journal, fs::read(&path).unwrap()];
    let contains = |bytes: &[u8]| {
        files
            .iter()
            .any(|file| file.windows(bytes.len()).any(|part| part == bytes))
    };
    for (token, random) in &kept {
        assert!(contains(token.digest().as_bytes()));
        assert!(!contains(token.as_str().as_bytes()));
        assert!(!contains(random));
    }
    let tokens: BTreeSet<_> = kept.iter().map(|(token, _)| token.as_str()).collect();
    assert_eq!(tokens.len(), kept.len());
}

#[tokio::test]
async fn allows_only_the_owner_to_read_an_sqlite_database_and_keeps_its_permissions() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["tokens.db", "tokens?mode=memory", "%20"] {
        let path = directory.path().join(name);
        let mode = |suffix: &str| {
            let file = fs::metadata(directory.path().join(format!("{name}{suffix}")));
            file.unwrap().permissions().mode() & 0o777
        };
        let store = open(&path).await;
        store.insert(digest(0), &bearer()).await.unwrap();
        assert_eq!(
            (mode(""), mode("-journal"), mode(".lock")),
            (0o600, 0o600, 0o600)
        );
        store.close().await;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let store = open(&path).await;
        assert_eq!(store.look_up(digest(0)).await.unwrap(), Some(bearer()));
        assert_eq!(mode(""), 0o640);
        store.close().await;
        for exposed in [0o604, 0o660, 0o602] {
            fs::set_permissions(&path, fs::Permissions::from_mode(exposed)).unwrap();
            let error = SqliteTokenStore::open(&path, SqlxOptions::default()).await;
            assert_eq!(error.unwrap_err().kind(), TokenStoreErrorKind::Exposed);
            assert_eq!(mode(""), exposed);
        }
    }
}

/// Opens eight stores at once, and writes a different token through each.
async fn opened_at_once<S, F>(open: impl Fn() -> F) -> Vec<S>
where
    S: TokenStore + 'static,
    F: Future<Output = S> + Send + 'static,
{
    let begin = Arc::new(tokio::sync::Barrier::new(8));
    let opened = (0..8).map(|number| {
        let (begin, store) = (begin.clone(), open());
        tokio::spawn(async move {
            begin.wait().await;
            let store = store.await;
            store.insert(digest(number), &bearer()).await.unwrap();
            store
        })
    });
    let mut stores = Vec::new();
    for opened in opened.collect::<Vec<_>>() {
        stores.push(opened.await.unwrap());
    }
    let counts = TokenCounts {
        live: 8,
        revoked: 0,
        expired: 0,
    };
    for store in &stores {
        assert_eq!(store.count(at(1)).await.unwrap(), counts);
    }
    stores
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn opens_a_new_database_from_several_servers_at_once() {
    for _ in 0..20 {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tokens.db");
        let opened = opened_at_once(|| {
            let path = path.clone();
            async move { open(&path).await }
        });
        for store in opened.await {
            store.close().await;
        }
    }
    let server = PostgresServer::shared();
    for round in 0..5 {
        let database = server.database(&format!("new{round}")).await;
        let opened = opened_at_once(|| {
            let options = SqlxOptions {
                max_connections: 1,
                ..SqlxOptions::default()
            };
            let store = PostgresTokenStore::connect(database.clone(), options);
            async move { store.await.unwrap() }
        });
        for store in opened.await {
            store.close().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn opens_a_new_database_when_another_releases_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens.db");
    let file = SqliteConnectOptions::new()
        .filename(&path)
        .create_if_missing(true);
    let mut other = SqliteConnection::connect_with(&file).await.unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    // SQLite does not wait for this one of itself.
    let hold = "CREATE TABLE other (number); BEGIN IMMEDIATE";
    other.execute(sqlx::raw_sql(hold)).await.unwrap();
    let options = SqlxOptions {
        timeout: Duration::from_millis(100),
        ..SqlxOptions::default()
    };
    let refused = SqliteTokenStore::open(&path, options).await.unwrap_err();
    assert_eq!(refused.kind(), TokenStoreErrorKind::Unavailable);
    let opening = tokio::spawn(async move { open(&path).await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    other.execute("COMMIT").await.unwrap();
    let store = opening.await.unwrap();
    store.insert(digest(0), &bearer()).await.unwrap();
}

/// A database of each kind and, for each, a connection that goes around the store.
struct Around {
    directory: TempDir,
    server: Arc<PostgresServer>,
    database: PgConnectOptions,
}

impl Around {
    async fn new(database: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let server = PostgresServer::shared();
        let database = server.database(database).await;
        let around = Self {
            directory,
            server,
            database,
        };
        around.open_both().await.map(drop).unwrap();
        around
    }

    async fn open_both(&self) -> Result<[Arc<dyn TokenStore>; 2], [TokenStoreErrorKind; 2]> {
        let options = SqlxOptions::default();
        let path = self.directory.path().join("tokens.db");
        let sqlite = SqliteTokenStore::open(path, options).await;
        let postgres = PostgresTokenStore::connect(self.database.clone(), options).await;
        match (sqlite, postgres) {
            (Ok(sqlite), Ok(postgres)) => Ok([Arc::new(sqlite), Arc::new(postgres)]),
            (Err(sqlite), Err(postgres)) => Err([sqlite.kind(), postgres.kind()]),
            (sqlite, postgres) => panic!("{sqlite:?} but {postgres:?}"),
        }
    }

    async fn execute(&self, sqlite: &'static str, postgres: &'static str) {
        let file = SqliteConnectOptions::new().filename(self.directory.path().join("tokens.db"));
        let mut connection = SqliteConnection::connect_with(&file).await.unwrap();
        connection.execute(sqlx::raw_sql(sqlite)).await.unwrap();
        connection.close().await.unwrap();
        let mut connection = PgConnection::connect_with(&self.database).await.unwrap();
        connection.execute(sqlx::raw_sql(postgres)).await.unwrap();
        connection.close().await.unwrap();
    }
}

#[tokio::test]
async fn refuses_a_schema_that_is_newer_or_was_changed() {
    let refused = Err([TokenStoreErrorKind::Version; 2]);
    let around = Around::new("versions").await;
    let newer = "INSERT INTO tokenbind_migrations \
        (version, description, success, checksum, execution_time) VALUES (2, 'newer', TRUE, '', 0)";
    around.execute(newer, newer).await;
    assert_eq!(around.open_both().await.map(drop), refused);
    let back = "DELETE FROM tokenbind_migrations WHERE version = 2";
    around.execute(back, back).await;
    assert_eq!(around.open_both().await.map(drop), Ok(()));
    let changed = "UPDATE tokenbind_migrations SET checksum = 'other' WHERE version = 1";
    around.execute(changed, changed).await;
    assert_eq!(around.open_both().await.map(drop), refused);
    // A refusal leaves no lock behind that others would wait for.
    assert_eq!(around.open_both().await.map(drop), refused);
    drop(around.server);
}

#[tokio::test]
async fn leaves_the_applications_migrations_unchanged() {
    let around = Around::new("application").await;
    let own = "CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY, description TEXT NOT NULL, \
        installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, success BOOLEAN NOT NULL, \
        checksum BLOB NOT NULL, execution_time BIGINT NOT NULL); \
        INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
        VALUES (7, 'own', TRUE, '', 0)";
    let postgres = own.replace("BLOB", "BYTEA").leak();
    around.execute(own, postgres).await;
    assert_eq!(around.open_both().await.map(drop), Ok(()));
}

#[tokio::test]
async fn honors_no_row_that_is_not_a_token() {
    let around = Around::new("unreadable").await;
    let record = bound(&key(), "alice");
    let stores = around.open_both().await.unwrap();
    let sound = "UPDATE tokenbind_tokens SET bound = TRUE";
    let broken = [
        // A token that lost its key must not become a bearer token.
        "UPDATE tokenbind_tokens SET key_id = NULL",
        "UPDATE tokenbind_tokens SET bound = FALSE",
        "UPDATE tokenbind_tokens SET expires_at = -1",
        "UPDATE tokenbind_tokens SET revoked_at = -1",
    ];
    around
        .execute(
            "PRAGMA ignore_check_constraints = TRUE",
            "ALTER TABLE tokenbind_tokens DROP CONSTRAINT tokenbind_tokens_check, \
             DROP CONSTRAINT tokenbind_tokens_check1, \
             DROP CONSTRAINT tokenbind_tokens_revoked_at_check",
        )
        .await;
    for broken in broken {
        let sqlite = format!("PRAGMA ignore_check_constraints = TRUE; {broken}").leak();
        for store in &stores {
            store.insert(digest(0), &record).await.unwrap();
        }
        around.execute(sqlite, broken).await;
        for store in &stores {
            let error = store.look_up(digest(0)).await.unwrap_err();
            assert_eq!(error.kind(), TokenStoreErrorKind::Unreadable, "{broken}");
            let presented = 0_u32.to_be_bytes();
            for connection in [None, Some(provided(&key()))] {
                let connection = connection.as_ref().and_then(TokenBindingId::provided);
                let verdict = store
                    .check(&presented, connection, BearerPolicy::Honor, at(1))
                    .await;
                let unreadable = Binding(DiscardReason::Unreadable);
                assert_eq!(verdict, Discard(unreadable), "{broken}");
            }
        }
        let delete = "DELETE FROM tokenbind_tokens";
        around.execute(delete, delete).await;
    }
    around.execute(sound, sound).await;
}

#[tokio::test]
async fn refuses_rows_that_are_not_tokens_in_the_schema() {
    let around = Around::new("constraints").await;
    let stores = around.open_both().await.unwrap();
    for store in &stores {
        store
            .insert(digest(0), &bound(&key(), "alice"))
            .await
            .unwrap();
    }
    let path = around.directory.path().join("tokens.db");
    let file = SqliteConnectOptions::new().filename(path);
    let mut sqlite = SqliteConnection::connect_with(&file).await.unwrap();
    let mut postgres = PgConnection::connect_with(&around.database).await.unwrap();
    let long = |length: usize| format!("'{}'", "x".repeat(length));
    let blob = |text: String| {
        (
            format!("CAST({text} AS BLOB)"),
            format!("CAST({text} AS BYTEA)"),
        )
    };
    let null = || ("NULL".to_owned(), "NULL".to_owned());
    let number = |number: &str| (number.to_owned(), number.to_owned());
    let changes = [
        ("digest", blob(long(31))),
        ("digest", blob(long(33))),
        ("digest", null()),
        ("bound", number("FALSE")),
        ("key_id", null()),
        ("key_id", blob(long(0))),
        ("key_id", blob(long(1025))),
        ("subject", null()),
        ("subject", blob(long(MAX_TOKEN_SUBJECT_BYTES + 1))),
        ("data", null()),
        ("data", blob(long(MAX_TOKEN_DATA_BYTES + 1))),
        ("issued_at", number("-1")),
        ("issued_at", number("expires_at")),
        ("expires_at", null()),
        ("revoked_at", number("-1")),
    ];
    for (column, (in_sqlite, in_postgres)) in changes {
        let update =
            |value| sqlx::AssertSqlSafe(format!("UPDATE tokenbind_tokens SET {column} = {value}"));
        let errors = [
            sqlx::query(update(&in_sqlite))
                .execute(&mut sqlite)
                .await
                .map(drop),
            sqlx::query(update(&in_postgres))
                .execute(&mut postgres)
                .await
                .map(drop),
        ];
        for error in errors {
            let error = error.unwrap_err();
            let kind = error.as_database_error().unwrap().kind();
            let expected = [
                sqlx::error::ErrorKind::CheckViolation,
                sqlx::error::ErrorKind::NotNullViolation,
            ];
            assert!(
                expected.contains(&kind),
                "{column} = {in_postgres}: {error}"
            );
        }
    }
    for store in &stores {
        let unchanged = store.look_up(digest(0)).await.unwrap();
        assert_eq!(unchanged, Some(bound(&key(), "alice")));
    }
}

#[tokio::test]
async fn requires_verification_of_a_postgresql_server_on_another_host() {
    let refusal = async |server: PgConnectOptions| {
        let options = SqlxOptions::default();
        PostgresTokenStore::connect(server, options)
            .await
            .unwrap_err()
            .kind()
    };
    // Refused before it is looked for: there is no such host.
    let server = PgConnectOptions::new_without_pgpass().host("db.invalid");
    let modes = [
        PgSslMode::Disable,
        PgSslMode::Allow,
        PgSslMode::Prefer,
        PgSslMode::Require,
        PgSslMode::VerifyCa,
    ];
    for mode in modes {
        for host in [
            "db.invalid",
            "192.0.2.1",
            "2001:db8::1",
            "localhost.invalid",
            "127.0.0.1.invalid",
        ] {
            let server = server.clone().host(host).ssl_mode(mode);
            assert_eq!(refusal(server).await, TokenStoreErrorKind::UnverifiedServer);
        }
    }
    let verified = server.clone().ssl_mode(PgSslMode::VerifyFull);
    assert_eq!(refusal(verified).await, TokenStoreErrorKind::Unavailable);
    let options = SqlxOptions {
        allow_unverified_server: true,
        ..SqlxOptions::default()
    };
    let allowed = PostgresTokenStore::connect(server, options)
        .await
        .unwrap_err();
    assert_eq!(allowed.kind(), TokenStoreErrorKind::Unavailable);

    let server = PostgresServer::shared();
    // On loopback it need not be verified, but if it is to be, it is.
    let unverified = server.database("verified").await;
    connect(unverified).await.close().await;
    let database = server.verified("verified");
    connect(database.clone()).await.close().await;
    let other = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let by_another = database
        .clone()
        .ssl_root_cert_from_pem(other.cert.pem().into_bytes());
    assert_eq!(refusal(by_another).await, TokenStoreErrorKind::Unavailable);
    let of_another_name = database.host("localhost");
    assert_eq!(
        refusal(of_another_name).await,
        TokenStoreErrorKind::Unavailable
    );
}

#[tokio::test]
async fn refuses_a_postgresql_server_that_can_lose_confirmed_changes() {
    let server = PostgresServer::shared();
    let database = server.database("durable").await;
    let mut connection = PgConnection::connect_with(&database).await.unwrap();
    let set = "ALTER DATABASE durable SET synchronous_commit = off";
    connection.execute(set).await.unwrap();
    let options = SqlxOptions::default();
    let error = PostgresTokenStore::connect(database.clone(), options)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), TokenStoreErrorKind::NotDurable);
    let set = "ALTER DATABASE durable SET synchronous_commit = local";
    connection.execute(set).await.unwrap();
    connect(database).await.close().await;
}

#[tokio::test]
async fn confirms_no_token_and_no_revocation_that_a_killed_server_loses() {
    let mut server = PostgresServer::start();
    let database = server.database("changed").await;
    let store = connect(database.clone()).await;
    let mut around = PgConnection::connect_with(&database).await.unwrap();
    let (kept, other) = (digest(1), digest(2));
    store.insert(kept, &bearer()).await.unwrap();
    store.insert(other, &bearer()).await.unwrap();
    assert!(store.revoke(kept, at(1)).await.unwrap());
    // From now on, what a new connection of the pool would confirm could be lost.
    let off = "ALTER DATABASE changed SET synchronous_commit = off; \
        ALTER ROLE tests SET synchronous_commit = off; \
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
        WHERE datname = current_database() AND pid <> pg_backend_pid()";
    around.execute(sqlx::raw_sql(off)).await.unwrap();
    let not_durable = TokenStoreErrorKind::NotDurable;
    for number in 10..14 {
        let error = store.insert(digest(number), &bearer()).await.unwrap_err();
        assert_eq!(error.kind(), not_durable);
        let error = store.revoke(other, at(2)).await.unwrap_err();
        assert_eq!(error.kind(), not_durable);
        let all = TokensOf::Subject(b"mallory");
        assert_eq!(
            store.revoke_all(all, at(2)).await.unwrap_err().kind(),
            not_durable
        );
        assert_eq!(
            store.purge(at(1 << 20)).await.unwrap_err().kind(),
            not_durable
        );
    }
    server.kill();
    server.restart();
    let record = |digest| store.look_up(digest);
    assert_eq!(
        record(kept).await.unwrap().unwrap().revoked_at(),
        Some(at(1))
    );
    assert_eq!(record(other).await.unwrap().unwrap().revoked_at(), None);
    assert_eq!(record(digest(10)).await.unwrap(), None);
}

#[tokio::test]
async fn discards_a_token_while_another_holds_the_table() {
    let server = PostgresServer::shared();
    let database = server.database("held").await;
    let options = SqlxOptions {
        timeout: Duration::from_millis(500),
        ..SqlxOptions::default()
    };
    let store = PostgresTokenStore::connect(database.clone(), options);
    let store = store.await.unwrap();
    let record = bound(&key(), "alice");
    let token = store.issue(&record).await.unwrap();
    let connection = provided(&key());
    let honored = HonorBound(record.clone());
    assert_eq!(
        verdict(&store, &token, Some(&connection), at(1)).await,
        honored
    );
    let mut around = PgConnection::connect_with(&database).await.unwrap();
    let mut lock = around.begin().await.unwrap();
    lock.execute("LOCK TABLE tokenbind_tokens").await.unwrap();
    let begun = std::time::Instant::now();
    let unavailable = Discard(Store(TokenStoreErrorKind::Unavailable));
    assert_eq!(
        verdict(&store, &token, Some(&connection), at(1)).await,
        unavailable
    );
    let error = store.revoke(token.digest(), at(1)).await.unwrap_err();
    assert_eq!(error.kind(), TokenStoreErrorKind::Unavailable);
    assert!(error.place().unwrap().ends_with("/held"), "{error}");
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );
    lock.rollback().await.unwrap();
    assert_eq!(
        verdict(&store, &token, Some(&connection), at(1)).await,
        honored
    );
}

#[tokio::test]
async fn keeps_no_subject_of_a_token_that_was_purged() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory.path().join("tokens.db")).await;
    for number in 0..300 {
        let record = bound(&key(), &format!("forgotten-{number}"));
        store.insert(digest(number), &record).await.unwrap();
    }
    assert_eq!(store.purge(at(1 << 20)).await.unwrap(), 300);
    let backup = directory.path().join("backup.db");
    store.back_up(&backup).await.unwrap();
    for entry in fs::read_dir(directory.path()).unwrap() {
        let content = fs::read(entry.unwrap().path()).unwrap();
        let found = content.windows(9).filter(|part| part == b"forgotten");
        assert_eq!(found.count(), 0);
    }
    store.vacuum().await.unwrap();
    let empty = TokenCounts::default();
    assert_eq!(store.count(at(0)).await.unwrap(), empty);
    assert_eq!(open(&backup).await.count(at(0)).await.unwrap(), empty);
}

#[tokio::test]
async fn honors_nothing_if_the_store_does_not_answer() {
    let presented = 0_u32.to_be_bytes();
    let connection = provided(&key());
    let check = async |store: &dyn TokenStore| {
        let connection = connection.provided();
        store
            .check(&presented, connection, BearerPolicy::Honor, at(1))
            .await
    };
    let record = bound(&key(), "alice");
    let unavailable = Discard(Store(TokenStoreErrorKind::Unavailable));

    let directory = tempfile::tempdir().unwrap();
    let sqlite = open(&directory.path().join("tokens.db")).await;
    sqlite.insert(digest(0), &record).await.unwrap();
    assert_eq!(check(&sqlite).await, HonorBound(record.clone()));
    sqlite.close().await;
    assert_eq!(check(&sqlite).await, unavailable);
    let error = sqlite.issue(&record).await.unwrap_err();
    assert_eq!(error.kind(), TokenStoreErrorKind::Unavailable);
    assert!(error.source().is_some());
    let error = SqliteTokenStore::open(
        directory.path().join("none/tokens.db"),
        SqlxOptions::default(),
    );
    let error = error.await.unwrap_err();
    assert_eq!(error.kind(), TokenStoreErrorKind::Missing);
    let place = format!("{:?}", directory.path().join("none/tokens.db"));
    assert_eq!(error.place(), Some(&*place));
    let no_database = directory.path().join("text");
    for content in [String::new(), "this is not a database".repeat(100)] {
        fs::write(&no_database, &content).unwrap();
        fs::set_permissions(&no_database, fs::Permissions::from_mode(0o600)).unwrap();
        let error = SqliteTokenStore::open(&no_database, SqlxOptions::default()).await;
        assert_eq!(error.unwrap_err().kind(), TokenStoreErrorKind::Unreadable);
        assert_eq!(fs::read_to_string(&no_database).unwrap(), content);
    }

    let mut server = PostgresServer::start();
    let options = SqlxOptions {
        timeout: Duration::from_secs(1),
        ..SqlxOptions::default()
    };
    let database = server.database("silent").await;
    let postgres = PostgresTokenStore::connect(database, options)
        .await
        .unwrap();
    postgres.insert(digest(0), &record).await.unwrap();
    assert_eq!(check(&postgres).await, HonorBound(record.clone()));
    server.kill();
    assert_eq!(check(&postgres).await, unavailable);
    let error = postgres.issue(&record).await.unwrap_err();
    assert_eq!(error.kind(), TokenStoreErrorKind::Unavailable);
    // And does again when it is there again.
    server.restart();
    assert_eq!(check(&postgres).await, HonorBound(record));
}

/// Returns the token that a writer issues.
fn written() -> TokenRecord {
    bound(&rsa_key(), "writer").with_data(&[7; 100]).unwrap()
}

/// A process that issues tokens until it is killed, and prints each when it has been issued.
struct Writer {
    process: Child,
    output: BufReader<ChildStdout>,
    tokens: Vec<String>,
}

impl Writer {
    /// This test binary as a process that runs the test [`prints_each_issued_token_in_the_writer`].
    fn start(database: &str) -> Self {
        Self::start_in(Path::new("."), database)
    }

    fn start_in(directory: &Path, database: &str) -> Self {
        let mut process = Command::new(env::current_exe().unwrap())
            .args([
                "--exact",
                "prints_each_issued_token_in_the_writer",
                "--nocapture",
            ])
            .env(WRITE_TO, database)
            .current_dir(directory)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        let tokens = Vec::new();
        Self {
            process,
            output,
            tokens,
        }
    }

    /// Waits for a token more. False: the writer has ended.
    fn token(&mut self) -> bool {
        loop {
            let mut line = String::new();
            self.output.read_line(&mut line).unwrap();
            // The last line may be cut off.
            let Some(whole) = line.strip_suffix('\n') else {
                return false;
            };
            if let Some(token) = whole.strip_prefix("token ") {
                self.tokens.push(token.to_owned());
                return true;
            }
        }
    }

    /// `kill -9`. All tokens it has printed until then.
    fn kill(mut self) -> Vec<String> {
        self.process.kill().unwrap();
        while self.token() {}
        self.process.wait().unwrap();
        self.tokens
    }
}

/// Writes tokens until the process is killed.
async fn write(database: &str) -> Result<(), Box<dyn Error>> {
    let options = SqlxOptions::default();
    let store: Box<dyn TokenStore> = match database.split_once(':') {
        Some(("sqlite", path)) => Box::new(SqliteTokenStore::open(path, options).await?),
        _ => Box::new(PostgresTokenStore::connect(database.parse()?, options).await?),
    };
    loop {
        let token = store.issue(&written()).await?;
        let line = format!("\ntoken {}\n", token.as_str());
        std::io::stdout().lock().write_all(line.as_bytes())?;
    }
}

async fn assert_all_there(store: &dyn TokenStore, tokens: &[String]) {
    let connection = provided(&rsa_key());
    for token in tokens {
        let connection = connection.provided();
        let verdict = store
            .check(token.as_bytes(), connection, BearerPolicy::Discard, at(1))
            .await;
        assert_eq!(verdict, HonorBound(written()));
    }
}

#[tokio::test]
async fn prints_each_issued_token_in_the_writer() {
    if let Ok(database) = env::var(WRITE_TO) {
        let ended = write(&database).await;
        eprintln!("the writer ended: {:?}", ended.unwrap_err());
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens.db");
    let mut writer = Writer::start(&format!("sqlite:{}", path.display()));
    for _ in 0..20 {
        assert!(writer.token());
    }
    let tokens = writer.kill();
    assert!(tokens.len() >= 20);
    assert_all_there(&open(&path).await, &tokens).await;
}

/// Kills two writers, one after the other, at a moment that depends on the round. Some are killed
/// before they have opened the database.
fn kill_two(database: &str, round: u64) -> Vec<String> {
    let mut writers = [Writer::start(database), Writer::start(database)];
    if !round.is_multiple_of(4) {
        for writer in &mut writers {
            assert!(writer.token());
        }
    }
    let mut tokens = Vec::new();
    for writer in writers {
        std::thread::sleep(Duration::from_micros(round * 7919 % 19_000));
        tokens.extend(writer.kill());
    }
    tokens
}

/// All tokens a store holds, page by page; none may be other than written.
async fn all_there(store: &dyn TokenStore) -> BTreeSet<TokenDigest> {
    let connection = provided(&rsa_key());
    let mut all = BTreeSet::new();
    loop {
        let of = TokensOf::KeyId(connection.key_id());
        let page = store.list(of, all.last().copied()).await.unwrap();
        let last = page.len() < TOKENS_PER_BATCH;
        for (digest, record) in page {
            assert_eq!(record, written());
            all.insert(digest);
        }
        if last {
            return all;
        }
    }
}

fn digests(tokens: &[String]) -> BTreeSet<TokenDigest> {
    let digest = |token: &String| TokenDigest::of(token.as_bytes());
    tokens.iter().map(digest).collect()
}

#[tokio::test]
async fn opens_a_file_of_a_name_that_is_special_to_sqlite() {
    for name in [":memory:", "file:tokens?mode=memory"] {
        let directory = tempfile::tempdir().unwrap();
        let mut writer = Writer::start_in(directory.path(), &format!("sqlite:{name}"));
        assert!(writer.token());
        let tokens = writer.kill();
        assert_all_there(&open(&directory.path().join(name)).await, &tokens).await;
    }
}

#[tokio::test]
async fn loses_nothing_if_a_writer_to_sqlite_is_killed() {
    // Five databases, so that writers are also killed while they make a new one.
    for database in 0..5 {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tokens.db");
        let mut all = Vec::new();
        for round in 0..20 {
            let url = format!("sqlite:{}", path.display());
            let tokens = kill_two(&url, database * 20 + round);
            let store = open(&path).await;
            assert_all_there(&store, &tokens).await;
            store.close().await;
            all.extend(tokens);
        }
        let store = open(&path).await;
        let (there, printed) = (all_there(&store).await, digests(&all));
        assert!(printed.len() >= 30);
        assert!(there.is_superset(&printed));
        // Of each of the 40 writers, one more may have been issued than was printed.
        assert!(there.len() <= printed.len() + 40);
        store.close().await;
        let file = SqliteConnectOptions::new().filename(&path);
        let mut connection = SqliteConnection::connect_with(&file).await.unwrap();
        let check = sqlx::query_scalar("PRAGMA integrity_check");
        let sound: String = check.fetch_one(&mut connection).await.unwrap();
        assert_eq!(sound, "ok");
    }
}

#[tokio::test]
async fn loses_nothing_if_a_writer_to_postgresql_or_the_server_is_killed() {
    let mut server = PostgresServer::start();
    let store = connect(server.database("killed").await).await;
    let url = server.url("killed");
    let mut all = Vec::new();
    for round in 0..100 {
        let tokens = kill_two(&url, round);
        assert_all_there(&store, &tokens).await;
        all.extend(tokens);
    }
    assert!(all.len() >= 150);
    for round in 0..4 {
        let mut writers = [Writer::start(&url), Writer::start(&url)];
        for writer in &mut writers {
            assert!(writer.token());
        }
        std::thread::sleep(Duration::from_millis(20 + round * 7));
        server.kill();
        let tokens = writers.map(Writer::kill).concat();
        server.restart();
        assert_all_there(&store, &tokens).await;
        all.extend(tokens);
    }
    let (there, printed) = (all_there(&store).await, digests(&all));
    assert!(there.is_superset(&printed));
    assert!(there.len() <= printed.len() + 208);
}

/// A question to a store. Small numbers represent tokens, keys, subjects and seconds.
#[derive(Clone, Debug)]
enum Question {
    Insert {
        token: u32,
        key: Option<u8>,
        subject: u8,
        now: u64,
        lifetime: u64,
    },
    Check {
        token: u32,
        key: Option<u8>,
        honor_bearer: bool,
        now: u64,
    },
    LookUp {
        token: u32,
    },
    Revoke {
        token: u32,
        now: u64,
    },
    RevokeAll {
        of: Of,
        now: u64,
    },
    List {
        of: Of,
        after: Option<u32>,
    },
    Purge {
        now: u64,
    },
    Count {
        now: u64,
    },
}

#[derive(Clone, Copy, Debug)]
enum Of {
    Key(u8),
    Subject(u8),
}

/// A record in small numbers.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    key: Option<u8>,
    subject: u8,
    issued: u64,
    expires: u64,
    revoked: Option<u64>,
}

#[derive(Debug, PartialEq)]
enum Answer {
    Done(bool),
    Honored { bound: bool, record: Seen },
    Discarded(StoredTokenDiscardReason),
    Record(Option<Seen>),
    List(Vec<(TokenDigest, Seen)>),
    Number(u64),
    Counts(TokenCounts),
}

fn question() -> impl Strategy<Value = Question> {
    let token = || 0..8_u32;
    let key = || prop::option::of(0..2_u8);
    let now = || 0..12_u64;
    let of = || prop_oneof![(0..2_u8).prop_map(Of::Key), (0..2_u8).prop_map(Of::Subject)];
    prop_oneof![
        4 => (token(), key(), 0..2_u8, now(), 1..8_u64).prop_map(
            |(token, key, subject, now, lifetime)| Question::Insert { token, key, subject, now, lifetime }
        ),
        4 => (token(), key(), any::<bool>(), now()).prop_map(
            |(token, key, honor_bearer, now)| Question::Check { token, key, honor_bearer, now }
        ),
        1 => token().prop_map(|token| Question::LookUp { token }),
        2 => (token(), now()).prop_map(|(token, now)| Question::Revoke { token, now }),
        1 => (of(), now()).prop_map(|(of, now)| Question::RevokeAll { of, now }),
        2 => (of(), prop::option::of(token())).prop_map(|(of, after)| Question::List { of, after }),
        1 => now().prop_map(|now| Question::Purge { now }),
        1 => now().prop_map(|now| Question::Count { now }),
    ]
}

fn key_number(number: u8) -> PublicKey {
    if number == 0 { key() } else { other_key() }
}

fn seen(record: &TokenRecord) -> Seen {
    let key = match record.binding() {
        StoredBinding::Unbound => None,
        binding if *binding == provided(&key()).view().into() => Some(0),
        _ => Some(1),
    };
    let seconds = |time: SystemTime| time.duration_since(at(0)).unwrap().as_secs();
    Seen {
        key,
        subject: record.subject()[0],
        issued: seconds(record.issued_at()),
        expires: seconds(record.expires_at()),
        revoked: record.revoked_at().map(seconds),
    }
}

async fn ask(store: &dyn TokenStore, question: &Question) -> Answer {
    let key_ids = [provided(&key()), provided(&other_key())];
    let subjects = [[0_u8], [1]];
    let of = |of| match of {
        Of::Key(key) => TokensOf::KeyId(key_ids[usize::from(key)].key_id()),
        Of::Subject(subject) => TokensOf::Subject(&subjects[usize::from(subject)]),
    };
    match *question {
        Question::Insert {
            token,
            key,
            subject,
            now,
            lifetime,
        } => {
            let binding = key.map_or(StoredBinding::Unbound, |key| {
                provided(&key_number(key)).view().into()
            });
            let lifetime = Duration::from_secs(lifetime);
            let record = TokenRecord::try_new(binding, &[subject], at(now), lifetime).unwrap();
            match store.insert(digest(token), &record).await {
                Ok(()) => Answer::Done(true),
                Err(error) => {
                    assert_eq!(error.kind(), TokenStoreErrorKind::Conflict);
                    Answer::Done(false)
                }
            }
        }
        Question::Check {
            token,
            key,
            honor_bearer,
            now,
        } => {
            let connection = key.map(|key| provided(&key_number(key)));
            let connection = connection.as_ref().and_then(TokenBindingId::provided);
            let policy = if honor_bearer {
                BearerPolicy::Honor
            } else {
                BearerPolicy::Discard
            };
            match store
                .check(&token.to_be_bytes(), connection, policy, at(now))
                .await
            {
                HonorBound(record) => Answer::Honored {
                    bound: true,
                    record: seen(&record),
                },
                HonorBearer(record) => Answer::Honored {
                    bound: false,
                    record: seen(&record),
                },
                Discard(reason) => Answer::Discarded(reason),
            }
        }
        Question::LookUp { token } => {
            let record = store.look_up(digest(token)).await.unwrap();
            Answer::Record(record.as_ref().map(seen))
        }
        Question::Revoke { token, now } => {
            Answer::Done(store.revoke(digest(token), at(now)).await.unwrap())
        }
        Question::RevokeAll { of: which, now } => {
            Answer::Number(store.revoke_all(of(which), at(now)).await.unwrap())
        }
        Question::List { of: which, after } => {
            let listed = store.list(of(which), after.map(digest)).await.unwrap();
            let listed = listed
                .iter()
                .map(|(digest, record)| (*digest, seen(record)));
            Answer::List(listed.collect())
        }
        Question::Purge { now } => Answer::Number(store.purge(at(now)).await.unwrap()),
        Question::Count { now } => Answer::Counts(store.count(at(now)).await.unwrap()),
    }
}

/// Returns the expected answer, from a list that is searched from its beginning.
fn model(tokens: &mut Vec<(u32, Seen)>, question: &Question) -> Answer {
    let is = |of, record: &Seen| match of {
        Of::Key(key) => record.key == Some(key),
        Of::Subject(subject) => record.subject == subject,
    };
    let found = |tokens: &[(u32, Seen)], token| {
        tokens
            .iter()
            .find(|(of, _)| *of == token)
            .map(|(_, record)| record.clone())
    };
    match *question {
        Question::Insert {
            token,
            key,
            subject,
            now,
            lifetime,
        } => {
            let free = found(tokens, token).is_none();
            if free {
                let (issued, expires) = (now, now + lifetime);
                tokens.push((
                    token,
                    Seen {
                        key,
                        subject,
                        issued,
                        expires,
                        revoked: None,
                    },
                ));
            }
            Answer::Done(free)
        }
        Question::Check {
            token,
            key,
            honor_bearer,
            now,
        } => {
            let Some(record) = found(tokens, token) else {
                return Answer::Discarded(Unknown);
            };
            let reason = match (record.revoked, record.key, key) {
                (Some(_), ..) => Revoked,
                _ if now >= record.expires => Expired,
                (None, None, _) if honor_bearer => {
                    return Answer::Honored {
                        bound: false,
                        record,
                    };
                }
                (None, None, _) => Binding(DiscardReason::BearerNotHonored),
                (None, Some(_), None) => Binding(DiscardReason::NoTokenBindingEstablished),
                (None, Some(of), Some(key)) if of == key => {
                    return Answer::Honored {
                        bound: true,
                        record,
                    };
                }
                _ => Binding(DiscardReason::Mismatch),
            };
            Answer::Discarded(reason)
        }
        Question::LookUp { token } => Answer::Record(found(tokens, token)),
        Question::Revoke { token, now } => {
            for (of, record) in tokens {
                if *of == token && record.revoked.is_none() {
                    record.revoked = Some(now);
                    return Answer::Done(true);
                }
            }
            Answer::Done(false)
        }
        Question::RevokeAll { of, now } => {
            let mut revoked = 0;
            for (_, record) in tokens {
                if is(of, record) && record.revoked.is_none() {
                    record.revoked = Some(now);
                    revoked += 1;
                }
            }
            Answer::Number(revoked)
        }
        Question::List { of, after } => {
            let mut listed = Vec::new();
            for (token, record) in tokens {
                let digest_of = digest(*token);
                if is(of, record) && after.is_none_or(|after| digest_of > digest(after)) {
                    listed.push((digest_of, record.clone()));
                }
            }
            listed.sort_by_key(|(digest, _)| *digest);
            Answer::List(listed)
        }
        Question::Purge { now } => {
            let before = tokens.len();
            tokens.retain(|(_, record)| record.expires > now);
            Answer::Number(u64::try_from(before - tokens.len()).unwrap())
        }
        Question::Count { now } => {
            let mut counts = TokenCounts::default();
            for (_, record) in tokens {
                if record.expires <= now {
                    counts.expired += 1;
                } else if record.revoked.is_some() {
                    counts.revoked += 1;
                } else {
                    counts.live += 1;
                }
            }
            Answer::Counts(counts)
        }
    }
}

#[test]
fn answers_as_the_model_does_in_all_stores() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let around = runtime.block_on(Around::new("model"));
    let [sqlite, postgres] = runtime.block_on(around.open_both()).unwrap();
    let config = ProptestConfig {
        cases: 64,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let questions = prop::collection::vec(question(), 1..60);
    let result = TestRunner::new(config).run(&questions, |questions| {
        runtime.block_on(async {
            let empty = "DELETE FROM tokenbind_tokens";
            around.execute(empty, empty).await;
            let memory: Arc<dyn TokenStore> = Arc::new(MemoryTokenStore::new());
            let stores = [
                ("memory", &memory),
                ("SQLite", &sqlite),
                ("PostgreSQL", &postgres),
            ];
            let mut tokens = Vec::new();
            for question in &questions {
                let expected = model(&mut tokens, question);
                for (name, store) in stores {
                    prop_assert_eq!(
                        &ask(&**store, question).await,
                        &expected,
                        "{} {:?}",
                        name,
                        question
                    );
                }
            }
            Ok(())
        })
    });
    result.unwrap();
}
