//! Responses and redirects of a fetch, without I/O.

use mail_implicit_tls::setup::{
    address::MailAddress,
    autoconfig::{
        AutoconfigErrorKind, Location, MAX_FILE_BYTES,
        fetch::{Fetch, FetchProblem, MAX_LOCATION_BYTES, MAX_REDIRECTS, RefusedRedirect, Step},
    },
};
use proptest::{collection::vec, prelude::*, sample::select};

use crate::web::{FIRST, SECOND, at, user};

/// Returns the URL, without its scheme, to which a redirect of the first request leads.
fn redirected(location: &str) -> Result<String, FetchProblem> {
    match at(Location::AutoconfigHost).head(302, [("location", location.as_bytes())])? {
        Step::Redirect(next) => Ok(format!("{}{}", next.host(), next.target())),
        Step::Body(_) => panic!("redirect expected"),
    }
}

#[test]
fn sends_the_address_only_if_told_to() {
    for (location, expected) in [
        (Location::AutoconfigHost, FIRST),
        (Location::WellKnown, SECOND),
    ] {
        let fetch = at(location);
        assert_eq!(format!("{}{}", fetch.host(), fetch.target()), expected);
        let target = fetch.target().to_owned();
        assert_eq!(
            fetch.tell_address().target(),
            format!("{target}?emailaddress=alice%2Bx%40example.org")
        );
    }
    let label = "a".repeat(63);
    let long = MailAddress::parse(&format!("a@{label}.{label}.{label}.{}", "a".repeat(60)));
    let long = long.unwrap();
    assert_eq!(Fetch::new(Location::AutoconfigHost, &long), None);
    assert!(Fetch::new(Location::WellKnown, &long).is_some());
}

#[test]
fn follows_redirects_within_the_mail_domain() {
    for (location, expected) in [
        ("https://example.org/a?b=c#d", "example.org/a?b=c"),
        ("https://a.b.example.org:443/", "a.b.example.org/"),
        ("HTTPS://WWW.Example.ORG", "www.example.org/"),
        ("//www.example.org/a", "www.example.org/a"),
        ("/other", "autoconfig.example.org/other"),
        ("other.xml", "autoconfig.example.org/mail/other.xml"),
        ("../x y", "autoconfig.example.org/x%20y"),
        ("https://example.org./a", "example.org/a"),
    ] {
        assert_eq!(redirected(location).as_deref(), Ok(expected), "{location}");
    }
}

#[test]
fn refuses_redirects_to_other_schemes_hosts_and_ports() {
    use RefusedRedirect as Refused;

    let long = format!("https://example.org/{}", "a".repeat(MAX_LOCATION_BYTES));
    for (location, expected) in [
        ("http://autoconfig.example.org/", Refused::Scheme),
        ("ftp://example.org/", Refused::Scheme),
        ("data:text/xml,<x/>", Refused::Scheme),
        ("https://example.com/", Refused::Host),
        ("https://notexample.org/", Refused::Host),
        ("https://example.org.evil.example/", Refused::Host),
        ("https://org/", Refused::Host),
        ("//evil.example/", Refused::Host),
        ("/\\evil.example/", Refused::Host),
        ("https://192.0.2.1/", Refused::Host),
        ("https://[2001:db8::1]/", Refused::Host),
        ("https://_x.example.org/", Refused::Host),
        ("https://example.org:8443/", Refused::Port),
        ("https://example.org:80/", Refused::Port),
        ("https://alice@example.org/", Refused::Location),
        ("https://:secret@example.org/", Refused::Location),
        ("https://", Refused::Location),
        ("https://a b/", Refused::Location),
        (&long, Refused::Location),
    ] {
        let expected = FetchProblem::Redirect(expected);
        assert_eq!(redirected(location), Err(expected), "{location}");
    }
    let target = &b"https://example.org/"[..];
    let none: [(&str, &[u8]); 0] = [];
    let without = at(Location::WellKnown).head(301, none);
    let twice = at(Location::WellKnown).head(301, [("location", target); 2]);
    let octets = at(Location::WellKnown).head(301, [("location", &b"/\xff"[..])]);
    for refused in [without, twice, octets] {
        let expected = FetchProblem::Redirect(Refused::Location);
        assert_eq!(refused, Err(expected));
    }
}

