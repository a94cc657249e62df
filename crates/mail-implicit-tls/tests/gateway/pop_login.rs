//! Logins of POP: each passes, and the session becomes a pipe.

use mail_implicit_tls::{
    gateway::{Event, ExternalLogin, MasterUser, Mechanism, Refusal},
    service::{Protocol, Service},
};

use crate::script::{Backend, Client, certified, mechanism, options, play, pop};

const GREETING: &str = "+OK hello <1.2@mail.example.org>\r\n";

#[test]
fn passes_user_and_pass_and_becomes_a_pipe() {
    let ended = pop(&[
        (Backend(GREETING), "", GREETING),
        (
            Client("USER alice\r\npass se cret \r\nSTAT\r\nX\n"),
            "USER alice\r\n",
            "",
        ),
        (Backend("+OK\r\n"), "pass se cret \r\n", "+OK\r\n"),
        (Backend("+OK in\r\n+OK 1"), "STAT\r\nX\n", "+OK in\r\n+OK 1"),
        (Client("\0\r"), "\0\r", ""),
        (Backend("\0\n"), "", "\0\n"),
    ]);
    let mechanism = Mechanism::PASSWORD;
    assert_eq!(ended.events, [Event::LoggedIn { mechanism }]);
    assert!(ended.is_pipe && ended.error.is_none());
}

#[test]
fn passes_apop_and_each_mechanism() {
    let apop = "APOP alice c4c9334bac560ecc979e58001b3e22fb\r\n";
    let ended = pop(&[
        (Backend(GREETING), "", GREETING),
        (Client(apop), apop, ""),
        (Backend("+OK\r\n"), "", "+OK\r\n"),
    ]);
    assert_eq!(
        ended.events,
        [Event::LoggedIn {
            mechanism: Mechanism::APOP
        }]
    );
    for name in [
        "PLAIN",
        "LOGIN",
        "SCRAM-SHA-256",
        "XOAUTH2",
        "OAUTHBEARER",
        "CRAM-MD5",
    ] {
        let command = format!("auth {name}\r\n");
        let initial = format!("AUTH {name} eA==\r\n");
        let ended = pop(&[
            (Backend(GREETING), "", GREETING),
            (Client(&initial), &initial, ""),
            (Backend("-ERR [AUTH] no\r\n"), "", "-ERR [AUTH] no\r\n"),
            (Client(&command), &command, ""),
            (Backend("+ \r\n"), "", "+ \r\n"),
            (Client("eA==\r\n"), "eA==\r\n", ""),
            (Backend("+ eQ==\r\n"), "", "+ eQ==\r\n"),
            (Client("\r\n"), "\r\n", ""),
            (Backend("+OK\r\n"), "", "+OK\r\n"),
        ]);
        let expected = [
            Event::LoginFailed {
                mechanism: mechanism(name),
            },
            Event::LoggedIn {
                mechanism: mechanism(name),
            },
        ];
        assert_eq!(ended.events, expected);
        assert!(ended.is_pipe);
    }
}

