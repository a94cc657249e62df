//! Tests of headers: keys, permissions, what is printed.

use super::*;

#[test]
fn writes_a_header_once_and_reuses_it() {
    let keys = Keys::default();
    let state = client(keys.clone());
    let session = session(P256, 1);
    let binding = state.connection(origin(RP), Some(session));
    assert_eq!(binding.written_header(), None);
    let first = binding.header(&state, None).unwrap();
    let value = first.value.clone().unwrap();
    for _ in 0..3 {
        let again = binding.header(&state, None).unwrap();
        assert!(Arc::ptr_eq(&value, again.value.as_ref().unwrap()));
        assert_eq!(again, first);
    }
    assert!(Arc::ptr_eq(&value, &binding.written_header().unwrap()));
    assert_eq!(keys.signatures.load(Ordering::Relaxed), 1);
    let mut server = server(session);
    assert_eq!(verified(&mut server, &first), verified(&mut server, &first));
    assert_eq!(first.disclosure, None);
}

#[test]
fn writes_a_header_once_on_many_threads() {
    let keys = Keys::default();
    let state = client(keys.clone());
    let binding = state.connection(origin(RP), Some(session(P256, 1)));
    let values: BTreeSet<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| binding.header(&state, None).unwrap().value.unwrap()))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert_eq!(values.len(), 1);
    assert_eq!(keys.signatures.load(Ordering::Relaxed), 1);
}

/// A store that waits inside `key` until the test releases it.
struct Waiting {
    keys: MemoryKeyStore,
    entered: Mutex<mpsc::Sender<()>>,
    go_on: Mutex<mpsc::Receiver<()>>,
}

impl KeyStore for Waiting {
    fn key(&self, scope: &Scope, parameters: KeyParameters) -> Result<Key, KeyStoreError> {
        self.entered.lock().unwrap().send(()).unwrap();
        self.go_on.lock().unwrap().recv().unwrap();
        self.keys.key(scope, parameters)
    }

    fn reset(&self, scope: Option<&Scope>) -> Result<(), KeyStoreError> {
        self.keys.reset(scope)
    }
}

#[test]
fn returns_the_written_header_without_waiting_for_the_key() {
    let (entered, enters) = mpsc::channel();
    let (goes_on, go_on) = mpsc::channel();
    let state = client(Waiting {
        keys: MemoryKeyStore::new(),
        entered: entered.into(),
        go_on: go_on.into(),
    });
    let binding = state.connection(origin(RP), Some(session(P256, 1)));
    std::thread::scope(|scope| {
        let (asked, answer) = mpsc::channel();
        let writing = scope.spawn(|| binding.header(&state, None).unwrap());
        enters.recv().unwrap();
        let binding = &binding;
        scope.spawn(move || asked.send(binding.written_header()).unwrap());
        let answered = answer.recv_timeout(Duration::from_secs(5));
        goes_on.send(()).unwrap();
        assert_eq!(answered, Ok(None));
        let value = writing.join().unwrap().value;
        assert_eq!(binding.written_header(), value);
    });
}

#[test]
fn uses_one_key_for_all_connections_of_an_origin_and_for_no_other_origin() {
    let state = client(MemoryKeyStore::new());
    let first = seen(&state, RP, session(P256, 1));
    assert_eq!(seen(&state, RP, session(P256, 2)), first);
    assert_eq!(
        seen(&state, "https://RP.example:443/", session(P256, 3)),
        first
    );
    let mut keys = BTreeSet::from([first.as_bytes().to_vec()]);
    for (number, other) in [
        "https://rp.example:8443",
        "https://login.rp.example",
        "https://example",
        "https://rp.example.",
        IDP,
    ]
    .into_iter()
    .enumerate()
    {
        let session = session(P256, u8::try_from(number).unwrap());
        assert!(
            keys.insert(seen(&state, other, session).as_bytes().to_vec()),
            "{other}"
        );
    }
}

#[test]
fn uses_one_key_of_an_origin_for_each_negotiated_kind() {
    let state = client(Keys::default());
    let small = seen(&state, RP, session(P256, 1));
    assert_eq!(
        seen(&state, RP, session(RSA, 2)),
        id(TokenBindingType::PROVIDED, &*rsa(0))
    );
    assert_eq!(seen(&state, RP, session(P256, 3)), small);
}

#[test]
fn detects_a_store_that_gives_two_origins_one_key() {
    let state = client(Same(Ok(p256())));
    let header = |at: &str, number| {
        let binding = state.connection(origin(at), Some(session(P256, number)));
        binding
            .header(&state, None)
            .map(|header| header.value.is_some())
    };
    assert_eq!(header(RP, 1), Ok(true));
    assert_eq!(header(RP, 2), Ok(true));
    assert_eq!(header(IDP, 3), Err(ClientError::SharedKey));
    assert_eq!(
        header("https://rp.example:444", 4),
        Err(ClientError::SharedKey)
    );
    assert_eq!(header(RP, 5), Ok(true));

    // Also as the referred key.
    let provider = state.connection(origin(RP), Some(session(P256, 6)));
    let consumer = state.connection(origin(IDP), Some(session(P256, 7)));
    let permission = redirect(&consumer);
    let header = provider.header(&state, Some(permission));
    assert_eq!(header, Err(ClientError::SharedKey));
    // What belongs to whom is forgotten with the keys.
    state.reset(&Reset::All, &Cookies::default()).unwrap();
    let binding = state.connection(origin(IDP), Some(session(P256, 8)));
    assert!(binding.header(&state, None).is_ok());
}

