//! Tests of the file: encryption, damage, locks, permissions.

use super::*;

#[test]
fn opens_a_file_again_with_the_same_keys_of_both_kinds() {
    let path = place("round_trip");
    let (one, two) = (scope("https://one.example"), scope("https://two.example"));
    let asked = [
        (&one, KeyParameters::P256, TokenBindingAlpn::H2P256),
        (&two, KeyParameters::P256, TokenBindingAlpn::Http11P256),
        (&one, KeyParameters::Rsa2048, TokenBindingAlpn::H2Rsa2048),
    ];
    let store = open(&path).unwrap();
    let ids = |store: &FileKeyStore| {
        asked.map(|(scope, parameters, alpn)| {
            let key = store.key(scope, parameters).unwrap();
            assert!(signs(&key, alpn), "{scope:?} {parameters:?}");
            assert_eq!(key.public_key().parameters(), parameters);
            key_id(&key)
        })
    };
    let made = ids(&store);
    assert_eq!(ids(&store), made);
    let kept = fs::read(&path).unwrap();
    drop(store);
    assert_eq!(ids(&open(&path).unwrap()), made);
    assert_eq!(fs::read(&path).unwrap(), kept, "reading changes nothing");
    assert_eq!(made.iter().collect::<HashSet<_>>().len(), 3);
}

#[test]
fn writes_no_readable_scope_or_key() {
    let path = place("nothing_readable");
    let store = open(&path).unwrap();
    p256(&store, "https://secret-destination.example");
    let bytes = fs::read(&path).unwrap();
    let holds = |text: &[u8]| bytes.windows(text.len()).any(|window| window == text);
    assert!(holds(b"tokenbind-http keys 1\n"));
    for text in [&b"secret-destination"[..], b"scope", b"p256", b"MIG"] {
        assert!(!holds(text), "{}", text.escape_ascii());
    }
    assert!(!format!("{store:?}").contains("keys:"));
}

#[test]
fn refuses_a_file_under_another_encryption_key_and_leaves_it_unchanged() {
    let path = place("wrong_key");
    let before = p256(&open(&path).unwrap(), "https://one.example");
    let bytes = fs::read(&path).unwrap();
    for bit in 0..256 {
        let mut wrong = SECRET;
        wrong[bit / 8] ^= 1 << (bit % 8);
        let error = FileKeyStore::open(&path, Zeroizing::new(wrong)).err();
        assert_eq!(
            error.map(|error| error.kind()),
            Some(KeyStoreErrorKind::Sealed)
        );
    }
    assert_eq!(fs::read(&path).unwrap(), bytes);
    assert_eq!(p256(&open(&path).unwrap(), "https://one.example"), before);
}

#[test]
fn refuses_a_damaged_file_and_opens_no_empty_store() {
    let path = place("damaged");
    let store = open(&path).unwrap();
    p256(&store, "https://one.example");
    p256(&store, "https://two.example");
    drop(store);
    let whole = fs::read(&path).unwrap();
    // What ends in its version's number is a file of another version, as far as can be told.
    let of_another_version = 20..MAGIC.len();
    for length in 0..whole.len() {
        put(&path, &whole[..length]);
        let expected = if of_another_version.contains(&length) {
            KeyStoreErrorKind::Version
        } else {
            KeyStoreErrorKind::Sealed
        };
        assert_eq!(refusal(&path), Some(expected), "{length} bytes");
    }
    for at in 0..whole.len() {
        for bit in 0..8 {
            let mut flipped = whole.clone();
            flipped[at] ^= 1 << bit;
            put(&path, &flipped);
            let expected = if of_another_version.contains(&at) {
                KeyStoreErrorKind::Version
            } else {
                KeyStoreErrorKind::Sealed
            };
            assert_eq!(refusal(&path), Some(expected), "bit {bit} of byte {at}");
        }
    }
    put(&path, &[&whole[..], b"\0"].concat());
    assert_eq!(refusal(&path), Some(KeyStoreErrorKind::Sealed));
    put(&path, &whole);
    assert_eq!(refusal(&path), None);
}

