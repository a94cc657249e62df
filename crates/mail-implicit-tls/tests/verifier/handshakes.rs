//! Handshakes in memory.

use std::sync::Arc;

use mail_implicit_tls::verifier::{ServerVerifier, client_config, server_name};
use rustls::{ClientConfig, ClientConnection, DEFAULT_VERSIONS, ServerConfig, ServerConnection};
use test_support::pki::{Authority, Identity};

use crate::{
    accounts::{imaps, provider},
    certificates::{ROOT, named},
};

/// Returns the configuration of a server with this certificate.
pub(crate) fn server(identity: &Identity) -> Arc<ServerConfig> {
    Arc::new(identity.server_config(provider(), DEFAULT_VERSIONS))
}

pub(crate) fn good_server() -> Arc<ServerConfig> {
    server(&named(&["imap.example.org"]).issue(&ROOT))
}

/// Returns a certificate of the kind that local bridges make: self-signed, CA:TRUE.
pub(crate) fn bridge() -> Identity {
    Authority::new("Bridge").identity()
}

/// Runs a handshake, and what follows it, and returns the client's connection.
pub(crate) fn handshake(
    client: &Arc<ClientConfig>,
    server: &Arc<ServerConfig>,
) -> Result<ClientConnection, rustls::Error> {
    let name = server_name(&imaps()).unwrap();
    let mut client = ClientConnection::new(client.clone(), name)?;
    let mut server = ServerConnection::new(server.clone())?;
    loop {
        let mut moved = 0;
        let mut flight = Vec::new();
        while client.wants_write() {
            moved += client.write_tls(&mut flight).unwrap();
        }
        let mut flight = flight.as_slice();
        while !flight.is_empty() {
            server.read_tls(&mut flight).unwrap();
            // The client's error is the one that counts.
            let _ = server.process_new_packets();
        }
        let mut flight = Vec::new();
        while server.wants_write() {
            moved += server.write_tls(&mut flight).unwrap();
        }
        let mut flight = flight.as_slice();
        while !flight.is_empty() {
            client.read_tls(&mut flight).unwrap();
            client.process_new_packets()?;
        }
        if moved == 0 {
            return Ok(client);
        }
    }
}

pub(crate) fn config(verifier: Arc<ServerVerifier>) -> Arc<ClientConfig> {
    Arc::new(client_config(provider(), verifier).unwrap())
}
