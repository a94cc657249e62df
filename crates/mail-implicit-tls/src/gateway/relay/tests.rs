//! A relay between sides that take octets late, and flush late.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard},
    task::Waker,
    time::Duration,
};

use super::*;
use crate::gateway::BackendFailure;

/// The state of a side.
#[derive(Debug, Default)]
struct State {
    /// Its octets; an empty text is its end.
    sends: VecDeque<&'static str>,
    takes: bool,
    /// Its connection is broken for octets of the other side.
    is_broken: bool,
    flushes: bool,
    /// The number of times that octets were read.
    reads: usize,
    taken: String,
    flushed: String,
    is_shut: bool,
    /// The number of octets of TLS that the network took in the meantime.
    hidden: u64,
}

/// A side that sends its texts, and takes and flushes octets as the test permits.
#[derive(Clone, Debug, Default)]
struct Side(Arc<Mutex<State>>);

impl Side {
    fn new(sends: &[&'static str]) -> Self {
        let side = Self::default();
        side.state().sends = sends.iter().copied().collect();
        side.set(true, true);
        side
    }

    fn set(&self, takes: bool, flushes: bool) {
        let mut state = self.state();
        (state.takes, state.flushes) = (takes, flushes);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

impl AsyncRead for Side {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut state = self.state();
        let Some(text) = state.sends.pop_front() else {
            return Poll::Pending;
        };
        state.reads = state.reads.saturating_add(1);
        buffer.put_slice(text.as_bytes());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Side {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut state = self.state();
        assert!(!state.is_shut, "octets after the end");
        if state.is_broken {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        match state.takes {
            true => {
                state.taken += str::from_utf8(octets).unwrap();
                Poll::Ready(Ok(octets.len()))
            }
            false => Poll::Pending,
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.state();
        match state.flushes {
            true => {
                state.flushed = state.taken.clone();
                Poll::Ready(Ok(()))
            }
            false => Poll::Pending,
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.state().is_shut = true;
        Poll::Ready(Ok(()))
    }
}

impl ClientSide for Side {
    fn written(&self) -> u64 {
        let state = self.state();
        u64::try_from(state.taken.len())
            .unwrap()
            .saturating_add(state.hidden)
    }
}

/// A session that answers octets of the client with `answer`.
#[derive(Debug, Default)]
struct Session {
    answer: &'static str,
    for_client: Vec<u8>,
    for_backend: Vec<u8>,
    is_over: bool,
    /// A command of the client waits for a reply.
    is_waiting: bool,
}

impl GatewaySession for Session {
    fn client_sent(&mut self, _: &[u8]) -> Result<(), GatewayError> {
        self.for_client.extend_from_slice(self.answer.as_bytes());
        Ok(())
    }

    fn backend_sent(&mut self, octets: &[u8]) -> Result<(), GatewayError> {
        self.for_client.extend_from_slice(octets);
        Ok(())
    }

    fn take_for_client(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.for_client)
    }

    fn take_for_backend(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.for_backend)
    }

    fn may_receive(&self) -> bool {
        true
    }

    fn awaits_client(&self) -> bool {
        !self.is_waiting
    }

    fn is_pipe(&self) -> bool {
        false
    }

    fn is_over(&self) -> bool {
        self.is_over
    }

    fn next_event(&mut self) -> Option<Event> {
        None
    }

    fn backend_failed(&mut self, _: BackendFailure) {}
}

fn relay(client: &Side, backend: &Side) -> Relay<Side, Side> {
    Relay::new(client.clone(), backend.clone())
}

/// Polls once. Returns the step as text, or `None` if it is pending.
fn poll(relay: &mut Relay<Side, Side>, session: Option<&mut Session>) -> Option<String> {
    let mut cx = Context::from_waker(Waker::noop());
    let step = match session {
        Some(session) => relay.poll_session(&mut cx, session),
        None => relay.poll_pipe(&mut cx),
    };
    match step {
        Poll::Ready(step) => Some(format!("{step:?}")),
        Poll::Pending => None,
    }
}

/// TLS keeps octets until it is flushed: a session is over, and its connection closed, after that.
#[test]
fn ends_a_session_once_its_last_octets_are_flushed() {
    let (client, backend) = (Side::new(&[]), Side::new(&[]));
    client.set(true, false);
    let mut relay = relay(&client, &backend);
    let mut session = Session {
        for_client: b"* BYE\r\n".to_vec(),
        is_over: true,
        ..Session::default()
    };
    for _ in 0..2 {
        assert_eq!(poll(&mut relay, Some(&mut session)), None);
        assert_eq!(client.state().taken, "* BYE\r\n");
    }
    client.set(true, true);
    assert_eq!(
        poll(&mut relay, Some(&mut session)).as_deref(),
        Some("Over")
    );
    assert_eq!(client.state().flushed, "* BYE\r\n");
}

/// Octets that a side has taken and not flushed hold up the other side, as those do that it has not taken.
#[test]
fn reads_no_more_before_the_octets_are_flushed() {
    for takes in [true, false] {
        let (client, backend) = (Side::new(&[]), Side::new(&["one", "two", ""]));
        client.set(takes, false);
        let mut relay = relay(&client, &backend);
        for _ in 0..2 {
            assert_eq!(poll(&mut relay, None), None);
            assert_eq!(backend.state().reads, 1);
        }
        client.set(true, true);
        assert_eq!(poll(&mut relay, None).as_deref(), Some("BackendEnded"));
        assert_eq!(client.state().flushed, "onetwo");
        assert_eq!(relay.carried().from_backend, 6);
    }
}

/// The client has a longer time for what is left than for the next command, so the end of the backend is a step at once.
#[tokio::test]
async fn tells_the_end_of_the_backend_and_keeps_what_is_left_for_the_client() {
    let (client, backend) = (Side::new(&["a\r\n"]), Side::new(&["* OK\r\n", ""]));
    client.set(false, true);
    let mut relay = relay(&client, &backend);
    let mut session = Session {
        answer: "a BAD\r\n",
        ..Session::default()
    };
    // The client must take the answers before the backend is read once more.
    assert_eq!(poll(&mut relay, Some(&mut session)), None);
    client.set(true, true);
    let step = poll(&mut relay, Some(&mut session));
    assert_eq!(step.as_deref(), Some("BackendEnded"));
    client.set(false, true);
    end(&mut relay, b"* BYE\r\n").await;
    assert_eq!(client.state().flushed, "a BAD\r\n* OK\r\n");
    client.set(true, true);
    end(&mut relay, b"").await;
    let state = client.state();
    let expected = ("a BAD\r\n* OK\r\n* BYE\r\n", true);
    assert_eq!((state.flushed.as_str(), state.is_shut), expected);
}

/// Ends a relay, whose client has a moment for it.
async fn end(relay: &mut Relay<Side, Side>, rest: &[u8]) {
    let patience = Duration::from_millis(20);
    let until = after(Instant::now(), Duration::from_secs(10));
    relay.end(rest, patience, until).await;
}

/// A backend may have said why it closes its connection: what it sent before counts, and no more of the client is read.
#[test]
fn reads_the_backend_to_its_end_after_it_takes_no_more() {
    let (client, backend) = (
        Side::new(&["b\r\n", "c\r\n"]),
        Side::new(&["* BYE\r\n", ""]),
    );
    backend.state().is_broken = true;
    let mut relay = relay(&client, &backend);
    assert_eq!(poll(&mut relay, None).as_deref(), Some("Ending"));
    let step = poll(&mut relay, None);
    assert_eq!(step.as_deref(), Some("BackendFailed(BrokenPipe)"));
    let state = client.state();
    assert_eq!((state.flushed.as_str(), state.reads), ("* BYE\r\n", 1));
}

/// A client that takes no more may have sent a message before: the backend receives it, and is read to its end.
#[test]
fn reads_the_client_to_its_end_after_it_takes_no_more() {
    let (client, backend) = (Side::new(&["b\r\n", "c\r\n", ""]), Side::new(&["* 1", ""]));
    client.state().is_broken = true;
    let mut relay = relay(&client, &backend);
    backend.set(false, true);
    assert_eq!(poll(&mut relay, None).as_deref(), Some("BackendEnded"));
    assert_eq!(relay.client_broke(), Some(io::ErrorKind::BrokenPipe));
    let _ = backend;
}

/// A backend learns of the client's end after the last command.
#[test]
fn shuts_the_side_of_the_backend_after_the_last_octets() {
    let (client, backend) = (Side::new(&["a\r\n", ""]), Side::new(&[]));
    backend.set(false, true);
    let mut relay = relay(&client, &backend);
    let mut session = Session::default();
    assert_eq!(
        poll(&mut relay, Some(&mut session)).as_deref(),
        Some("Ending")
    );
    // The session waits for a reply before it has more for the backend.
    session.is_waiting = true;
    assert_eq!(poll(&mut relay, Some(&mut session)), None);
    assert!(!backend.state().is_shut);
    session.is_waiting = false;
    // The backend takes nothing.
    session.for_backend = b"x\r\n".to_vec();
    for _ in 0..2 {
        assert_eq!(poll(&mut relay, Some(&mut session)), None);
        assert!(!backend.state().is_shut);
    }
    backend.set(true, true);
    assert_eq!(poll(&mut relay, Some(&mut session)), None);
    let state = backend.state();
    assert_eq!((state.flushed.as_str(), state.is_shut), ("x\r\n", true));
}

/// An end is cut if nothing moves: each octet that a side takes counts, and so does the end of the client.
#[test]
fn notes_the_time_at_which_octets_moved() {
    let (client, backend) = (Side::new(&["a\r\n"]), Side::new(&[]));
    backend.set(false, true);
    let mut relay = relay(&client, &backend);
    let mut last = relay.last();
    let mut is_later = |relay: &Relay<Side, Side>| {
        let before = std::mem::replace(&mut last, relay.last());
        relay.last() > before
    };
    // The client is not read further while the backend takes nothing.
    assert_eq!(poll(&mut relay, None), None);
    assert!(is_later(&relay));
    assert_eq!(poll(&mut relay, None), None);
    assert!(!is_later(&relay));
    backend.set(true, true);
    assert_eq!(poll(&mut relay, None), None);
    assert!(is_later(&relay));
    client.state().hidden = 1;
    assert_eq!(poll(&mut relay, None), None);
    assert!(is_later(&relay));
    client.state().sends.push_back("");
    assert_eq!(poll(&mut relay, None).as_deref(), Some("Ending"));
    assert!(is_later(&relay));
}

/// A client that writes before it reads would block otherwise, and not take what is left for it.
#[tokio::test]
async fn drops_octets_of_a_client_that_takes_nothing() {
    let (client, backend) = (Side::new(&["x", "y"]), Side::new(&[]));
    client.set(false, true);
    let mut relay = relay(&client, &backend);
    end(&mut relay, b"* BYE\r\n").await;
    let state = client.state();
    assert_eq!((state.reads, state.is_shut), (2, false));
}

/// The close alert of TLS follows the last octets.
#[tokio::test]
async fn shuts_the_side_of_the_client_after_the_last_octets() {
    let (client, backend) = (Side::new(&[]), Side::new(&[]));
    client.set(true, false);
    let mut relay = relay(&client, &backend);
    end(&mut relay, b"* BYE\r\n").await;
    assert!(!client.state().is_shut);
    client.set(true, true);
    end(&mut relay, b"").await;
    let state = client.state();
    assert_eq!((state.flushed.as_str(), state.is_shut), ("* BYE\r\n", true));
}
