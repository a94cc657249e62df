//! Logins of IMAP: each passes, and the session becomes a pipe.

use mail_implicit_tls::{
    gateway::{AfterLogin, Event, Mechanism, Refusal},
    service::{Protocol, Service},
};

use crate::script::{Backend, Client, facts, imap, mechanism, options, play};

const GREETING: &str = "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hello\r\n";
const LOGGED_IN: &str = "a OK [CAPABILITY IMAP4rev1 IDLE] logged in\r\n";

#[test]
fn passes_a_login_and_becomes_a_pipe() {
    let ended = imap(&[
        (Backend(GREETING), "", GREETING),
        (
            Client("a LOGIN alice secret\r\n"),
            "a LOGIN alice secret\r\n",
            "",
        ),
        (Backend(LOGGED_IN), "", LOGGED_IN),
        (Client("\0anything\n"), "\0anything\n", ""),
        (Backend("anything\r\0"), "", "anything\r\0"),
    ]);
    let mechanism = Mechanism::PASSWORD;
    assert_eq!(ended.events, [Event::LoggedIn { mechanism }]);
    assert!(ended.is_pipe && !ended.is_over && ended.error.is_none());
}

/// nginx#1590: pipelined commands in one segment, split at every octet.
#[test]
fn passes_login_and_select_of_one_segment() {
    let ended = imap(&[
        (Backend(GREETING), "", GREETING),
        (
            Client("a LOGIN alice secret\r\nb SELECT INBOX\r\nc {"),
            "a LOGIN alice secret\r\n",
            "",
        ),
        (Backend(LOGGED_IN), "b SELECT INBOX\r\nc {", LOGGED_IN),
        (
            Backend("* 1 EXISTS\r\nb OK\r\n"),
            "",
            "* 1 EXISTS\r\nb OK\r\n",
        ),
    ]);
    assert!(ended.is_pipe);
}

#[test]
fn becomes_a_pipe_within_the_backends_segment() {
    let octets = format!("{LOGGED_IN}* 3 EXI");
    let ended = imap(&[
        (Backend(GREETING), "", GREETING),
        (Client("a LOGIN x y\r\n"), "a LOGIN x y\r\n", ""),
        (Backend(&octets), "", &octets),
    ]);
    assert!(ended.is_pipe);
}

/// Trouble of the backend, or too many sessions of the user: fail2ban must not lock these users out.
#[test]
fn counts_no_failure_where_the_password_was_not_judged() {
    for (state, is_failed) in [
        ("NO [UNAVAILABLE] no", false),
        ("no [unavailable] no", false),
        ("NO [SERVERBUG] no", false),
        ("NO [INUSE] no", false),
        ("NO [LIMIT] no", false),
        ("NO [PRIVACYREQUIRED] no", false),
        ("NO [AUTHENTICATIONFAILED] no", true),
        ("NO [AUTHORIZATIONFAILED] no", true),
        ("NO [EXPIRED] no", true),
        ("NO [UNAVAILABLEX] no", true),
        ("NO [UNAVAILABLE", true),
        ("NO UNAVAILABLE] no", true),
        ("NO no", true),
        ("BAD no", true),
        ("BAD", true),
    ] {
        let replies = ["a", "b", "c"].map(|tag| format!("{tag} {state}\r\n"));
        let [a, b, c] = replies.each_ref().map(String::as_str);
        let login = "d OK [CAPABILITY IMAP4rev1] in\r\n";
        let ended = imap(&[
            (Backend(GREETING), "", GREETING),
            (Client("a LOGIN x y\r\n"), "a LOGIN x y\r\n", ""),
            (Backend(a), "", a),
            (Client("b LOGIN {1}\r\n"), "b LOGIN {1}\r\n", ""),
            (Backend(b), "", b),
            (
                Client("c AUTHENTICATE PLAIN\r\n"),
                "c AUTHENTICATE PLAIN\r\n",
                "",
            ),
            (Backend("+ \r\n"), "", "+ \r\n"),
            (Client("AGEAYg==\r\n"), "AGEAYg==\r\n", ""),
            (Backend(c), "", c),
            (Client("d LOGIN x z\r\n"), "d LOGIN x z\r\n", ""),
            (Backend(login), "", login),
        ]);
        let password = Mechanism::PASSWORD;
        let failed = [&password, &password, &mechanism("PLAIN")];
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
        assert_eq!(ended.events, expected, "{state:?}");
    }
}

