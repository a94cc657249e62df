//! The JSON Schemas of the suites: each file of vectors has one, which the file must keep.

use std::{fmt::Display, fs, path::Path};

use jsonschema::Validator;
use serde_json::{Map, Value};

use crate::{protocol::Protocol, report::Report, root::repository, vector::files};

/// Checks each file of vectors of a protocol against its schema, `schemas/<name>.schema.json` for `vectors/<name>.json`,
/// and returns the number of files. A schema must also refuse what no suite permits: a case with an unknown field, with
/// both outcomes, or without a name, and a file without its source.
///
/// # Errors
/// Returns each fault: a file without a schema, a schema without a file, and what a file breaks or a schema permits.
pub fn schemas(protocol: &Protocol) -> Result<usize, Vec<String>> {
    schemas_below(&repository(), protocol)
}

fn schemas_below(root: &Path, protocol: &Protocol) -> Result<usize, Vec<String>> {
    let folder = protocol.folder(root);
    let vectors = files(&folder.join("vectors")).map_err(|error| vec![error.to_string()])?;
    let schemas = files(&folder.join("schemas")).map_err(|error| vec![error.to_string()])?;
    let mut faults = Vec::new();
    let mut expected = Vec::new();
    for path in &vectors {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let schema = folder.join(format!("schemas/{stem}.schema.json"));
        let mut fault = |what: &dyn Display| faults.push(format!("{}: {what}", path.display()));
        match (read(path), read(&schema).and_then(|it| compile(&it))) {
            (Ok(file), Ok(validator)) => {
                for error in validator.iter_errors(&file) {
                    fault(&format!("{error} at {}", error.instance_path()));
                }
                for (what, changed) in forbidden(&file) {
                    if validator.is_valid(&changed) {
                        fault(&format!("its schema permits {what}"));
                    }
                }
            }
            (Err(error), _) | (_, Err(error)) => fault(&error),
        }
        expected.push(schema);
    }
    for schema in schemas.iter().filter(|it| !expected.contains(it)) {
        faults.push(format!("{}: a schema without a file", schema.display()));
    }
    if faults.is_empty() {
        Ok(vectors.len())
    } else {
        Err(faults)
    }
}

/// Checks a report against its schema.
///
/// # Errors
/// Returns each fault.
pub fn report_schema(report: &Report) -> Result<(), Vec<String>> {
    let path = repository().join("crates/conformance/schemas/report.schema.json");
    let failed = |error: String| vec![error];
    let validator = read(&path).and_then(|it| compile(&it)).map_err(failed)?;
    let report = serde_json::to_value(report).map_err(|error| failed(error.to_string()))?;
    let errors = validator.iter_errors(&report);
    let faults: Vec<_> = errors
        .map(|error| format!("{error} at {}", error.instance_path()))
        .collect();
    if faults.is_empty() {
        Ok(())
    } else {
        Err(faults)
    }
}

fn read(path: &Path) -> Result<Value, String> {
    let failed = |error: &dyn Display| format!("{}: {error}", path.display());
    let text = fs::read_to_string(path).map_err(|error| failed(&error))?;
    serde_json::from_str(&text).map_err(|error| failed(&error))
}

fn compile(schema: &Value) -> Result<Validator, String> {
    jsonschema::validator_for(schema).map_err(|error| error.to_string())
}

/// Returns files that no schema may permit, made of one that it permits.
fn forbidden(file: &Value) -> Vec<(&'static str, Value)> {
    let changed = |change: &dyn Fn(&mut Map<String, Value>)| {
        let mut file = file.clone();
        let case = file.pointer_mut("/cases/0").and_then(Value::as_object_mut);
        if let Some(case) = case {
            change(case);
        }
        file
    };
    let mut without_source = file.clone();
    if let Some(file) = without_source.as_object_mut() {
        file.remove("source");
    }
    vec![
        (
            "an unknown field",
            changed(&|case| drop(case.insert("unknown".into(), Value::Null))),
        ),
        (
            "both outcomes",
            changed(&|case| {
                let other = if case.contains_key("accept") {
                    "reject"
                } else {
                    "accept"
                };
                case.insert(other.into(), Value::Object(Map::new()));
            }),
        ),
        (
            "no outcome",
            changed(&|case| {
                case.remove("accept");
                case.remove("reject");
            }),
        ),
        (
            "a case without a name",
            changed(&|case| drop(case.remove("name"))),
        ),
        ("a file without a source", without_source),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes the files of a protocol and returns the faults.
    fn faults(schema: &str, file: &str) -> Vec<String> {
        let root = tempfile::tempdir().expect("a directory");
        let protocol = Protocol {
            name: "toy",
            suites: &[],
            scenarios: &[],
            annotators: &[],
            peers: &[],
        };
        let folder = protocol.folder(root.path());
        for (directory, name, text) in [
            ("vectors", "a.json", file),
            ("schemas", "a.schema.json", schema),
        ] {
            fs::create_dir_all(folder.join(directory)).expect("a directory");
            fs::write(folder.join(directory).join(name), text).expect("a file");
        }
        let faults = schemas_below(root.path(), &protocol)
            .err()
            .unwrap_or_default();
        let folder = format!("{}/", folder.display());
        faults.iter().map(|it| it.replace(&folder, "")).collect()
    }

    const FILE: &str =
        r#"{"suite": "toy/a", "source": "s", "count": 1, "cases": [{"name": "n", "accept": 1}]}"#;

    #[test]
    fn reports_a_schema_that_permits_anything() {
        let expected = [
            "vectors/a.json: its schema permits an unknown field",
            "vectors/a.json: its schema permits both outcomes",
            "vectors/a.json: its schema permits no outcome",
            "vectors/a.json: its schema permits a case without a name",
            "vectors/a.json: its schema permits a file without a source",
        ];
        assert_eq!(faults("true", FILE), expected);
    }

    #[test]
    fn reports_what_a_file_breaks_and_where() {
        let case = r#"{"type": "object", "properties": {"name": {"type": "string"}, "accept": {"type": "string"}},
            "required": ["name", "accept"], "additionalProperties": false}"#;
        let schema = format!(
            r#"{{"properties": {{"cases": {{"items": {case}}}}}, "required": ["suite", "source"]}}"#
        );
        assert_eq!(
            faults(&schema, FILE),
            [r#"vectors/a.json: 1 is not of type "string" at /cases/0/accept"#]
        );
        let right = FILE.replace("1}]", "\"1\"}]");
        assert_eq!(faults(&schema, &right), Vec::<String>::new());
    }
}
