//! The findings as metrics, in the text format of Prometheus's node exporter.

use std::{collections::BTreeMap, fmt::Write as _};

use mail_implicit_tls::monitor::State;

use super::{Observed, changes::states, json::verified};

/// A kind of metric: its name, its meaning, and its values by their labels.
struct Metric {
    name: &'static str,
    help: &'static str,
    values: BTreeMap<String, String>,
}

impl Metric {
    const fn new(name: &'static str, help: &'static str) -> Self {
        Self {
            name,
            help,
            values: BTreeMap::new(),
        }
    }

    fn add(&mut self, labels: &[(&str, &str)], value: impl ToString) {
        let labels: Vec<_> = labels
            .iter()
            .map(|(name, value)| format!("{name}=\"{}\"", escaped(value)))
            .collect();
        self.values.insert(labels.join(","), value.to_string());
    }

    fn write(&self, text: &mut String) {
        if self.values.is_empty() {
            return;
        }
        let Self { name, help, values } = self;
        let _ = writeln!(text, "# HELP {name} {help}");
        let _ = writeln!(text, "# TYPE {name} gauge");
        for (labels, value) in values {
            let _ = writeln!(text, "{name}{{{labels}}} {value}");
        }
    }
}

/// Escapes a label's value.
fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

/// Returns the number of a state in metrics.
const fn number(state: State) -> u8 {
    match state {
        State::Good => 0,
        State::Advice => 1,
        State::Warning => 2,
        State::NotKnown => 3,
        State::Bad => 4,
    }
}

/// Returns the metrics of all domains. Those of certificates and signatures stay after these expired.
pub(super) fn text(observed: &[Observed]) -> String {
    let mut last_run = Metric::new(
        "mail_tls_last_run_timestamp_seconds",
        "The time of the observation.",
    );
    let mut state = Metric::new(
        "mail_tls_state",
        "The state of the domain: 0 good, 1 advice, 2 warning, 3 not known, 4 bad.",
    );
    let mut check = Metric::new(
        "mail_tls_check_state",
        "The state of each check: 0 good, 1 advice, 2 warning, 3 not known, 4 bad.",
    );
    let mut verified_server = Metric::new(
        "mail_tls_verified",
        "1 if a mail client verifies the server, 0 if it refuses the certificate; absent if that is not known.",
    );
    let mut not_after = Metric::new(
        "mail_tls_certificate_not_after_timestamp_seconds",
        "The end of the certificate's validity.",
    );
    let mut seconds_left = Metric::new(
        "mail_tls_certificate_seconds_left",
        "The time until the end of the certificate's validity, negative after it.",
    );
    let mut left = Metric::new(
        "mail_tls_certificate_lifetime_left_ratio",
        "The part of the certificate's lifetime that is left, negative after its end.",
    );
    let mut signature = Metric::new(
        "mail_tls_signature_expiration_timestamp_seconds",
        "The first expiration of a signature over the records.",
    );
    for domain in observed {
        let name = domain.report.domain.as_str();
        let at = domain.report.at.as_secs();
        let of_domain = [("domain", name)];
        last_run.add(&of_domain, at);
        state.add(&of_domain, number(domain.report.state()));
        for ((subject, kind), (found, _)) in states(&domain.report) {
            let labels = [("domain", name), ("check", &kind), ("subject", &subject)];
            check.add(&labels, number(found));
        }
        for server in &domain.observation.servers {
            let server_name = server.to_string();
            for address in server.addresses.iter().flatten() {
                let ip = address.address.to_string();
                let labels = [("domain", name), ("server", &server_name), ("address", &ip)];
                if let Some(is_verified) = verified(address) {
                    verified_server.add(&labels, u8::from(is_verified));
                }
                if let Some(certificate) = &address.certificate {
                    let end = seconds(certificate.not_after());
                    let lifetime = end.saturating_sub(seconds(certificate.not_before()));
                    let remaining = end.saturating_sub(seconds(domain.report.at));
                    not_after.add(&labels, end);
                    seconds_left.add(&labels, remaining);
                    left.add(&labels, ratio(remaining, lifetime));
                }
            }
        }
        for answer in &domain.observation.signed {
            let first = answer.signatures.iter().map(|it| it.expiration).min();
            if let Some(first) = first {
                let record = answer.question.to_string();
                let labels = [("domain", name), ("record", &record)];
                signature.add(&labels, first.as_secs());
            }
        }
    }
    let mut text = String::new();
    for metric in [
        last_run,
        state,
        check,
        verified_server,
        not_after,
        seconds_left,
        left,
        signature,
    ] {
        metric.write(&mut text);
    }
    text
}

fn seconds(time: std::time::Duration) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX)
}

/// Returns a ratio with three digits after the point.
fn ratio(part: i64, whole: i64) -> String {
    let thousandths = i128::from(part)
        .saturating_mul(1000)
        .checked_div(i128::from(whole))
        .unwrap_or_default();
    let sign = if thousandths < 0 { "-" } else { "" };
    let absolute = thousandths.unsigned_abs();
    format!(
        "{sign}{}.{:03}",
        absolute.div_euclid(1000),
        absolute.rem_euclid(1000)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_labels() {
        let mut metric = Metric::new("a", "A.");
        metric.add(&[("x", "a\"b\\c\nd")], 1);
        let mut text = String::new();
        metric.write(&mut text);
        assert_eq!(
            text,
            "# HELP a A.\n# TYPE a gauge\na{x=\"a\\\"b\\\\c\\nd\"} 1\n"
        );
    }

    #[test]
    fn writes_no_metric_without_values() {
        let mut text = String::new();
        Metric::new("a", "A.").write(&mut text);
        assert_eq!(text, "");
    }

    #[test]
    fn writes_ratios_below_zero() {
        for (part, whole, expected) in [
            (1, 4, "0.250"),
            (0, 4, "0.000"),
            (-1, 4, "-0.250"),
            (-9, 4, "-2.250"),
            (4, 4, "1.000"),
            (1, 0, "0.000"),
        ] {
            assert_eq!(ratio(part, whole), expected);
        }
    }
}
