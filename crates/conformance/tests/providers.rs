//! No published crate chooses a crypto provider for the application: with all features on, none of the
//! providers' crates is among its dependencies.
//!
//! rustls's `ClientConfig::builder()` and `ServerConfig::builder()` panic in a program in which two providers
//! are compiled in, so a crate that adds one breaks an application that has the other.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::{collections::BTreeSet, env, process::Command};

/// Crates that bring a provider for rustls, or a TLS library beside it.
const PROVIDERS: &[&str] = &[
    "aws-lc-fips-sys",
    "aws-lc-rs",
    "aws-lc-sys",
    "native-tls",
    "openssl",
    "openssl-sys",
    "ring",
    "rustls-graviola",
    "rustls-native-certs",
    "rustls-openssl",
    "webpki-roots",
];

/// Returns the dependencies of a crate with these arguments, without those of its tests.
fn dependencies(package: &str, arguments: &[&str]) -> BTreeSet<String> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let tree = Command::new(cargo)
        .args([
            "tree",
            "--locked",
            "--edges",
            "normal,build",
            "--target",
            "all",
        ])
        .args(["--prefix", "none", "--format", "{p}", "--package", package])
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&tree.stderr);
    assert!(tree.status.success(), "{package}: {error}");
    let tree = String::from_utf8(tree.stdout).unwrap();
    let names = tree.lines().filter_map(|line| line.split(' ').next());
    names.map(str::to_owned).collect()
}

#[test]
fn forces_no_crypto_provider_on_applications() {
    for package in [
        "tokenbind-wire",
        "tokenbind-http",
        "deep-latch",
        "authres-tls",
        "durable-store",
        "accept-loop",
        "mail-implicit-tls",
    ] {
        // Resolvers that validate DNSSEC bring `ring` for it, and the features of roots are for roots.
        let features: &[&str] = match package {
            "mail-implicit-tls" => &["--features", "async-imap,deep,lettre,serde,server"],
            _ => &["--all-features"],
        };
        let dependencies = dependencies(package, features);
        assert!(
            dependencies.contains(package),
            "{package}: {dependencies:?}"
        );
        let forced = PROVIDERS
            .iter()
            .filter(|name| dependencies.contains(**name));
        assert_eq!(forced.collect::<Vec<_>>(), Vec::<&&str>::new(), "{package}");
    }
}

#[test]
fn finds_a_provider_where_there_is_one() {
    // This package's own, which its tests use.
    assert!(dependencies("conformance", &[]).contains("ring"));
}
