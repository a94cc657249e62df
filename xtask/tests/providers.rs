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

#[test]
fn forces_no_crypto_provider_on_applications() {
    for package in [
        "tokenbind-wire",
        "tokenbind-http",
        "deep-latch",
        "authres-tls",
        "tokenbind-http-sqlx",
        "deep-latch-sqlx",
        "durable-store",
        "durable-store-sqlx",
        "accept-loop",
        "command-support",
        "mail-implicit-tls",
    ] {
        // The features of roots and of resolvers are below.
        let features: &[&str] = match package {
            "mail-implicit-tls" => &[
                "--features",
                "async-imap,autoconfig,autoconfig-fetch,certificates,cipher-names,client,deep,gateway,lettre,serde,server,verifier",
            ],
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

/// A feature brings what it is named after, and no provider of rustls: `ring` is for DNSSEC there.
#[test]
fn brings_roots_and_dnssec_by_their_features_only() {
    for (feature, brought) in [
        ("platform-roots", "rustls-native-certs"),
        ("bundled-roots", "webpki-roots"),
        ("dns", "ring"),
        ("hickory", "ring"),
        ("monitor", "ring"),
    ] {
        let dependencies = dependencies("mail-implicit-tls", &["--features", feature]);
        let found: Vec<_> = PROVIDERS
            .iter()
            .filter(|name| dependencies.contains(**name))
            .collect();
        assert_eq!(found, [&brought], "{feature}");
    }
    let features = features_of_rustls("mail-implicit-tls", &["--all-features"]);
    assert!(features.contains("std"), "{features:?}");
    for provider in ["aws-lc-rs", "aws_lc_rs", "fips", "ring"] {
        assert!(!features.contains(provider), "{features:?}");
    }
}

#[test]
fn finds_a_provider_where_there_is_one() {
    // This package's own, which its tests use.
    assert!(dependencies("xtask", &[]).contains("ring"));
    assert!(features_of_rustls("xtask", &[]).contains("ring"));
}

/// Returns the dependencies of a crate with these arguments, without those of its tests.
fn dependencies(package: &str, arguments: &[&str]) -> BTreeSet<String> {
    let tree = tree(package, "{p}", arguments);
    let names = tree.lines().filter_map(|line| line.split(' ').next());
    names.map(str::to_owned).collect()
}

/// The features of rustls in a crate with these arguments.
fn features_of_rustls(package: &str, arguments: &[&str]) -> BTreeSet<String> {
    let tree = tree(package, "{p}|{f}", arguments);
    let rustls = tree.lines().filter(|line| line.starts_with("rustls v"));
    let features = rustls.filter_map(|line| line.split('|').nth(1));
    let names = features.flat_map(|it| it.trim_end_matches(" (*)").split(','));
    names.map(str::to_owned).collect()
}

fn tree(package: &str, format: &str, arguments: &[&str]) -> String {
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
        .args(["--prefix", "none", "--format", format, "--package", package])
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&tree.stderr);
    assert!(tree.status.success(), "{package}: {error}");
    String::from_utf8(tree.stdout).unwrap()
}
