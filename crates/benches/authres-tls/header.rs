//! Reading and writing, beside the Rust crate msg-auth-status, Python's authres and Perl's
//! `Mail::AuthenticationResults`, a round being ten values; and the worst that can be sent.

#![allow(missing_docs, reason = "criterion_group! makes public items")]
#![allow(clippy::expect_used, reason = "a benchmark that cannot begin stops")]

use std::{
    collections::BTreeMap,
    hint::black_box,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::Duration,
};

use authres_tls::{
    AuthenticationResults, AuthenticationResultsBuf, AuthservId, Options, StripPolicy,
    WriteOptions, syntax::authserv_id,
};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use mail_parser::HeaderValue;

const VALUES: &str = include_str!("values.json");

fn values() -> BTreeMap<String, Vec<String>> {
    serde_json::from_str(VALUES).expect("the benchmark's own file")
}

fn parse(c: &mut Criterion) {
    for (name, values) in values() {
        let mut group = c.benchmark_group(format!("parse-{name}"));
        group.throughput(Throughput::Elements(10));
        for (mode, options) in [
            ("strict", Options::strict()),
            ("lenient", Options::lenient()),
        ] {
            group.bench_function(mode, |b| {
                b.iter(|| {
                    for value in &values {
                        let read =
                            AuthenticationResults::parse(black_box(value.as_bytes()), &options);
                        black_box(read).expect("a value that strict accepts");
                    }
                });
            });
        }
        let texts: Vec<_> = values
            .iter()
            .map(|value| HeaderValue::Text(value.as_str().into()))
            .collect();
        group.bench_function("msg-auth-status", |b| {
            b.iter(|| {
                for text in &texts {
                    black_box(msg_auth_status::alloc_yes::AuthenticationResults::from(
                        black_box(text),
                    ));
                }
            });
        });
        group.finish();
    }
}

fn write(c: &mut Criterion) {
    let options = WriteOptions::default();
    for (name, values) in values() {
        let headers: Vec<_> = values
            .iter()
            .map(|value| {
                let read = AuthenticationResults::parse(value.as_bytes(), &Options::strict());
                let read = read.expect("a value that strict accepts");
                AuthenticationResultsBuf::try_from(&read).expect("a value that can be written")
            })
            .collect();
        let mut group = c.benchmark_group(format!("write-{name}"));
        group.throughput(Throughput::Elements(10));
        group.bench_function("ours", |b| {
            let mut out = String::new();
            b.iter(|| {
                for header in &headers {
                    out.clear();
                    black_box(header)
                        .write_to(&options, &mut out)
                        .expect("a value that can be written");
                    black_box(&out);
                }
            });
        });
        group.finish();
    }
}

fn scan(c: &mut Criterion) {
    for (name, values) in values() {
        c.bench_function(&format!("authserv-id/{name}"), |b| {
            b.iter(|| {
                for value in &values {
                    black_box(authserv_id(black_box(value.as_bytes()))).expect("an id");
                }
            });
        });
    }
}

/// 64 kB of the same over and over, to find a cost that grows faster than the input.
fn adversarial(c: &mut Criterion) {
    const SIZE: usize = 65536;
    let recipes = [
        ("open-comments", "example.com; spf=pass ", "(", ""),
        (
            "small-comments",
            "example.com; spf=pass ",
            "(a) ",
            "smtp.mailfrom=a.example",
        ),
        ("blanks", "example.com; spf=pass", " ", "x.y=z"),
        ("folds", "example.com; spf=pass", "\r\n ", "x.y=z"),
        ("semicolons", "example.com", ";", ""),
        ("results", "example.com", "; a=b", ""),
        ("properties", "example.com; spf=pass", " a.b=c", ""),
        (
            "words-with-full-stops",
            "example.com; spf=pass",
            " a.b=c.",
            "",
        ),
        ("local-parts", "example.com; spf=pass a.b=c", " . c", " @x"),
        ("at-signs", "example.com; spf=pass", " a.b=c@", ""),
        ("quotes", "example.com; spf=pass a.b=\"", "\\\"", "\""),
        ("quoted-words", "example.com; spf=pass a.b=", "\"\".", "x"),
        ("bad-results", "example.com", "; a=b \"\"", ""),
        ("bad-values", "example.com; a=b", " a.b=@c (", "x.y=z"),
        ("junk", "example.com", " x=\"y\"", "; spf=pass"),
    ];
    let mut group = c.benchmark_group("adversarial-64-kb");
    for (name, prefix, repeat, suffix) in recipes {
        let count = SIZE.checked_div(repeat.len()).unwrap_or_default();
        let value = [prefix, &repeat.repeat(count), suffix].concat();
        for (mode, options) in [
            ("strict", Options::strict()),
            ("lenient", Options::lenient()),
        ] {
            group.bench_function(format!("{name}/{mode}"), |b| {
                b.iter(|| {
                    let read = AuthenticationResults::parse(black_box(value.as_bytes()), &options);
                    black_box(read).is_ok()
                });
            });
        }
    }
    group.finish();
}

