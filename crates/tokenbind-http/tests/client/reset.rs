//! Tests of resets: keys, cookies, connections, permissions.

use super::*;

#[test]
fn resets_keys_and_cookies_together() {
    let state = client(MemoryKeyStore::new());
    let cookies = Cookies::default();
    let ids = |number| [RP, IDP].map(|at| seen(&state, at, session(P256, number)));
    let before = ids(1);
    assert_eq!(ids(2), before);
    let one = Reset::Origin(origin(RP));
    state.reset(&one, &cookies).unwrap();
    assert_eq!(state.party(&origin(RP)).negotiated, None);
    assert_eq!(
        state.party(&origin(IDP)).negotiated,
        Some(KeyParameters::P256)
    );
    let between = ids(3);
    assert_ne!(between[0], before[0]);
    assert_eq!(between[1], before[1]);
    state.reset(&Reset::All, &cookies).unwrap();
    assert_eq!(state.party(&origin(IDP)).negotiated, None);
    let after = ids(4);
    assert_ne!(after[0], between[0]);
    assert_ne!(after[1], between[1]);
    assert_eq!(*cookies.cleared.lock().unwrap(), [one, Reset::All]);
}

#[test]
fn resets_one_store_if_the_other_fails() {
    let io = KeyStoreError::from(KeyStoreErrorKind::Io(std::io::ErrorKind::StorageFull));
    for which in [Reset::All, Reset::Origin(origin(RP))] {
        let state = client(MemoryKeyStore::new());
        let before = seen(&state, RP, session(P256, 1));
        let cookies = Cookies {
            failing: Some(io.clone()),
            ..Cookies::default()
        };
        assert_eq!(state.reset(&which, &cookies), Err(io.clone()));
        assert_ne!(seen(&state, RP, session(P256, 2)), before);

        let state = client(Same(Err(KeyStoreErrorKind::Locked.into())));
        let cookies = Cookies::default();
        assert_eq!(
            state.reset(&which, &cookies),
            Err(KeyStoreErrorKind::Locked.into())
        );
        assert_eq!(*cookies.cleared.lock().unwrap(), [which]);
    }
}

#[test]
fn lets_stores_call_back_during_a_reset_and_sends_nothing_meanwhile() {
    ends(|| {
        let stores = Arc::new(CallsBack::default());
        let state = Arc::new(client(stores.clone()));
        stores.state.set(Arc::downgrade(&state)).unwrap();
        let before = seen(&state, RP, session(P256, 1));
        state.reset(&Reset::All, &*stores).unwrap();
        // The key store's call, its nested reset's, and the cookies'.
        let refused = Err(ClientError::KeysReset);
        let heard = [refused.clone(), refused.clone(), refused];
        assert_eq!(*stores.heard.lock().unwrap(), heard);
        assert_ne!(seen(&state, RP, session(P256, 2)), before);
    });
}

#[test]
fn sends_nothing_on_a_connection_opened_during_a_reset() {
    let state = Arc::new(client(MemoryKeyStore::new()));
    let cookies = Opens {
        state: Arc::downgrade(&state),
        opened: Mutex::default(),
    };
    state.reset(&Reset::All, &cookies).unwrap();
    let binding = cookies.opened.lock().unwrap().take().unwrap();
    assert!(!binding.is_current(&state));
    assert_eq!(binding.header(&state, None), Err(ClientError::KeysReset));
    assert_eq!(state.party(&origin(RP)).negotiated, None);
}

#[test]
fn ends_a_reset_whose_store_panics() {
    let state = client(MemoryKeyStore::new());
    let before = seen(&state, RP, session(P256, 1));
    let reset = std::panic::AssertUnwindSafe(|| state.reset(&Reset::All, &Panics));
    let payload = std::panic::catch_unwind(reset).unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"on purpose"));
    assert_ne!(seen(&state, RP, session(P256, 2)), before);
}

