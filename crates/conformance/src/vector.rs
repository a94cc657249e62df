//! Vector files: `{suite, source, count, cases}`, loaded strictly.

mod case;
mod error;

use std::{
    collections::BTreeSet,
    fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use serde::Deserialize;
use serde_json::{Map, Value};

pub use self::{
    case::{Case, Expected, RejectPattern},
    error::{VectorError, VectorErrorKind},
};
use crate::unambiguous::{DUPLICATE_KEY, unambiguous};

/// The origin of a file. Files of others may leave out the parts in brackets in `docs/vectors.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// One of this project's.
    Own,
    /// Given with `--vectors`.
    Foreign,
}

/// One vector file.
#[derive(Clone, Debug, PartialEq)]
pub struct VectorFile {
    /// The path of the file.
    pub path: PathBuf,
    /// The origin of the file.
    pub origin: Origin,
    /// The suite its cases belong to.
    pub suite: String,
    /// The origin of the cases.
    pub source: String,
    /// The cases.
    pub cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    suite: String,
    source: String,
    count: usize,
    cases: Vec<Map<String, Value>>,
}

impl VectorFile {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read, or breaks a rule of `docs/vectors.md`.
    pub fn load(path: &Path, origin: Origin) -> Result<Self, VectorError> {
        let text = read(path).map_err(|error| unreadable(path, &error))?;
        Self::parse(path, &text, origin)
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// When it breaks a rule of `docs/vectors.md`.
    pub fn parse(path: &Path, text: &str, origin: Origin) -> Result<Self, VectorError> {
        let refuse = |case: Option<&str>, kind, reason: String| VectorError {
            path: path.into(),
            case: case.map(str::to_owned),
            kind,
            reason,
        };
        if text.starts_with('\u{feff}') {
            let reason = "a byte order mark precedes the JSON".into();
            return Err(refuse(None, VectorErrorKind::Json, reason));
        }
        let file = unambiguous(text).map_err(|error| {
            let reason = error.to_string();
            let kind = if reason.starts_with(DUPLICATE_KEY) {
                VectorErrorKind::DuplicateKey
            } else {
                VectorErrorKind::Json
            };
            refuse(None, kind, reason)
        })?;
        let file: File = serde_json::from_value(file)
            .map_err(|error| refuse(None, VectorErrorKind::Form, error.to_string()))?;
        if file.suite.contains(char::is_control) {
            let reason = "suite: a control character".into();
            return Err(refuse(None, VectorErrorKind::Form, reason));
        }
        if file.cases.is_empty() {
            let reason = format!(
                "count is {}, there are no cases, and a file has at least one",
                file.count
            );
            return Err(refuse(None, VectorErrorKind::NoCases, reason));
        }
        if file.count != file.cases.len() {
            let reason = format!(
                "count is {} but the number of cases is {}",
                file.count,
                file.cases.len()
            );
            return Err(refuse(None, VectorErrorKind::Count, reason));
        }
        let mut names = BTreeSet::new();
        let mut cases = Vec::with_capacity(file.cases.len());
        for fields in file.cases {
            let name = fields
                .get("name")
                .and_then(Value::as_str)
                .map(str::to_owned);
            let case = Case::parse(fields, origin)
                .map_err(|(kind, reason)| refuse(name.as_deref(), kind, reason))?;
            if !names.insert(case.name.clone()) {
                let reason = "the name is used twice".into();
                return Err(refuse(
                    name.as_deref(),
                    VectorErrorKind::DuplicateName,
                    reason,
                ));
            }
            cases.push(case);
        }
        Ok(Self {
            path: path.into(),
            origin,
            suite: file.suite,
            source: file.source,
            cases,
        })
    }
}

/// The largest file, in octets.
const LARGEST: u64 = 1 << 26;

/// Reads the text of a regular file, which is not too large.
fn read(path: &Path) -> io::Result<String> {
    // A pipe would wait when it is opened, and a device may have no end.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let mut text = String::new();
    let mut file = fs::File::open(path)?.take(LARGEST + 1);
    file.read_to_string(&mut text)?;
    match file.limit() {
        0 => Err(io::Error::other(format!("larger than {LARGEST} octets"))),
        _ => Ok(text),
    }
}

fn unreadable(path: &Path, error: &io::Error) -> VectorError {
    VectorError {
        path: path.into(),
        case: None,
        kind: VectorErrorKind::Unreadable,
        reason: error.to_string(),
    }
}

/// Returns a file itself, or all `*.json` files in a directory and below, in order of their paths. A file or a directory that has several
/// names, because of links, is visited once.
///
/// # Errors
/// Returns an error if a directory cannot be read.
pub fn files(directory: &Path) -> Result<Vec<PathBuf>, VectorError> {
    if directory.is_file() {
        return Ok(vec![directory.into()]);
    }
    let (mut found, mut visited) = (Vec::new(), BTreeSet::new());
    add_files(directory, &mut found, &mut visited)?;
    found.sort();
    Ok(found)
}

fn add_files(
    directory: &Path,
    found: &mut Vec<PathBuf>,
    visited: &mut BTreeSet<PathBuf>,
) -> Result<(), VectorError> {
    let failed = |error: io::Error| unreadable(directory, &error);
    if !visited.insert(fs::canonicalize(directory).map_err(failed)?) {
        return Ok(());
    }
    let entries: io::Result<Vec<_>> = fs::read_dir(directory).map_err(failed)?.collect();
    let mut paths: Vec<_> = entries
        .map_err(failed)?
        .into_iter()
        .map(|it| it.path())
        .collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            add_files(&path, found, visited)?;
            continue;
        }
        let is_json = path.extension().is_some_and(|it| it == "json");
        // A link to nothing is found, and is unreadable.
        let canonical = || fs::canonicalize(&path).unwrap_or_else(|_| path.clone());
        if is_json && visited.insert(canonical()) {
            found.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refused(text: &str, origin: Origin) -> VectorError {
        VectorFile::parse(Path::new("x.json"), text, origin).expect_err("refused")
    }

    fn reason(text: &str, origin: Origin) -> (Option<String>, String) {
        let error = refused(text, origin);
        (error.case, error.reason)
    }

    fn file(cases: &str, count: usize) -> String {
        format!(r#"{{"suite":"s","source":"t","count":{count},"cases":[{cases}]}}"#)
    }

    const GOOD: &str = r#"{"name":"a","requirements":["r"],"input":{"x":1},"accept":2}"#;

    #[test]
    fn keeps_the_fields_of_a_suite_in_its_cases() {
        let file = VectorFile::parse(Path::new("x.json"), &file(GOOD, 1), Origin::Own);
        let case = file.expect("valid").cases.remove(0);
        assert_eq!(
            case.input,
            Map::from_iter([("x".to_owned(), Value::from(1))])
        );
        assert_eq!(case.expected, Expected::Accept(Value::from(2)));
    }

    #[test]
    fn reads_the_input_of_others_beside_the_name() {
        let parsed = |case: &str, origin| {
            let file = VectorFile::parse(Path::new("x.json"), &file(case, 1), origin);
            file.map(|mut file| Value::Object(file.cases.remove(0).input))
                .map_err(|error| (error.kind, error.reason))
        };
        let form = |reason: &str| Err((VectorErrorKind::Form, reason.to_owned()));
        for (fields, own, foreign) in [
            (
                r#""input":{"x":1}"#,
                Ok(json!({"x": 1})),
                Ok(json!({"x": 1})),
            ),
            (
                r#""input":{"input":"00"}"#,
                Ok(json!({"input": "00"})),
                Ok(json!({"input": "00"})),
            ),
            (
                r#""input":{},"x":1"#,
                form("unknown field `x`"),
                form("unknown field `x`"),
            ),
            (
                r#""input":"00","x":1"#,
                form("input is not an object"),
                Ok(json!({"input": "00", "x": 1})),
            ),
            (
                r#""input":null"#,
                form("input is not an object"),
                Ok(json!({"input": null})),
            ),
            (
                r#""x":1"#,
                form("input is not an object"),
                Ok(json!({"x": 1})),
            ),
        ] {
            let case = format!(r#"{{"name":"a","requirements":[],{fields},"accept":1}}"#);
            assert_eq!(parsed(&case, Origin::Own), own, "{fields}");
            assert_eq!(parsed(&case, Origin::Foreign), foreign, "{fields}");
        }
    }

    #[test]
    fn refuses_a_wrong_count() {
        let expected = (None, "count is 2 but the number of cases is 1".to_owned());
        assert_eq!(reason(&file(GOOD, 2), Origin::Own), expected);
    }

    #[test]
    fn refuses_a_file_without_cases() {
        for origin in [Origin::Own, Origin::Foreign] {
            for count in [0, 1] {
                let why =
                    format!("count is {count}, there are no cases, and a file has at least one");
                assert_eq!(reason(&file("", count), origin), (None, why));
            }
            let zero = (None, "count is 0 but the number of cases is 1".to_owned());
            assert_eq!(reason(&file(GOOD, 0), origin), zero);
        }
    }

    #[test]
    fn names_the_kind_of_each_fault() {
        use VectorErrorKind as Kind;
        let twice = format!("{GOOD},{GOOD}");
        let own = |case: &str| file(&format!(r#"{{"name":"a",{case}}}"#), 1);
        for (text, kind, name) in [
            ("{".to_owned(), Kind::Json, "json"),
            (
                r#"{"suite":"s","suite":"s"}"#.to_owned(),
                Kind::DuplicateKey,
                "duplicate-key",
            ),
            ("[]".to_owned(), Kind::Form, "form"),
            (own(r#""requirements":1,"accept":1"#), Kind::Form, "form"),
            (file(r#"{"name":"a\nb"}"#, 1), Kind::Form, "form"),
            (
                file(GOOD, 1).replace(r#""s""#, r#""\u001b""#),
                Kind::Form,
                "form",
            ),
            (format!("\u{feff}{}", file(GOOD, 1)), Kind::Json, "json"),
            (own(r#""requirements":[],"reject":1"#), Kind::Form, "form"),
            (file("", 0), Kind::NoCases, "no-cases"),
            (file(GOOD, 0), Kind::Count, "count"),
            (file(r#"{"name":""}"#, 1), Kind::MissingName, "missing-name"),
            (file(&twice, 2), Kind::DuplicateName, "duplicate-name"),
            (
                own(r#""accept":1"#),
                Kind::MissingRequirements,
                "missing-requirements",
            ),
            (
                own(r#""requirements":[]"#),
                Kind::AcceptOrReject,
                "accept-or-reject",
            ),
            (
                own(r#""requirements":[],"reject":{}"#),
                Kind::PartialReject,
                "partial-reject",
            ),
        ] {
            let error = refused(&text, Origin::Own);
            assert_eq!((error.kind, error.kind.name()), (kind, name), "{text}");
        }
        let error = VectorFile::load(Path::new("no/such/file"), Origin::Own);
        let error = error.expect_err("refused");
        assert_eq!(
            (error.kind, error.kind.name()),
            (Kind::Unreadable, "unreadable")
        );
        assert_eq!(
            refused(&file(GOOD, 0), Origin::Own).to_string(),
            "x.json: count: count is 0 but the number of cases is 1"
        );
    }

    #[test]
    fn writes_the_parts_of_a_pattern_that_there_are() {
        let value = json!({"reject": {"kind": "k", "offset": 3}});
        let pattern = serde_json::from_value(value["reject"].clone()).expect("a pattern");
        assert_eq!(Expected::Reject(pattern).to_value(), value);
    }

    #[test]
    fn finds_each_file_once_and_reads_regular_files_only() {
        let root = tempfile::tempdir().expect("a directory");
        let path = |name: &str| root.path().join(name);
        fs::create_dir(path("a")).expect("a directory");
        for name in ["a/b.json", "c.json", "d.txt"] {
            fs::write(path(name), file(GOOD, 1)).expect("a file");
        }
        let link = |to: &str, name: &str| {
            std::os::unix::fs::symlink(to, path(name)).expect("a link");
        };
        link("..", "a/loop");
        link("c.json", "e.json");
        link("nosuch", "f.json");
        link("/dev/zero", "g.json");
        let mut pipe = std::process::Command::new("mkfifo");
        assert!(pipe.arg(path("h.json")).status().expect("a pipe").success());
        let alone = path("d.txt");
        assert_eq!(files(&alone).expect("a file"), [alone]);
        let found = files(root.path()).expect("files");
        let expected = ["a/b.json", "c.json", "f.json", "g.json", "h.json"].map(path);
        assert_eq!(found, expected);
        let reasons = found.iter().map(|path| {
            let read = VectorFile::load(path, Origin::Own);
            read.map_or_else(|error| error.reason, |file| file.suite)
        });
        let expected = [
            "s",
            "s",
            "No such file or directory (os error 2)",
            "not a regular file",
            "not a regular file",
        ];
        assert_eq!(reasons.collect::<Vec<_>>(), expected);
        let large = path("large.json");
        let created = fs::File::create(&large).expect("a file");
        created.set_len(LARGEST + 1).expect("a file with a hole");
        let error = VectorFile::load(&large, Origin::Own).expect_err("refused");
        assert_eq!(error.reason, "larger than 67108864 octets");
        created.set_len(LARGEST).expect("a file with a hole");
        let error = VectorFile::load(&large, Origin::Own).expect_err("refused");
        assert_eq!(error.kind, VectorErrorKind::Json);
    }

    #[test]
    fn refuses_a_duplicate_key_at_every_depth() {
        for (text, key) in [
            (
                r#"{"suite":"s","source":"t","count":2,"count":1,"cases":[{"name":"a","accept":2}]}"#
                    .to_owned(),
                "count",
            ),
            (file(r#"{"name":"a","accept":1,"accept":1}"#, 1), "accept"),
            // The same key, once with an escape.
            (file(r#"{"name":"a","accept":1,"n\u0061me":"a"}"#, 1), "name"),
            (file(r#"{"name":"a","x":{"y":[{"z":1,"z":2}]},"accept":1}"#, 1), "z"),
            (file(r#"{"name":"a","accept":{"b":[[{"c":1,"c":1}]]}}"#, 1), "c"),
            (file(r#"{"name":"a","reject":{"kind":"k","kind":"l"}}"#, 1), "kind"),
        ] {
            for origin in [Origin::Own, Origin::Foreign] {
                let (case, why) = reason(&text, origin);
                assert_eq!(case, None);
                let expected = format!("duplicate key `{key}` at line 1 column ");
                assert!(why.starts_with(&expected), "{why}");
            }
        }
    }

    #[test]
    fn keeps_every_kind_of_value_as_it_is_written() {
        let value = r#"{"a":[null,true,-1,18446744073709551615,0.5,"\u00e9",{},[]],"b":""}"#;
        let case =
            format!(r#"{{"name":"a","requirements":[],"input":{{"x":{value}}},"accept":{value}}}"#);
        let file = VectorFile::parse(Path::new("x.json"), &file(&case, 1), Origin::Own);
        let case = file.expect("valid").cases.remove(0);
        let expected: Value = serde_json::from_str(value).expect("JSON");
        assert_eq!(case.input["x"], expected);
        assert_eq!(case.expected, Expected::Accept(expected));
    }

    #[test]
    fn refuses_a_name_that_is_used_twice() {
        let twice = format!("{GOOD},{GOOD}");
        let expected = (Some("a".to_owned()), "the name is used twice".to_owned());
        assert_eq!(reason(&file(&twice, 2), Origin::Own), expected);
    }

    #[test]
    fn refuses_unknown_fields_of_the_file_and_of_reject() {
        let (_, text) = reason(
            r#"{"suite":"s","source":"t","count":1,"cases":[{"name":"a"}],"x":1}"#,
            Origin::Own,
        );
        assert!(text.starts_with("unknown field `x`"), "{text}");
        let case = r#"{"name":"a","requirements":[],"reject":{"why":"x"}}"#;
        let (name, text) = reason(&file(case, 1), Origin::Foreign);
        assert_eq!(name.as_deref(), Some("a"));
        assert!(text.starts_with("reject: unknown field `why`"), "{text}");
    }

    #[test]
    fn refuses_both_or_neither_of_accept_and_reject() {
        let expected = (
            Some("a".to_owned()),
            "exactly one of accept and reject is needed".to_owned(),
        );
        for case in [
            r#"{"name":"a","requirements":[]}"#,
            r#"{"name":"a","requirements":[],"accept":1,"reject":{}}"#,
        ] {
            assert_eq!(reason(&file(case, 1), Origin::Foreign), expected);
        }
    }

    #[test]
    fn others_may_leave_out_what_our_own_files_may_not() {
        let partial = file(r#"{"name":"a","requirements":[],"reject":{"kind":"k"}}"#, 1);
        let expected = (
            Some("a".to_owned()),
            "reject: kind, field and offset are all needed".to_owned(),
        );
        assert_eq!(reason(&partial, Origin::Own), expected);
        assert!(VectorFile::parse(Path::new("x"), &partial, Origin::Foreign).is_ok());
        let bare = file(r#"{"name":"a","accept":1}"#, 1);
        assert_eq!(
            reason(&bare, Origin::Own),
            (Some("a".to_owned()), "requirements is missing".to_owned())
        );
        assert!(VectorFile::parse(Path::new("x"), &bare, Origin::Foreign).is_ok());
    }
}
