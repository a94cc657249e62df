//! Tests of several writers and openers at once.

use super::*;

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
