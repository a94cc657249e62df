//! Signals of this process. They are the process's own, so that they are sent in one test.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use command_support::signals::{Signal, Signals};
use rustix::process::{Signal as Sent, getpid, kill_process};
use tokio::time::timeout;

#[tokio::test]
async fn returns_each_signal_that_arrives_after_it_was_made() {
    let mut signals = Signals::new().unwrap();
    for (sent, expected) in [
        (Sent::HUP, Signal::Reload),
        (Sent::TERM, Signal::Stop),
        (Sent::HUP, Signal::Reload),
        (Sent::INT, Signal::Stop),
    ] {
        // It arrives before it is waited for.
        kill_process(getpid(), sent).unwrap();
        assert_eq!(signals.next().await, expected);
    }
    let none = timeout(Duration::from_millis(50), signals.next()).await;
    assert!(none.is_err());
}
