//! A web server with configuration files, and the command that fetches them.

use std::{
    net::{Ipv4Addr, SocketAddr},
    process::{Command, Output},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::world::World;

/// Serves this response to each request for the file of this user, as a host that may have one.
pub(crate) fn serve_web(world: &World, response: &'static str) -> SocketAddr {
    let listener = world
        .runtime
        .block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
        .unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = world.web.clone();
    world.runtime.spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let mut stream = acceptor.accept(tcp).await?;
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    request.push(stream.read_u8().await?);
                }
                let asks = request
                    .starts_with(b"GET /mail/config-v1.1.xml?emailaddress=alice%40example.org ");
                let missing = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
                let response = if asks { response } else { missing };
                stream.write_all(response.as_bytes()).await?;
                stream.shutdown().await
            });
        }
    });
    address
}

pub(crate) fn run_with_autoconfig(world: &World, web: SocketAddr, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mail-tls"));
    command.args(["connect", "alice@example.org", "--autoconfig"]);
    command.arg("--autoconfig-address").arg(web.to_string());
    command.args(["--resolver", "127.0.0.1:1", "--timeout", "10"]);
    command.args(more).arg("--roots");
    command.arg(world.directory.path().join("roots.pem"));
    command.output().unwrap()
}
