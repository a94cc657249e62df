//! Tests of the records: limits, digests, private files.

use super::*;

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
