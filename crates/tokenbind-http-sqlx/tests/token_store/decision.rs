//! Tests of the decision: bound and bearer tokens, expiry, revocation.

use super::*;

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
