//! The suites `mail-implicit-tls/client-dialogue` and `mail-implicit-tls/server-dialogue`: what is said before login,
//! and before TLS.

use conformance::{Input, MalformedCase, Outcome, Ran, malformed, repeated, violated};
use mail_implicit_tls::{
    dialogue::{Demand, Dialogue, DialogueError, Ready},
    server::{Answer, BeforeTls, CloseReason},
    service::{Protocol, Security, Service},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::oracle;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClientCase {
    service: String,
    #[serde(default)]
    upgraded: bool,
    #[serde(default)]
    without_authentication: bool,
    script: Vec<Turn>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Turn {
    Server(String),
    /// `Repeat(text, times)`
    Repeat(String, usize),
    Tls,
    Closed,
}

pub(super) fn service(name: &str, upgraded: bool) -> Result<Service, MalformedCase> {
    let uses = |it: &&Service| it.name() == name && (it.security == Security::StartTls) == upgraded;
    let service = Service::ALL.iter().find(uses);
    service
        .copied()
        .ok_or_else(|| malformed(format!("no service {name}")))
}

pub(super) fn client(input: Input) -> Ran {
    let case: ClientCase = input.parse()?;
    let service = service(&case.service, case.upgraded)?;
    let new = || match case.without_authentication {
        true => Dialogue::new(service).accept_without_authentication(),
        false => Dialogue::new(service),
    };
    let mut dialogue = new();
    let mut sent = Vec::new();
    let mut result = drain(&mut dialogue, &mut sent);
    let mut turns = Vec::new();
    for turn in case.script {
        match turn {
            Turn::Server(text) => {
                dialogue.receive(text.as_bytes());
                turns.push(text.into_bytes());
            }
            Turn::Repeat(text, times) => {
                let text = repeated(&text, times)?;
                dialogue.receive(text.as_bytes());
                turns.push(text.into_bytes());
            }
            Turn::Tls => dialogue.encrypted(),
            Turn::Closed => dialogue.closed(),
        }
        result = drain(&mut dialogue, &mut sent);
    }
    oracle::client_dialogue(service, &turns).map_err(violated)?;
    Ok(Outcome::Accept(json!({"sent": sent, "result": result})))
}

/// Does what the dialogue demands, until it demands something of the server.
fn drain(dialogue: &mut Dialogue, sent: &mut Vec<String>) -> Value {
    loop {
        match dialogue.demand() {
            Ok(Demand::Send(octets)) => {
                sent.push(String::from_utf8_lossy(&octets).into_owned());
                dialogue.sent();
            }
            Ok(Demand::Receive) => return json!("receive"),
            Ok(Demand::StartTls) => return json!("tls"),
            Ok(Demand::Done(ready)) => return json!({"ready": written(&ready)}),
            Err(error) => return json!({"failed": failed(error)}),
        }
    }
}

fn written(ready: &Ready) -> Value {
    json!({
        "greeting": ready.greeting.lines,
        "authenticated": ready.greeting.authenticated,
        "encrypted": ready.greeting.encrypted,
        "capabilities": ready.capabilities.items(),
        "mechanisms": ready.capabilities.mechanisms(),
        "rest": String::from_utf8_lossy(&ready.rest),
    })
}

fn failed(error: DialogueError) -> &'static str {
    match error {
        DialogueError::Refused => "refused",
        DialogueError::Unexpected => "unexpected",
        DialogueError::Octet => "octet",
        DialogueError::TooLong => "too-long",
        DialogueError::NoStartTls => "no-starttls",
        DialogueError::StartTlsRefused => "starttls-refused",
        DialogueError::Injected => "injected",
        DialogueError::PreauthInClear => "preauth-in-clear",
        DialogueError::NoAuthentication => "no-authentication",
        DialogueError::Closed => "closed",
        _ => "unknown",
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ServerCase {
    protocol: Protocol,
    can_start_tls: bool,
    client: Vec<String>,
}

pub(super) fn server(input: Input) -> Ran {
    let case: ServerCase = input.parse()?;
    let (mut server, greeting) =
        BeforeTls::new(case.protocol, "mx.example.org", case.can_start_tls);
    let mut said = vec![String::from_utf8_lossy(&greeting).into_owned()];
    let mut end = json!("receive");
    for text in &case.client {
        let (reply, then) = match server.receive(text.as_bytes()) {
            Answer::Send(reply) => (reply, json!("receive")),
            Answer::StartTls(reply) => (reply, json!("tls")),
            Answer::Close(reply, reason) => (reply, json!({"closed": closed(reason)})),
        };
        said.push(String::from_utf8_lossy(&reply).into_owned());
        end = then;
        if matches!(end, Value::Object(_)) {
            break;
        }
    }
    let all = case.client.concat();
    oracle::server_dialogue(case.protocol, case.can_start_tls, all.as_bytes()).map_err(violated)?;
    Ok(Outcome::Accept(json!({"said": said, "end": end})))
}

fn closed(reason: CloseReason) -> &'static str {
    match reason {
        CloseReason::Quit => "quit",
        CloseReason::Injected => "injected",
        CloseReason::TooLong => "too-long",
        CloseReason::Octet => "octet",
        CloseReason::Http => "http",
        CloseReason::Tls => "tls",
        CloseReason::ProxyHeader => "proxy",
        _ => "unknown",
    }
}
