//! Capabilities of IMAP: edited at each place at which they can be.

use mail_implicit_tls::{
    gateway::ExternalLogin,
    service::{Protocol, Service},
};

use crate::script::{
    Backend, Client, advertisement, certified, deep_options, facts, options, play,
};

const ALL: &str = "IMAP4rev1 STARTTLS logindisabled AUTH=PLAIN AUTH=SCRAM-SHA-256 AUTH=SCRAM-SHA-256-PLUS \
                   auth=scram-sha-1-plus AUTH=EXTERNAL UNAUTHENTICATE XCLIENT XFORWARD DEEP SASL-IR";
const EDITED: &str = "IMAP4rev1 AUTH=PLAIN AUTH=SCRAM-SHA-256 SASL-IR DEEP ID";

/// Mailu#2938, RFC 5802 section 6: at all places or at none.
#[test]
fn edits_capabilities_at_each_place() {
    let said = |text: &str| [text.replace("ALL", ALL), text.replace("ALL", EDITED)];
    let greeting = said("* OK [CAPABILITY ALL] hello\r\n");
    let places = [
        "* CAPABILITY ALL\r\n",
        "* capability ALL\r\n",
        "* OK [CAPABILITY ALL] \r\n",
        "* NO [capability ALL] changed\r\n",
        "* BAD [CAPABILITY ALL]\r\n",
        "a OK [CAPABILITY ALL] done\r\n",
    ];
    for place in places {
        let [from, to] = said(place);
        let ended = play(
            &facts(Service::IMAPS),
            &deep_options(Protocol::Imap),
            &[
                (Backend(&greeting[0]), "", &greeting[1]),
                (Client("a CAPABILITY\r\n"), "a CAPABILITY\r\n", ""),
                (Backend(&from), "", &to),
            ],
        );
        assert!(ended.error.is_none(), "{place}");
    }
    let [failed, edited] = said("a NO [CAPABILITY ALL] wrong\r\n");
    let [asked, edited_asked] = said("+ [CAPABILITY ALL] go\r\n");
    let [bye, edited_bye] = said("* BYE [CAPABILITY ALL] x\r\n");
    play(
        &facts(Service::IMAPS),
        &deep_options(Protocol::Imap),
        &[
            (Backend(&greeting[0]), "", &greeting[1]),
            // ID of the gateway comes first only where the backend has ID.
            (
                Client("a AUTHENTICATE PLAIN\r\n"),
                "a AUTHENTICATE PLAIN\r\n",
                "",
            ),
            (Backend(&asked), "", &edited_asked),
            (Client("eA==\r\n"), "eA==\r\n", ""),
            (Backend(&failed), "", &edited),
            (Backend(&bye), "", &edited_bye),
        ],
    );
}

#[test]
fn edits_the_capabilities_of_the_login() {
    let list = "a OK [CAPABILITY IMAP4rev1 LITERAL+ UNAUTHENTICATE AUTH=EXTERNAL STARTTLS] in\r\n";
    play(
        &facts(Service::IMAPS),
        &deep_options(Protocol::Imap),
        &[
            (Backend("* OK hi\r\n"), "", "* OK hi\r\n"),
            (Client("a LOGIN x y\r\n"), "a LOGIN x y\r\n", ""),
            (
                Backend("* CAPABILITY IMAP4rev1 STARTTLS\r\n"),
                "",
                "* CAPABILITY IMAP4rev1 DEEP ID\r\n",
            ),
            (
                Backend(list),
                "",
                "a OK [CAPABILITY IMAP4rev1 LITERAL+ DEEP ID] in\r\n",
            ),
        ],
    );
}

