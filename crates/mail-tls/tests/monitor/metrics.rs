//! Metrics for Prometheus's node exporter.

use std::{
    fs,
    io::Write,
    process::{Command, Stdio},
};

use crate::world::World;

fn metrics(world: &World) -> Vec<String> {
    let path = world.path("mail.prom");
    let output = world.run(&["--metrics", path.to_str().unwrap()]);
    assert!(output.stderr.is_empty(), "{output:?}");
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(str::to_owned).collect()
}

fn value(lines: &[String], name: &str) -> String {
    let found: Vec<_> = lines.iter().filter(|line| line.starts_with(name)).collect();
    assert_eq!(found.len(), 1, "{name}: {found:?}");
    found[0].rsplit(' ').next().unwrap().to_owned()
}

/// An alarm by the time that is left must not be silent once the certificate has expired.
#[test]
fn keeps_the_metrics_of_an_expired_certificate() {
    let world = World::with_days_left(-2);
    let lines = metrics(&world);
    let labels = format!(
        "{{domain=\"example.org\",server=\"{}\",address=\"127.0.0.1\"}}",
        world.server()
    );
    let of = |name: &str| value(&lines, &format!("{name}{labels}"));
    let left: i64 = of("mail_tls_certificate_seconds_left").parse().unwrap();
    assert!((-172_900..=-172_800).contains(&left), "{left}");
    assert_eq!(
        of("mail_tls_certificate_not_after_timestamp_seconds"),
        (world.now - 172_800).to_string()
    );
    assert_eq!(of("mail_tls_certificate_lifetime_left_ratio"), "-0.022");
    assert_eq!(of("mail_tls_verified"), "0");
    assert_eq!(value(&lines, "mail_tls_state{domain=\"example.org\"}"), "4");
}

#[test]
fn writes_the_state_of_each_check() {
    let world = World::with_days_left(60);
    let lines = metrics(&world);
    let names: Vec<_> = lines
        .iter()
        .filter_map(|line| line.strip_prefix("# TYPE "))
        .collect();
    assert_eq!(
        names,
        [
            "mail_tls_last_run_timestamp_seconds gauge",
            "mail_tls_state gauge",
            "mail_tls_check_state gauge",
            "mail_tls_verified gauge",
            "mail_tls_certificate_not_after_timestamp_seconds gauge",
            "mail_tls_certificate_seconds_left gauge",
            "mail_tls_certificate_lifetime_left_ratio gauge",
        ]
    );
    let checks = lines
        .iter()
        .filter(|line| line.starts_with("mail_tls_check_state{"));
    assert_eq!(checks.count(), 11);
    let validity = format!(
        "mail_tls_check_state{{domain=\"example.org\",check=\"validity\",subject=\"{} at 127.0.0.1\"}}",
        world.server()
    );
    assert_eq!(value(&lines, &validity), "0");
    let run: u64 = value(&lines, "mail_tls_last_run_timestamp_seconds{")
        .parse()
        .unwrap();
    assert!((world.now..world.now + 60).contains(&run));
}

/// The program is Prometheus's own. A machine without it skips the test.
#[test]
fn writes_metrics_that_prometheus_accepts() {
    let world = World::with_days_left(60);
    let text = metrics(&world).join("\n") + "\n";
    let mut check = Command::new("promtool");
    check.args(["check", "metrics"]).stdin(Stdio::piped());
    let mut check = match check.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn() {
        Ok(check) => check,
        Err(error) => {
            assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
            println!("skipped: promtool is not installed");
            return;
        }
    };
    let mut input = check.stdin.take().unwrap();
    input.write_all(text.as_bytes()).unwrap();
    drop(input);
    let output = check.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(
        output.stdout.is_empty() && output.stderr.is_empty(),
        "{output:?}"
    );
}

/// Prometheus refuses a file that has a metric twice.
#[test]
fn writes_each_metric_once_for_a_domain_that_is_given_twice() {
    let world = World::with_days_left(60);
    let path = world.path("mail.prom");
    let output = world.run(&["EXAMPLE.org.", "--metrics", path.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let text = fs::read_to_string(&path).unwrap();
    let mut names: Vec<_> = text.lines().filter_map(|it| it.rsplit_once(' ')).collect();
    names.retain(|(name, _)| !name.starts_with('#'));
    let count = names.len();
    names.sort_unstable();
    names.dedup_by_key(|(name, _)| *name);
    assert_eq!(names.len(), count, "{text}");
}

/// A reader sees the old text or the new one.
#[test]
fn replaces_the_file_of_metrics_as_a_whole() {
    let world = World::with_days_left(60);
    let left = world.path(".mail.prom.durable-store-00000000000000ff");
    fs::write(&left, "a part").unwrap();
    fs::write(world.path("mail.prom"), "old").unwrap();
    let lines = metrics(&world);
    assert!(lines.iter().all(|line| line != "old"));
    assert!(!left.exists());
    // The old file stays if there is no new one.
    let output = world.run(&[
        "--metrics",
        world.path("mail.prom").to_str().unwrap(),
        "--cert",
        "/nonexistent",
    ]);
    assert_eq!(output.status.code(), Some(3));
    let text = fs::read_to_string(world.path("mail.prom")).unwrap();
    assert_eq!(text.lines().collect::<Vec<_>>(), lines);
}
