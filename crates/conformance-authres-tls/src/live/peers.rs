//! Compares other readers of `Authentication-Results` with ours: on the fields of our server, on values that mail
//! servers write, and on what our writer makes of the vectors.
//! `known_wrong.json` lists the known faults of a peer, by peer, by kind of fault, by case. An entry that is no
//! longer true is a failure, too. In general: authres drops properties of ptypes it does not know, `cert` and `key`
//! among them, keeps the backslashes of quoted-pairs, refuses quoted authserv-ids that are not domain names and
//! values outside ASCII without quotes, and compares ids without regard to case. Mail::AuthenticationResults refuses
//! `\"` and quoted local-parts, keeps `\\`, and turns a fold inside a quoted-string into more spaces than it has. mailauth
//! refuses nothing, never ends a pair of a backslash, and keeps the last result of a method.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use authres_tls::{AuthenticationResults, Options, syntax::Text};
use conformance::{
    Comparison, Expected, KnownDifferences, Live, Origin, VectorFile,
    outcome::{Checked, Failure, passed},
    python,
};
use serde::Deserialize;

use super::{field::written, script::answer};
use crate::PROTOCOL;

#[derive(Clone, Copy)]
pub(super) enum Peer {
    Python,
    Perl,
    Mailauth,
}

/// A peer's reading of a value.
#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(untagged)]
enum Said {
    Refused { error: String },
    Read(Reading),
}

#[derive(Debug, Deserialize, PartialEq, Eq)]
struct Reading {
    authserv_id: Option<String>,
    results: Vec<Of>,
}

#[derive(Debug, Deserialize, PartialEq, Eq)]
struct Of {
    method: Option<String>,
    result: Option<String>,
    reason: Option<String>,
    properties: Vec<(Option<String>, Option<String>, Option<String>)>,
}

/// Returns our reading of the value.
fn ours(value: &str) -> Checked<Reading> {
    let options = Options::strict().with_utf8(true);
    let header = AuthenticationResults::parse(value.as_bytes(), &options)?;
    let text = |text: Text<'_>| Some(text.unfolded().into_owned());
    let results = header.results().map(|it| Of {
        method: text(it.method()),
        result: text(it.result()),
        reason: it.reason().and_then(text),
        properties: it
            .properties()
            .map(|it| {
                (
                    it.ptype().and_then(text),
                    text(it.property()),
                    text(it.value()),
                )
            })
            .collect(),
    });
    Ok(Reading {
        authserv_id: text(header.authserv_id()),
        results: results.collect(),
    })
}

/// Returns the first kind of fault in a peer's reading, if there is one.
fn wrong(said: &Said, ours: &Reading) -> Option<&'static str> {
    let Said::Read(said) = said else {
        return Some("refuses");
    };
    if said.authserv_id != ours.authserv_id {
        return Some("authserv-id");
    }
    let names = |of: &Reading| -> Vec<_> {
        let results = of.results.iter();
        results
            .map(|it| (it.method.clone(), it.result.clone()))
            .collect()
    };
    if names(said) != names(ours) {
        return Some("methods and results");
    }
    let same = |of: fn(&Of, &Of) -> bool| {
        let mut pairs = said.results.iter().zip(&ours.results);
        pairs.all(|(said, ours)| of(said, ours))
    };
    if !same(|said, ours| said.reason == ours.reason) {
        return Some("reason");
    }
    if !same(|said, ours| said.properties.len() == ours.properties.len()) {
        return Some("number of properties");
    }
    (said != ours).then_some("values of properties")
}

/// Values as mail servers write them, ten a kind.
fn as_met(root: &Path) -> Checked<Vec<(String, String)>> {
    let text = fs::read_to_string(root.join("crates/benches/authres-tls/values.json"))?;
    let values: BTreeMap<String, Vec<String>> = serde_json::from_str(&text)?;
    let named = values.into_iter().flat_map(|(kind, values)| {
        let numbered = values.into_iter().enumerate();
        numbered.map(move |(at, value)| (format!("values/{kind}-{at}"), value))
    });
    Ok(named.collect())
}

/// Returns the values that the writer makes of the vectors, without ARC, which these peers do not read.
fn of_the_vectors(root: &Path) -> Checked<Vec<(String, String)>> {
    let file = VectorFile::load(
        &root.join("crates/conformance-authres-tls/vectors/write.json"),
        Origin::Own,
    )?;
    let written = file.cases.iter().filter_map(|case| {
        let Expected::Accept(accept) = &case.expected else {
            return None;
        };
        if case.input.get("model")?.get("instance").is_some() {
            return None;
        }
        let value = accept.get("written")?.as_str()?.to_owned();
        Some((format!("write/{}", case.name), value))
    });
    Ok(written.collect())
}