#[test]
fn follows_two_redirects_and_no_third() {
    for status in [301, 302, 303, 307, 308] {
        let mut fetch = at(Location::WellKnown);
        for _ in 0..MAX_REDIRECTS {
            let Ok(Step::Redirect(next)) = fetch.head(status, [("Location", &b"/a"[..])]) else {
                panic!("redirect expected")
            };
            fetch = next;
        }
        let third = fetch.head(status, [("Location", &b"/a"[..])]);
        assert_eq!(third, Err(FetchProblem::TooManyRedirects));
    }
}

#[test]
fn reads_a_body_after_status_200_only() {
    let none: [(&str, &[u8]); 0] = [];
    for (status, expected) in [
        (404, FetchProblem::NotFound),
        (410, FetchProblem::NotFound),
        (204, FetchProblem::Status(204)),
        (206, FetchProblem::Status(206)),
        (300, FetchProblem::Status(300)),
        (304, FetchProblem::Status(304)),
        (401, FetchProblem::Status(401)),
        (500, FetchProblem::Status(500)),
    ] {
        assert_eq!(at(Location::WellKnown).head(status, none), Err(expected));
    }
    let head = |name, value: &'static str| {
        at(Location::WellKnown)
            .head(200, [(name, value.as_bytes())])
            .err()
    };
    assert_eq!(head("Content-Encoding", " Identity "), None);
    let encoded = Some(FetchProblem::Encoding);
    assert_eq!(head("content-encoding", "gzip"), encoded);
    assert_eq!(head("Content-Length", "65536"), None);
    let long = Some(FetchProblem::TooLong);
    assert_eq!(head("Content-Length", "65537"), long);
    assert_eq!(head("content-length", "many"), long);
}

#[test]
fn keeps_the_limit_of_a_body_in_pieces() {
    let none: [(&str, &[u8]); 0] = [];
    let Ok(Step::Body(mut body)) = at(Location::WellKnown).head(200, none) else {
        panic!("body expected")
    };
    body.push(&vec![b' '; MAX_FILE_BYTES - 1]).unwrap();
    body.push(b" ").unwrap();
    assert_eq!(body.push(b" "), Err(FetchProblem::TooLong));
    let Err(FetchProblem::File(error)) = body.finish() else {
        panic!("error expected")
    };
    assert_eq!(error.kind(), AutoconfigErrorKind::Xml);
}

/// The parts of targets of redirects.
const PIECES: &[&str] = &[
    "https:",
    "http:",
    "HTTPS://",
    "//",
    "/",
    "\\",
    "@",
    ":",
    "443",
    "80",
    "example.org",
    "evil.example",
    "www.",
    ".",
    "..",
    "?",
    "#",
    "%2f",
    "%00",
    "[::1]",
    "127.0.0.1",
    "\t",
    "\r\n",
    " ",
    "\u{fc}",
    "\u{3002}",
    "org",
    "a",
];

proptest! {
    #[test]
    fn leads_nowhere_but_into_the_mail_domain(
        targets in vec(vec(select(PIECES), 0..10), 1..4),
        begins_with_domain: bool,
    ) {
        let mut fetch = at(Location::WellKnown);
        for pieces in targets {
            let begin = if begins_with_domain { "https://example.org" } else { "" };
            let target = format!("{begin}{}", pieces.concat());
            match fetch.head(302, [("location", target.as_bytes())]) {
                Ok(Step::Redirect(next)) => fetch = next,
                Ok(Step::Body(_)) => panic!("redirect expected"),
                Err(_) => return Ok(()),
            }
            prop_assert!(fetch.host().is_within(user().domain()));
            prop_assert!(fetch.target().starts_with('/'));
            prop_assert!(fetch.target().bytes().all(|octet| octet.is_ascii_graphic()));
        }
    }
}
