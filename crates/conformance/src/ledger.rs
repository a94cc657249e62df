//! The requirements ledger: `requirements/*.toml` of each protocol's folder.

mod coverage;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, fs,
    path::Path,
};

use serde::{Deserialize, Serialize};

pub use coverage::{DocumentCoverage, Keywords, SectionCoverage, coverage};

/// The strength of a requirement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Level {
    /// MUST.
    #[serde(rename = "MUST")]
    Must,
    /// MUST NOT.
    #[serde(rename = "MUST NOT")]
    MustNot,
    /// SHOULD.
    #[serde(rename = "SHOULD")]
    Should,
    /// SHOULD NOT.
    #[serde(rename = "SHOULD NOT")]
    ShouldNot,
    /// MAY.
    #[serde(rename = "MAY")]
    May,
    /// Binding, without a key word.
    #[serde(rename = "statement")]
    Statement,
}

impl Level {
    /// Returns the level as documents write it.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Must => "MUST",
            Self::MustNot => "MUST NOT",
            Self::Should => "SHOULD",
            Self::ShouldNot => "SHOULD NOT",
            Self::May => "MAY",
            Self::Statement => "statement",
        }
    }
}

/// The party that a requirement binds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The client.
    Client,
    /// The server.
    Server,
    /// Both.
    Both,
    /// Whoever runs one of them.
    Operator,
}

impl Role {
    /// Returns the party in words.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
            Self::Both => "both",
            Self::Operator => "operator",
        }
    }
}

/// The degree to which a requirement is met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Met, and shown.
    Done,
    /// Met in part.
    Partial,
    /// Not ours to meet.
    NotApplicable,
    /// Met otherwise than the draft says.
    Deviates,
    /// Not met yet: the reason names the part that is to meet it.
    Open,
}

impl Status {
    /// Returns the status in words.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Partial => "partial",
            Self::NotApplicable => "not applicable",
            Self::Deviates => "deviates",
            Self::Open => "open",
        }
    }
}

/// One requirement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requirement {
    /// E.g. `popov-5-3`.
    pub id: String,
    /// The draft's section.
    pub section: String,
    /// The strength of the requirement.
    pub level: Level,
    /// The key words of its section's text that the entry covers. By default, one of its level.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub covers: Option<Keywords>,
    /// The party that it binds.
    pub role: Role,
    /// The requirement in our words.
    pub text: String,
    /// The degree to which it is met.
    pub status: Status,
    /// The reason for a status other than `done`.
    pub reason: Option<String>,
    /// The evidence.
    #[serde(default)]
    pub evidence: Vec<Evidence>,
}

/// A piece of evidence for a requirement.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Evidence {
    /// `vector:<suite>/<case>`
    Vector {
        /// The suite.
        suite: String,
        /// The case.
        case: String,
    },
    /// `test:<crate>::<path>`, a test as libtest names it.
    Test {
        /// The crate.
        package: String,
        /// The path.
        path: String,
    },
    /// `live:<crate>/<name>`, a scenario on loopback without foreign peers.
    Live {
        /// The scenario's name.
        name: String,
    },
}

impl TryFrom<String> for Evidence {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let vector = text
            .strip_prefix("vector:")
            .and_then(|name| name.rsplit_once('/'));
        let test = text
            .strip_prefix("test:")
            .and_then(|name| name.split_once("::"));
        match (vector, test) {
            (Some((suite, case)), _) => Ok(Self::Vector {
                suite: suite.into(),
                case: case.into(),
            }),
            (_, Some((package, path))) => Ok(Self::Test {
                package: package.into(),
                path: path.into(),
            }),
            _ => match text.strip_prefix("live:") {
                Some(name) => Ok(Self::Live { name: name.into() }),
                None => Err(format!(
                    "none of vector:<suite>/<case>, test:<crate>::<path>, live:<crate>/<name>: {text}"
                )),
            },
        }
    }
}

impl From<Evidence> for String {
    fn from(evidence: Evidence) -> Self {
        evidence.to_string()
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vector { suite, case } => write!(f, "vector:{suite}/{case}"),
            Self::Test { package, path } => write!(f, "test:{package}::{path}"),
            Self::Live { name } => write!(f, "live:{name}"),
        }
    }
}

/// The ledger of one draft.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ledger {
    /// The draft: the file's name.
    pub draft: String,
    /// The document whose sections the entries name. Several ledgers may share one.
    pub document: String,
    /// The reason for which the document's key words are not counted, if they are not.
    pub not_counted: Option<String>,
    /// The numbers of key words in the text of each section that has some.
    pub keywords: BTreeMap<String, Keywords>,
    /// Its requirements.
    pub requirements: Vec<Requirement>,
}

/// The reason for which a ledger is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerError {
    /// The draft.
    pub draft: String,
    /// The fault.
    pub reason: String,
}

impl fmt::Display for LedgerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.draft, self.reason)
    }
}

impl std::error::Error for LedgerError {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    document: Option<String>,
    not_counted: Option<String>,
    #[serde(default)]
    keywords: BTreeMap<String, Keywords>,
    requirement: Vec<Requirement>,
}

