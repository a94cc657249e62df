//! The project's own vectors pass, are all there, and are what the independent source generates.

use conformance::{Options, Report, known_answers, repository, run};

/// Each vector file, and the number of its cases: whoever adds or removes cases changes the number here as well.
const FILES: &[(&str, usize)] = &[
    ("crates/authres-tls/vectors/evaluate.json", 166),
    ("crates/authres-tls/vectors/header.json", 416),
    ("crates/authres-tls/vectors/lenient.json", 53),
    ("crates/authres-tls/vectors/real.json", 135),
    ("crates/authres-tls/vectors/strip.json", 88),
    ("crates/authres-tls/vectors/tls.json", 219),
    ("crates/authres-tls/vectors/write.json", 1391),
    (
        "crates/conformance/mail-implicit-tls/vectors/autoconfig.json",
        54,
    ),
    (
        "crates/conformance/mail-implicit-tls/vectors/client-dialogue.json",
        160,
    ),
    (
        "crates/conformance/mail-implicit-tls/vectors/host-lookup.json",
        122,
    ),
    (
        "crates/conformance/mail-implicit-tls/vectors/identity.json",
        247,
    ),
    (
        "crates/conformance/mail-implicit-tls/vectors/privacy.json",
        640,
    ),
    (
        "crates/conformance/mail-implicit-tls/vectors/received.json",
        108,
    ),
    (
        "crates/conformance/mail-implicit-tls/vectors/server-dialogue.json",
        177,
    ),
    (
        "crates/conformance/mail-implicit-tls/vectors/setup.json",
        158,
    ),
    (
        "crates/conformance/mail-implicit-tls/vectors/srv-order.json",
        112,
    ),
    (
        "crates/conformance/mail-implicit-tls/vectors/tlsa.json",
        294,
    ),
    ("crates/deep-latch/vectors/delivery-status.json", 19),
    ("crates/deep-latch/vectors/imap-capability.json", 21),
    ("crates/deep-latch/vectors/imap-commands.json", 108),
    ("crates/deep-latch/vectors/imap-id.json", 153),
    ("crates/deep-latch/vectors/imap-proxy.json", 45),
    ("crates/deep-latch/vectors/latch.json", 295),
    ("crates/deep-latch/vectors/pop-capa.json", 30),
    ("crates/deep-latch/vectors/proxy.json", 82),
    ("crates/deep-latch/vectors/registration.json", 38),
    ("crates/deep-latch/vectors/relay.json", 21),
    ("crates/deep-latch/vectors/security-latch.json", 89),
    ("crates/deep-latch/vectors/smtp-client.json", 58),
    ("crates/deep-latch/vectors/smtp-ehlo.json", 31),
    ("crates/deep-latch/vectors/status.json", 209),
    ("crates/deep-latch/vectors/tag.json", 67),
    ("crates/deep-latch/vectors/tls-cipher.json", 69),
    ("crates/tokenbind-http/vectors/client-hello.json", 64),
    ("crates/tokenbind-http/vectors/header.json", 89),
    ("crates/tokenbind-http/vectors/origin.json", 51),
    ("crates/tokenbind-http/vectors/redirect.json", 66),
    ("crates/tokenbind-http/vectors/request.json", 101),
    ("crates/tokenbind-http/vectors/sealed-token.json", 140),
    ("crates/tokenbind-http/vectors/server-policy.json", 46),
    ("crates/tokenbind-http/vectors/token-to-issue.json", 15),
    ("crates/tokenbind-http/vectors/xhr.json", 12),
    ("crates/tokenbind-wire/vectors/id.json", 80),
    ("crates/tokenbind-wire/vectors/message.json", 378),
    ("crates/tokenbind-wire/vectors/negotiation.json", 37),
    ("crates/tokenbind-wire/vectors/server-choice.json", 27),
    ("crates/tokenbind-wire/vectors/sign.json", 65),
    ("crates/tokenbind-wire/vectors/tls-unique.json", 34),
    ("crates/tokenbind-wire/vectors/token-check.json", 86),
];

fn report() -> Report {
    let options = Options {
        root: repository(),
        vectors: Vec::new(),
        only_vectors: true,
    };
    run(&options, |_| ()).expect("a report")
}

#[test]
fn runs_every_case_of_every_file_and_all_pass() {
    let report = report();
    assert!(report.passed, "{}", report.table(80));
    let ran: Vec<_> = report
        .suites
        .iter()
        .map(|suite| (suite.file.as_str(), suite.cases.len()))
        .collect();
    assert_eq!(ran, FILES);
    let total = FILES.iter().map(|(_, cases)| cases).sum();
    assert_eq!(report.cases(), (total, total));
}

#[test]
fn regenerates_the_known_answers_to_the_same_bytes() {
    match known_answers(&repository()) {
        Ok(outputs) => {
            for output in outputs {
                assert!(output.status.success(), "{output:?}");
            }
        }
        Err(missing) => panic!("{missing}"),
    }
}
