//! Fetches of configuration files: the decisions as values, and over TLS servers on loopback.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

#[path = "support/site.rs"]
mod site;

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use mail_implicit_tls::{
    dns::{Answer, AnswerFuture, Denial, Dnssec, LookupFailure, Question, host::HostFailure},
    failure::{Cause, TlsFailure},
    name::DomainName,
    privacy::PrivacyLevel,
    service::Service,
    setup::{
        Candidate, Offer, Source,
        address::MailAddress,
        autoconfig::{
            AutoconfigErrorKind, Location, MAX_FILE_BYTES,
            fetch::{
                Fetch, FetchProblem, MAX_LOCATION_BYTES, MAX_REDIRECTS, RefusedRedirect, Step,
            },
            https::{FetchError, FetchFailure, Fetched, Fetcher},
        },
    },
    verdict::{ChainVerdict, IdentityVerdict},
};
use proptest::{collection::vec, prelude::*, sample::select};
use rustls::ServerConfig;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

use self::site::Site;

const HOSTS: [&str; 3] = ["autoconfig.example.org", "example.org", "www.example.org"];
const FILE: &str = "<clientConfig version=\"1.1\"><emailProvider id=\"example.org\"><incomingServer type=\"imap\">\
                    <hostname>imap.example.org</hostname><port>993</port><socketType>SSL</socketType></incomingServer>\
                    </emailProvider></clientConfig>";
const FIRST: &str = "autoconfig.example.org/mail/config-v1.1.xml";
const SECOND: &str = "example.org/.well-known/autoconfig/mail/config-v1.1.xml";

fn user() -> MailAddress {
    MailAddress::parse("alice+x@example.org").unwrap()
}

fn at(location: Location) -> Fetch {
    Fetch::new(location, &user()).unwrap()
}

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

/// The end of a response after its octets.
#[derive(Clone, Copy)]
enum After {
    Close,
    /// The connection stays open, and nothing more comes.
    Wait,
    /// One octet in a tenth of a second.
    Slow,
    /// Octets as fast as the client takes them.
    Endless,
}