#[test]
fn sends_nothing_on_a_connection_whose_opening_a_reset_interrupts() {
    let state = client(MemoryKeyStore::new());
    let opening = state.opening();
    state.reset(&Reset::All, &Cookies::default()).unwrap();
    let binding = state.opened(opening, origin(RP), Some(session(P256, 1)));
    assert_eq!(binding.header(&state, None), Err(ClientError::KeysReset));
    assert_eq!(state.party(&origin(RP)).negotiated, None);
    let opening = state.opening();
    let binding = state.opened(opening, origin(RP), Some(session(P256, 2)));
    assert!(binding.header(&state, None).is_ok());
}

#[test]
fn lets_a_key_store_ask_for_the_header_it_makes_the_key_for() {
    ends(|| {
        let keys = Arc::new(AsksAgain::default());
        let state = Arc::new(client(keys.clone()));
        let binding = Arc::new(state.connection(origin(RP), Some(session(P256, 1))));
        let connection = (Arc::downgrade(&state), Arc::downgrade(&binding));
        keys.connection.set(connection).unwrap();
        let header = binding.header(&state, None).unwrap();
        assert_eq!(header.value, binding.written_header());
    });
}

#[test]
fn sends_nothing_on_a_connection_opened_before_a_reset() {
    for which in [
        Reset::All,
        Reset::Origin(origin(RP)),
        Reset::Origin(origin(IDP)),
    ] {
        let state = client(MemoryKeyStore::new());
        let binding = state.connection(origin(RP), Some(session(P256, 1)));
        let plain = state.connection(origin(RP), None);
        assert!(binding.header(&state, None).is_ok());
        assert!(binding.is_current(&state));
        state.reset(&which, &Cookies::default()).unwrap();
        assert!(!binding.is_current(&state));
        assert_eq!(binding.header(&state, None), Err(ClientError::KeysReset));
        assert_eq!(plain.header(&state, None), Err(ClientError::KeysReset));
    }
}

#[test]
fn voids_a_permission_at_a_reset() {
    let state = client(MemoryKeyStore::new());
    let consumer = state.connection(origin(RP), Some(session(P256, 1)));
    let redirected = redirect(&consumer);
    let scripted = state.script_permission(true, &origin(RP)).unwrap();
    state
        .reset(&Reset::Origin(origin(IDP)), &Cookies::default())
        .unwrap();
    let late = redirect(&consumer);
    let there = session(P256, 2);
    let provider = state.connection(origin(IDP), Some(there));
    let mut server = server(there);
    for permission in [redirected, scripted, late] {
        let header = provider.header(&state, Some(permission)).unwrap();
        let withheld = Disclosure::Withhold(WithheldReason::KeysReset);
        assert_eq!(header.disclosure, Some(withheld));
        assert_eq!(verified(&mut server, &header).referred(), None);
    }
    // Those given since hold.
    let again = state.connection(origin(RP), Some(session(P256, 3)));
    let scripted = state.script_permission(true, &origin(RP)).unwrap();
    for permission in [redirect(&again), scripted] {
        let header = provider.header(&state, Some(permission)).unwrap();
        assert!(verified(&mut server, &header).referred().is_some());
    }
}

#[test]
fn signs_nothing_with_a_key_that_is_reset_while_it_is_fetched() {
    for permitted in [false, true] {
        let keys = ResetMeanwhile::default();
        let state = Arc::new(client(keys.clone()));
        keys.state.set(Arc::downgrade(&state)).unwrap();
        let consumer = state.connection(origin(RP), Some(session(P256, 1)));
        let binding = state.connection(origin(IDP), Some(session(P256, 2)));
        keys.armed.store(true, Ordering::Release);
        let permission = permitted.then(|| redirect(&consumer));
        let header = binding.header(&state, permission);
        assert_eq!(header, Err(ClientError::KeysReset));
        assert_eq!(binding.written_header(), None);
    }
}

/// Runs this on a thread: what waits for itself fails the test instead of stopping it.
fn ends<T: Send + 'static>(what: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, result) = mpsc::channel();
    std::thread::spawn(move || done.send(what()));
    let within = Duration::from_secs(30);
    result.recv_timeout(within).expect("it waits for itself")
}