impl Ledger {
    /// Reads the ledger of a draft.
    ///
    /// # Errors
    /// When it is not of the ledger's form: an unknown field, an id used twice, a `done` without
    /// evidence, anything else without a reason.
    pub fn parse(draft: &str, text: &str) -> Result<Self, LedgerError> {
        let refuse = |reason: String| LedgerError {
            draft: draft.into(),
            reason,
        };
        let file: File = toml::from_str(text).map_err(|error| refuse(error.to_string()))?;
        let mut ids = BTreeSet::new();
        for requirement in &file.requirement {
            let id = &requirement.id;
            if !ids.insert(id) {
                return Err(refuse(format!("{id} appears twice")));
            }
            let has_reason = requirement
                .reason
                .as_ref()
                .is_some_and(|reason| !reason.is_empty());
            match requirement.status {
                Status::Done if requirement.evidence.is_empty() => {
                    return Err(refuse(format!("{id} is done without evidence")));
                }
                Status::Done if has_reason => {
                    return Err(refuse(format!(
                        "{id} is done and has a reason why it is not"
                    )));
                }
                Status::Partial | Status::NotApplicable | Status::Deviates | Status::Open
                    if !has_reason =>
                {
                    return Err(refuse(format!("{id} is not done, without a reason")));
                }
                _ => {}
            }
        }
        Ok(Self {
            draft: draft.into(),
            document: file.document.unwrap_or_else(|| draft.to_owned()),
            not_counted: file.not_counted,
            keywords: file.keywords,
            requirements: file.requirement,
        })
    }

    /// Reads all ledgers in these directories, in order of their names.
    ///
    /// # Errors
    /// Returns an error if a ledger cannot be read or is refused, or an id is in two ledgers.
    pub fn load_all(directories: &[impl AsRef<Path>]) -> Result<Vec<Self>, LedgerError> {
        let failed = |path: &Path, error: std::io::Error| LedgerError {
            draft: path.display().to_string(),
            reason: error.to_string(),
        };
        let mut ledgers = Vec::new();
        for directory in directories.iter().map(AsRef::as_ref) {
            for entry in fs::read_dir(directory).map_err(|error| failed(directory, error))? {
                let path = entry.map_err(|error| failed(directory, error))?.path();
                if path
                    .extension()
                    .is_some_and(|extension| extension == "toml")
                {
                    let draft = path
                        .file_stem()
                        .unwrap_or_default()
                        .to_string_lossy()
                        .into_owned();
                    let text = fs::read_to_string(&path).map_err(|error| failed(&path, error))?;
                    ledgers.push(Self::parse(&draft, &text)?);
                }
            }
        }
        ledgers.sort_by(|left, right| left.draft.cmp(&right.draft));
        let mut ids = BTreeSet::new();
        for ledger in &ledgers {
            for Requirement { id, .. } in &ledger.requirements {
                if !ids.insert(id) {
                    let (draft, reason) = (ledger.draft.clone(), format!("{id} is in two ledgers"));
                    return Err(LedgerError { draft, reason });
                }
            }
        }
        Ok(ledgers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: &str, rest: &str) -> String {
        format!(
            "[[requirement]]\nid='{id}'\nsection='5'\nlevel='MUST'\nrole='server'\ntext='t'\n{rest}\n"
        )
    }

    fn refusal(text: &str) -> String {
        Ledger::parse("d", text).expect_err("refused").reason
    }

    const DONE: &str = "status='done'\nevidence=['vector:a/b/c','test:p::q::r','live:p/l']";

    #[test]
    fn reads_cases_tests_and_live_scenarios_as_evidence() {
        let ledger = Ledger::parse("d", &entry("x", DONE)).expect("valid");
        let expected = vec![
            Evidence::Vector {
                suite: "a/b".into(),
                case: "c".into(),
            },
            Evidence::Test {
                package: "p".into(),
                path: "q::r".into(),
            },
            Evidence::Live { name: "p/l".into() },
        ];
        assert_eq!(ledger.requirements[0].evidence, expected);
        let text = refusal(&entry("x", "status='done'\nevidence=['faith']"));
        assert!(text.contains("live:<crate>/<name>: faith"));
    }

    #[test]
    fn refuses_an_id_that_appears_twice() {
        assert_eq!(
            refusal(&(entry("x", DONE) + &entry("x", DONE))),
            "x appears twice"
        );
    }

    #[test]
    fn refuses_done_without_evidence() {
        assert_eq!(
            refusal(&entry("x", "status='done'")),
            "x is done without evidence"
        );
    }

    #[test]
    fn refuses_done_with_a_reason() {
        let text = entry("x", &format!("{DONE}\nreason='r'"));
        assert_eq!(refusal(&text), "x is done and has a reason why it is not");
    }

    #[test]
    fn refuses_not_done_without_a_reason() {
        for status in ["partial", "not-applicable", "deviates", "open"] {
            let text = entry("x", &format!("status='{status}'"));
            assert_eq!(refusal(&text), "x is not done, without a reason");
        }
    }

    #[test]
    fn refuses_unknown_fields_and_levels() {
        assert!(refusal(&entry("x", &format!("{DONE}\nwhim=1"))).contains("unknown field `whim`"));
        let level = entry("x", DONE).replace("'MUST'", "'OUGHT'");
        assert!(refusal(&level).contains("unknown variant `OUGHT`"));
    }
}
