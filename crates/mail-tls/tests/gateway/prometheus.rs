//! The configuration and the rules for Prometheus in the guide for operators, by Prometheus's own program, and by the metrics
//! that a gateway has from its start.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use crate::world::{Backend, Files, Gateway, get, soon};

/// Returns the blocks of YAML in the guide.
fn blocks() -> Vec<String> {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/operating.md");
    let guide = fs::read_to_string(guide).unwrap();
    let blocks = guide.split("\n```yaml\n").skip(1);
    let blocks = blocks.map(|it| it.split("\n```\n").next().unwrap().to_owned() + "\n");
    blocks.collect()
}

/// Returns the names and label values of a prefix in the expressions of rules.
fn used(prefix: &str) -> BTreeSet<String> {
    let blocks = blocks();
    let expressions = blocks.iter().flat_map(|it| it.lines());
    let expressions = expressions.filter_map(|it| it.trim().strip_prefix("expr: "));
    let words =
        expressions.flat_map(|it| it.split(|sign: char| sign != '_' && !sign.is_alphanumeric()));
    let words = words.filter(|it| it.starts_with(prefix));
    words.map(str::to_owned).collect()
}

/// An increase is seen only in a counter that was there before.
#[test]
fn has_each_metric_of_the_rules_from_its_start() {
    let files = Files::new();
    let backend = Backend::start();
    let more = "[metrics]\nlisten = \"127.0.0.1:0\"\n";
    let mut gateway = Gateway::start(&files.configure("127.0.0.1:0", backend.address, more));
    gateway.listening("imaps");
    let metrics = gateway.listening("metrics");
    // The state of a backend is known once the gateway reached it.
    let text = soon("the state of the backend", || {
        let text = get(metrics, "/metrics");
        text.contains("\nmail_tls_gateway_backend_up{")
            .then_some(text)
    });
    let names = used("mail_tls_gateway_");
    assert_eq!(names.len(), 4, "{names:?}");
    for name in names {
        let is_sample = |line: &str| line.split(['{', ' ']).next() == Some(name.as_str());
        assert!(text.lines().any(is_sample), "{name} in {text}");
    }
    for (name, results) in [
        ("certificate_loads", "refused served"),
        ("reloads", "done refused"),
        ("reports", "dropped failed kept refused"),
    ] {
        for result in results.split(' ') {
            let expected = format!("mail_tls_gateway_{name}_total{{result=\"{result}\"}} 0\n");
            assert!(text.contains(&expected), "{expected} in {text}");
        }
    }
}

/// The program is Prometheus's own. A machine without it skips the test.
#[test]
fn satisfies_prometheus() {
    let directory = tempfile::tempdir().unwrap();
    let blocks = blocks();
    assert_eq!(blocks.len(), 3);
    for (number, block) in blocks.iter().enumerate() {
        let path = directory.path().join(format!("{number}.yml"));
        fs::write(&path, block).unwrap();
        let kind = match block.starts_with("groups:\n") {
            true => "rules",
            false => "config",
        };
        let checked = Command::new("promtool")
            .args(["check", kind])
            .arg(&path)
            .output();
        match checked {
            Ok(output) => assert!(output.status.success(), "{output:?}"),
            Err(error) => {
                assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
                println!("skipped: promtool is not installed");
            }
        }
    }
}