/// Cookies and keys that ask the client, and reset another origin, while they are reset.
#[derive(Default)]
struct CallsBack {
    keys: MemoryKeyStore,
    state: OnceLock<Weak<client::State>>,
    nested: AtomicBool,
    heard: Mutex<Vec<Result<RequestHeader, ClientError>>>,
}

impl CallsBack {
    fn call(&self) {
        let state = self.state.get().unwrap().upgrade().unwrap();
        let binding = state.connection(origin(RP), Some(session(P256, 9)));
        assert!(!binding.is_current(&state));
        assert_eq!(state.party(&origin(RP)).negotiated, None);
        self.heard
            .lock()
            .unwrap()
            .push(binding.header(&state, None));
        if !self.nested.swap(true, Ordering::Relaxed) {
            let other = Reset::Origin(origin(IDP));
            state.reset(&other, &Cookies::default()).unwrap();
        }
    }
}

impl KeyStore for CallsBack {
    fn key(&self, scope: &Scope, parameters: KeyParameters) -> Result<Key, KeyStoreError> {
        self.keys.key(scope, parameters)
    }

    fn reset(&self, scope: Option<&Scope>) -> Result<(), KeyStoreError> {
        self.call();
        self.keys.reset(scope)
    }
}

impl ClearCookies for CallsBack {
    fn clear(&self, _: &Reset) -> Result<(), KeyStoreError> {
        self.call();
        Ok(())
    }
}

/// Cookies that keep a connection which was opened while they were cleared.
struct Opens {
    state: Weak<client::State>,
    opened: Mutex<Option<client::Connection>>,
}

impl ClearCookies for Opens {
    fn clear(&self, _: &Reset) -> Result<(), KeyStoreError> {
        let state = self.state.upgrade().unwrap();
        let binding = state.connection(origin(RP), Some(session(P256, 9)));
        *self.opened.lock().unwrap() = Some(binding);
        Ok(())
    }
}

struct Panics;

impl ClearCookies for Panics {
    fn clear(&self, _: &Reset) -> Result<(), KeyStoreError> {
        panic!("on purpose");
    }
}

/// A key store that asks the connection for its header while it makes the key.
#[derive(Default)]
struct AsksAgain {
    keys: MemoryKeyStore,
    connection: OnceLock<(Weak<client::State>, Weak<client::Connection>)>,
    nested: AtomicBool,
}

impl KeyStore for AsksAgain {
    fn key(&self, scope: &Scope, parameters: KeyParameters) -> Result<Key, KeyStoreError> {
        if !self.nested.swap(true, Ordering::Relaxed) {
            let (state, binding) = self.connection.get().unwrap();
            let (state, binding) = (state.upgrade().unwrap(), binding.upgrade().unwrap());
            assert!(binding.header(&state, None).unwrap().value.is_some());
        }
        self.keys.key(scope, parameters)
    }

    fn reset(&self, scope: Option<&Scope>) -> Result<(), KeyStoreError> {
        self.keys.reset(scope)
    }
}

/// A store that is reset, by the client's other thread, while a key is fetched.
#[derive(Clone, Default)]
struct ResetMeanwhile {
    keys: Arc<MemoryKeyStore>,
    state: Arc<OnceLock<Weak<client::State>>>,
    armed: Arc<AtomicBool>,
}

impl KeyStore for ResetMeanwhile {
    fn key(&self, scope: &Scope, parameters: KeyParameters) -> Result<Key, KeyStoreError> {
        let key = self.keys.key(scope, parameters);
        if self.armed.swap(false, Ordering::AcqRel) {
            let state = self.state.get().and_then(Weak::upgrade).unwrap();
            state.reset(&Reset::All, &Cookies::default())?;
        }
        key
    }

    fn reset(&self, scope: Option<&Scope>) -> Result<(), KeyStoreError> {
        self.keys.reset(scope)
    }
}
