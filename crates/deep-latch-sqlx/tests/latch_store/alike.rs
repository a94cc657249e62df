//! The three stores answer as a model does.

use super::*;

const TAGS: [&str; 4] = ["tls-cert", "tls-dane-tlsa", "tls10", "tls12"];

/// The record of a host: tags and a status.
type Kept = (BTreeSet<&'static str>, Option<String>);

#[test]
fn answers_as_the_model_in_all_stores() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let config = ProptestConfig {
        cases: 64,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let questions = prop::collection::vec(question(), 1..60);
    let database = runtime.block_on(sqlite(&directory.path().join("latches.db")));
    let result = TestRunner::new(config).run(&questions, |questions| {
        let directory = tempfile::tempdir_in(&directory).unwrap();
        let path = directory.path().join("latches");
        let mut file = FileLatchStore::open_or_create(&path).unwrap();
        let memory = MemoryLatchStore::new();
        runtime.block_on(async {
            for number in 0..3_u8 {
                let account = account(&number.to_string());
                database.delete_account(&account).await.unwrap();
            }
            let mut all = BTreeMap::new();
            for (number, question) in questions.iter().enumerate() {
                let expected = model(&mut all, question);
                let stores: [(&str, &dyn LatchStore); 3] =
                    [("memory", &memory), ("file", &file), ("SQLite", &database)];
                for (name, store) in stores {
                    let answer = ask(store, question).await;
                    prop_assert_eq!(&answer, &expected, "{} {:?}", name, question);
                }
                // Now and then the file is read back.
                if number % 8 == 7 {
                    file = FileLatchStore::open(&path).unwrap();
                }
            }
            Ok(())
        })
    });
    result.unwrap();
}

/// A question to a store.
#[derive(Clone, Debug)]
enum Question {
    Merge { account: u8, host: u8, tags: u8 },
    Learn { account: u8, host: u8, status: u8 },
    Load { account: u8, host: u8 },
    List { account: u8, after: Option<u8> },
    Delete { account: u8 },
}

fn question() -> impl Strategy<Value = Question> {
    let (account, host) = (0..3_u8, 0..4_u8);
    prop_oneof![
        3 => (account.clone(), host.clone(), 0..16_u8)
            .prop_map(|(account, host, tags)| Question::Merge { account, host, tags }),
        3 => (account.clone(), host.clone(), 0..16_u8)
            .prop_map(|(account, host, status)| Question::Learn { account, host, status }),
        2 => (account.clone(), host.clone())
            .prop_map(|(account, host)| Question::Load { account, host }),
        1 => (account.clone(), prop::option::of(host))
            .prop_map(|(account, after)| Question::List { account, after }),
        1 => account.prop_map(|account| Question::Delete { account }),
    ]
}

fn chosen(mask: u8) -> Vec<&'static str> {
    (0..4)
        .filter(|bit| mask >> bit & 1 == 1)
        .map(|bit| TAGS[bit])
        .collect()
}

fn seen(record: &LatchRecord) -> (String, Kept) {
    let tags = record.latched().map(|tag| {
        let known = TAGS.into_iter().find(|known| *known == tag.as_str());
        known.unwrap()
    });
    let kept = (tags.collect(), status(record).map(str::to_owned));
    (record.host().as_str().to_owned(), kept)
}

fn name(host: u8) -> String {
    format!("host{host}.example")
}

/// Returns the answer to a question, as text that can be compared.
async fn ask(store: &dyn LatchStore, question: &Question) -> String {
    let of = |number: &u8| account(&number.to_string());
    match question {
        Question::Merge {
            account,
            host,
            tags,
        } => {
            let record = preset(&name(*host), &chosen(*tags));
            format!(
                "{:?}",
                seen(&store.merge(&of(account), &record).await.unwrap())
            )
        }
        Question::Learn {
            account,
            host: number,
            status,
        } => {
            // A session without latches: it learns what is achieved, and the status.
            let record = LatchRecord::new(host(&name(*number)));
            let record = learnt(record, &chosen(*status).join(" "));
            format!(
                "{:?}",
                seen(&store.merge(&of(account), &record).await.unwrap())
            )
        }
        Question::Load {
            account,
            host: number,
        } => {
            let host = host(&name(*number));
            format!(
                "{:?}",
                seen(&store.load(&of(account), &host).await.unwrap())
            )
        }
        Question::List { account, after } => {
            let after = after.map(|number| host(&name(number)));
            let listed = store.list(&of(account), after.as_ref()).await.unwrap();
            format!("{:?}", listed.iter().map(seen).collect::<Vec<_>>())
        }
        Question::Delete { account } => {
            format!("{}", store.delete_account(&of(account)).await.unwrap())
        }
    }
}

/// Returns the answer that a store should give.
fn model(all: &mut BTreeMap<(u8, u8), Kept>, question: &Question) -> String {
    match question {
        Question::Merge {
            account,
            host,
            tags,
        } => {
            let kept = all.entry((*account, *host)).or_default();
            kept.0.extend(chosen(*tags));
            format!("{:?}", (name(*host), kept))
        }
        Question::Learn {
            account,
            host,
            status,
        } => {
            let kept = all.entry((*account, *host)).or_default();
            // The server has no DANE.
            let achieved = chosen(*status)
                .into_iter()
                .filter(|tag| *tag != "tls-dane-tlsa");
            kept.0.extend(achieved);
            kept.1 = Some(chosen(*status).join(" "));
            format!("{:?}", (name(*host), kept))
        }
        Question::Load { account, host } => {
            let kept = all.get(&(*account, *host)).cloned().unwrap_or_default();
            format!("{:?}", (name(*host), kept))
        }
        Question::List { account, after } => {
            let listed = all
                .iter()
                .filter(|((of, host), _)| of == account && after.is_none_or(|after| *host > after));
            let listed: Vec<_> = listed
                .map(|((_, host), kept)| (name(*host), kept.clone()))
                .collect();
            format!("{listed:?}")
        }
        Question::Delete { account } => {
            let before = all.len();
            all.retain(|(of, _), _| of != account);
            format!("{}", before - all.len())
        }
    }
}