/// A mailbox that is in use, or trouble of the backend: fail2ban must not lock these users out.
#[test]
fn counts_no_failure_where_the_password_was_not_judged() {
    for (code, is_failed) in [
        ("[IN-USE] ", false),
        ("[in-use] ", false),
        ("[LOGIN-DELAY] ", false),
        ("[SYS/TEMP] ", false),
        ("[SYS/PERM] ", false),
        ("[AUTH] ", true),
        ("[SYSTEM] ", true),
        ("[SYS/TEMP ", true),
        ("SYS/TEMP ", true),
        ("", true),
    ] {
        let reply = format!("-ERR {code}no\r\n");
        let ended = pop(&[
            (Backend(GREETING), "", GREETING),
            (Client("USER a\r\n"), "USER a\r\n", ""),
            (Backend(&reply), "", &reply),
            (Client("PASS b\r\n"), "PASS b\r\n", ""),
            (Backend(&reply), "", &reply),
            (Client("AUTH PLAIN\r\n"), "AUTH PLAIN\r\n", ""),
            (Backend("+ \r\n"), "", "+ \r\n"),
            (Client("AGEAYg==\r\n"), "AGEAYg==\r\n", ""),
            (Backend(&reply), "", &reply),
            (Client("AUTH PLAIN\r\n"), "AUTH PLAIN\r\n", ""),
            (Backend("+ \r\n"), "", "+ \r\n"),
            (Backend(&reply), "", &reply),
            (Client("PASS b\r\n"), "PASS b\r\n", ""),
            (Backend("+OK\r\n"), "", "+OK\r\n"),
        ]);
        let password = Mechanism::PASSWORD;
        let failed = [
            &password,
            &password,
            &mechanism("PLAIN"),
            &mechanism("PLAIN"),
        ];
        let mut expected: Vec<_> = failed
            .into_iter()
            .filter(|_| is_failed)
            .map(|mechanism| Event::LoginFailed {
                mechanism: mechanism.clone(),
            })
            .collect();
        expected.push(Event::LoggedIn {
            mechanism: password.clone(),
        });
        assert_eq!(ended.events, expected, "{reply:?}");
    }
}

#[test]
fn reports_failed_and_cancelled_logins() {
    let ended = pop(&[
        (Backend(GREETING), "", GREETING),
        (Client("USER a\r\n"), "USER a\r\n", ""),
        (Backend("-ERR who\r\n"), "", "-ERR who\r\n"),
        (Client("PASS b\r\n"), "PASS b\r\n", ""),
        (Backend("-ERR [AUTH] no\r\n"), "", "-ERR [AUTH] no\r\n"),
        (Client("AUTH PLAIN\r\n"), "AUTH PLAIN\r\n", ""),
        (Backend("+ \r\n"), "", "+ \r\n"),
        (Client("*\r\n"), "*\r\n", ""),
        (Backend("-ERR cancelled\r\n"), "", "-ERR cancelled\r\n"),
        (Client("AUTH X\r\n"), "AUTH X\r\n", ""),
        (
            Backend("+ \r\n-ERR too slow\r\n"),
            "",
            "+ \r\n-ERR too slow\r\n",
        ),
        (Client("QUIT\r\n"), "QUIT\r\n", ""),
    ]);
    let failed = [
        Mechanism::PASSWORD,
        Mechanism::PASSWORD,
        mechanism("PLAIN"),
        mechanism("X"),
    ];
    assert_eq!(
        ended.events,
        failed.map(|mechanism| Event::LoginFailed { mechanism })
    );
}

/// RFC 5034 section 4: the line after AUTH is the response, whatever it looks like.
#[test]
fn takes_a_pipelined_command_for_the_bad_response_that_it_is() {
    let longest = "A".repeat(12_288);
    for (line, sent) in [
        ("NOOP x".to_owned(), "*"),
        ("A B".to_owned(), "*"),
        ("\u{e9}".to_owned(), "*"),
        (format!("{longest}A"), "*"),
        (longest.clone(), longest.as_str()),
        ("QUIT".to_owned(), "QUIT"),
    ] {
        let said = format!("AUTH PLAIN\r\n{line}\r\nCAPA\r\n");
        let ended = pop(&[
            (Backend(GREETING), "", GREETING),
            (Client(&said), "AUTH PLAIN\r\n", ""),
            (Backend("+ \r\n"), &format!("{sent}\r\n"), "+ \r\n"),
            (Backend("-ERR no\r\n"), "CAPA\r\n", "-ERR no\r\n"),
        ]);
        let mut expected = vec![Event::LoginFailed {
            mechanism: mechanism("PLAIN"),
        }];
        if sent == "*" {
            expected.insert(0, Event::Refused(Refusal::Syntax));
        }
        assert_eq!(ended.events, expected);
    }
}