#[test]
fn sends_nothing_if_the_store_fails_or_has_another_kind_of_key() {
    for (answer, error) in [
        (Ok::<Key, _>(p256()), ClientError::KeyParameters),
        (
            Err(KeyStoreErrorKind::Locked.into()),
            ClientError::KeyStore(KeyStoreErrorKind::Locked.into()),
        ),
    ] {
        let state = client(Same(answer));
        let binding = state.connection(origin(RP), Some(session(RSA, 1)));
        assert_eq!(binding.header(&state, None), Err(error));
        assert_eq!(binding.written_header(), None);
    }
}

#[test]
fn sends_no_header_without_token_binding() {
    let keys = Keys::default();
    let state = client(keys.clone());
    let consumer = state.connection(origin(RP), Some(session(P256, 1)));
    let binding = state.connection(origin(IDP), None);
    let header = binding.header(&state, None).unwrap();
    assert_eq!(
        header,
        RequestHeader {
            value: None,
            disclosure: None
        }
    );
    let permission = redirect(&consumer);
    let header = binding.header(&state, Some(permission)).unwrap();
    let withheld = Disclosure::Withhold(WithheldReason::ProviderNotNegotiated);
    assert_eq!(
        header,
        RequestHeader {
            value: None,
            disclosure: Some(withheld)
        }
    );
    assert_eq!(keys.signatures.load(Ordering::Relaxed), 0);
    assert_eq!((binding.session(), binding.written_header()), (None, None));
}

#[test]
fn reveals_the_consumers_key_under_its_own_parameters() {
    for (ours, theirs) in [(RSA, P256), (P256, RSA), (P256, P256), (RSA, RSA)] {
        let state = client(Keys::default());
        let at_consumer = seen(&state, RP, session(ours, 1));
        let consumer = state.connection(origin(RP), Some(session(ours, 2)));
        let there = session(theirs, 3);
        let provider = state.connection(origin(IDP), Some(there));
        let header = provider.header(&state, Some(redirect(&consumer))).unwrap();
        let Some(Disclosure::Reveal(referral)) = &header.disclosure else {
            panic!("withheld: {header:?}");
        };
        assert_eq!(referral.consumer(), &origin(RP));
        assert_eq!(referral.parameters(), ours.key_parameters());
        let bindings = verified(&mut server(there), &header);
        let Some(ReferredTokenBinding::Verified(referred)) = bindings.referred() else {
            panic!("not referred: {bindings:?}");
        };
        assert_eq!(referred.key_id(), at_consumer.key_id());
        assert_eq!(
            referred.view().tokenbinding_type(),
            TokenBindingType::REFERRED
        );
        assert_eq!(
            *bindings.provided().id(),
            seen(&state, IDP, session(theirs, 4))
        );
    }
}

#[test]
fn uses_a_permission_for_one_request() {
    let state = client(MemoryKeyStore::new());
    let consumer = state.connection(origin(RP), Some(session(P256, 1)));
    let there = session(P256, 2);
    let provider = state.connection(origin(IDP), Some(there));
    let mut server = server(there);
    let before = provider.header(&state, None).unwrap();
    let with = provider.header(&state, Some(redirect(&consumer))).unwrap();
    assert!(verified(&mut server, &with).referred().is_some());
    let after = provider.header(&state, None).unwrap();
    assert_eq!(after, before);
    assert_eq!(provider.written_header(), before.value);
    assert_eq!(verified(&mut server, &after).referred(), None);
}

#[test]
fn sends_no_referred_binding_after_a_permitted_first_request() {
    let state = client(MemoryKeyStore::new());
    let consumer = state.connection(origin(RP), Some(session(P256, 1)));
    let provider = state.connection(origin(IDP), Some(session(P256, 2)));
    let with = provider.header(&state, Some(redirect(&consumer))).unwrap();
    assert_eq!(provider.written_header(), None);
    let after = provider.header(&state, None).unwrap();
    assert_ne!(after.value, with.value);
    assert_eq!(after.disclosure, None);
}

#[test]
fn leaves_the_header_unchanged_by_a_withheld_permission() {
    let state = client(MemoryKeyStore::new());
    let one = state.connection(origin(RP), Some(session(P256, 1)));
    let other = state.connection(origin(RP), Some(session(P256, 2)));
    let plain = other.header(&state, None).unwrap();
    let same = other.header(&state, Some(redirect(&one))).unwrap();
    assert_eq!(same.value, plain.value);
    let withheld = Disclosure::Withhold(WithheldReason::SameOrigin);
    assert_eq!(same.disclosure, Some(withheld));
}

