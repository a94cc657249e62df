//! The README's examples, which are compiled as doc tests, list the crates that they need.

#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "tests")]

const README: &str = include_str!("../README.md");
const README_OF_SQLX: &str = include_str!("../../tokenbind-http-sqlx/README.md");
const MANIFEST: &str = include_str!("../Cargo.toml");

/// The fenced blocks of both READMEs in their order: language and text.
fn blocks() -> Vec<(&'static str, &'static str)> {
    [README, README_OF_SQLX].map(blocks_of).concat()
}

fn blocks_of(readme: &'static str) -> Vec<(&'static str, &'static str)> {
    let fences: Vec<_> = readme.split("```").collect();
    let blocks = fences.iter().skip(1).step_by(2);
    blocks
        .map(|block| block.split_once('\n').unwrap())
        .collect()
}

/// The crates that a `cargo add` line adds, as code names them, and their features.
fn added(line: &str) -> (String, Vec<&str>) {
    let mut words = line.split(' ').skip(2);
    let first = words.next().unwrap();
    let name = match first {
        "--path" => words.next().unwrap().trim_matches('"'),
        name => name,
    };
    let name = name.rsplit('/').next().unwrap().replace('-', "_");
    let features = words.skip_while(|word| *word != "--features").nth(1);
    (
        name,
        features.map_or(vec![], |list| list.split(',').collect()),
    )
}

#[test]
fn lists_the_crates_of_each_example_and_features_that_exist() {
    let features: toml::Table = MANIFEST.parse().unwrap();
    let features = features["features"].as_table().unwrap().clone();
    let mut examples = 0;
    let mut added_before = Vec::new();
    for (language, text) in blocks() {
        if language == "sh" {
            let lines = text.lines().filter(|line| line.starts_with("cargo add "));
            added_before = lines.map(added).collect();
            continue;
        }
        examples += 1;
        // A rendered page shows the same lines that are compiled.
        assert!(text.lines().all(|line| !line.starts_with("# ")), "{text}");
        let names: Vec<_> = added_before.iter().map(|(name, _)| name.as_str()).collect();
        for name in [
            "axum",
            "bytes",
            "http",
            "http_body_util",
            "hyper",
            "hyper_util",
            "rustls",
            "tokenbind_http",
            "tokenbind_http_sqlx",
            "tokenbind_wire",
            "tokio",
            "tower",
        ] {
            let used =
                text.split(';')
                    .any(|statement| match statement.trim().strip_prefix("use ") {
                        // A list may name modules that are called as crates are.
                        Some(import) => import.split("::").next() == Some(name),
                        None => statement
                            .split(|sign: char| !sign.is_alphanumeric() && !"_:".contains(sign))
                            .any(|path| path != name && path.split("::").next() == Some(name)),
                    });
            assert_eq!(names.contains(&name), used, "{name} in\n{text}");
        }
        let own = added_before
            .iter()
            .find(|(name, _)| name == "tokenbind_http");
        for feature in &own.unwrap().1 {
            assert!(features.contains_key(*feature), "{feature}");
        }
        added_before.clear();
    }
    assert_eq!(examples, 6);
}
