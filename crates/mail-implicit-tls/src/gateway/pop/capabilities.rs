//! The capabilities of POP's CAPA (RFC 2449), and the mechanisms that AUTH lists, as the gateway has them.

use crate::gateway::Mechanism;

/// Capabilities that are not those of a connection within the gateway's TLS, or that the gateway refuses.
const REMOVED: &[&str] = &["STLS", "XCLIENT"];

/// The changes of a list.
#[derive(Debug)]
pub(super) struct Edits {
    /// The line of DEEP (draft-newman-email-deep-02 section 7.2), in place of the backend's.
    deep: Option<String>,
    /// `true` if EXTERNAL is available.
    external: bool,
}

impl Edits {
    pub(super) fn new(deep: Option<&str>, external: bool) -> Self {
        Self {
            deep: deep.map(str::to_owned),
            external,
        }
    }

    /// Returns the lines of CAPA for the client.
    pub(super) fn capabilities(&self, lines: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
        let mut edited = Vec::new();
        let mut external = self.external;
        for line in lines {
            let text = String::from_utf8_lossy(&line);
            let mut words = text.split_ascii_whitespace();
            let name = words.next().unwrap_or_default().to_ascii_uppercase();
            let is_removed = REMOVED.contains(&name.as_str());
            if is_removed || name == "DEEP" && self.deep.is_some() {
                continue;
            }
            if name != "SASL" {
                edited.push(line);
                continue;
            }
            let mut kept: Vec<&str> = words.filter(|word| !is_removed_mechanism(word)).collect();
            if std::mem::take(&mut external) {
                kept.push("EXTERNAL");
            }
            if !kept.is_empty() {
                edited.push(format!("SASL {}", kept.join(" ")).into_bytes());
            }
        }
        if external {
            edited.push(b"SASL EXTERNAL".to_vec());
        }
        edited.extend(self.deep.iter().map(|line| line.clone().into_bytes()));
        edited
    }

    /// Returns the lines of AUTH without an argument for the client.
    pub(super) fn mechanisms(&self, lines: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
        let is_kept = |line: &Vec<u8>| !is_removed_mechanism(String::from_utf8_lossy(line).trim());
        let mut edited: Vec<_> = lines.into_iter().filter(is_kept).collect();
        if self.external {
            edited.push(b"EXTERNAL".to_vec());
        }
        edited
    }

    /// Returns the lines of CAPA for a backend that does not have the command, if the gateway advertises DEEP. Such a
    /// backend has USER and PASS (RFC 1939).
    pub(super) fn without_list(&self) -> Option<Vec<Vec<u8>>> {
        self.deep.as_ref()?;
        Some(self.capabilities(vec![b"USER".to_vec()]))
    }
}

/// Returns `true` for mechanisms that are bound to the client's TLS connection, which the backend does not see, and for
/// EXTERNAL, which is available by a mapping of the gateway only.
fn is_removed_mechanism(name: &str) -> bool {
    let mechanism = Mechanism::parse(name);
    mechanism.is_some_and(|it| it.is_plus() || it == Mechanism::EXTERNAL)
}
