//! Feature `hyper`: the client of a connection, and the connection's place among those of its server.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicBool, Ordering},
};

use crate::server::connection::Connection;

/// A client of a [`Server`](super::Server): an extension of each of its requests.
#[derive(Clone, Debug)]
pub struct Peer {
    /// The connection's state.
    pub connection: Connection,
    /// The address and port that the connection comes from.
    pub address: SocketAddr,
}

/// The place of a connection among those of the server, and its client.
pub(super) struct Place {
    peer: Peer,
    has_asked: AtomicBool,
    place: accept_loop::Place,
}

impl Place {
    pub(super) fn new(peer: Peer, place: accept_loop::Place) -> Self {
        let has_asked = AtomicBool::new(false);
        Self {
            peer,
            has_asked,
            place,
        }
    }

    /// Notes a request and returns the client it comes from. The first request secures the connection's place.
    pub(super) fn asks(&self) -> &Peer {
        if !self.has_asked.swap(true, Ordering::Relaxed) {
            self.place.is_served();
        }
        &self.peer
    }
}
