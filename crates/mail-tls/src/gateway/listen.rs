//! Listeners that the gateway opens itself.

use std::{io, net::SocketAddr};

use rustix::net::sockopt::set_ipv6_v6only;
use tokio::net::{TcpListener, TcpSocket};

/// The number of connections that wait to be accepted.
const BACKLOG: u32 = 1024;

/// Opens a listener. An address of IPv6 is for IPv6 alone, whatever the system's default, so that `0.0.0.0` and `[::]` can
/// have the same port.
///
/// # Errors
/// Returns the error of the operating system.
pub(super) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => {
            let socket = TcpSocket::new_v6()?;
            set_ipv6_v6only(&socket, true)?;
            socket
        }
    };
    // Connections of a gateway that ended keep the address for a while.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}
