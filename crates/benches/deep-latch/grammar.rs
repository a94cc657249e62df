//! Reading and writing each form, the draft's examples; ID beside imap-proto; and the worst that can be sent.

#![allow(missing_docs, reason = "criterion_group! makes public items")]
#![allow(clippy::expect_used, reason = "a benchmark that cannot begin stops")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use deep_latch::{
    ClientReport, DeepStatus, SecurityTag, TlsCipher,
    dsn::SecurityLatchField,
    imap::{Capabilities, IdParameters, IdStatus},
    pop::CapaLine,
    report::FieldNames,
    smtp::EhloLine,
    status::StatusOptions,
};

const STATUS: &str = "tls10 tls-cert <https://www.example.com/support.html>";
const SERVER: &str = r#"("name" "Demo Server" "version" "1.7" "deep-status" "tls10 tls-cert <https://www.example.com/support.html>")"#;
const CLIENT: &str = r#"("name" "Demo Mail" "version" "1.5" "latch" "tls10 tls-cert" "security-tags" "tls12" "tls" "TLS_RSA_WITH_AES_128_CBC_SHA")"#;
const COMMAND: &str =
    "CLIENT name=demo_submit version=1.5 latch=tls10,tls-cert security-tags=tls12";
const LINE: &str = "DEEP tls10 tls-cert <https://www.example.com/status.html>";
const FIELD: &str = "SMTP-Security-Latch: (mx.example.com) tls12\r\n tls-cert";
const CLAUSE: &str = "\r\n\t(over TLS) tls TLS_DHE_RSA_WITH_AES_128_CBC_SHA";
const CAPABILITY: &str = "CAPABILITY IMAP4rev1 DEEP ID AUTH=PLAIN AUTH=SCRAM-SHA-1";

fn status_of_list(list: &str) -> usize {
    let parameters = IdParameters::parse(list.as_bytes()).expect("a list");
    let status = parameters.status(StatusOptions::default());
    let status = status.expect("a status").map(IdStatus::into_status);
    status.map_or(0, |status| status.as_str().len())
}

fn read(c: &mut Criterion) {
    let mut group = c.benchmark_group("read");
    group.bench_function("status", |b| {
        b.iter(|| DeepStatus::parse(black_box(STATUS)).is_ok());
    });
    let status = DeepStatus::parse(STATUS).expect("a status");
    group.bench_function("status-elements", |b| {
        b.iter(|| black_box(&status).elements().count());
    });
    group.bench_function("id-list", |b| {
        b.iter(|| IdParameters::parse(black_box(SERVER.as_bytes())).is_ok());
    });
    let response = [b"* ID ", SERVER.as_bytes(), b"\r\n"].concat();
    group.bench_function("id-list-imap-proto", |b| {
        b.iter(|| imap_proto::Response::parse(black_box(&response)).is_ok());
    });
    group.bench_function("id-status", |b| {
        b.iter(|| status_of_list(black_box(SERVER)));
    });
    group.bench_function("id-report", |b| {
        b.iter(|| {
            let list = IdParameters::parse(black_box(CLIENT.as_bytes())).expect("a list");
            ClientReport::from_id_parameters(&list).is_ok()
        });
    });
    group.bench_function("capability", |b| {
        b.iter(|| Capabilities::parse(black_box(CAPABILITY)).is_ok_and(|it| it.has_deep()));
    });
    group.bench_function("capa", |b| {
        b.iter(|| CapaLine::parse(black_box(LINE), StatusOptions::default()).is_ok());
    });
    group.bench_function("ehlo", |b| {
        b.iter(|| EhloLine::parse(black_box(LINE), StatusOptions::default()).is_ok());
    });
    group.bench_function("client", |b| {
        b.iter(|| ClientReport::parse_client_command(black_box(COMMAND)).is_ok());
    });
    group.bench_function("security-latch", |b| {
        b.iter(|| SecurityLatchField::parse(black_box(FIELD)).is_ok());
    });
    group.bench_function("tls-clause", |b| {
        b.iter(|| TlsCipher::parse_clause(black_box(CLAUSE)).is_ok());
    });
    group.finish();
}

