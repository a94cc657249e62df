//! A name server, and the command that asks it for servers.

use std::{
    fs,
    net::SocketAddr,
    process::{Command, Output},
};

use crate::{
    name_server_support::{ANCHORS, serve},
    world::World,
};

/// Answers as the name server of `example.org`, which advertises these servers for IMAP, in this order, and no other.
pub(crate) fn serve_dns(
    world: &World,
    servers: &'static [(&'static str, Option<u16>)],
) -> SocketAddr {
    let own_port = world.address.port();
    let servers = servers.iter();
    let servers = servers.map(|(host, port)| (*host, port.unwrap_or(own_port)));
    serve(&world.runtime, servers.collect())
}

/// Runs the command for the servers that this name server advertises.
pub(crate) fn run_with_dns(world: &World, dns: SocketAddr, more: &[&str]) -> Output {
    let anchors = world.directory.path().join("anchors");
    fs::write(&anchors, ANCHORS).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_mail-tls"));
    command.args(["connect", "alice@example.org", "--timeout", "10"]);
    command.arg("--resolver").arg(dns.to_string());
    command.arg("--anchors").arg(anchors);
    command
        .arg("--roots")
        .arg(world.directory.path().join("roots.pem"))
        .args(more);
    command.output().unwrap()
}
