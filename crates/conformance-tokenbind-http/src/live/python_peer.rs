//! Runs `python/token_binding_peer.py`, and reads what it says.

use std::{
    collections::BTreeMap,
    path::Path,
    process::{Command as Blocking, Stdio},
    time::Duration,
};

use conformance::{
    outcome::{Checked, Failure},
    python,
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::timeout,
};

use super::site::IDENTITY;

/// The longest time that the script may need for one line.
const PATIENCE: Duration = Duration::from_secs(30);

/// The package that is needed besides `cryptography`, by its name in Python.
pub(super) const H2: &str = "h2";
pub(super) const PYOPENSSL: &str = "OpenSSL";

/// A plan for the script.
pub(super) struct Plan(Value);

impl Plan {
    /// One for TLS 1.2 that offers, or has, this identifier.
    pub(super) fn new(alpn: &str) -> Self {
        Self(json!({
            "certificate": hex::encode(IDENTITY.certificate()),
            "private_key": hex::encode(IDENTITY.key().serialize_der()),
            "alpn": [alpn],
            "tls": "1.2",
            "extended_master_secret": true,
            "resumption": "ticket",
        }))
    }

    pub(super) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0[name] = value.into();
        self
    }
}

/// One connection of the client.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub(super) struct ClientSaid {
    pub(super) alpn: Option<String>,
    pub(super) version: String,
    pub(super) reused: bool,
    pub(super) tls_unique: Option<String>,
    /// From e.g. `provided p256` to the identifier.
    pub(super) ids: BTreeMap<String, String>,
    /// The responses; `None` where the connection ended without an octet.
    pub(super) responses: Vec<Option<Answer>>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
}

/// The server's report of a request, of the end of a connection, or of its failure.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(untagged)]
pub(super) enum ServerSaid {
    Request(Request),
    Ended { connection: usize, ended: bool },
    Failed { connection: usize, failed: String },
    Served { connection: usize, served: bool },
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) connection: usize,
    pub(super) path: String,
    pub(super) alpn: Option<String>,
    pub(super) version: String,
    pub(super) reused: bool,
    pub(super) tls_unique: Option<String>,
    /// The number of `Token-Binding` headers.
    pub(super) headers: usize,
    /// The bindings in the one header.
    #[serde(default)]
    pub(super) bindings: Vec<Binding>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub(super) struct Binding {
    #[serde(rename = "type")]
    pub(super) kind: u8,
    pub(super) id: String,
    pub(super) verified: bool,
}

/// The running script; it is killed when dropped.
pub(super) struct Script {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

/// Returns the reason for which the script cannot run, if there is one: Python or a package is missing.
pub(super) fn missing(root: &Path, packages: &[&str]) -> Option<String> {
    let python = match python(root) {
        Ok(python) => python,
        Err(error) => return Some(error.to_string()),
    };
    packages.iter().find_map(|package| {
        let mut import = Blocking::new(&python);
        let output = import.args(["-c", &format!("import {package}")]).output();
        let there = output.is_ok_and(|output| output.status.success());
        (!there).then(|| {
            format!(
                "{} lacks the module {package}: pip install -r \
                 crates/conformance-tokenbind-http/python/requirements.txt",
                python.display()
            )
        })
    })
}

impl Script {
    fn start(root: &Path, role: &str, plan: &Plan) -> Checked<Self> {
        let mut child = Command::new(python(root)?)
            .arg(root.join("crates/conformance-tokenbind-http/python/token_binding_peer.py"))
            .args([role, &plan.0.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let stdout = child.stdout.take();
        let stdout = stdout.ok_or_else(|| Failure::new("the script has no output"))?;
        let lines = BufReader::new(stdout).lines();
        Ok(Self { child, lines })
    }

    async fn line<T: DeserializeOwned>(&mut self) -> Checked<Option<T>> {
        match timeout(PATIENCE, self.lines.next_line()).await?? {
            Some(line) => match serde_json::from_str(&line) {
                Ok(said) => Ok(Some(said)),
                Err(error) => Err(Failure::new(format!("{error} in {line}"))),
            },
            None => Ok(None),
        }
    }

    /// The rest of what it says, to its end, which must be a good one.
    async fn rest<T: DeserializeOwned>(mut self) -> Checked<Vec<T>> {
        let mut all = Vec::new();
        while let Some(said) = self.line().await? {
            all.push(said);
        }
        let output = self.child.wait_with_output().await?;
        if output.status.success() {
            return Ok(all);
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let last = said.lines().last().unwrap_or_default();
        Err(Failure::new(format!("the script failed: {last}")))
    }
}

/// A request of the client's plan.
pub(super) fn request(path: &str, header: &str) -> Value {
    json!({"path": path, "header": header})
}

/// Runs the client to its end.
pub(super) async fn client(root: &Path, plan: &Plan) -> Checked<Vec<ClientSaid>> {
    Script::start(root, "client", plan)?.rest().await
}

/// The server.
pub(super) struct Server {
    script: Script,
    port: u16,
}

impl Server {
    pub(super) async fn start(root: &Path, plan: &Plan) -> Checked<Self> {
        #[derive(Deserialize)]
        struct Listening {
            port: u16,
        }

        let mut script = Script::start(root, "server", plan)?;
        match script.line::<Listening>().await? {
            Some(Listening { port }) => Ok(Self { script, port }),
            None => {
                script.rest::<Value>().await?;
                Err(Failure::new("the script's server does not listen"))
            }
        }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.port)
    }

    /// Returns the reports until the server has served as many connections as planned.
    pub(super) async fn said(self) -> Checked<Vec<ServerSaid>> {
        self.script.rest().await
    }
}
