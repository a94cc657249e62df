//! The suite `mail-implicit-tls/proxy-protocol`: begins of connections, with a header of the PROXY protocol or without.

use std::net::SocketAddr;

use conformance::{Input, Outcome, Ran, malformed, violated};
use mail_implicit_tls::gateway::proxy_protocol::{Header, Networks, Opened, Opening};
use serde::Deserialize;
use serde_json::{Value, json};

use super::oracle;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    octets: String,
    #[serde(default = "listed")]
    listed: bool,
}

const fn listed() -> bool {
    true
}

/// The peer of all cases.
const PEER: SocketAddr = SocketAddr::new(
    std::net::IpAddr::V4(std::net::Ipv4Addr::new(10, 1, 2, 3)),
    4711,
);

pub(super) fn proxy_protocol(input: Input) -> Ran {
    let case: Case = input.parse()?;
    let octets = hex::decode(&case.octets).map_err(|_| malformed("octets: hex expected"))?;
    oracle::proxy_protocol(&octets).map_err(violated)?;
    let listed = ["10.0.0.0/8"];
    let networks = Networks::parse(if case.listed { &listed[..] } else { &[] }.iter().copied())
        .map_err(|error| malformed(error.to_string()))?;
    Ok(match Opening::new(PEER, &networks).receive(&octets) {
        Err(error) => Outcome::reject(error.kind().name(), error.field(), error.offset()),
        Ok(Opened::Incomplete) => Outcome::Accept(json!({"incomplete": true})),
        Ok(Opened::Complete {
            client,
            header,
            rest,
        }) => Outcome::Accept(json!({
            "client": client.to_string(),
            "header": header.map(|header| written(&header)),
            "rest": hex::encode(rest),
        })),
    })
}

fn written(header: &Header) -> Value {
    let addresses = header.addresses.map(|it| {
        let addresses = [it.source, it.destination];
        addresses.map(|address| address.to_string())
    });
    let ssl = header.ssl.as_ref().map(|ssl| {
        let certificate = ssl.certificate.as_ref().map(|it| {
            json!({"cn": it.common_name, "connection": it.on_connection, "verified": it.is_verified})
        });
        json!({"version": ssl.version, "cipher": ssl.cipher, "certificate": certificate})
    });
    json!({
        "addresses": addresses,
        "authority": header.authority.as_ref().map(|name| name.as_str()),
        "unique_id": header.unique_id.as_ref().map(hex::encode),
        "ssl": ssl,
        "written": header.to_vec().ok().map(hex::encode),
    })
}