#[test]
fn refuses_a_file_of_another_version_or_content() {
    let path = place("version");
    let one = |parameters: &str, pkcs8: &str| {
        format!(r#"{{"keys":[{{"scope":"a","parameters":"{parameters}","pkcs8":"{pkcs8}"}}]}}"#)
    };
    put(&path, &sealed(r#"{"keys":[]}"#));
    assert_eq!(refusal(&path), None);
    for json in [
        "",
        "{}",
        "[]",
        r#"{"keys":[],"more":1}"#,
        r#"{"keys":[{"scope":"a","parameters":"p256"}]}"#,
        &one("p384", "AAAA"),
        &one("p256", "AAAA"),
        &one("p256", "not base64"),
        &one("rsa2048", "AAAA"),
    ] {
        put(&path, &sealed(json));
        assert_eq!(refusal(&path), Some(KeyStoreErrorKind::Version), "{json}");
    }
    let mut later = sealed(r#"{"keys":[]}"#);
    later[20] = b'2';
    put(&path, &later);
    assert_eq!(refusal(&path), Some(KeyStoreErrorKind::Version));
}

#[test]
fn locks_the_store_until_it_is_dropped() {
    let path = place("lock");
    let store = open(&path).unwrap();
    assert_eq!(refusal(&path), Some(KeyStoreErrorKind::Locked));
    p256(&store, "https://one.example");
    assert_eq!(refusal(&path), Some(KeyStoreErrorKind::Locked));
    drop(store);
    assert_eq!(refusal(&path), None);
}

#[cfg(unix)]
#[test]
fn releases_the_lock_while_a_process_is_being_started() {
    use std::sync::atomic::{AtomicBool, Ordering};
    let path = place("fork");
    let done = AtomicBool::new(false);
    let start = || Command::new("true").status().unwrap();
    std::thread::scope(|threads| {
        threads.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                start();
            }
        });
        let refusals: Vec<_> = (0..2000).filter_map(|_| refusal(&path)).collect();
        fs::write(&path, "damaged").unwrap();
        let damaged: BTreeSet<_> = (0..2000).map(|_| format!("{:?}", refusal(&path))).collect();
        done.store(true, Ordering::Relaxed);
        assert_eq!(refusals, []);
        assert_eq!(damaged, BTreeSet::from(["Some(Sealed)".to_owned()]));
    });
}

#[test]
fn removes_its_own_leftovers_only_and_only_when_it_was_read() {
    let path = place("left_behind");
    let own = ".keys.durable-store-0123456789abcdef";
    let others = [
        ".keys.backup",
        ".keys.241130",
        ".keys.a1B2c3",
        ".keys.durable-store-0123456789abcdef.a1B2c3",
    ];
    for name in others.iter().chain(&[own]) {
        fs::write(path.with_file_name(name), "x").unwrap();
    }
    fs::create_dir(path.with_file_name(".keys.durable-store-aaaaaaaaaaaaaaaa")).unwrap();
    let mut all = beside(&path);
    fs::write(&path, "damaged").unwrap();
    assert_eq!(refusal(&path), Some(KeyStoreErrorKind::Sealed));
    all.extend(["keys".into(), "keys.lock".into()]);
    assert_eq!(beside(&path), all);
    fs::remove_file(&path).unwrap();
    p256(&open(&path).unwrap(), "https://one.example");
    all.remove(std::ffi::OsStr::new(own));
    assert_eq!(beside(&path), all);
}

#[cfg(unix)]
#[test]
fn opens_one_store_by_all_names_of_its_file() {
    use std::os::unix::fs::symlink;
    let path = place("linked");
    let at = |name: &str| path.with_file_name(name);
    fs::create_dir(at("real")).unwrap();
    symlink("real", at("directory")).unwrap();
    symlink("directory/keys", &path).unwrap();
    // The link leads to nothing yet.
    let store = open(&path).unwrap();
    let kept = p256(&store, "https://one.example");
    for name in ["real/keys", "directory/keys", "keys"] {
        assert_eq!(
            refusal(&at(name)),
            Some(KeyStoreErrorKind::Locked),
            "{name}"
        );
    }
    drop(store);
    assert_eq!(
        p256(&open(&at("real/keys")).unwrap(), "https://one.example"),
        kept
    );
    assert!(fs::symlink_metadata(&path).unwrap().is_symlink());
    // What is reset through the link is reset.
    open(&path).unwrap().reset(None).unwrap();
    assert_ne!(
        p256(&open(&at("real/keys")).unwrap(), "https://one.example"),
        kept
    );
    assert_eq!(
        beside(&at("real/keys")),
        BTreeSet::from(["keys".into(), "keys.lock".into()])
    );
    fs::hard_link(at("real/keys"), at("second")).unwrap();
    for name in ["second", "keys"] {
        assert_eq!(
            refusal(&at(name)),
            Some(KeyStoreErrorKind::Linked),
            "{name}"
        );
    }
}

#[cfg(unix)]
#[test]
fn refuses_at_once_a_path_without_a_file_and_a_file_that_others_can_write_or_lock() {
    use std::os::unix::fs::PermissionsExt;
    let path = place("exposed");
    let lock = path.with_file_name("keys.lock");
    let set_mode = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    assert!(
        Command::new("mkfifo")
            .arg(&path)
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(refusal(&path), Some(KeyStoreErrorKind::NotRegular));
    fs::remove_file(&path).unwrap();
    p256(&open(&path).unwrap(), "https://one.example");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(&lock)), (0o600, 0o600));
    for exposed in [0o620, 0o602] {
        set_mode(&path, exposed);
        assert_eq!(refusal(&path), Some(KeyStoreErrorKind::Exposed));
    }
    set_mode(&path, 0o600);
    for exposed in [0o644, 0o640, 0o604] {
        set_mode(&lock, exposed);
        assert_eq!(refusal(&path), Some(KeyStoreErrorKind::Exposed));
        assert_eq!(mode(&lock), exposed);
    }
    set_mode(&lock, 0o600);
    assert_eq!(refusal(&path), None);
    // A file that cannot be one of ours is not read whole.
    let large = fs::File::create(&path).unwrap();
    large.set_len(1 << 40).unwrap();
    set_mode(&path, 0o600);
    assert_eq!(refusal(&path), Some(KeyStoreErrorKind::TooLarge));
}

