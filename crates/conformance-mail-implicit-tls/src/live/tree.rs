//! A signed DNS tree on loopback: Knot DNS serves and signs the zones, one unbound validates, another does not.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
};

use conformance::{
    outcome::{Checked, Failure},
    process::{Server, at, directory, installed, ports},
};
use mail_implicit_tls::dns::anchors::TrustAnchors;

/// The zones that Knot signs, with the arguments for their keys.
const SIGNED: [(&str, &[&str]); 6] = [
    (".", ECDSA),
    ("test.", ECDSA),
    ("good.test.", ECDSA),
    ("n3.test.", ECDSA),
    ("bad.test.", ECDSA),
    ("a7.test.", &["algorithm=7", "size=2048"]),
];

const ECDSA: &[&str] = &["algorithm=ECDSAP256SHA256"];

/// The zones whose DS record is in `test.`; that of `bad.test` there is a wrong one.
const DELEGATED: [&str; 3] = ["good.test.", "n3.test.", "a7.test."];

/// All zones, which unbound asks Knot for.
const ZONES: [&str; 8] = [
    ".",
    "test.",
    "good.test.",
    "n3.test.",
    "a7.test.",
    "bad.test.",
    "plain.test.",
    "expired.test.",
];

/// The number of TLSA records of `_993._tcp.many.good.test`, which do not fit into an answer over UDP.
pub(super) const MANY: usize = 100;

/// The number of TLSA records of `_993._tcp.toomany.good.test`.
pub(super) const TOO_MANY: usize = 129;

/// The tree, as long as it runs.
pub(super) struct Tree {
    _servers: [Server; 3],
    /// The resolver that validates.
    pub(super) validating: SocketAddr,
    /// The resolver that does not validate.
    pub(super) plain: SocketAddr,
    /// The key of the root, in the format of a zone file.
    pub(super) root_key: String,
}

/// Returns the reason why the tree cannot run.
pub(super) fn missing() -> Option<String> {
    let programs = ["knotd", "keymgr", "unbound"];
    let missing = programs
        .into_iter()
        .find(|program| installed(program).is_none())?;
    Some(format!(
        "{missing} is not installed: apt-get install knot unbound"
    ))
}

impl Tree {
    /// Starts the servers. `records` are further records of `good.test`.
    pub(super) async fn start(root: &Path, records: &str) -> Checked<Self> {
        Self::start_with(root, &[("good.test", records)]).await
    }

