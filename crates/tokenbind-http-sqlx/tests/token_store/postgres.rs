//! Tests of PostgreSQL servers: verification, durability, locks, silence.

use test_support::pki::Certificate;

use super::*;

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
    let other = Certificate::server(&["127.0.0.1"]).self_signed();
    let by_another = database
        .clone()
        .ssl_root_cert_from_pem(other.pem().as_bytes().to_vec());
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
