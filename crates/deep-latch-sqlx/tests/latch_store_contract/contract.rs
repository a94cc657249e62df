//! The contract of the three stores.

use super::*;

#[tokio::test]
async fn loads_an_empty_record_for_an_unknown_host() {
    on_each(async |store| {
        let (alice, imap) = (account("alice"), host("imap.example.com"));
        let record = store.load(&alice, &imap).await.unwrap();
        assert_eq!(record, LatchRecord::new(imap));
        assert_eq!(store.list(&alice, None).await.unwrap(), []);
        assert_eq!(store.delete_account(&alice).await.unwrap(), 0);
    })
    .await;
}

#[tokio::test]
async fn latches_are_added_and_never_taken_away() {
    on_each(async |store| {
        let (alice, imap) = (account("alice"), host("imap.example.com"));
        let first = preset("imap.example.com", &["tls10"]);
        assert_eq!(store.merge(&alice, &first).await.unwrap(), first);
        let second = preset("imap.example.com", &["TLS10", "tls-cert"]);
        let both = store.merge(&alice, &second).await.unwrap();
        assert_eq!(latched(&both), ["tls-cert", "tls10"]);
        // Nothing learnt takes nothing away.
        for record in [LatchRecord::new(imap.clone()), first, second] {
            assert_eq!(store.merge(&alice, &record).await.unwrap(), both);
            assert_eq!(store.load(&alice, &imap).await.unwrap(), both);
        }
    })
    .await;
}

#[tokio::test]
async fn accounts_and_hosts_are_apart() {
    on_each(async |store| {
        let records = [
            ("alice", preset("imap.example.com", &["tls10"])),
            ("alice", preset("smtp.example.com", &["tls12"])),
            ("bob", preset("imap.example.com", &["tls-cert"])),
            ("Alice", preset("imap.example.com", &["tls-dane-tlsa"])),
            ("\"al\\ice\" é %_'", preset("192.0.2.1", &["x"])),
        ];
        for (name, record) in &records {
            store.merge(&account(name), record).await.unwrap();
        }
        for (name, record) in &records {
            let kept = store.load(&account(name), record.host()).await.unwrap();
            assert_eq!(&kept, record);
        }
        let alice = account("alice");
        let listed = store.list(&alice, None).await.unwrap();
        assert_eq!(listed, [records[0].1.clone(), records[1].1.clone()]);
        // Deleting one account leaves the others.
        assert_eq!(store.delete_account(&alice).await.unwrap(), 2);
        assert_eq!(store.list(&alice, None).await.unwrap(), []);
        assert_eq!(
            store.load(&alice, &host("imap.example.com")).await.unwrap(),
            LatchRecord::new(host("imap.example.com"))
        );
        for (name, record) in &records[2..] {
            let kept = store.load(&account(name), record.host()).await.unwrap();
            assert_eq!(&kept, record);
        }
    })
    .await;
}

#[tokio::test]
async fn keeps_the_status_that_was_recorded_last() {
    on_each(async |store| {
        let (alice, imap) = (account("alice"), host("imap.example.com"));
        let load = || async { store.load(&alice, &imap).await.unwrap() };
        let first = learnt(load().await, "tls10 <https://a.example/>");
        let kept = store.merge(&alice, &first).await.unwrap();
        assert_eq!(status(&kept), Some("tls10 <https://a.example/>"));
        // Two sessions begin with that. One records another status, and stores it.
        let (one, other) = (load().await, load().await);
        let newer = learnt(one, "tls12 <https://b.example/>");
        store.merge(&alice, &newer).await.unwrap();
        // The other has recorded none: the status it began with is older.
        let kept = store.merge(&alice, &other).await.unwrap();
        assert_eq!(status(&kept), Some("tls12 <https://b.example/>"));
        assert_eq!(latched(&kept), ["tls10", "tls12"]);
        // It records one, and latches more: it is the last to know.
        let last = learnt(other, "tls-cert");
        let kept = store.merge(&alice, &last).await.unwrap();
        assert_eq!(status(&kept), Some("tls-cert"));
        assert_eq!(latched(&kept), ["tls-cert", "tls10", "tls12"]);
        assert_eq!(load().await, kept);
        // A status without anything is one.
        let kept = store
            .merge(&alice, &learnt(load().await, ""))
            .await
            .unwrap();
        assert_eq!(status(&kept), Some(""));
        assert_eq!(status(&load().await), Some(""));
        assert_eq!(latched(&load().await), ["tls-cert", "tls10", "tls12"]);
    })
    .await;
}