    /// Starts the servers with further records of zones.
    pub(super) async fn start_with(root: &Path, records: &[(&str, &str)]) -> Checked<Self> {
        let source = root.join("crates/conformance-mail-implicit-tls/dns");
        let read = |file: &str| fs::read_to_string(source.join(file));
        let [knot_port, validating, plain] = ports()?;

        let home = directory()?;
        let path = home.path();
        for name in ["run", "db", "zones"] {
            fs::create_dir(path.join(name))?;
        }
        let configuration = read("knot.conf")?
            .replace("@DIR@", &path.to_string_lossy())
            .replace("@PORT@", &knot_port.to_string());
        let file = path.join("knot.conf");
        fs::write(&file, configuration)?;
        let keys = Keys::new(file.clone())?;
        for (zone, arguments) in SIGNED {
            keys.run(
                zone,
                &[&["generate", "ksk=yes", "zsk=yes"], arguments].concat(),
            )?;
        }
        let zone = |name: &str, mut text: String| {
            let zone = name.trim_end_matches(".zone");
            for (_, more) in records.iter().filter(|(name, _)| *name == zone) {
                text += more;
            }
            fs::write(path.join("zones").join(name), text)
        };
        let signed = read("signed.zone")?;
        for name in ["n3.test.zone", "a7.test.zone"] {
            zone(name, signed.clone())?;
        }
        zone("good.test.zone", signed + &many())?;
        zone("bad.test.zone", read("bad.zone")?)?;
        zone("plain.test.zone", read("plain.zone")?)?;
        let expired = read("expired.zone")?;
        let expired_ds = expired
            .lines()
            .find_map(|line| line.strip_prefix("; DS "))
            .ok_or_else(|| Failure::new("expired.zone has no DS record"))?;
        let mut test = read("test.zone")? + &format!("expired DS {expired_ds}\n");
        for name in DELEGATED {
            test += &keys.ds(name)?;
        }
        zone("expired.test.zone", expired.clone())?;
        zone("test.zone", test)?;
        zone("root.zone", read("root.zone")? + &keys.ds("test.")?)?;
        // keymgr prints the record without TTL and class.
        let printed = keys.run(".", &["dnskey"])?;
        let key = printed
            .split_once("DNSKEY")
            .ok_or_else(|| Failure::new(format!("no key in {printed}")))?
            .1;
        let root_key = format!(". 3600 IN DNSKEY{key}");

        let program = |name: &str| installed(name).ok_or_else(|| Failure::new(name));
        let mut command = Command::new(program("knotd")?);
        command.arg("-c").arg(file);
        let knot = Server::start(home, "log", &mut command, &[knot_port]).await?;
        let template = read("unbound.conf")?;
        let mut resolvers = Vec::new();
        for (port, modules) in [(validating, "validator iterator"), (plain, "iterator")] {
            let home = directory()?;
            let stubs: String = ZONES
                .iter()
                .map(|zone| {
                    format!("stub-zone:\n  name: \"{zone}\"\n  stub-addr: 127.0.0.1@{knot_port}\n")
                })
                .collect();
            let configuration = template
                .replace("@DIR@", &home.path().to_string_lossy())
                .replace("@PORT@", &port.to_string())
                .replace("@MODULES@", modules)
                .replace("@STUBS@", &stubs);
            let file = home.path().join("unbound.conf");
            fs::write(&file, configuration)?;
            fs::write(home.path().join("root.dnskey"), &root_key)?;
            let mut command = Command::new(program("unbound")?);
            command.arg("-d").arg("-c").arg(file);
            resolvers.push(Server::start(home, "log", &mut command, &[port]).await?);
        }
        let [validating_server, plain_server] = resolvers
            .try_into()
            .map_err(|_| Failure::new("two resolvers expected"))?;
        Ok(Self {
            _servers: [knot, validating_server, plain_server],
            validating: at(validating),
            plain: at(plain),
            root_key,
        })
    }

    /// Returns the trust anchor of the tree.
    pub(super) fn anchors(&self) -> Checked<TrustAnchors> {
        Ok(TrustAnchors::parse(&self.root_key)?)
    }
}

/// Records of names that have many.
fn many() -> String {
    let mut text = String::new();
    for (name, count) in [("many", MANY), ("toomany", TOO_MANY)] {
        text += &format!("{name} A 127.0.0.18\n");
        for number in 0..count {
            text += &format!("_993._tcp.{name} TLSA 3 1 1 {number:064x}\n");
        }
    }
    text
}

/// The keys of the zones.
struct Keys {
    program: PathBuf,
    configuration: PathBuf,
}

impl Keys {
    fn new(configuration: PathBuf) -> Checked<Self> {
        Ok(Self {
            program: installed("keymgr").ok_or_else(|| Failure::new("keymgr"))?,
            configuration,
        })
    }

    fn run(&self, zone: &str, arguments: &[&str]) -> Checked<String> {
        let output = Command::new(&self.program)
            .arg("-c")
            .arg(&self.configuration)
            .arg(zone)
            .args(arguments)
            .output()?;
        if !output.status.success() {
            let errors = String::from_utf8_lossy(&output.stderr);
            return Err(Failure::new(format!("keymgr {zone}: {errors}")));
        }
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Returns the DS record with the digest SHA-256.
    fn ds(&self, zone: &str) -> Checked<String> {
        let printed = self.run(zone, &["ds"])?;
        let is_sha256 = |line: &&str| line.split_whitespace().nth(4) == Some("2");
        match printed.lines().find(is_sha256) {
            Some(record) => Ok(format!("{record}\n")),
            None => Err(Failure::new(format!("no DS record in {printed}"))),
        }
    }
}
