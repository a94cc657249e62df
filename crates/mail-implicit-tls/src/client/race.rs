//! TCP connections to the addresses of a host, one after the other with a head start each: RFC 8305 section 5.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use tokio::{net::TcpStream, task::JoinSet, time::sleep};

use crate::failure::is_lack_of_resources;

/// The head start of one attempt before the next (RFC 8305 section 8).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// The greatest number of addresses that are tried.
const MAX_ATTEMPTS: usize = 16;

/// Returns the addresses with the families in turns, beginning with IPv6 (RFC 8305 section 4).
fn in_turns(addresses: &[IpAddr]) -> Vec<IpAddr> {
    let (mut v6, mut v4): (Vec<_>, Vec<_>) =
        addresses.iter().rev().copied().partition(IpAddr::is_ipv6);
    let mut ordered = Vec::with_capacity(addresses.len());
    while !v6.is_empty() || !v4.is_empty() {
        ordered.extend(v6.pop());
        ordered.extend(v4.pop());
    }
    ordered.truncate(MAX_ATTEMPTS);
    ordered
}

/// Returns the error of all attempts after one more failed. A lack of descriptors counts before what an address answers: the
/// address for which there was none may be the one that works.
fn later(before: io::Error, failed: io::Error) -> io::Error {
    match is_lack_of_resources(&before) {
        true => before,
        false => failed,
    }
}

/// Connects to the first address that answers. The next attempt begins when one fails or after [`ATTEMPT_DELAY`].
///
/// # Errors
/// Returns the last error, or one by which this machine lacked a descriptor or memory.
pub(crate) async fn connect(addresses: &[IpAddr], port: u16) -> io::Result<TcpStream> {
    // A single address has no other to race with.
    if let [address] = addresses {
        return TcpStream::connect(SocketAddr::new(*address, port)).await;
    }
    let mut attempts = JoinSet::new();
    let mut error = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in in_turns(addresses) {
        attempts.spawn(TcpStream::connect(SocketAddr::new(address, port)));
        tokio::select! {
            biased;
            Some(joined) = attempts.join_next() => match joined.unwrap_or_else(|_| Err(io::ErrorKind::Other.into())) {
                Ok(stream) => return Ok(stream),
                Err(failed) => error = later(error, failed),
            },
            () = sleep(ATTEMPT_DELAY) => {}
        }
    }
    while let Some(joined) = attempts.join_next().await {
        match joined.unwrap_or_else(|_| Err(io::ErrorKind::Other.into())) {
            Ok(stream) => return Ok(stream),
            Err(failed) => error = later(error, failed),
        }
    }
    Err(error)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::{
        net::{TcpListener, TcpSocket},
        time::{Instant, timeout},
    };

    use super::*;

    /// Connects, and fails instead of waiting for a silent address as long as the system does.
    async fn connect_in_time(addresses: &[IpAddr], port: u16) -> io::Result<TcpStream> {
        timeout(Duration::from_secs(10), connect(addresses, port))
            .await
            .expect("an attempt that ends")
    }

    #[test]
    fn takes_the_families_in_turns() {
        let addresses =
            ["192.0.2.1", "192.0.2.2", "2001:db8::1", "192.0.2.3"].map(|it| it.parse().unwrap());
        let expected = ["2001:db8::1", "192.0.2.1", "192.0.2.2", "192.0.2.3"]
            .map(|it| it.parse::<IpAddr>().unwrap());
        assert_eq!(in_turns(&addresses), expected);
        assert_eq!(in_turns(&[addresses[0]; 40]).len(), MAX_ATTEMPTS);
    }

    #[tokio::test]
    async fn goes_on_after_an_address_that_refuses() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let addresses = ["127.0.0.9", "127.0.0.1"].map(|it| it.parse().unwrap());
        let stream = connect_in_time(&addresses, port).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap().ip(), addresses[1]);
    }

    /// Returns a listener that accepts no more: the system drops further attempts, which hang.
    async fn deaf(address: SocketAddr) -> (TcpListener, Vec<TcpStream>) {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(address).unwrap();
        let listener = socket.listen(1).unwrap();
        let mut waiting = Vec::new();
        let limit = Duration::from_millis(200);
        while let Ok(stream) = timeout(limit, TcpStream::connect(address)).await {
            waiting.push(stream.unwrap());
            assert!(waiting.len() < 100, "a full queue is expected");
        }
        (listener, waiting)
    }

    #[tokio::test]
    async fn begins_with_another_address_while_one_is_silent() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let addresses = ["127.0.0.9", "127.0.0.1"].map(|it| it.parse().unwrap());
        let _deaf = deaf(SocketAddr::new(addresses[0], port)).await;
        let begin = Instant::now();
        let stream = connect_in_time(&addresses, port).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap().ip(), addresses[1]);
        assert_eq!(ATTEMPT_DELAY, Duration::from_millis(250));
        assert!(begin.elapsed() >= ATTEMPT_DELAY);
        // The first address is the last one left: it may answer until the caller's deadline.
        let alone = timeout(Duration::from_millis(300), connect(&addresses[..1], port)).await;
        assert!(alone.is_err());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn tells_a_lack_of_descriptors_before_other_errors() {
        let lack = || io::Error::from_raw_os_error(24);
        let refused = || io::Error::from(io::ErrorKind::ConnectionRefused);
        for (before, failed, expected) in [
            (lack(), refused(), Some(24)),
            (refused(), lack(), Some(24)),
            (lack(), lack(), Some(24)),
            (refused(), refused(), None),
        ] {
            assert_eq!(later(before, failed).raw_os_error(), expected);
        }
    }

    #[tokio::test]
    async fn keeps_the_first_address_that_answers() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let other = TcpListener::bind(("127.0.0.9", port)).await.unwrap();
        let addresses = ["127.0.0.1", "127.0.0.9"].map(|it| it.parse().unwrap());
        let stream = connect_in_time(&addresses, port).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap().ip(), addresses[0]);
        let second = timeout(Duration::from_millis(300), other.accept()).await;
        assert!(second.is_err(), "no second attempt expected");
    }

    #[tokio::test]
    async fn reports_the_last_error_when_all_refuse() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let error = connect_in_time(&[Ipv4Addr::LOCALHOST.into()], port)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        let error = connect_in_time(&[], port).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrNotAvailable);
    }
}
