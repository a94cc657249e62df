//! The client's side of IMAP, played against scripts.

#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "tests")]

#[path = "../play.rs"]
mod play;

mod failures;
mod login;
mod starttls;
mod status;

use deep_latch::{
    ErrorKind, Facilities, ImapClient, LatchSession, SecurityTag, TlsFacts,
    client::{ClientError, ClientEvent, ClientOptions, TlsStart},
    facts::{DaneVerdict, Login},
    failure::{Action, HandshakeFault, LatchFailure, Stage},
    imap::{MAX_IMAP_LINE_BYTES, MAX_IMAP_LITERAL_BYTES, MAX_IMAP_UNTAGGED},
    latch::{Event, Outcome, Reason, Transition},
    report::FieldNames,
    status::StatusOptions,
};
use play::{
    ACCEPTED, End, GOOD, NOT_ACCEPTED, Played, Script, UNVERIFIED, WITHDRAWN, accepted_deviation,
    latched, not_latched, play, recorded, session, session_with_status, truncated_at_each_byte,
    unreadable,
};

const GREETING: &str = "* OK [CAPABILITY IMAP4rev1 DEEP ID AUTH=PLAIN AUTH=SCRAM-SHA-1] hello\r\n";

fn demo(tls: TlsStart) -> ClientOptions {
    ClientOptions {
        tls,
        name: Some("Demo Mail".into()),
        version: Some("1.5".into()),
        ..ClientOptions::default()
    }
}

fn client(tags: &[&'static str], tls: TlsStart) -> ImapClient {
    ImapClient::new(session(tags), demo(tls))
}

/// Over TLS from the beginning, with a certificate that is verified.
fn implicit(tags: &[&'static str], tls: &str) -> Played {
    let script = Script {
        tls: tls.as_bytes(),
        ..Script::default()
    };
    play(&client(tags, TlsStart::Implicit), &script)
}

fn answered(id: &str) -> String {
    format!("{GREETING}* ID {id}\r\ndeep1 OK ID completed\r\n")
}

fn failure(played: &Played) -> &LatchFailure {
    match &played.end {
        End::Refused(failure) => failure,
        end => panic!("{end:?}"),
    }
}

fn malformed(played: &Played) -> (ErrorKind, &'static str, usize) {
    match played.end {
        End::Failed(ClientError::Malformed(error)) => (error.kind(), error.field(), error.offset()),
        ref end => panic!("{end:?}"),
    }
}
