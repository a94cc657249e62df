//! Versions of TLS.

use mail_implicit_tls::monitor::{Check, NotKnown, OldVersions, State};

use crate::facts::{first, fresh, observation, of_check, only, report};

fn found(negotiated: u16, old: Result<OldVersions, NotKnown>) -> (State, String) {
    let mut observation = observation(&fresh());
    let address = first(&mut observation);
    address.tls.as_mut().unwrap().version = negotiated;
    address.old_versions = old;
    let (state, _, sentence) = only(&report(&observation), Check::Versions);
    (state, sentence)
}

#[test]
fn judges_the_versions_that_a_server_accepts() {
    let old = |up_to_1_1, tls_1_2| Ok(OldVersions { up_to_1_1, tls_1_2 });
    for (negotiated, old, state, expected) in [
        (
            0x0304,
            old(Some(0x0301), Some(true)),
            State::Warning,
            "The server accepts TLSv1.0, which is broken: set TLS 1.2 as the least version",
        ),
        (
            0x0304,
            old(Some(0x0302), Some(true)),
            State::Warning,
            "The server accepts TLSv1.1, which is broken: set TLS 1.2 as the least version",
        ),
        (
            0x0303,
            old(None, Some(true)),
            State::Advice,
            "The server lacks TLS 1.3: enable it beside TLS 1.2",
        ),
        (
            0x0304,
            old(None, Some(false)),
            State::Advice,
            "The server lacks TLS 1.2, which mail clients must have: enable it beside TLS 1.3, unless all clients have \
             that",
        ),
        (
            0x0304,
            old(None, Some(true)),
            State::Good,
            "The server accepts TLS 1.2 and TLS 1.3, and no earlier version",
        ),
        // The reason for which it refuses the hello for TLS 1.2 is not known.
        (
            0x0304,
            old(None, None),
            State::Good,
            "The server accepts TLS 1.3, and no version before TLS 1.2",
        ),
        (
            0x0304,
            Err(NotKnown::Refuses),
            State::NotKnown,
            "The old versions of TLS that the server accepts are not known, the server refuses the connection: run the monitor \
             again, from another network too",
        ),
    ] {
        assert_eq!(found(negotiated, old), (state, expected.to_owned()));
    }
}

/// The connection itself is a finding.
#[test]
fn says_nothing_about_versions_of_a_server_that_no_client_reached() {
    let mut observation = observation(&fresh());
    first(&mut observation).old_versions = Err(NotKnown::NotTried);
    assert_eq!(of_check(&report(&observation), Check::Versions), []);
}
