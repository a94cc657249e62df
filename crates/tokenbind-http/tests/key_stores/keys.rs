//! Tests of the keys of all stores, and of writers that are killed.

use test_support::killed_writer::{self, Writer};

use super::*;

#[test]
fn gives_each_origin_one_key_in_any_spelling() {
    let origins: [&[&str]; 14] = [
        &["https://example.com", "https://EXAMPLE.com:443/path?q#f"],
        &["https://example.com."],
        &["https://example.com:8443"],
        &["https://example.com:80"],
        &["https://www.example.com"],
        &["https://com"],
        &["https://localhost"],
        &["https://localhost:8443"],
        &["https://127.0.0.1", "https://0x7f.1", "https://2130706433"],
        &["https://127.0.0.1:8443"],
        &["https://[::1]", "https://[0:0:0:0:0:0:0:1]:443"],
        &["https://[::ffff:127.0.0.1]", "https://[::ffff:7f00:1]"],
        &[
            "https://b\u{fc}cher.example",
            "https://xn--bcher-kva.example",
        ],
        &["https://bucher.example"],
    ];
    let stores: [Box<dyn KeyStore>; 2] = [
        Box::new(MemoryKeyStore::new()),
        Box::new(open(&place("origins")).unwrap()),
    ];
    for store in stores {
        let mut keys = BTreeSet::new();
        for spellings in origins {
            let of_one: BTreeSet<_> = spellings.iter().map(|text| p256(&*store, text)).collect();
            assert_eq!(of_one.len(), 1, "{spellings:?}");
            keys.extend(of_one);
        }
        assert_eq!(keys.len(), origins.len());
    }
}

#[test]
fn returns_one_key_per_origin_to_callers_at_once() {
    let file = open(&place("at_once")).unwrap();
    let memory = MemoryKeyStore::new();
    let stores: [&dyn KeyStore; 2] = [&file, &memory];
    for store in stores {
        let keys: Vec<_> = std::thread::scope(|threads| {
            let started: Vec<_> = (0..16)
                .map(|n| threads.spawn(move || p256(store, &format!("https://{}.example", n % 4))))
                .collect();
            started.into_iter().map(|key| key.join().unwrap()).collect()
        });
        let origins: BTreeMap<usize, BTreeSet<&String>> =
            keys.iter()
                .enumerate()
                .fold(BTreeMap::new(), |mut origins, (n, key)| {
                    let of_one: &mut BTreeSet<_> = origins.entry(n % 4).or_default();
                    of_one.insert(key);
                    origins
                });
        assert!(origins.values().all(|keys| keys.len() == 1));
        assert_eq!(keys.iter().collect::<HashSet<_>>().len(), 4);
    }
}

/// The kills in each of [`LANES`]; each comes after another number of keys, and at another point of
/// a write.
const KILLS: usize = 75;

/// Stores that are written to at a time: most of the time is waiting for the disk.
const LANES: usize = 4;

/// The test that runs itself as the process that is killed.
const WRITER: &str = "keys::keeps_every_returned_key_if_a_writer_is_killed";

#[test]
fn keeps_every_returned_key_if_a_writer_is_killed() {
    if let Some(path) = killed_writer::argument() {
        write_until_killed(Path::new(&path));
    }
    std::thread::scope(|threads| {
        for lane in 0..LANES {
            threads.spawn(move || kill_writers(&place(&format!("killed_{lane}"))));
        }
    });
}

fn kill_writers(path: &Path) {
    let mut given_out = BTreeMap::new();
    let mut read = 0;
    for round in 0..KILLS {
        if round % 15 == 0 {
            // Not for ever more keys: the file's cost grows with them.
            open(path).unwrap().reset(None).unwrap();
            given_out.clear();
        }
        let mut writer = Writer::start(WRITER, path.to_str().unwrap());
        for _ in 0..round % 4 {
            assert!(writer.confirmed());
        }
        if round % 4 == 3 {
            assert_eq!(refusal(path), Some(KeyStoreErrorKind::Locked));
        }
        // Somewhere in the next writes.
        let point = u64::try_from(round * 37 % 300).unwrap();
        std::thread::sleep(std::time::Duration::from_micros(point * 10));
        for key in writer.kill() {
            let (origin, id) = key.split_once(' ').unwrap();
            given_out.insert(origin.to_owned(), id.to_owned());
            read += 1;
        }

        let store = open(path).unwrap();
        for (origin, id) in &given_out {
            assert_eq!(&p256(&store, origin), id, "{origin} after {round} kills");
        }
    }
    assert!(read > KILLS, "{read} keys");
    let expected = BTreeSet::from(["keys".into(), "keys.lock".into()]);
    assert_eq!(beside(path), expected);
}

/// Makes keys for ever, and says which once it has them.
fn write_until_killed(path: &Path) -> ! {
    let store = open(path).unwrap();
    let pid = std::process::id();
    for n in 0_u64.. {
        let origin = format!("https://{n}-{pid}.example");
        let id = p256(&store, &origin);
        killed_writer::confirm(&format!("{origin} {id}"));
    }
    std::process::exit(1)
}

#[test]
fn distinguishes_scopes_and_origins_of_other_kinds() {
    let origin: Origin = "https://example.com".parse().unwrap();
    assert_eq!(
        ScopeRule::Origin.scope(&origin).as_str(),
        "https://example.com"
    );
    #[cfg(feature = "public-suffix")]
    assert_eq!(
        ScopeRule::RegistrableDomain.scope(&origin).as_str(),
        "domain:example.com"
    );
}
