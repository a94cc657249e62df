//! Dates of certificates.

use mail_implicit_tls::{
    failure::Cause,
    monitor::{Certificate, Check, Context, Policy, State, judge},
    verdict::{ChainProblem, ChainVerdict, Verdict},
};

use crate::facts::{
    DAY, HOUR, NOW, at, broken, certificate, first, fresh, observation, of_check, only, report,
    verdict,
};

#[test]
fn finds_nothing_wrong_with_a_domain_in_which_all_is_well() {
    let report = report(&observation(&fresh()));
    assert_eq!(report.state(), State::Good, "{report:#?}");
    let checks: Vec<_> = report
        .findings
        .iter()
        .map(|it| (it.check.name(), it.sentence()))
        .collect();
    let expected = [
        ("srv", "The domain advertises one server"),
        ("srv", "The domain states that it has no pop3s"),
        ("srv", "The domain states that it has no submissions"),
        ("dnssec", "The signatures are valid until 2026-12-10T00:00Z"),
        ("connection", "A mail client can log in, over TLSv1.3"),
        (
            "validity",
            "The certificate is valid for 60 days, until 2027-01-30T00:00Z, 66 % of its lifetime",
        ),
        (
            "chain",
            "The certificate leads to an authority that is trusted",
        ),
        ("names", "The certificate has DNS-ID imap.example.org"),
        (
            "versions",
            "The server accepts TLS 1.2 and TLS 1.3, and no earlier version",
        ),
        (
            "deep",
            "The server achieves the tags that it advertises, tls10 and tls-cert",
        ),
        (
            "tlsa",
            "A TLSA record of usage DANE-EE matches the certificate",
        ),
    ];
    assert_eq!(
        checks,
        expected.map(|(check, sentence)| (check, sentence.to_owned()))
    );
}

/// The certificate of a server that the client refuses is still a finding of its own.
#[test]
fn measures_a_certificate_after_it_expired() {
    let not_after = NOW - 3 * DAY;
    let expired = certificate(NOW - 93 * DAY, not_after);
    let mut observation = observation(&expired);
    first(&mut observation).client = Err(Cause::NotVerified(Box::new(Verdict {
        chain: ChainVerdict::Refused(vec![ChainProblem::Expired {
            not_after: at(not_after),
        }]),
        ..verdict()
    })));
    let report = report(&observation);
    let (state, subject, sentence) = only(&report, Check::Validity);
    assert_eq!(state, State::Bad);
    assert_eq!(subject, "imaps imap.example.org:993 at 192.0.2.1");
    assert_eq!(
        sentence,
        "The certificate expired 3 days ago, at 2026-11-28T00:00Z: renew it, and reload the server"
    );
    let (state, _, sentence) = only(&report, Check::Connection);
    assert_eq!(state, State::Bad);
    assert_eq!(
        sentence,
        "Mail clients refuse the server, whose certificate is not verified: see the findings about its certificate, \
         names and TLSA records"
    );
    // The date is not reported a second time.
    assert_eq!(of_check(&report, Check::Chain), []);
}

/// A certificate of six days with 40 hours left is renewed in time, one of a year with 20 days is not.
#[test]
fn judges_certificates_of_six_days_by_the_part_of_their_lifetime() {
    let validity = |lifetime: u64, left: u64| {
        let certificate = certificate(NOW + left - lifetime, NOW + left);
        let (state, _, sentence) = only(&report(&observation(&certificate)), Check::Validity);
        (state, sentence)
    };
    let good = "The certificate is valid for 40 h, until 2026-12-02T16:00Z, 27 % of its lifetime";
    assert_eq!(validity(6 * DAY, 40 * HOUR), (State::Good, good.to_owned()));
    let state = |lifetime, left| validity(lifetime, left).0;
    // A quarter, and a tenth.
    assert_eq!(state(6 * DAY, 36 * HOUR), State::Good);
    assert_eq!(state(6 * DAY, 36 * HOUR - 1_441), State::Warning);
    assert_eq!(state(100 * DAY, 10 * DAY), State::Warning);
    assert_eq!(state(100 * DAY, 10 * DAY - 1), State::Bad);
    assert_eq!(state(400 * DAY, 39 * DAY), State::Bad);
    let warning = "The certificate expires in 20 days, at 2026-12-21T00:00Z, with 22 % of its lifetime of 90 days left: \
                   renew it, and check why that did not happen before";
    assert_eq!(
        validity(90 * DAY, 20 * DAY),
        (State::Warning, warning.to_owned())
    );
    // The last second.
    assert_eq!(state(90 * DAY, 1), State::Bad);
    assert!(
        validity(90 * DAY, 1)
            .1
            .starts_with("The certificate expires in 1 s")
    );
    assert!(
        validity(90 * DAY, 0)
            .1
            .starts_with("The certificate expired 0 s ago")
    );
}

#[test]
fn judges_by_the_thresholds_of_the_operator() {
    let observation = observation(&fresh());
    let policy = Policy {
        warning_percent: 70,
        bad_percent: 67,
        ..Policy::default()
    };
    let context = Context {
        policy,
        ..Context::default()
    };
    assert_eq!(
        only(&judge(&observation, &context), Check::Validity).0,
        State::Bad
    );
}

#[test]
fn reports_a_certificate_that_is_not_valid_yet_as_a_matter_of_the_clock() {
    let certificate = certificate(NOW + HOUR, NOW + 90 * DAY);
    let (state, _, sentence) = only(&report(&observation(&certificate)), Check::Validity);
    assert_eq!(state, State::Bad);
    assert_eq!(
        sentence,
        "The certificate is not valid before 2026-12-01T01:00Z: check the clock of this machine, and serve the earlier \
         certificate until then"
    );
}

#[test]
fn reads_no_certificate_where_there_is_none() {
    assert_eq!(Certificate::of_chain([]), None);
    assert_eq!(Certificate::of_chain([broken()]), None);
}
