//! Tests of writers and servers that are killed.

use test_support::killed_writer::{self, Writer};

use super::*;

/// The test that is the writer.
const WRITER: &str = "killed::prints_each_issued_token_in_the_writer";

#[tokio::test]
async fn prints_each_issued_token_in_the_writer() {
    if let Some(database) = killed_writer::argument() {
        let ended = write(&database).await;
        eprintln!("the writer ended: {:?}", ended.unwrap_err());
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens.db");
    let mut writer = start(&format!("sqlite:{}", path.display()));
    for _ in 0..20 {
        assert!(writer.confirmed());
    }
    let tokens = writer.kill();
    assert!(tokens.len() >= 20);
    assert_all_there(&open(&path).await, &tokens).await;
}

/// Returns the token that a writer issues.
fn written() -> TokenRecord {
    bound(&rsa_key(), "writer").with_data(&[7; 100]).unwrap()
}

/// Starts a writer to a database: `sqlite:PATH`, or a URL of PostgreSQL. It prints each issued token.
fn start(database: &str) -> Writer {
    Writer::start(WRITER, database)
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
        killed_writer::confirm(token.as_str());
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

/// Kills two writers, one after the other, at a moment that depends on the round. Some are killed
/// before they have opened the database.
fn kill_two(database: &str, round: u64) -> Vec<String> {
    let writers = [start(database), start(database)];
    Writer::kill_all(writers, round, Duration::from_millis(19)).concat()
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
        let mut writer = Writer::start_in(directory.path(), WRITER, &format!("sqlite:{name}"));
        assert!(writer.confirmed());
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
        let mut writers = [start(&url), start(&url)];
        for writer in &mut writers {
            assert!(writer.confirmed());
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