#[test]
fn passes_each_mechanism_with_its_exchange() {
    for (name, exchange) in [
        ("PLAIN", vec![("", "AGFsaWNlAHNlY3JldA==")]),
        (
            "LOGIN",
            vec![("VXNlcm5hbWU6", "YWxpY2U="), ("UGFzc3dvcmQ6", "c2VjcmV0")],
        ),
        (
            "SCRAM-SHA-256",
            vec![
                ("", "biwsbj1hLHI9YQ=="),
                ("cj1hYg==", "Yz1iaXdz"),
                ("dj1hYg==", ""),
            ],
        ),
        ("XOAUTH2", vec![("", "dXNlcj1hAWF1dGg9QmVhcmVyIHgBAQ==")]),
        (
            "OAUTHBEARER",
            vec![("", "bixhPWEsAWF1dGg9QmVhcmVyIHgBAQ==")],
        ),
    ] {
        let command = format!("a authenticate {}\r\n", name.to_lowercase());
        let mut script = vec![
            (Backend(GREETING), String::new(), GREETING.to_owned()),
            (Client(&command), command.clone(), String::new()),
        ];
        let lines: Vec<_> = exchange
            .iter()
            .map(|(asked, said)| (format!("+ {asked}\r\n"), format!("{said}\r\n")))
            .collect();
        for (asked, said) in &lines {
            script.push((Backend(asked), String::new(), asked.clone()));
            script.push((Client(said), said.clone(), String::new()));
        }
        script.push((Backend(LOGGED_IN), String::new(), LOGGED_IN.to_owned()));
        let script: Vec<_> = script
            .iter()
            .map(|(from, backend, client)| (*from, backend.as_str(), client.as_str()))
            .collect();
        let ended = imap(&script);
        let mechanism = mechanism(name);
        assert_eq!(ended.events, [Event::LoggedIn { mechanism }]);
        assert!(ended.is_pipe, "{name}");
    }
}

#[test]
fn passes_an_initial_response() {
    let command = "a AUTHENTICATE PLAIN AGFsaWNlAHNlY3JldA==\r\n";
    let ended = imap(&[
        (Backend(GREETING), "", GREETING),
        (Client(command), command, ""),
        (Backend(LOGGED_IN), "", LOGGED_IN),
    ]);
    assert!(ended.is_pipe);
}

#[test]
fn reports_failed_and_cancelled_logins() {
    let ended = imap(&[
        (Backend(GREETING), "", GREETING),
        (
            Client("a LOGIN alice wrong\r\n"),
            "a LOGIN alice wrong\r\n",
            "",
        ),
        (
            Backend("a NO [AUTHENTICATIONFAILED] no\r\n"),
            "",
            "a NO [AUTHENTICATIONFAILED] no\r\n",
        ),
        (
            Client("b AUTHENTICATE PLAIN\r\n"),
            "b AUTHENTICATE PLAIN\r\n",
            "",
        ),
        (Backend("+ \r\n"), "", "+ \r\n"),
        (Client("*\r\n"), "*\r\n", ""),
        (Backend("b BAD cancelled\r\n"), "", "b BAD cancelled\r\n"),
        (
            Client("c AUTHENTICATE XOAUTH2 eA==\r\n"),
            "c AUTHENTICATE XOAUTH2 eA==\r\n",
            "",
        ),
        (
            Backend("+ eyJzdGF0dXMiOiI0MDAifQ==\r\n"),
            "",
            "+ eyJzdGF0dXMiOiI0MDAifQ==\r\n",
        ),
        (Client("\r\n"), "\r\n", ""),
        (Backend("c NO failed\r\n"), "", "c NO failed\r\n"),
    ]);
    let failed = [
        Mechanism::PASSWORD,
        mechanism("PLAIN"),
        mechanism("XOAUTH2"),
    ];
    assert_eq!(
        ended.events,
        failed.map(|mechanism| Event::LoginFailed { mechanism })
    );
    assert!(!ended.is_pipe && !ended.is_over);
}

