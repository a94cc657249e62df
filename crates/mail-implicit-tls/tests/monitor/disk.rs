//! Certificates on the disk against those that are served.

use mail_implicit_tls::monitor::{Certificate, Check, Context, KnownCertificate, State, judge};

use crate::facts::{DAY, HOUR, NOW, at, certificate, fresh, issued, observation, of, only};

fn on_disk(certificate: &Certificate, written: u64) -> Context {
    Context {
        certificates: vec![KnownCertificate {
            file: "/etc/ssl/imap.pem".to_owned(),
            certificate: certificate.clone(),
            written: at(written),
            is_next: false,
        }],
        ..Context::default()
    }
}

#[test]
fn reports_a_renewed_certificate_that_is_not_served() {
    let served = fresh();
    let renewed = certificate(NOW - 4 * HOUR, NOW + 90 * DAY);
    let observation = observation(&served);
    let found = |written| {
        let report = judge(&observation, &on_disk(&renewed, written));
        let (state, _, sentence) = only(&report, Check::Disk);
        (state, sentence)
    };
    let expected = "The certificate in /etc/ssl/imap.pem was renewed 3 h ago and is not served: reload the server";
    assert_eq!(found(NOW - 3 * HOUR), (State::Bad, expected.to_owned()));
    // The server has an hour to load it.
    assert_eq!(found(NOW - HOUR).0, State::Bad);
    assert_eq!(found(NOW - HOUR + 1).0, State::Warning);
    // A file that was written in the future comes from another clock.
    assert_eq!(found(NOW + DAY).0, State::Warning);
}

#[test]
fn accepts_that_the_certificate_on_the_disk_is_served() {
    let served = fresh();
    let report = judge(&observation(&served), &on_disk(&served, NOW - DAY));
    let (state, subject, sentence) = only(&report, Check::Disk);
    assert_eq!(state, State::Good);
    assert_eq!(subject, "imaps imap.example.org:993 at 192.0.2.1");
    assert_eq!(sentence, "The certificate on the disk is served");
    // One of several kinds of keys is enough.
    let mut both = on_disk(&certificate(NOW - HOUR, NOW + 90 * DAY), NOW - DAY);
    both.certificates
        .extend(on_disk(&served, NOW - DAY).certificates);
    assert_eq!(
        only(&judge(&observation(&served), &both), Check::Disk).0,
        State::Good
    );
}

#[test]
fn reports_a_file_that_is_older_than_the_served_certificate() {
    let old = certificate(NOW - 80 * DAY, NOW + 10 * DAY);
    let report = judge(&observation(&fresh()), &on_disk(&old, NOW - 80 * DAY));
    let (state, _, sentence) = only(&report, Check::Disk);
    assert_eq!(state, State::Warning);
    assert_eq!(
        sentence,
        "The certificate in /etc/ssl/imap.pem is older than the served one, which begins at 2026-11-01T00:00Z: check \
         that the server and the monitor have the same file"
    );
}

#[test]
fn compares_files_with_the_servers_of_their_names_only() {
    let other = of(&issued(&["www.example.org"], NOW - HOUR, NOW + 90 * DAY));
    let report = judge(&observation(&fresh()), &on_disk(&other, NOW - DAY));
    let (state, subject, sentence) = only(&report, Check::Disk);
    assert_eq!(state, State::NotKnown);
    assert_eq!(subject, "/etc/ssl/imap.pem");
    assert_eq!(
        sentence,
        "The certificate has the name of no server of the domain: give the monitor the file that the server has, or \
         issue one with the server's name"
    );
    // The mail domain is a name of a server that an SRV record names.
    let domain = of(&issued(&["example.org"], NOW - HOUR, NOW + 90 * DAY));
    let report = judge(&observation(&fresh()), &on_disk(&domain, NOW - 3 * HOUR));
    assert_eq!(only(&report, Check::Disk).0, State::Bad);
}
