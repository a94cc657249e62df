//! A model of a token store, which all stores must match.

use super::*;

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
            around.both("DELETE FROM tokenbind_tokens").await;
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