/// RFC 3501 section 6.2.2: the line after AUTHENTICATE is the response, whatever it looks like.
#[test]
fn takes_a_pipelined_command_for_the_bad_response_that_it_is() {
    for line in ["b NOOP", "b LOGIN {5}", "b  ", "=\"", "b\u{e9}"] {
        let pipelined = format!("a AUTHENTICATE PLAIN\r\n{line}\r\nc NOOP\r\n");
        let mut options = options(Protocol::Imap);
        options = options.allow_utf8_before_login();
        let ended = play(
            &facts(Service::IMAPS),
            &options,
            &[
                (Backend(GREETING), "", GREETING),
                (Client(&pipelined), "a AUTHENTICATE PLAIN\r\n", ""),
                (Backend("+ \r\n"), "*\r\n", "+ \r\n"),
                (
                    Backend("a BAD cancelled\r\n"),
                    "c NOOP\r\n",
                    "a BAD cancelled\r\n",
                ),
                (Backend("c OK\r\n"), "", "c OK\r\n"),
            ],
        );
        let mechanism = mechanism("PLAIN");
        let expected = [
            Event::Refused(Refusal::Syntax),
            Event::LoginFailed { mechanism },
        ];
        assert_eq!(ended.events, expected, "{line}");
    }
}

/// RFC 4954 section 4: at most 12,288 octets, without NUL and line ends.
#[test]
fn refuses_evil_base64() {
    let longest = "A".repeat(12_288);
    for (line, sent) in [
        (longest.clone(), format!("{longest}\r\n")),
        (format!("{longest}A"), "*\r\n".to_owned()),
        ("A B".to_owned(), "*\r\n".to_owned()),
        ("**".to_owned(), "*\r\n".to_owned()),
    ] {
        let said = format!("{line}\r\n");
        imap(&[
            (Backend(GREETING), "", GREETING),
            (
                Client("a AUTHENTICATE PLAIN\r\n"),
                "a AUTHENTICATE PLAIN\r\n",
                "",
            ),
            (Backend("+ \r\n"), "", "+ \r\n"),
            (Client(&said), &sent, ""),
        ]);
    }
    for line in ["AA\0A\r\n", "AA\rA\r\n", "AA\nAA\r\n"] {
        let ended = imap(&[
            (Backend(GREETING), "", GREETING),
            (
                Client("a AUTHENTICATE PLAIN\r\n"),
                "a AUTHENTICATE PLAIN\r\n",
                "",
            ),
            (Backend("+ \r\n"), "", "+ \r\n"),
            (
                Client(line),
                "",
                "* BYE command: character that is not allowed at byte 2\r\n",
            ),
        ]);
        assert!(ended.error.is_some(), "{line:?}");
    }
}

#[test]
fn refuses_malformed_initial_responses_and_bound_mechanisms() {
    let syntax = "a BAD mechanism and base64 expected\r\n";
    let plus = "a NO mechanism is not available through this proxy\r\n";
    let long = format!("a AUTHENTICATE PLAIN {}\r\n", "A".repeat(12_289));
    for (command, answer) in [
        ("a AUTHENTICATE\r\n", syntax),
        ("a AUTHENTICATE PLAIN A.B\r\n", syntax),
        ("a AUTHENTICATE PLAIN AA== BB==\r\n", syntax),
        ("a AUTHENTICATE PL.AIN\r\n", syntax),
        ("a AUTHENTICATE ABCDEFGHIJKLMNOPQRSTU\r\n", syntax),
        (&long, syntax),
        ("a AUTHENTICATE SCRAM-SHA-256-PLUS\r\n", plus),
        ("a AUTHENTICATE scram-sha-1-plus biws\r\n", plus),
    ] {
        let ended = imap(&[
            (Backend(GREETING), "", GREETING),
            (Client(command), "", answer),
        ]);
        assert_eq!(ended.events.len(), 1, "{command}");
    }
}