#[test]
fn refuses_a_place_that_cannot_be_read() {
    let path = place("no_place");
    let error = refusal(&path.with_file_name("missing").join("keys"));
    assert_eq!(error, Some(KeyStoreErrorKind::Missing));
    fs::create_dir(&path).unwrap();
    assert_eq!(refusal(&path), Some(KeyStoreErrorKind::NotRegular));
}

#[test]
fn returns_no_key_that_cannot_be_kept() {
    let path = place("not_kept");
    let store = open(&path).unwrap();
    let kept = p256(&store, "https://one.example");
    fs::remove_dir_all(path.parent().unwrap()).unwrap();
    for _ in 0..2 {
        let key = store.key(&scope("https://two.example"), KeyParameters::P256);
        let error = key.err().unwrap();
        assert_eq!(error.kind(), KeyStoreErrorKind::Missing);
        assert_eq!(error.place(), Some(&*format!("{path:?}")));
    }
    assert_eq!(p256(&store, "https://one.example"), kept);
}

#[test]
fn deletes_one_scope_or_all_from_the_file_at_a_reset() {
    let path = place("reset");
    let origins = ["https://one.example", "https://one.example:444"];
    let store = open(&path).unwrap();
    let before = origins.map(|origin| p256(&store, origin));
    store.reset(Some(&scope(origins[0]))).unwrap();
    drop(store);
    let store = open(&path).unwrap();
    let one_new = origins.map(|origin| p256(&store, origin));
    assert_ne!(one_new[0], before[0]);
    assert_eq!(one_new[1], before[1]);
    store.reset(None).unwrap();
    assert_eq!(
        fs::read(&path).unwrap().len(),
        sealed(r#"{"keys":[]}"#).len()
    );
    drop(store);
    let store = open(&path).unwrap();
    let all_new = origins.map(|origin| p256(&store, origin));
    let ids: HashSet<_> = before.iter().chain(&one_new).chain(&all_new).collect();
    assert_eq!(ids.len(), 5);
}

#[cfg(unix)]
#[test]
fn allows_only_its_owner_to_read_the_file() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let path = place("mode");
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
    let store = open(&path).unwrap();
    p256(&store, "https://one.example");
    assert_eq!(mode(&path), 0o600);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    p256(&store, "https://two.example");
    assert_eq!(mode(&path), 0o600);
}