#[test]
fn uses_the_latest_connection_with_the_origin_of_a_page() {
    let state = client(Keys::default());
    let page = origin(RP);
    let party = |negotiated| Party {
        origin: page.clone(),
        negotiated,
    };
    let ask = || state.script_permission(true, &page).map(drop);
    assert_eq!(state.party(&page), party(None));
    assert_eq!(ask(), Err(WithheldReason::ConsumerNotNegotiated));
    let rsa = state.connection(page.clone(), Some(session(RSA, 1)));
    assert_eq!(state.party(&page), party(Some(KeyParameters::Rsa2048)));
    assert_eq!(rsa.party(), party(Some(KeyParameters::Rsa2048)));
    let _ = state.connection(page.clone(), Some(session(P256, 2)));
    assert_eq!(state.party(&page), party(Some(KeyParameters::P256)));
    assert_eq!(rsa.party(), party(Some(KeyParameters::Rsa2048)));
    assert_eq!(
        state.script_permission(false, &page),
        Err(WithheldReason::NotAsked)
    );

    let there = session(P256, 3);
    let provider = state.connection(origin(IDP), Some(there));
    let permission = state.script_permission(true, &page).unwrap();
    let header = provider.header(&state, Some(permission)).unwrap();
    let bindings = verified(&mut server(there), &header);
    let Some(ReferredTokenBinding::Verified(referred)) = bindings.referred() else {
        panic!("not referred: {bindings:?}");
    };
    assert_eq!(
        referred.key_id(),
        seen(&state, RP, session(P256, 4)).key_id()
    );
    let _ = state.connection(page.clone(), None);
    assert_eq!(state.party(&page), party(None));
    assert_eq!(ask(), Err(WithheldReason::ConsumerNotNegotiated));
}

#[test]
fn prints_nothing_of_a_key() {
    let keys = MemoryKeyStore::new();
    let scope = client::Options::default().scope.scope(&origin(RP));
    let _ = keys.key(&scope, KeyParameters::P256).unwrap();
    assert_eq!(format!("{keys:?}"), "MemoryKeyStore { .. }");
    let state = client(keys);
    let binding = state.connection(origin(RP), Some(session(P256, 7)));
    let _ = binding.header(&state, None).unwrap();
    let (state, binding) = (format!("{state:?}"), format!("{binding:?}"));
    assert!(
        state.starts_with("State { options: ") && state.ends_with(", .. }"),
        "{state}"
    );
    assert_eq!(
        binding,
        "Connection { origin: Origin(https://rp.example), \
         negotiated: Some(Negotiated { alpn: Http11P256 }), .. }"
    );
}

#[cfg(feature = "public-suffix")]
mod registrable_domain {
    use tokenbind_http::origin::ScopeRule;

    use super::*;

    const SHOP: &str = "https://shop.example.com";
    const LOGIN: &str = "https://login.example.com:8443";

    fn client() -> client::State {
        let scope = ScopeRule::RegistrableDomain;
        let options = client::Options {
            scope,
            ..client::Options::default()
        };
        client::State::new(MemoryKeyStore::new(), options)
    }

    #[test]
    fn shares_a_key_among_hosts_of_a_domain_and_reveals_nothing_among_them() {
        let state = client();
        let key = seen(&state, SHOP, session(P256, 1));
        assert_eq!(seen(&state, LOGIN, session(P256, 2)), key);
        assert_ne!(
            seen(&state, "https://shop.example.org", session(P256, 3)),
            key
        );
        let consumer = state.connection(origin(SHOP), Some(session(P256, 4)));
        let provider = state.connection(origin(LOGIN), Some(session(P256, 5)));
        let header = provider.header(&state, Some(redirect(&consumer))).unwrap();
        let withheld = Disclosure::Withhold(WithheldReason::SameOrigin);
        assert_eq!(header.disclosure, Some(withheld));
    }

    #[test]
    fn resets_all_hosts_that_share_the_key_of_one() {
        let state = client();
        let key = seen(&state, SHOP, session(P256, 1));
        assert_eq!(seen(&state, LOGIN, session(P256, 2)), key);
        let other = seen(&state, IDP, session(P256, 3));
        state
            .reset(&Reset::Origin(origin(SHOP)), &Cookies::default())
            .unwrap();
        for at in [SHOP, LOGIN] {
            assert_eq!(state.party(&origin(at)).negotiated, None, "{at}");
        }
        assert_eq!(
            state.party(&origin(IDP)).negotiated,
            Some(KeyParameters::P256)
        );
        assert_ne!(seen(&state, LOGIN, session(P256, 4)), key);
        assert_eq!(seen(&state, IDP, session(P256, 5)), other);
    }
}