#[tokio::test]
async fn restores_a_status_with_accepted_deviations() {
    on_each(async |store| {
        let (alice, imap) = (account("alice"), host("imap.example.com"));
        let text = " tls10  \"a\\b\" <http://not.https/> -x ";
        let lenient = StatusOptions {
            allow_extra_spaces: true,
            allow_malformed_elements: true,
        };
        let read = DeepStatus::parse_with(text, lenient).unwrap();
        let record = learnt_from(LatchRecord::new(imap.clone()), &read);
        store.merge(&alice, &record).await.unwrap();
        let kept = store.load(&alice, &imap).await.unwrap();
        assert_eq!(kept, record);
        assert_eq!(status(&kept), Some(text));
    })
    .await;
}

#[tokio::test]
async fn records_are_listed_by_host_in_batches() {
    on_each(async |store| {
        let alice = account("alice");
        let more = 3;
        let all: BTreeSet<_> = (0..RECORDS_PER_BATCH + more)
            .map(|number| host(&format!("h{number}.example")))
            .collect();
        // As files are written as a whole, not one by one.
        let few = RECORDS_PER_BATCH + more > 100;
        assert!(few);
        for host in all.iter().rev() {
            let record = LatchRecord::preset(host.clone(), [SecurityTag::TLS10]);
            store.merge(&alice, &record).await.unwrap();
        }
        let mut listed = Vec::new();
        let mut batches = Vec::new();
        loop {
            let batch = store.list(&alice, listed.last()).await.unwrap();
            batches.push(batch.len());
            let last = batch.len() < RECORDS_PER_BATCH;
            for record in batch {
                assert_eq!(latched(&record), ["tls10"]);
                listed.push(record.host().clone());
            }
            if last {
                break;
            }
        }
        assert_eq!(batches, [RECORDS_PER_BATCH, more]);
        assert_eq!(listed, all.into_iter().collect::<Vec<_>>());
        assert_eq!(store.list(&account("bob"), None).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn keeps_values_at_a_limit_and_rejects_larger_ones() {
    on_each(async |store| {
        let long = account(&"é".repeat(MAX_ACCOUNT_BYTES / 2));
        let name = format!("{0}.{0}.{0}.{1}", "a".repeat(63), "b".repeat(61));
        let tags: Vec<_> = (10..10 + MAX_TAGS)
            .map(|number| format!("{}{number}", "t".repeat(62)))
            .collect();
        let tags: Vec<_> = tags.iter().map(String::as_str).collect();
        let text = format!("tls10 <https://{}/>", "h".repeat(1024 - 17));
        // A session rejects these tags before it connects, because the state machine does not know them.
        let session = LatchSession::try_new(preset(&name, &tags[1..]), Facilities::new());
        assert!(session.is_err());
        let kept = store
            .merge(&long, &preset(&name, &tags[1..]))
            .await
            .unwrap();
        assert_eq!(kept, preset(&name, &tags[1..]));
        let kept = store
            .merge(&long, &learnt(LatchRecord::new(host(&name)), &text))
            .await
            .unwrap();
        assert_eq!((status(&kept), kept.latched().count()), (Some(&*text), 64));
        assert_eq!(store.load(&long, &host(&name)).await.unwrap(), kept);
        // One more is refused, and changes nothing.
        let more = preset(&name, &tags[..1]);
        assert_eq!(
            kind(store.merge(&long, &more).await),
            LatchStoreErrorKind::Limit
        );
        assert_eq!(store.load(&long, &host(&name)).await.unwrap(), kept);
    })
    .await;
    for name in ["", &"a".repeat(MAX_ACCOUNT_BYTES + 1), "a\nb", "a\0"] {
        assert_eq!(Account::try_new(name), Err(AccountError));
    }
}

#[tokio::test]
async fn keeps_everything_of_eight_writers_at_once() {
    on_each(async |store| {
        let imap = host("imap.example.com");
        let writers = (0..8_u32).map(|writer| {
            let (store, imap) = (store.clone(), imap.clone());
            tokio::spawn(async move {
                for number in 0..8 {
                    let own = SecurityTag::parse(&format!("t{writer}-{number}"))
                        .unwrap()
                        .into_owned();
                    let record = LatchRecord::preset(imap.clone(), [own.clone()]);
                    let kept = store.merge(&account("alice"), &record).await.unwrap();
                    assert!(kept.is_latched(&own));
                }
            })
        });
        for writer in writers.collect::<Vec<_>>() {
            writer.await.unwrap();
        }
        let kept = store.load(&account("alice"), &imap).await.unwrap();
        assert_eq!(kept.latched().count(), 64);
    })
    .await;
}