/// RFC 8437: a client that can leave the authenticated state could begin again within the pipe.
#[test]
fn stays_parsed_if_the_backend_has_unauthenticate() {
    let list = "a OK [CAPABILITY IMAP4rev1 UNAUTHENTICATE COMPRESS=DEFLATE ID] in\r\n";
    let ended = imap(&[
        (Backend(GREETING), "", GREETING),
        (
            Client("a LOGIN x y\r\nb UNAUTHENTICATE\r\n"),
            "a LOGIN x y\r\n",
            "",
        ),
        (
            Backend(list),
            "",
            "a OK [CAPABILITY IMAP4rev1 ID] in\r\nb NO not available through this proxy\r\n",
        ),
        (
            Client("c COMPRESS DEFLATE\r\n"),
            "",
            "c NO not available through this proxy\r\n",
        ),
        (
            Client("d ID (\"tls\" \"A_LIE\")\r\n"),
            "d ID (\"tls\" \"TLS_AES_128_GCM_SHA256\")\r\n",
            "",
        ),
        (Backend("* ID NIL\r\nd OK\r\n"), "", "* ID NIL\r\nd OK\r\n"),
        (Client("e IDLE\r\n"), "e IDLE\r\n", ""),
        (
            Backend("+ idling\r\n* 4 EXISTS\r\n"),
            "",
            "+ idling\r\n* 4 EXISTS\r\n",
        ),
        (Client("DONE\r\n"), "DONE\r\n", ""),
        (Backend("e OK\r\n"), "", "e OK\r\n"),
    ]);
    assert!(!ended.is_pipe && ended.error.is_none());
}

#[test]
fn stays_parsed_until_the_capabilities_after_login_are_known() {
    let ended = imap(&[
        (Backend(GREETING), "", GREETING),
        (Client("a LOGIN x y\r\n"), "a LOGIN x y\r\n", ""),
        (Backend("a OK in\r\n"), "", "a OK in\r\n"),
        (
            Client("b COMPRESS DEFLATE\r\n"),
            "",
            "b NO not available through this proxy\r\n",
        ),
        (Client("c CAPABILITY\r\n"), "c CAPABILITY\r\n", ""),
        (
            Backend("* CAPABILITY IMAP4rev1\r\n"),
            "",
            "* CAPABILITY IMAP4rev1\r\n",
        ),
        (Backend("c OK done\r\n"), "", "c OK done\r\n"),
        (
            Client("d COMPRESS DEFLATE\r\n"),
            "d COMPRESS DEFLATE\r\n",
            "",
        ),
    ]);
    assert!(ended.is_pipe);
}

/// RFC 4978, 2177, 5161: in a pipe all extensions pass.
#[test]
fn passes_compress_idle_and_enable_after_login() {
    let commands = "b COMPRESS DEFLATE\r\n";
    let ended = imap(&[
        (Backend(GREETING), "", GREETING),
        (Client("a LOGIN x y\r\n"), "a LOGIN x y\r\n", ""),
        (Backend(LOGGED_IN), "", LOGGED_IN),
        (
            Client("c ENABLE UTF8=ACCEPT\r\nd IDLE\r\n"),
            "c ENABLE UTF8=ACCEPT\r\nd IDLE\r\n",
            "",
        ),
        (Client(commands), commands, ""),
        (Backend("b OK\r\n\u{1}\u{2}"), "", "b OK\r\n\u{1}\u{2}"),
    ]);
    assert!(ended.is_pipe);
}

#[test]
fn stays_parsed_to_the_end_by_option() {
    let options = options(Protocol::Imap).with_after_login(AfterLogin::Parsed);
    let message = "c APPEND INBOX {4}\r\n";
    let ended = play(
        &facts(Service::IMAPS),
        &options,
        &[
            (Backend(GREETING), "", GREETING),
            (Client("a LOGIN x y\r\n"), "a LOGIN x y\r\n", ""),
            (Backend(LOGGED_IN), "", LOGGED_IN),
            (Client(message), message, ""),
            (Backend("+ go\r\n"), "", "+ go\r\n"),
            (Client("a\r\nb\r\nd NOOP\r\n"), "a\r\nb\r\n", ""),
            (Backend("c OK\r\n"), "d NOOP\r\n", "c OK\r\n"),
            (
                Backend("* CAPABILITY IMAP4rev1 COMPRESS=DEFLATE AUTH=X-PLUS\r\nd OK\r\n"),
                "",
                "* CAPABILITY IMAP4rev1\r\nd OK\r\n",
            ),
            (Client("e LOGOUT\r\n"), "e LOGOUT\r\n", ""),
            (Backend("* BYE\r\ne OK\r\n"), "", "* BYE\r\ne OK\r\n"),
        ],
    );
    assert!(!ended.is_pipe && ended.is_over);
}
