//! Progress on a terminal, while servers are observed.

use indicatif::{ProgressBar, ProgressStyle};
use mail_implicit_tls::{monitor::Step, name::DomainName};

/// A line on standard error, if that is a terminal.
pub(super) struct Progress(ProgressBar);

impl Progress {
    pub(super) fn new() -> Self {
        let bar = ProgressBar::no_length();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(std::time::Duration::from_millis(100));
        Self(bar)
    }

    pub(super) fn show(&self, domain: &DomainName, step: Step) {
        self.0.set_message(message(domain, &step));
    }

    pub(super) fn finish(&self) {
        self.0.finish_and_clear();
    }
}

fn message(domain: &DomainName, step: &Step) -> String {
    match step {
        Step::LookingUp => format!("{domain}: looking up servers"),
        Step::Server { number, of, label } => format!("{domain}: {number} of {of}: {label}"),
        Step::Signatures => format!("{domain}: signatures of the DNS"),
        _ => domain.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_the_number_of_the_server() {
        let domain = DomainName::parse("example.org").unwrap();
        let step = Step::Server {
            number: 2,
            of: 3,
            label: "imaps at a.example:993".to_owned(),
        };
        assert_eq!(
            message(&domain, &step),
            "example.org: 2 of 3: imaps at a.example:993"
        );
        assert_eq!(
            message(&domain, &Step::LookingUp),
            "example.org: looking up servers"
        );
    }
}