impl Peer {
    const fn name(self) -> &'static str {
        match self {
            Self::Python => "Python authres",
            Self::Perl => "Perl Mail::AuthenticationResults",
            Self::Mailauth => "mailauth",
        }
    }

    /// The interpreter, its script, and what is to be there; or why it cannot run.
    fn command(self, root: &Path) -> Result<(PathBuf, PathBuf), String> {
        let of_node = root.join("crates/conformance-authres-tls/javascript/mailauth_peer.js");
        let of_node = of_node.to_string_lossy();
        let (interpreter, script, probe, how) = match self {
            Self::Python => (
                python(root).map_err(|error| error.to_string())?,
                "python/authres_peer.py",
                vec!["-c", "import authres"],
                "pip install -r crates/conformance/python/requirements.txt",
            ),
            Self::Perl => (
                PathBuf::from("perl"),
                "perl/authres_peer.pl",
                vec!["-MMail::AuthenticationResults::Parser", "-MJSON::PP", "-e1"],
                "Debian's libmail-authenticationresults-perl",
            ),
            Self::Mailauth => (
                PathBuf::from("node"),
                "javascript/mailauth_peer.js",
                vec![&*of_node, "--version"],
                "npm install --prefix target/node mailauth@4.13.3",
            ),
        };
        let found = std::process::Command::new(&interpreter)
            .args(probe)
            .output();
        if found.is_ok_and(|output| output.status.success()) {
            return Ok((
                interpreter,
                root.join("crates/conformance-authres-tls").join(script),
            ));
        }
        Err(format!("{} is not installed: {how}", self.name()))
    }
}

/// Asks a reader about the vectors of values as servers write them, and about those of the grammar, where only accept or
/// reject is compared. `known_differences.json` lists the differences by their reasons. Both readers are stricter than
/// a lenient reading and looser than the grammar.
pub(super) fn on_vectors(root: &Path, peer: Peer) -> Result<Live, String> {
    let (interpreter, script) = match peer.command(root) {
        Ok(command) => command,
        Err(why) => return Ok(Live::Skipped(why)),
    };
    let known = include_str!("known_differences.json");
    let mut known: BTreeMap<String, KnownDifferences> =
        serde_json::from_str(known).map_err(|error| error.to_string())?;
    let known = known.remove(peer.name()).unwrap_or_default();
    let command = format!("'{}' '{}' --serve", interpreter.display(), script.display());
    let suites = ["authres-tls/header", "authres-tls/real"];
    let checked = known.check(root, &PROTOCOL, &command, &suites, Comparison::Given);
    checked.map(Live::Passed)
}

pub(super) async fn compare(root: &Path, peer: Peer) -> Checked {
    let mut values = written().await?;
    values.extend(as_met(root)?);
    values.extend(of_the_vectors(root)?);
    compare_values(root, peer, values, true).await
}

/// Compares each peer's reading of these values, fields that a server wrote, with ours, and returns a line about each: the
/// authserv-id, the methods with their results, the reasons and the properties.
pub(super) async fn read_back(root: &Path, values: &[(String, String)]) -> Checked<String> {
    let mut read = Vec::new();
    for peer in [Peer::Python, Peer::Perl, Peer::Mailauth] {
        // The Perl module refuses every value with an escaped quote. mailauth never ends a pair of a backslash.
        let is_read = |value: &str| match peer {
            Peer::Python => true,
            Peer::Perl => !value.contains("\\\""),
            Peer::Mailauth => !value.contains('\\'),
        };
        let values = values.iter().filter(|(_, value)| is_read(value));
        let compared = compare_values(root, peer, values.cloned().collect(), false);
        read.push(match compared.await? {
            Live::Passed(said) => format!("{}: {said}", peer.name()),
            Live::Skipped(why) => why,
        });
    }
    Ok(read.join("; "))
}

/// Compares a peer's reading of these values with ours. With `all`, the known faults are exactly those that are listed; without,
/// the properties may have a fault of a kind that the peer is known for, and nothing else may.
async fn compare_values(
    root: &Path,
    peer: Peer,
    values: Vec<(String, String)>,
    all: bool,
) -> Checked {
    let (interpreter, script) = match peer.command(root) {
        Ok(command) => command,
        Err(why) => return Ok(Live::Skipped(why)),
    };
    let texts: Vec<_> = values.iter().map(|(_, value)| value).collect();
    let said: Vec<Said> = answer(&interpreter, &script, &texts).await?;
    if said.len() != values.len() {
        return Err(Failure::new(format!(
            "{} answers to {} values",
            said.len(),
            values.len()
        )));
    }
    let known = include_str!("known_wrong.json");
    let known: BTreeMap<String, BTreeMap<String, BTreeSet<String>>> = serde_json::from_str(known)?;
    let known = known.get(peer.name()).cloned().unwrap_or_default();
    let mut seen = BTreeMap::<String, BTreeSet<String>>::new();
    let mut unexpected = Vec::new();
    for ((name, value), said) in values.iter().zip(&said) {
        let ours = ours(value).map_err(|failure| failure.of(name))?;
        let Some(what) = wrong(said, &ours) else {
            continue;
        };
        let is_known = match all {
            true => known.get(what).is_some_and(|cases| cases.contains(name)),
            // Of the readers, mailauth alone reads all properties as they are.
            false if matches!(peer, Peer::Mailauth) => false,
            false => what.ends_with("properties") && known.contains_key(what),
        };
        if !is_known {
            unexpected.push(format!("{name}: {what}: {said:?} of {value:?}"));
        }
        seen.entry(what.to_owned())
            .or_default()
            .insert(name.clone());
    }
    if !unexpected.is_empty() {
        return Err(Failure::new(unexpected.join("\n")));
    }
    for (what, cases) in &known {
        let gone: Vec<_> = cases
            .iter()
            .filter(|name| !seen.get(what).is_some_and(|seen| seen.contains(*name)))
            .collect();
        if all && !gone.is_empty() {
            return Err(Failure::new(format!("no longer wrong: {what}: {gone:?}")));
        }
    }
    let wrong: usize = seen.values().map(BTreeSet::len).sum();
    passed(format!(
        "{} values alike, {wrong} known wrong",
        values.len() - wrong
    ))
}
