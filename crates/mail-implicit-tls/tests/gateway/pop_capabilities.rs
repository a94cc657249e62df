//! Capabilities of POP (section 7.2): of CAPA, and the mechanisms that AUTH lists.

use mail_implicit_tls::{
    gateway::ExternalLogin,
    service::{Protocol, Service},
};

use crate::script::{Backend, Client, certified, deep_options, facts, options, play};

const GREETING: &str = "+OK hello\r\n";
const DEEP: &str = "DEEP tls10 tls-cert <https://www.example.com/support.html>\r\n";

#[test]
fn edits_the_capabilities() {
    let capabilities = "TOP\r\nsasl PLAIN SCRAM-SHA-1 SCRAM-SHA-1-PLUS scram-sha-256-plus EXTERNAL\r\nSTLS\r\n\
                        xclient ADDR PORT\r\nDEEP tls12\r\nSASL-IR x\r\n..X\r\n";
    let edited = "TOP\r\nSASL PLAIN SCRAM-SHA-1\r\nSASL-IR x\r\n..X\r\n";
    play(
        &facts(Service::POP3S),
        &deep_options(Protocol::Pop),
        &[
            (Backend(GREETING), "", GREETING),
            (Client("CAPA\r\nQUIT\r\n"), "CAPA\r\n", ""),
            (Backend("+OK list\r\n"), "", "+OK list\r\n"),
            (
                Backend(&format!("{capabilities}.\r\n")),
                "QUIT\r\n",
                &format!("{edited}{DEEP}.\r\n"),
            ),
            (Backend("+OK bye\r\n"), "", "+OK bye\r\n"),
        ],
    );
}

#[test]
fn leaves_the_backends_deep_without_an_own_status() {
    play(
        &facts(Service::POP3S),
        &options(Protocol::Pop),
        &[
            (Backend(GREETING), "", GREETING),
            (Client("CAPA\r\n"), "CAPA\r\n", ""),
            (
                Backend("+OK\r\nDEEP tls12\r\nSASL EXTERNAL\r\nSTLS\r\n.\r\n"),
                "",
                "+OK\r\nDEEP tls12\r\n.\r\n",
            ),
        ],
    );
}

#[test]
fn lists_external_for_clients_with_a_certificate() {
    let options = options(Protocol::Pop).with_external(ExternalLogin::External);
    let facts = certified(Service::POP3S, "alice");
    for (from, to) in [
        (
            "+OK\r\nSASL PLAIN EXTERNAL\r\n.\r\n",
            "+OK\r\nSASL PLAIN EXTERNAL\r\n.\r\n",
        ),
        (
            "+OK\r\nSASL PLAIN\r\nUIDL\r\n.\r\n",
            "+OK\r\nSASL PLAIN EXTERNAL\r\nUIDL\r\n.\r\n",
        ),
        (
            "+OK\r\nUIDL\r\n.\r\n",
            "+OK\r\nUIDL\r\nSASL EXTERNAL\r\n.\r\n",
        ),
    ] {
        play(
            &facts,
            &options,
            &[
                (Backend(GREETING), "", GREETING),
                (Client("CAPA\r\n"), "CAPA\r\n", ""),
                (Backend(from), "", to),
            ],
        );
    }
    play(
        &facts,
        &options,
        &[
            (Backend(GREETING), "", GREETING),
            (Client("AUTH\r\n"), "AUTH\r\n", ""),
            (
                Backend("+OK\r\nPLAIN\r\nSCRAM-SHA-1-PLUS\r\n.\r\n"),
                "",
                "+OK\r\nPLAIN\r\nEXTERNAL\r\n.\r\n",
            ),
        ],
    );
}

#[test]
fn edits_the_mechanisms_that_auth_lists() {
    play(
        &facts(Service::POP3S),
        &options(Protocol::Pop),
        &[
            (Backend(GREETING), "", GREETING),
            (Client("AUTH\r\n"), "AUTH\r\n", ""),
            (
                Backend("+OK\r\nPLAIN\r\nEXTERNAL\r\nSCRAM-SHA-256-PLUS\r\n.\r\n"),
                "",
                "+OK\r\nPLAIN\r\n.\r\n",
            ),
            (Client("AUTH\r\n"), "AUTH\r\n", ""),
            (Backend("-ERR what\r\n"), "", "-ERR what\r\n"),
        ],
    );
}

/// Section 7.2: "POP servers MUST advertise the DEEP capability".
#[test]
fn answers_capa_for_a_backend_without_it() {
    let refused = "-ERR unknown command\r\n";
    play(
        &facts(Service::POP3S),
        &deep_options(Protocol::Pop),
        &[
            (Backend(GREETING), "", GREETING),
            (Client("CAPA\r\n"), "CAPA\r\n", ""),
            (
                Backend(refused),
                "",
                &format!("+OK capabilities of the gateway\r\nUSER\r\n{DEEP}.\r\n"),
            ),
        ],
    );
    play(
        &facts(Service::POP3S),
        &options(Protocol::Pop),
        &[
            (Backend(GREETING), "", GREETING),
            (Client("CAPA\r\n"), "CAPA\r\n", ""),
            (Backend(refused), "", refused),
        ],
    );
}

/// On a port with STLS the client received a greeting before TLS.
#[test]
fn hides_the_backends_greeting_after_stls() {
    play(
        &facts(Service::POP3_STARTTLS),
        &deep_options(Protocol::Pop),
        &[
            (Client("CAPA\r\n"), "", ""),
            (Backend("+OK hello\r\n"), "CAPA\r\n", ""),
            (
                Backend("+OK\r\nUSER\r\n.\r\n"),
                "",
                &format!("+OK\r\nUSER\r\n{DEEP}.\r\n"),
            ),
        ],
    );
}

/// A client may skip spaces around the name of a mechanism.
#[test]
fn removes_mechanisms_with_spaces_around_them() {
    play(
        &facts(Service::POP3S),
        &options(Protocol::Pop),
        &[
            (Backend("+OK hello\r\n"), "", "+OK hello\r\n"),
            (Client("AUTH\r\n"), "AUTH\r\n", ""),
            (
                Backend("+OK\r\nPLAIN\r\n EXTERNAL\r\nSCRAM-SHA-1-PLUS \r\n.\r\n"),
                "",
                "+OK\r\nPLAIN\r\n.\r\n",
            ),
        ],
    );
}