#[test]
fn adds_nothing_twice_and_leaves_other_texts() {
    for (from, to) in [
        (
            "* OK [CAPABILITY IMAP4rev1 ID deep] x\r\n",
            "* OK [CAPABILITY IMAP4rev1 DEEP ID] x\r\n",
        ),
        (
            "* OK  [CAPABILITY  IMAP4rev1  STARTTLS ] x\r\n",
            "* OK  [CAPABILITY IMAP4rev1 DEEP ID] x\r\n",
        ),
        ("* OK [CAPABILITY] x\r\n", "* OK [CAPABILITY DEEP ID] x\r\n"),
        (
            "* OK [CAPABILITY IMAP4rev1 STARTTLS\r\n",
            "* OK [CAPABILITY IMAP4rev1 DEEP ID\r\n",
        ),
        (
            "* OK [CAPABILITIES STARTTLS] x\r\n",
            "* OK [CAPABILITIES STARTTLS] x\r\n",
        ),
        (
            "* OK STARTTLS [CAPABILITY STARTTLS]\r\n",
            "* OK STARTTLS [CAPABILITY STARTTLS]\r\n",
        ),
        (
            "* OK [ALERT] CAPABILITY STARTTLS\r\n",
            "* OK [ALERT] CAPABILITY STARTTLS\r\n",
        ),
        (
            "* OK [CAPABILITY AUTH=PLUS AUTH=-PLUSX X-PLUS] x\r\n",
            "* OK [CAPABILITY AUTH=PLUS AUTH=-PLUSX X-PLUS DEEP ID] x\r\n",
        ),
    ] {
        play(
            &facts(Service::IMAPS),
            &deep_options(Protocol::Imap),
            &[(Backend(from), "", to)],
        );
    }
}

#[test]
fn leaves_the_backends_deep_without_an_own_status() {
    play(
        &facts(Service::IMAPS),
        &options(Protocol::Imap),
        &[(
            Backend("* OK [CAPABILITY IMAP4rev1 DEEP ID STARTTLS] x\r\n"),
            "",
            "* OK [CAPABILITY IMAP4rev1 DEEP ID] x\r\n",
        )],
    );
}

#[test]
fn advertises_external_to_clients_with_a_certificate_only() {
    let options = options(Protocol::Imap).with_external(ExternalLogin::External);
    let plain = "* OK [CAPABILITY IMAP4rev1] x\r\n";
    let backend = "* OK [CAPABILITY IMAP4rev1 AUTH=EXTERNAL] x\r\n";
    let external = "* OK [CAPABILITY IMAP4rev1 AUTH=EXTERNAL] x\r\n";
    for (facts, to) in [
        (facts(Service::IMAPS), plain),
        (certified(Service::IMAPS, "alice"), external),
    ] {
        play(&facts, &options, &[(Backend(backend), "", to)]);
        play(&facts, &options, &[(Backend(plain), "", to)]);
    }
}

/// On a port with STARTTLS the client received a greeting before TLS.
#[test]
fn hides_the_backends_greeting_after_starttls() {
    let options = deep_options(Protocol::Imap).with_advertisement(advertisement());
    play(
        &facts(Service::IMAP_STARTTLS),
        &options,
        &[
            (Client("a CAPABILITY\r\n"), "", ""),
            (
                Backend("* OK [CAPABILITY IMAP4rev1] hello\r\n"),
                "a CAPABILITY\r\n",
                "",
            ),
            (
                Backend("* CAPABILITY IMAP4rev1\r\na OK done\r\n"),
                "",
                "* CAPABILITY IMAP4rev1 DEEP ID\r\na OK done\r\n",
            ),
        ],
    );
}

/// RFC 8437: a backend that had UNAUTHENTICATE before login may have it after login, though it does not name it there.
#[test]
fn parses_a_session_of_a_backend_that_had_unauthenticate_before_login() {
    for (before, is_pipe) in [("IMAP4rev1", true), ("IMAP4rev1 UNAUTHENTICATE", false)] {
        let greeting = format!("* OK [CAPABILITY {before}] hello\r\n");
        let logged_in = "a OK [CAPABILITY IMAP4rev1] in\r\n";
        let ended = play(
            &facts(Service::IMAPS),
            &options(Protocol::Imap),
            &[
                (
                    Backend(&greeting),
                    "",
                    "* OK [CAPABILITY IMAP4rev1] hello\r\n",
                ),
                (Client("a LOGIN x y\r\n"), "a LOGIN x y\r\n", ""),
                (Backend(logged_in), "", logged_in),
            ],
        );
        assert_eq!((ended.is_pipe, ended.error), (is_pipe, None), "{before}");
    }
}