/// 64 kB of names that are expensive to compare: as one value, and as a message of many fields.
fn strip(c: &mut Criterion) {
    const SIZE: usize = 65536;
    let own = AuthservId::try_new("example.com").expect("a name");
    let policy = StripPolicy::new([own]);
    let fill = |text: &str| text.repeat(SIZE.checked_div(text.len()).unwrap_or_default());
    let ideographs: String = ('\u{4e00}'..'\u{9fa5}').step_by(23).collect();
    let ligatures = "\u{fdfa}".repeat(55);
    let mut group = c.benchmark_group("strip-64-kb");
    let values = [
        ("value/a-labels", fill(&format!("xn--{}.", "b".repeat(995)))),
        (
            "value/ideographs",
            format!("\"{}\"", fill(&format!("{ideographs}."))),
        ),
        (
            "value/ligatures",
            format!("\"{}\"", fill(&format!("{ligatures}."))),
        ),
        ("value/long-name", fill("example.com.")),
    ];
    for (name, value) in values {
        group.bench_function(name, |b| {
            b.iter(|| policy.verdict(black_box(value.as_bytes())));
        });
    }
    let messages = [
        ("message/plain-ids", "mx.other.example".to_owned()),
        ("message/a-labels", format!("xn--{}", "b".repeat(59))),
        ("message/ligatures", format!("\"{ligatures}\"")),
    ];
    for (name, id) in messages {
        let message = fill(&format!("Authentication-Results: {id}; none\r\n"));
        group.bench_function(name, |b| {
            b.iter(|| policy.removals(black_box(message.as_bytes())));
        });
    }
    group.finish();
    // Messages that a sender can make, to find a cost that grows faster than the message.
    const WHOLE: usize = 1 << 20;
    let recipes = [
        (
            "own-fields",
            "Authentication-Results: example.com; tls=pass\r\n",
        ),
        (
            "hidden-fields",
            "X: a\rAuthentication-Results: example.com; x=y\r\n",
        ),
        ("open-comments", "\rAuthentication-Results: ("),
        ("halves-of-names", "Authentication-Re\r"),
        ("folds", "\r\n (a)"),
        ("line-breaks", "\x0b"),
        ("one-line", "a"),
    ];
    let mut group = c.benchmark_group("strip-1-mb");
    group.sample_size(10);
    for (name, repeat) in recipes {
        let count = WHOLE.checked_div(repeat.len()).unwrap_or_default();
        let message = [
            "Authentication-Results: other.example",
            &repeat.repeat(count),
        ]
        .concat();
        group.bench_function(name, |b| {
            b.iter(|| policy.strip(black_box(message.as_bytes())));
        });
    }
    group.finish();
}

/// A peer in another language, which measures itself.
struct Peer {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Peer {
    fn start(command: &mut Command) -> Option<Self> {
        let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = spawned.ok()?;
        let mut peer = Self {
            input: child.stdin.take()?,
            output: BufReader::new(child.stdout.take()?),
            child,
        };
        // One that lacks its package is gone by now.
        peer.run("parse-classic", 1).map(|_| peer)
    }

    fn run(&mut self, task: &str, rounds: u64) -> Option<Duration> {
        writeln!(self.input, "{task} {rounds}").ok()?;
        let mut line = String::new();
        self.output.read_line(&mut line).ok()?;
        line.trim().parse().ok().map(Duration::from_nanos)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn peers(c: &mut Criterion) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("authres-tls");
    let venv = directory.join("../../../target/venv/bin/python");
    let python = if venv.exists() {
        venv
    } else {
        "python3".into()
    };
    let commands = [
        ("python-authres", Command::new(python), "peer.py"),
        (
            "perl-mail-authenticationresults",
            Command::new("perl"),
            "peer.pl",
        ),
    ];
    for (name, mut command, script) in commands {
        let Some(mut peer) = Peer::start(command.arg(directory.join(script))) else {
            eprintln!("skipped {name}: not installed");
            continue;
        };
        for task in ["parse-classic", "parse-tls", "write-classic", "write-tls"] {
            let mut group = c.benchmark_group(task);
            group
                .sample_size(10)
                .measurement_time(Duration::from_secs(2));
            group.bench_function(name, |b| {
                b.iter_custom(|rounds| peer.run(task, rounds).expect("the peer goes on"));
            });
            group.finish();
        }
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().measurement_time(Duration::from_secs(3)).warm_up_time(Duration::from_secs(1));
    targets = parse, write, scan, adversarial, strip, peers
}
criterion_main!(benches);
