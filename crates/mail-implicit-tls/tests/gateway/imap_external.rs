//! SASL EXTERNAL of IMAP: by a mapping of the gateway only.

use mail_implicit_tls::{
    gateway::{Event, ExternalLogin, MasterUser, Mechanism, Refusal},
    service::{Protocol, Service},
};

use crate::script::{Backend, Client, certified, facts, options, play};

const GREETING: &str = "* OK [CAPABILITY IMAP4rev1 ID] hello\r\n";
const REFUSED: &str = "a NO [AUTHORIZATIONFAILED] not permitted by a certificate\r\n";

/// A backend may take EXTERNAL for the login of the gateway itself.
#[test]
fn passes_no_external_without_a_mapped_certificate() {
    let certified = certified(Service::IMAPS, "alice");
    let anyone = facts(Service::IMAPS);
    let mapped = options(Protocol::Imap).with_external(ExternalLogin::External);
    let greeting = "* OK [CAPABILITY IMAP4rev1 AUTH=EXTERNAL] hello\r\n";
    let edited = "* OK [CAPABILITY IMAP4rev1] hello\r\n";
    for command in [
        "a AUTHENTICATE EXTERNAL\r\n",
        "a authenticate external =\r\n",
        "a AUTHENTICATE EXTERNAL YWxpY2U=\r\n",
    ] {
        for (facts, options) in [(&anyone, &mapped), (&certified, &options(Protocol::Imap))] {
            let ended = play(
                facts,
                options,
                &[
                    (Backend(greeting), "", edited),
                    (Client(command), "", REFUSED),
                ],
            );
            let failed = Event::LoginFailed {
                mechanism: Mechanism::EXTERNAL,
            };
            assert_eq!(ended.events, [failed, Event::Refused(Refusal::External)]);
        }
    }
}

#[test]
fn passes_external_with_the_identity_of_the_certificate() {
    let options = options(Protocol::Imap).with_external(ExternalLogin::External);
    let mut facts = certified(Service::IMAPS, "alice");
    facts.record.cipher_suite = None;
    let greeting = "* OK [CAPABILITY IMAP4rev1 ID AUTH=EXTERNAL] hello\r\n";
    for said in [
        "a AUTHENTICATE EXTERNAL =\r\n",
        "a AUTHENTICATE EXTERNAL YWxpY2U=\r\n",
    ] {
        let ended = play(
            &facts,
            &options,
            &[
                (Backend(greeting), "", greeting),
                (Client(said), "a AUTHENTICATE EXTERNAL\r\n", ""),
                (Backend("+ \r\n"), "YWxpY2U=\r\n", ""),
                (
                    Backend("a OK [CAPABILITY IMAP4rev1] in\r\n"),
                    "",
                    "a OK [CAPABILITY IMAP4rev1] in\r\n",
                ),
            ],
        );
        assert_eq!(
            ended.events,
            [Event::LoggedIn {
                mechanism: Mechanism::EXTERNAL
            }]
        );
        assert!(ended.is_pipe);
    }
}

#[test]
fn asks_for_the_response_and_logs_in_as_master_user() {
    let master = MasterUser::try_new("master", "secret".to_owned()).unwrap();
    let options = options(Protocol::Imap).with_external(ExternalLogin::Plain(master));
    let edited = "* OK [CAPABILITY IMAP4rev1 ID AUTH=EXTERNAL] hello\r\n";
    let id = "proxy ID (\"tls\" \"TLS_AES_128_GCM_SHA256\")\r\n";
    let ended = play(
        &certified(Service::IMAPS, "alice"),
        &options,
        &[
            (Backend(GREETING), "", edited),
            (Client("a AUTHENTICATE EXTERNAL\r\n"), "", "+ \r\n"),
            (Client("Ym9i\r\n"), "", REFUSED),
            (
                Client("a AUTHENTICATE EXTERNAL\r\nb NOOP\r\n"),
                "",
                &format!("+ \r\n{REFUSED}"),
            ),
            (
                Client("a AUTHENTICATE EXTERNAL\r\n*\r\n"),
                "",
                "+ \r\na BAD cancelled\r\n",
            ),
            (Client("a AUTHENTICATE EXTERNAL\r\n\r\n"), id, "+ \r\n"),
            (
                Backend("* ID NIL\r\nproxy OK\r\n"),
                "a AUTHENTICATE PLAIN\r\n",
                "",
            ),
            // alice, NUL, master, NUL, secret
            (Backend("+ \r\n"), "YWxpY2UAbWFzdGVyAHNlY3JldA==\r\n", ""),
            (Backend("a NO wrong\r\n"), "", "a NO wrong\r\n"),
            (
                Client("a AUTHENTICATE EXTERNAL =\r\n"),
                "a AUTHENTICATE PLAIN\r\n",
                "",
            ),
            (
                Backend("a NO [CANNOT] no PLAIN\r\n"),
                "",
                "a NO [CANNOT] no PLAIN\r\n",
            ),
        ],
    );
    let failed = Event::LoginFailed {
        mechanism: Mechanism::EXTERNAL,
    };
    let refused = Event::Refused(Refusal::External);
    let expected = [
        &failed, &refused, &failed, &refused, &failed, &refused, &failed, &failed,
    ];
    assert!(ended.events.iter().eq(expected));
}
