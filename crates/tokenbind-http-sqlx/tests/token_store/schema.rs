//! Tests of the schema: versions, other tables, rows that are not tokens.

use super::*;

#[tokio::test]
async fn refuses_a_schema_that_is_newer_or_was_changed() {
    let refused = Err([TokenStoreErrorKind::Version; 2]);
    let around = Around::new("versions").await;
    let newer = "INSERT INTO tokenbind_migrations \
        (version, description, success, checksum, execution_time) VALUES (2, 'newer', TRUE, '', 0)";
    around.both(newer).await;
    assert_eq!(around.open_both().await.map(drop), refused);
    let back = "DELETE FROM tokenbind_migrations WHERE version = 2";
    around.both(back).await;
    assert_eq!(around.open_both().await.map(drop), Ok(()));
    let changed = "UPDATE tokenbind_migrations SET checksum = 'other' WHERE version = 1";
    around.both(changed).await;
    assert_eq!(around.open_both().await.map(drop), refused);
    // A refusal leaves no lock behind that others would wait for.
    assert_eq!(around.open_both().await.map(drop), refused);
}

#[tokio::test]
async fn leaves_the_applications_migrations_unchanged() {
    let around = Around::new("application").await;
    let own = "CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY, description TEXT NOT NULL, \
        installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, success BOOLEAN NOT NULL, \
        checksum BLOB NOT NULL, execution_time BIGINT NOT NULL); \
        INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
        VALUES (7, 'own', TRUE, '', 0)";
    let postgres = own.replace("BLOB", "BYTEA");
    around.execute(own, &postgres).await;
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
        let sqlite = format!("PRAGMA ignore_check_constraints = TRUE; {broken}");
        for store in &stores {
            store.insert(digest(0), &record).await.unwrap();
        }
        around.execute(&sqlite, broken).await;
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
        around.both(delete).await;
    }
    around.both(sound).await;
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
    let mut sqlite = around.connect_sqlite().await;
    let mut postgres = around.connect_postgres().await;
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
