//! The names of a certificate beyond webpki's chain, the whole verdict beside rustls's own verifier, and the worst that a
//! server can send.

#![allow(missing_docs, reason = "criterion_group! makes public items")]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a benchmark that cannot begin stops"
)]

use std::{hint::black_box, sync::Arc, time::Duration};

use criterion::{Criterion, criterion_group, criterion_main};
use mail_implicit_tls::{
    account::{Account, AccountId, AccountSetup, Host, Server},
    identity::{NameConstraints, Options, ReferenceIdentity, judge_certificate},
    received::Received,
    service::Service,
    verifier::{ServerVerifier, Trust},
};
use rustls::{
    RootCertStore,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier},
    crypto::ring,
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use test_support::pki::{Authority, Certificate};

const FIELD: &str = " from client.example.org (client.example.org [192.0.2.1])\r\n\t(using TLSv1.3 with cipher \
                     TLS_AES_256_GCM_SHA384 (256/256 bits))\r\n\tby mx.example.net (Postfix) with ESMTPSA id 4hXk2y\r\n\ttls \
                     TLS_AES_256_GCM_SHA384 group x25519\r\n\tfor <bob@example.net>; Tue,  1 Jul 2014 10:00:00 +0000";

fn issuer() -> Authority {
    Authority::new("Issuer")
}

/// A certificate with some other names and the expected one at the end.
fn certificate(issuer: &Authority, others: usize) -> CertificateDer<'static> {
    let names: Vec<_> = (0..others)
        .map(|n| format!("host-{n}.example.net"))
        .collect();
    let names = names.iter().map(String::as_str);
    let names: Vec<_> = names.chain(["imap.example.org"]).collect();
    Certificate::server(&names).issue(issuer).certificate()
}

fn account() -> Account {
    let id = AccountId::try_new("alice").expect("an id");
    let host = Host::parse("imap.example.org").expect("a host");
    let setup = AccountSetup::new(id).server(Server::new(Service::IMAPS, host));
    setup.build().expect("an account")
}

fn now() -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(1_780_272_000))
}

fn names(c: &mut Criterion) {
    let issuer = issuer();
    let account = account();
    let expected: Vec<ReferenceIdentity> = account.references(&account.servers()[0]);
    let mut group = c.benchmark_group("names");
    for others in [1, 10, 100, 1_000] {
        let certificate = certificate(&issuer, others);
        group.bench_function(format!("{}", others + 1), |b| {
            b.iter(|| {
                let (options, none) = (Options::default(), NameConstraints::none());
                judge_certificate(options, &expected, black_box(&certificate), &none)
            });
        });
    }
    group.finish();
}

/// Both verify one signature. The time is another second in each iteration, since ours keeps a verdict for a second.
fn verify(c: &mut Criterion) {
    let mut seconds = now().as_secs();
    let mut later = || {
        seconds += 1;
        UnixTime::since_unix_epoch(Duration::from_secs(seconds))
    };
    let issuer = issuer();
    let certificate = certificate(&issuer, 1);
    let provider = Arc::new(ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(issuer.certificate()).expect("a root");
    let theirs = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone());
    let theirs = theirs.build().expect("a verifier");
    let name = ServerName::try_from("imap.example.org").expect("a name");
    let trust = Trust::in_certificates([issuer.certificate()]).expect("a root");
    let account = account();
    let ours = ServerVerifier::new(&account, &account.servers()[0], Arc::new(trust), &provider);
    let mut group = c.benchmark_group("verify");
    group.bench_function("rustls", |b| {
        b.iter(|| {
            let verified =
                theirs.verify_server_cert(black_box(&certificate), &[], &name, &[], later());
            verified.is_ok()
        });
    });
    group.bench_function("ours", |b| {
        b.iter(|| {
            let verified =
                ours.verify_server_cert(black_box(&certificate), &[], &name, &[], later());
            verified.is_ok()
        });
    });
    group.finish();
}

fn received(c: &mut Criterion) {
    c.bench_function("received/postfix", |b| {
        b.iter(|| Received::parse(black_box(FIELD)).is_ok());
    });
    let worst = format!("{}{};", "(".repeat(8_000), ")".repeat(8_000));
    c.bench_function("received/16000-parentheses", |b| {
        b.iter(|| Received::parse(black_box(&worst)).is_ok());
    });
}

criterion_group!(benches, names, verify, received);
criterion_main!(benches);
