//! The page of states: each domain, its servers over time, and its findings.

use std::time::Duration;

use askama::Template;
use mail_implicit_tls::monitor::{Finding, State, Timestamp};

use super::{
    Failed, Observed,
    history::{DOMAIN, History},
    picture::{Bar, SHOWN, Shown, bars},
    worst,
};

#[derive(Template)]
#[template(path = "monitor.html")]
struct Page {
    state: &'static str,
    at: String,
    /// The time from which the page is out of date.
    until: String,
    /// That time in seconds since the Unix epoch.
    until_seconds: u64,
    domains: Vec<Domain>,
}

struct Domain {
    name: String,
    state: Shown,
    counts: String,
    hosts: Vec<Host>,
    open: Vec<Item>,
    passed: Vec<Item>,
}

struct Host {
    name: String,
    state: Shown,
    bars: Vec<Bar>,
}

struct Item {
    state: Shown,
    check: &'static str,
    subject: String,
    sentence: String,
}

impl Item {
    fn new(finding: &Finding) -> Self {
        Self {
            state: finding.state.into(),
            check: finding.check.name(),
            subject: finding.subject.to_string(),
            sentence: sentence(finding),
        }
    }
}

/// Returns the sentence with a full stop, which the name of a host has already.
fn sentence(finding: &Finding) -> String {
    let sentence = finding.sentence();
    match sentence.ends_with('.') {
        true => sentence,
        false => format!("{sentence}."),
    }
}

/// Returns the page, which is up to date for a time.
pub(super) async fn text(
    observed: &[Observed],
    history: &History,
    valid: Duration,
) -> Result<String, Failed> {
    let mut domains = Vec::new();
    for domain in observed {
        domains.push(Domain::new(domain, history).await?);
    }
    let last = observed.iter().map(|it| it.report.at).max();
    let last = last.unwrap_or_default();
    let until = last.saturating_add(valid);
    let page = Page {
        state: Shown::from(worst(observed)).word,
        at: Timestamp(last).to_string(),
        until: Timestamp(until).to_string(),
        until_seconds: until.as_secs(),
        domains,
    };
    Ok(page.render()?)
}

impl Domain {
    async fn new(observed: &Observed, history: &History) -> Result<Self, Failed> {
        let report = &observed.report;
        let since = report.at.saturating_sub(SHOWN);
        let segments = history.segments(&report.domain, since, report.at).await?;
        let mut hosts = Vec::new();
        let servers = observed.observation.servers.iter().map(ToString::to_string);
        for subject in [DOMAIN.to_owned()].into_iter().chain(servers) {
            // A server that is no longer observed has no row.
            let Some(segments) = segments.get(&subject) else {
                continue;
            };
            let now = segments.last().map_or(State::NotKnown, |it| it.state);
            let name = match subject.as_str() {
                DOMAIN => "all checks".to_owned(),
                _ => subject,
            };
            hosts.push(Host {
                name,
                state: now.into(),
                bars: bars(segments, report.at),
            });
        }
        let (passed, open): (Vec<_>, Vec<_>) = report
            .findings
            .iter()
            .partition(|finding| finding.state == State::Good);
        let count = report.findings.len();
        Ok(Self {
            name: report.domain.to_string(),
            state: report.state().into(),
            counts: format!("{} of {count} checks passed", passed.len()),
            hosts,
            open: open.into_iter().map(Item::new).collect(),
            passed: passed.into_iter().map(Item::new).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_what_servers_say() {
        let page = Page {
            state: "bad",
            at: String::new(),
            until: String::new(),
            until_seconds: 0,
            domains: vec![Domain {
                name: "\"><img src=x>".to_owned(),
                state: State::Bad.into(),
                counts: String::new(),
                hosts: vec![Host {
                    name: "</svg>\" onload=\"a".to_owned(),
                    state: State::Bad.into(),
                    bars: Vec::new(),
                }],
                open: vec![Item {
                    state: State::Bad.into(),
                    check: "names",
                    subject: "imaps '><b>:993".to_owned(),
                    sentence: "<script>\"x\"".to_owned(),
                }],
                passed: Vec::new(),
            }],
        };
        let text = page.render().unwrap();
        for escaped in [
            "&#60;script&#62;&#34;x&#34;",
            "<h2>&#34;&#62;&#60;img src=x&#62;</h2>",
            "imaps &#39;&#62;&#60;b&#62;:993",
            "aria-label=\"States of &#60;/svg&#62;&#34; onload=&#34;a over 30 days\"",
        ] {
            assert!(text.contains(escaped), "{escaped}: {text}");
        }
        // The page's own script has no text of others.
        assert_eq!(text.matches("<script").count(), 1, "{text}");
    }
}
