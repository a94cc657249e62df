//! `mail-tls gateway --health`: asks the gateway that runs with the same configuration, for a container that has no other
//! program.

use std::{
    io::{self, Read, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream},
    time::Duration,
};

/// The time in which the gateway must accept the connection, and for each part of its answer.
const DEADLINE: Duration = Duration::from_secs(5);

/// The longest answer that is read.
const MAX_ANSWER: u64 = 64 * 1024;

/// Asks the endpoint at an address. Returns `true` if the gateway is healthy, and its text: one line for each fault.
///
/// # Errors
/// Returns the error of the connection, and [`io::ErrorKind::InvalidData`] for an answer that is not one of HTTP.
pub(super) fn ask(endpoint: SocketAddr) -> io::Result<(bool, String)> {
    let mut stream = TcpStream::connect_timeout(&within(endpoint), DEADLINE)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    stream.set_write_timeout(Some(DEADLINE))?;
    stream.write_all(b"GET /health HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(MAX_ANSWER).read_to_string(&mut answer)?;
    read(&answer).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// Returns the address at which the same host reaches an endpoint that listens on all addresses.
fn within(endpoint: SocketAddr) -> SocketAddr {
    let ip = match endpoint.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, endpoint.port())
}

/// Returns the status and the text of an answer.
fn read(answer: &str) -> Option<(bool, String)> {
    let (head, text) = answer.split_once("\r\n\r\n")?;
    let (version, status) = head.lines().next()?.split_once(' ')?;
    let is_healthy = status.split(' ').next()? == "200";
    version
        .starts_with("HTTP/1.")
        .then(|| (is_healthy, text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_status_and_text() {
        for (answer, expected) in [
            ("HTTP/1.0 200 OK\r\na: b\r\n\r\nok\n", Some((true, "ok\n"))),
            (
                "HTTP/1.1 503 Service Unavailable\r\n\r\nimaps: no backend is available\n",
                Some((false, "imaps: no backend is available\n")),
            ),
            ("HTTP/1.1 2000\r\n\r\n", Some((false, ""))),
            ("HTTP/1.0 200 OK\r\n", None),
            ("* OK 200\r\n\r\n", None),
            ("", None),
        ] {
            let expected = expected.map(|(is_healthy, text)| (is_healthy, text.to_owned()));
            assert_eq!(read(answer), expected, "{answer:?}");
        }
    }

    #[test]
    fn asks_within_the_host() {
        for (endpoint, expected) in [
            ("0.0.0.0:9993", "127.0.0.1:9993"),
            ("[::]:9993", "[::1]:9993"),
            ("192.0.2.1:9993", "192.0.2.1:9993"),
        ] {
            let address = within(endpoint.parse().unwrap());
            assert_eq!(address, expected.parse().unwrap());
        }
    }
}
