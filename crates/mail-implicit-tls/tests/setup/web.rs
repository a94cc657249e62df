//! A web server with configuration files, and fetches of them.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
    time::Duration,
};

use mail_implicit_tls::setup::{
    address::MailAddress,
    autoconfig::{
        Location,
        fetch::{Fetch, FetchProblem},
        https::{FetchError, FetchFailure, Fetched, Fetcher},
    },
};
use rustls::ServerConfig;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

use crate::site::Site;

pub(crate) const HOSTS: [&str; 3] = ["autoconfig.example.org", "example.org", "www.example.org"];
pub(crate) const FILE: &str = "<clientConfig version=\"1.1\"><emailProvider id=\"example.org\"><incomingServer type=\"imap\">\
                    <hostname>imap.example.org</hostname><port>993</port><socketType>SSL</socketType></incomingServer>\
                    </emailProvider></clientConfig>";
pub(crate) const FIRST: &str = "autoconfig.example.org/mail/config-v1.1.xml";
pub(crate) const SECOND: &str = "example.org/.well-known/autoconfig/mail/config-v1.1.xml";

pub(crate) fn user() -> MailAddress {
    MailAddress::parse("alice+x@example.org").unwrap()
}

pub(crate) fn at(location: Location) -> Fetch {
    Fetch::new(location, &user()).unwrap()
}

/// The end of a response after its octets.
#[derive(Clone, Copy)]
pub(crate) enum After {
    Close,
    /// The connection stays open, and nothing more comes.
    Wait,
    /// One octet in a tenth of a second.
    Slow,
    /// Octets as fast as the client takes them.
    Endless,
}

/// A web server, and the hosts and targets that it was asked for.
pub(crate) struct Web {
    pub(crate) address: SocketAddr,
    pub(crate) asked: Arc<Mutex<Vec<String>>>,
}

impl Web {
    /// Serves with these responses by host and target; others are 404.
    pub(crate) async fn serve(
        config: Arc<ServerConfig>,
        responses: &[(&'static str, String, After)],
    ) -> Self {
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

    pub(crate) fn asked(&self) -> Vec<String> {
        let mut asked = self.asked.lock().unwrap().clone();
        asked.sort();
        asked
    }
}

pub(crate) fn file(content: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n\r\n{content}",
        content.len()
    )
}

pub(crate) fn redirect(location: &str) -> String {
    format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n")
}

/// Serves with a certificate for [`HOSTS`] and fetches; returns the hosts and targets that were asked for as well.
pub(crate) async fn fetch(
    responses: &[(&'static str, String, After)],
) -> (Result<Fetched, FetchError>, Vec<String>) {
    let site = Site::new();
    let web = Web::serve(site.config_for(&site.issue(&HOSTS)), responses).await;
    let fetcher = Fetcher::new(&site.connector()).with_address(web.address);
    (fetcher.fetch(&user()).await, web.asked())
}

/// Returns the failure of the first place, where the second has no file.
pub(crate) async fn first_failure(response: String, after: After) -> FetchFailure {
    let (fetched, _) = fetch(&[(FIRST, response, after)]).await;
    let error = fetched.unwrap_err();
    assert!(!error.is_absent());
    let absent = FetchFailure::Refused(FetchProblem::NotFound);
    assert_eq!(error.failures[1], (Location::WellKnown, absent));
    error.failures[0].1.clone()
}

pub(crate) fn refused(failure: &FetchFailure) -> FetchProblem {
    match failure {
        FetchFailure::Refused(problem) => *problem,
        other => panic!("{other:?}"),
    }
}