/// A web server, and the hosts and targets that it was asked for.
struct Web {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Web {
    /// Serves with these responses by host and target; others are 404.
    async fn serve(config: Arc<ServerConfig>, responses: &[(&'static str, String, After)]) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (seen, responses) = (asked.clone(), responses.to_vec());
        tokio::spawn(async move {
            loop {
                let (tcp, _) = listener.accept().await.unwrap();
                let (config, seen, responses) = (config.clone(), seen.clone(), responses.clone());
                tokio::spawn(async move {
                    let mut stream = TlsAcceptor::from(config).accept(tcp).await?;
                    let mut request = Vec::new();
                    while !request.ends_with(b"\r\n\r\n") {
                        request.push(stream.read_u8().await?);
                    }
                    let request = String::from_utf8(request).unwrap();
                    let target = request.split(' ').nth(1).unwrap();
                    let host = request.split("host: ").nth(1).unwrap();
                    let url = format!("{}{target}", host.split("\r\n").next().unwrap());
                    seen.lock().unwrap().push(url.clone());
                    let known = responses.iter().find(|(known, ..)| *known == url);
                    let missing = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_owned();
                    let (response, after) =
                        known.map_or((missing, After::Close), |it| (it.1.clone(), it.2));
                    stream.write_all(response.as_bytes()).await?;
                    stream.flush().await?;
                    match after {
                        After::Close => {}
                        After::Wait => drop(stream.read_to_end(&mut Vec::new()).await),
                        After::Slow => loop {
                            stream.write_all(b" ").await?;
                            stream.flush().await?;
                            tokio::time::sleep(Duration::from_millis(100)).await;
                        },
                        After::Endless => loop {
                            stream.write_all(&[b' '; 4096]).await?;
                        },
                    }
                    stream.shutdown().await
                });
            }
        });
        Self { address, asked }
    }

    fn asked(&self) -> Vec<String> {
        let mut asked = self.asked.lock().unwrap().clone();
        asked.sort();
        asked
    }
}

fn file(content: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n\r\n{content}",
        content.len()
    )
}

fn redirect(location: &str) -> String {
    format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n")
}

/// Serves with a certificate for [`HOSTS`] and fetches; returns the hosts and targets that were asked for as well.
async fn fetch(
    responses: &[(&'static str, String, After)],
) -> (Result<Fetched, FetchError>, Vec<String>) {
    let site = Site::new();
    let web = Web::serve(site.config_for(&site.issue(&HOSTS)), responses).await;
    let fetcher = Fetcher::new(&site.connector()).with_address(web.address);
    (fetcher.fetch(&user()).await, web.asked())
}

/// Returns the failure of the first place, where the second has no file.
async fn first_failure(response: String, after: After) -> FetchFailure {
    let (fetched, _) = fetch(&[(FIRST, response, after)]).await;
    let error = fetched.unwrap_err();
    assert!(!error.is_absent());
    let absent = FetchFailure::Refused(FetchProblem::NotFound);
    assert_eq!(error.failures[1], (Location::WellKnown, absent));
    error.failures[0].1.clone()
}

fn refused(failure: &FetchFailure) -> FetchProblem {
    match failure {
        FetchFailure::Refused(problem) => *problem,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn fetches_the_file_of_the_first_place_that_has_one() {
    let name = |text| DomainName::parse(text).unwrap();
    let expected = Offer::Candidates {
        candidates: vec![Candidate::new(
            Service::IMAPS,
            name("imap.example.org"),
            993,
            name("example.org"),
            Source::Autoconfig,
        )],
        clear: Vec::new(),
        refused: Vec::new(),
    };
    let both = [
        (FIRST, file(FILE), After::Close),
        (SECOND, file(FILE), After::Close),
    ];
    for (responses, location) in [
        (&both[..], Location::AutoconfigHost),
        (&both[..1], Location::AutoconfigHost),
        (&both[1..], Location::WellKnown),
    ] {
        let (fetched, asked) = fetch(responses).await;
        let fetched = fetched.unwrap();
        assert_eq!(fetched.location, location);
        assert_eq!(fetched.config.offers(PrivacyLevel::High).imap, expected);
        // The user's address was not sent.
        assert_eq!(asked, [FIRST, SECOND]);
    }
}

#[tokio::test]
async fn sends_the_address_to_both_places_if_told_to() {
    let site = Site::new();
    let web = Web::serve(site.config_for(&site.issue(&HOSTS)), &[]).await;
    let fetcher = Fetcher::new(&site.connector())
        .with_address(web.address)
        .tell_address();
    let error = fetcher.fetch(&user()).await.unwrap_err();
    assert!(error.is_absent());
    assert_eq!(
        error.to_string(),
        "no configuration file: the host autoconfig of the domain: the host has no configuration file; \
         the well-known URI of the domain: the host has no configuration file"
    );
    let query = "?emailaddress=alice%2Bx%40example.org";
    let expected = [FIRST, SECOND].map(|place| format!("{place}{query}"));
    assert_eq!(web.asked(), expected);
}

#[tokio::test]
async fn refuses_hosts_with_the_certificate_of_another() {
    let site = Site::new();
    let config = site.config_for(&site.issue(&["www.example.org"]));
    let web = Web::serve(config, &[(FIRST, file(FILE), After::Close)]).await;
    let fetcher = Fetcher::new(&site.connector()).with_address(web.address);
    let error = fetcher.fetch(&user()).await.unwrap_err();
    assert!(!error.is_absent());
    for (_, failure) in &error.failures {
        let FetchFailure::Connection(Cause::NotVerified(verdict)) = failure else {
            panic!("{failure:?}")
        };
        assert_eq!(verdict.chain, ChainVerdict::Trusted);
        assert!(matches!(verdict.identity, IdentityVerdict::Differs(_)));
    }
    // No request was sent.
    assert_eq!(web.asked(), Vec::<String>::new());
}

#[tokio::test]
async fn refuses_hosts_of_another_authority() {
    let site = Site::new();
    let other = Site::new();
    let config = other.config_for(&other.issue(&HOSTS));
    let web = Web::serve(config, &[(FIRST, file(FILE), After::Close)]).await;
    let fetcher = Fetcher::new(&site.connector()).with_address(web.address);
    for (_, failure) in fetcher.fetch(&user()).await.unwrap_err().failures {
        let FetchFailure::Connection(Cause::NotVerified(verdict)) = failure else {
            panic!("{failure:?}")
        };
        assert!(matches!(verdict.chain, ChainVerdict::Refused(_)));
    }
    assert_eq!(web.asked(), Vec::<String>::new());
}

#[tokio::test]
async fn follows_a_redirect_within_the_domain_with_the_certificate_verified_again() {
    let target = "www.example.org/config.xml";
    let (fetched, asked) = fetch(&[
        (
            FIRST,
            redirect("https://www.example.org/config.xml"),
            After::Wait,
        ),
        (target, file(FILE), After::Close),
    ])
    .await;
    assert_eq!(fetched.unwrap().location, Location::AutoconfigHost);
    assert_eq!(asked, [FIRST, SECOND, target]);
    let site = Site::new();
    let config = site.config_for(&site.issue(&HOSTS[..2]));
    let responses = [
        (
            FIRST,
            redirect("https://www.example.org/config.xml"),
            After::Wait,
        ),
        (target, file(FILE), After::Close),
    ];
    let web = Web::serve(config, &responses).await;
    let fetcher = Fetcher::new(&site.connector()).with_address(web.address);
    let error = fetcher.fetch(&user()).await.unwrap_err();
    assert!(matches!(
        error.failures[0].1,
        FetchFailure::Connection(Cause::NotVerified(_))
    ));
    assert_eq!(web.asked(), [FIRST, SECOND]);
}

#[tokio::test]
async fn refuses_redirects_and_sends_no_further_request() {
    for (location, expected) in [
        ("http://www.example.org/a", RefusedRedirect::Scheme),
        ("https://evil.example/a", RefusedRedirect::Host),
    ] {
        let (fetched, asked) = fetch(&[(FIRST, redirect(location), After::Wait)]).await;
        let error = fetched.unwrap_err();
        let problem = refused(&error.failures[0].1);
        assert_eq!(problem, FetchProblem::Redirect(expected));
        assert_eq!(asked, [FIRST, SECOND]);
    }
    let (fetched, asked) = fetch(&[
        (FIRST, redirect("/a"), After::Wait),
        ("autoconfig.example.org/a", redirect("/b"), After::Wait),
        ("autoconfig.example.org/b", redirect("/c"), After::Wait),
    ])
    .await;
    let problem = refused(&fetched.unwrap_err().failures[0].1);
    assert_eq!(problem, FetchProblem::TooManyRedirects);
    let [a, b] = ["autoconfig.example.org/a", "autoconfig.example.org/b"];
    assert_eq!(asked, [a, b, FIRST, SECOND]);
}

#[tokio::test]
async fn refuses_bodies_without_end_and_larger_than_the_limit() {
    let begin = Instant::now();
    let endless = "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n\r\n".to_owned();
    let failure = first_failure(endless, After::Endless).await;
    assert_eq!(refused(&failure), FetchProblem::TooLong);
    let chunk = format!("ffff\r\n{}\r\n", " ".repeat(0xffff));
    let chunked = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}{chunk}");
    let failure = first_failure(chunked, After::Wait).await;
    assert_eq!(refused(&failure), FetchProblem::TooLong);
    let announced = "HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n".to_owned();
    let failure = first_failure(announced, After::Wait).await;
    assert_eq!(refused(&failure), FetchProblem::TooLong);
    assert!(begin.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn keeps_one_deadline_over_places_that_are_slow() {
    let site = Site::new();
    let config = site.config_for(&site.issue(&HOSTS));
    let slow = "HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n".to_owned();
    let responses = [
        (FIRST, slow.clone(), After::Slow),
        (SECOND, file(FILE), After::Close),
    ];
    let web = Web::serve(config.clone(), &responses).await;
    let connector = site.connector();
    let deadline = Duration::from_secs(1);
    let fetcher = |address| {
        Fetcher::new(&connector)
            .with_address(address)
            .with_deadline(deadline)
    };
    let begin = Instant::now();
    let fetched = fetcher(web.address).fetch(&user()).await.unwrap();
    assert_eq!(fetched.location, Location::WellKnown);
    let responses = [
        (FIRST, slow, After::Slow),
        (SECOND, String::new(), After::Wait),
    ];
    let web = Web::serve(config, &responses).await;
    let error = fetcher(web.address).fetch(&user()).await.unwrap_err();
    let late = Location::ALL.map(|location| (location, FetchFailure::Timeout));
    assert_eq!(error.failures, late);
    // A server that accepts and says nothing.
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let fetcher = fetcher(silent.local_addr().unwrap());
    let error = fetcher.fetch(&user()).await.unwrap_err();
    assert_eq!(error.failures, late);
    assert!(begin.elapsed() < Duration::from_secs(6));
}

#[tokio::test]
async fn refuses_responses_that_are_cut_short_or_no_http() {
    let short = "HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n<clientConfig>".to_owned();
    assert_eq!(first_failure(short, After::Close).await, FetchFailure::Http);
    let imap = "* OK IMAP4rev1 ready\r\n".to_owned();
    assert_eq!(first_failure(imap, After::Close).await, FetchFailure::Http);
    let head = format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(100_000));
    assert_eq!(first_failure(head, After::Wait).await, FetchFailure::Http);
    assert_eq!(
        first_failure(String::new(), After::Close).await,
        FetchFailure::Http
    );
}

#[tokio::test]
async fn refuses_what_is_not_a_configuration_file() {
    let page = "<!DOCTYPE html><html><body>Welcome</body></html>";
    for (content, expected) in [
        (page, AutoconfigErrorKind::Dtd),
        ("<html><body/></html>", AutoconfigErrorKind::Format),
        ("{}", AutoconfigErrorKind::Xml),
        ("", AutoconfigErrorKind::Xml),
    ] {
        let failure = first_failure(file(content), After::Close).await;
        let FetchProblem::File(error) = refused(&failure) else {
            panic!("{failure:?}")
        };
        assert_eq!(error.kind(), expected);
    }
    let gzip = file(FILE).replace("Content-Type: text/xml", "Content-Encoding: gzip");
    let failure = first_failure(gzip, After::Close).await;
    assert_eq!(refused(&failure), FetchProblem::Encoding);
    let error = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n".to_owned();
    let failure = first_failure(error, After::Close).await;
    assert_eq!(refused(&failure), FetchProblem::Status(503));
}

#[tokio::test]
async fn refuses_servers_without_tls() {
    let site = Site::new();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut tcp, _) = listener.accept().await.unwrap();
            tcp.write_all(file(FILE).as_bytes()).await.unwrap();
        }
    });
    let fetcher = Fetcher::new(&site.connector()).with_address(address);
    let error = fetcher.fetch(&user()).await.unwrap_err();
    for (_, failure) in error.failures {
        let not_tls = FetchFailure::Connection(Cause::Tls(TlsFailure::NotTls));
        assert_eq!(failure, not_tls);
    }
}

/// A resolver with one answer to every question.
struct Always(Answer);

impl mail_implicit_tls::dns::Resolve for Always {
    fn lookup<'a>(&'a self, _question: &'a Question) -> AnswerFuture<'a> {
        let answer = self.0.clone();
        Box::pin(async move { answer })
    }
}

#[tokio::test]
async fn tells_a_domain_without_hosts_from_a_failed_lookup() {
    let site = Site::new();
    let none = Answer::Denied {
        denial: Denial::NoName,
        dnssec: Dnssec::Insecure,
    };
    let timeout = LookupFailure::Timeout;
    for (answer, cause, absent) in [
        (none, HostFailure::NoAddress, true),
        (
            Answer::Failed(timeout),
            HostFailure::Address(timeout),
            false,
        ),
    ] {
        let connector = site.connector().with_resolver(Arc::new(Always(answer)));
        let error = Fetcher::new(&connector).fetch(&user()).await.unwrap_err();
        let failure = FetchFailure::Connection(Cause::Lookup(cause));
        assert_eq!(
            error.failures,
            Location::ALL.map(|it| (it, failure.clone()))
        );
        assert_eq!(error.is_absent(), absent);
    }
}
