//! The client's side: one key an origin, one header a connection, what a permission reveals, and
//! what a reset undoes.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod sessions;

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, OnceLock, Weak,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    time::Duration,
};

use sessions::{Keys, P256, RSA, id, origin, p256, rsa, server, session};
use tokenbind_http::{
    ReferredTokenBinding, TokenBindings,
    client::{self, ClearCookies, ClientError, RequestHeader},
    federation::{Disclosure, Party, WithheldReason},
    keys::{Key, KeyStore, KeyStoreError, KeyStoreErrorKind, MemoryKeyStore, Reset},
    origin::Scope,
    server::{self, RequestOutcome},
};
use tokenbind_wire::{KeyParameters, RustCrypto, Session, TokenBindingId, TokenBindingType};

const RP: &str = "https://rp.example";
const IDP: &str = "https://idp.example";

fn client(keys: impl KeyStore + 'static) -> client::State {
    client::State::new(keys, client::Options::default())
}

/// Cookies that note what was cleared, and may fail.
#[derive(Default)]
struct Cookies {
    cleared: Mutex<Vec<Reset>>,
    failing: Option<KeyStoreError>,
}

impl ClearCookies for Cookies {
    fn clear(&self, which: &Reset) -> Result<(), KeyStoreError> {
        self.cleared.lock().unwrap().push(which.clone());
        self.failing.clone().map_or(Ok(()), Err)
    }
}

/// The server of the other end.
fn verified(server: &mut server::ConnectionState, header: &RequestHeader) -> TokenBindings {
    let value = header.value.as_ref().expect("a header");
    match server.request([value.as_bytes()], &RustCrypto) {
        RequestOutcome::Bound(bindings) => bindings,
        other => panic!("not bound: {other:?}"),
    }
}

/// The identifier a server sees on a new connection.
fn seen(state: &client::State, at: &str, session: Session) -> TokenBindingId {
    let binding = state.connection(origin(at), Some(session));
    let header = binding.header(state, None).unwrap();
    verified(&mut server(session), &header)
        .provided()
        .id()
        .clone()
}

fn redirect(from: &client::Connection) -> tokenbind_http::federation::Permission {
    from.redirect_permission(302, [b"true".as_slice()]).unwrap()
}

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

/// A store with one answer for all.
struct Same(Result<Key, KeyStoreError>);

impl KeyStore for Same {
    fn key(&self, _: &Scope, _: KeyParameters) -> Result<Key, KeyStoreError> {
        self.0.clone()
    }

    fn reset(&self, _: Option<&Scope>) -> Result<(), KeyStoreError> {
        self.0.as_ref().map(drop).map_err(Clone::clone)
    }
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

struct Panics;

impl ClearCookies for Panics {
    fn clear(&self, _: &Reset) -> Result<(), KeyStoreError> {
        panic!("on purpose");
    }
}

#[test]
fn ends_a_reset_whose_store_panics() {
    let state = client(MemoryKeyStore::new());
    let before = seen(&state, RP, session(P256, 1));
    let reset = std::panic::AssertUnwindSafe(|| state.reset(&Reset::All, &Panics));
    assert!(std::panic::catch_unwind(reset).is_err());
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
