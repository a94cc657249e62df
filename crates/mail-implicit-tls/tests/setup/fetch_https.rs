//! Fetches of configuration files over https.

use std::{
    net::Ipv4Addr,
    sync::Arc,
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
        autoconfig::{
            AutoconfigErrorKind, Location,
            fetch::{FetchProblem, RefusedRedirect},
            https::{FetchFailure, Fetcher},
        },
    },
    verdict::{ChainVerdict, IdentityVerdict},
};
use tokio::{io::AsyncWriteExt, net::TcpListener};

use crate::{
    site::Site,
    web::{
        After, FILE, FIRST, HOSTS, SECOND, Web, fetch, file, first_failure, redirect, refused, user,
    },
};

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
    let missing = FetchFailure::Refused(FetchProblem::NotFound);
    let places = [Location::AutoconfigHost, Location::WellKnown];
    let failures = places.map(|place| (place, missing.clone()));
    assert_eq!(error.failures, failures);
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