#[test]
fn refuses_malformed_initial_responses_and_bound_mechanisms() {
    let syntax = "-ERR mechanism and base64 expected\r\n";
    let plus = "-ERR mechanism is not available through this gateway\r\n";
    let longest = "A".repeat(12_288);
    let long = format!("AUTH PLAIN {longest}A\r\n");
    for (command, answer) in [
        ("AUTH PLAIN A.B\r\n", syntax),
        ("AUTH PLAIN \r\n", syntax),
        ("AUTH  PLAIN\r\n", syntax),
        ("AUTH PLAIN AA== BB==\r\n", syntax),
        ("AUTH PL.AIN\r\n", syntax),
        (&long, syntax),
        ("AUTH SCRAM-SHA-256-PLUS\r\n", plus),
        ("auth scram-sha-1-plus biws\r\n", plus),
    ] {
        let ended = pop(&[
            (Backend(GREETING), "", GREETING),
            (Client(command), "", answer),
        ]);
        assert_eq!(ended.events.len(), 1, "{command}");
    }
    let longest = format!("AUTH PLAIN {longest}\r\n");
    pop(&[
        (Backend(GREETING), "", GREETING),
        (Client(&longest), &longest, ""),
    ]);
}

#[test]
fn logs_in_by_a_certificate() {
    let refused = "-ERR [AUTH] not permitted by a certificate\r\n";
    let facts = certified(Service::POP3S, "alice");
    // Without a mapping, or without a certificate, whatever the backend would say.
    for command in [
        "AUTH EXTERNAL\r\n",
        "AUTH EXTERNAL =\r\n",
        "auth external YWxpY2U=\r\n",
    ] {
        for (facts, options) in [
            (&facts, options(Protocol::Pop)),
            (
                &crate::script::facts(Service::POP3S),
                options(Protocol::Pop).with_external(ExternalLogin::External),
            ),
        ] {
            let ended = play(
                facts,
                &options,
                &[
                    (Backend(GREETING), "", GREETING),
                    (Client(command), "", refused),
                ],
            );
            let failed = Event::LoginFailed {
                mechanism: Mechanism::EXTERNAL,
            };
            assert_eq!(ended.events, [failed, Event::Refused(Refusal::External)]);
        }
    }
    let external = options(Protocol::Pop).with_external(ExternalLogin::External);
    let ended = play(
        &facts,
        &external,
        &[
            (Backend(GREETING), "", GREETING),
            (Client("AUTH EXTERNAL\r\n"), "", "+ \r\n"),
            (Client("Ym9i\r\n"), "", refused),
            (Client("AUTH EXTERNAL\r\n"), "", "+ \r\n"),
            (Client("*\r\n"), "", "-ERR cancelled\r\n"),
            (Client("AUTH EXTERNAL\r\n"), "", "+ \r\n"),
            (Client("\r\n"), "AUTH EXTERNAL\r\n", ""),
            (Backend("+ \r\n"), "YWxpY2U=\r\n", ""),
            (Backend("+OK\r\n"), "", "+OK\r\n"),
        ],
    );
    assert!(ended.is_pipe);
    // PLAIN of RFC 4616: alice, NUL, master, NUL, secret.
    let master = MasterUser::try_new("master", "secret".to_owned()).unwrap();
    let plain = options(Protocol::Pop).with_external(ExternalLogin::Plain(master));
    let ended = play(
        &facts,
        &plain,
        &[
            (Backend(GREETING), "", GREETING),
            (Client("AUTH EXTERNAL =\r\n"), "AUTH PLAIN\r\n", ""),
            (Backend("-ERR no\r\n"), "", "-ERR no\r\n"),
            (Client("AUTH EXTERNAL YWxpY2U=\r\n"), "AUTH PLAIN\r\n", ""),
            (Backend("+ \r\n"), "YWxpY2UAbWFzdGVyAHNlY3JldA==\r\n", ""),
            (Backend("+OK\r\n"), "", "+OK\r\n"),
        ],
    );
    let external = Mechanism::EXTERNAL;
    let expected = [
        Event::LoginFailed {
            mechanism: external.clone(),
        },
        Event::LoggedIn {
            mechanism: external,
        },
    ];
    assert_eq!(ended.events, expected);
}