fn write(c: &mut Criterion) {
    let mut group = c.benchmark_group("write");
    let status = DeepStatus::parse(STATUS).expect("a status");
    let report = ClientReport::parse_client_command(COMMAND).expect("a command");
    let cipher = TlsCipher::from_number(0x1301);
    let tags = [SecurityTag::TLS12, SecurityTag::TLS_CERT];
    group.bench_function("id-status", |b| {
        b.iter(|| {
            let parameters = IdParameters::of_status(
                black_box(&status),
                FieldNames::Text,
                Some("Demo Server"),
                None,
            );
            parameters.expect("a list").to_string()
        });
    });
    group.bench_function("id-report", |b| {
        b.iter(|| {
            let parameters = black_box(&report).to_id_parameters(FieldNames::Text);
            parameters.expect("a list").to_string()
        });
    });
    group.bench_function("line", |b| {
        b.iter(|| CapaLine::try_new(black_box(&status).clone()).map(|line| line.to_string()))
    });
    group.bench_function("client", |b| {
        b.iter(|| black_box(&report).to_client_command(FieldNames::Text));
    });
    group.bench_function("security-latch", |b| {
        b.iter(|| {
            SecurityLatchField::try_new(black_box(&tags).clone()).map(|field| field.to_string())
        });
    });
    group.bench_function("tls-clause", |b| b.iter(|| black_box(&cipher).to_clause()));
    group.finish();
}

/// Inputs at the most that a peer can send, and half of that, to find a cost that grows faster than the input.
fn adversarial(c: &mut Criterion) {
    let mut group = c.benchmark_group("adversarial");
    for (size, parts) in [("half", 1), ("all", 2_usize)] {
        let times = |count: usize| count.saturating_mul(parts);
        let status = ["t ".repeat(times(256).saturating_sub(1)), "t".into()].concat();
        group.bench_function(format!("status-of-tags/{size}"), |b| {
            b.iter(|| DeepStatus::parse(black_box(&status)).is_ok());
        });
        let urls = ["<https://a> ".repeat(times(42)), "t".into()].concat();
        group.bench_function(format!("status-of-urls/{size}"), |b| {
            b.iter(|| DeepStatus::parse(black_box(&urls)).is_ok());
        });
        let pairs: Vec<_> = (0..times(15))
            .map(|number| format!("\"{number:-<30}\" \"{}\"", "\\\"".repeat(1024)))
            .collect();
        let list = format!("({})", pairs.join(" "));
        group.bench_function(format!("id-of-escapes/{size}"), |b| {
            b.iter(|| IdParameters::parse(black_box(list.as_bytes())).is_ok());
        });
        let names: Vec<_> = (0_u8..36)
            .flat_map(|first| (0_u8..36).map(move |second| (first, second)))
            .map(|pair| [pair.0, pair.1].map(|digit| char::from_digit(digit.into(), 36)))
            .map(|pair| pair.into_iter().flatten().collect::<String>())
            .take(times(84))
            .collect();
        let command = format!("CLIENT {}", names.join(" "));
        group.bench_function(format!("client-of-parameters/{size}"), |b| {
            b.iter(|| ClientReport::parse_client_command(black_box(&command)).is_ok());
        });
        // The field has no limit of its own.
        for (name, text) in [
            (
                "nested-comments",
                ["(".repeat(times(16384)), ")".repeat(times(16384))].concat(),
            ),
            ("open-comments", "(".repeat(times(32768))),
            ("small-comments", "(a)".repeat(times(10923))),
            ("folds", "\r\n ".repeat(times(10923))),
            (
                "folds-in-comment",
                ["(", &"\r\n ".repeat(times(10923)), ")"].concat(),
            ),
            ("escapes", ["(", &"\\(".repeat(times(16384)), ")"].concat()),
        ] {
            let field = ["SMTP-Security-Latch:", &text, "tls12"].concat();
            group.bench_function(format!("security-latch-of-{name}/{size}"), |b| {
                b.iter(|| SecurityLatchField::parse(black_box(&field)).is_ok());
            });
        }
    }
    group.finish();
}

criterion_group!(benches, read, write, adversarial);
criterion_main!(benches);
