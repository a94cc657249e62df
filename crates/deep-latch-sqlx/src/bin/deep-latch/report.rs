//! `deep-latch report`: the operator's questions.

use std::time::{Duration, SystemTime};

use deep_latch::{
    Facilities, Host, SecurityTag,
    reports::{Clients, MAX_ROWS, ReportSink, SinkNames, SoftwareCounts, TagCount, WhatBreaks},
};
use serde_json::{Value, json};
use strsim::damerau_levenshtein;

use crate::{arguments::Report, failure::Failure};

const DAY: Duration = Duration::from_secs(86_400);

/// The answer.
enum Answer {
    WhatBreaks(WhatBreaks),
    Overview(Vec<TagCount>, SoftwareCounts),
}

pub(crate) async fn run(
    arguments: &Report,
    sink: &dyn ReportSink,
    now: SystemTime,
) -> Result<String, Failure> {
    let tag = arguments.tag.as_deref().map(read_tag).transpose()?;
    let host = arguments.host.as_deref().map(read_host).transpose()?;
    let since = days_before(now, arguments.days)?;
    let names = sink.names().await?;
    let Some(last_report) = names.last_report else {
        return Err(no_answer("the database has no reports"));
    };
    if let Some(host) = &host {
        check_host(host, &names, sink).await?;
    }
    if let Some(tag) = &tag {
        check_tag(tag, &names, sink).await?;
    }
    let of = Clients {
        since,
        host: host.as_ref(),
    };
    let (programs, versions) = (arguments.programs, arguments.versions);
    let (clients, answer) = match &tag {
        Some(tag) => {
            let mut breaks = sink.what_breaks_if_dropped(tag, of).await?;
            breaks.truncate(programs, versions);
            (breaks.of, Answer::WhatBreaks(breaks))
        }
        None => {
            let mut software = sink.clients_by_software(of).await?;
            software.truncate(programs, versions);
            let tags = sink.clients_by_tag(of).await?;
            (software.clients, Answer::Overview(tags, software))
        }
    };
    if clients == 0 {
        let (days, to) = (arguments.days, to(host.as_ref()));
        let last = time(last_report);
        return Err(no_answer(format!(
            "no client reported in the last {days} days{to}; the last report is of {last}"
        )));
    }
    Ok(match arguments.json {
        true => {
            let host = host.as_ref().map(Host::as_str);
            let head = json!({"days": arguments.days, "since": time(since), "host": host});
            format!("{:#}\n", answer.to_json(head))
        }
        false => {
            let (days, to) = (arguments.days, to(host.as_ref()));
            format!(
                "Reports of the last {days} days{to}.\n\n{}",
                answer.to_text()
            )
        }
    })
}

fn to(host: Option<&Host>) -> String {
    host.map(|host| format!(" to {host}")).unwrap_or_default()
}

fn read_tag(text: &str) -> Result<SecurityTag<'_>, Failure> {
    SecurityTag::parse(text).map_err(|error| Failure::error(format!("the tag: {error}")))
}

fn read_host(text: &str) -> Result<Host, Failure> {
    Host::try_new(text).map_err(|error| Failure::error(format!("--host: {error}")))
}

pub(crate) fn days_before(time: SystemTime, days: u32) -> Result<SystemTime, Failure> {
    let before = DAY.checked_mul(days).and_then(|it| time.checked_sub(it));
    let in_range = before.filter(|before| *before >= SystemTime::UNIX_EPOCH);
    in_range.ok_or_else(|| Failure::error("--days: before 1970"))
}

fn no_answer(what: impl Into<String>) -> Failure {
    Failure::NoAnswer(what.into())
}

/// Reports of all times.
const EVER: Clients<'static> = Clients::since(SystemTime::UNIX_EPOCH);

async fn check_host(host: &Host, names: &SinkNames, sink: &dyn ReportSink) -> Result<(), Failure> {
    if names.hosts.contains(host) {
        return Ok(());
    }
    // The list is not of all.
    if names.hosts.len() >= MAX_ROWS {
        let of = Clients {
            host: Some(host),
            ..EVER
        };
        if sink.clients_by_software(of).await?.clients > 0 {
            return Ok(());
        }
    }
    let known: Vec<_> = names.hosts.iter().map(Host::as_str).collect();
    let near = nearest(host.as_str(), &known);
    Err(no_answer(format!("no client reported to {host}{near}")))
}

async fn check_tag(
    tag: &SecurityTag<'_>,
    names: &SinkNames,
    sink: &dyn ReportSink,
) -> Result<(), Failure> {
    // Of a registered tag, that no client reported it is an answer.
    let facilities = Facilities::new();
    if facilities.knows(tag) || names.tags.iter().any(|known| known == tag) {
        return Ok(());
    }
    if names.tags.len() >= MAX_ROWS && sink.what_breaks_if_dropped(tag, EVER).await?.clients > 0 {
        return Ok(());
    }
    let registered: Vec<_> = facilities.tags().map(SecurityTag::into_owned).collect();
    let mut known: Vec<_> = registered.iter().map(SecurityTag::as_str).collect();
    let reported = names.tags.iter().map(SecurityTag::as_str);
    known.extend(reported.filter(|tag| !registered.iter().any(|it| it.as_str() == *tag)));
    let near = nearest(tag.as_str(), &known);
    Err(no_answer(format!(
        "the tag {tag} is not registered, and no client reported it{near}"
    )))
}

/// The names that are spelt most alike, or else the first ones.
fn nearest(name: &str, known: &[&str]) -> String {
    const MOST: usize = 5;
    let name = name.to_ascii_lowercase();
    let limit = name.chars().count().div_ceil(3).max(2);
    let mut near: Vec<_> = known
        .iter()
        .map(|known| (damerau_levenshtein(&name, known), *known))
        .filter(|(distance, _)| *distance <= limit)
        .collect();
    near.sort_unstable();
    let (first, names): (_, Vec<_>) = match near.is_empty() {
        true => ("there are", known.iter().take(MOST).copied().collect()),
        false => (
            "did you mean",
            near.into_iter()
                .take(MOST)
                .map(|(_, known)| known)
                .collect(),
        ),
    };
    let end = if first == "did you mean" { "?" } else { "" };
    match names.is_empty() {
        true => String::new(),
        false => format!("; {first} {}{end}", names.join(", ")),
    }
}

/// In the form of RFC 3339; of times that have none, seconds since 1970.
fn time(time: SystemTime) -> String {
    const LAST: Duration = Duration::from_secs(253_402_300_799);
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    let since = since.unwrap_or_default();
    match since <= LAST {
        true => humantime::format_rfc3339_seconds(time).to_string(),
        false => format!("{}", since.as_secs()),
    }
}

impl Answer {
    fn to_text(&self) -> String {
        match self {
            Self::WhatBreaks(breaks) => breaks.to_table(),
            Self::Overview(tags, software) => {
                let all = match software.clients {
                    1 => "1 client:".to_owned(),
                    more => format!("{more} clients:"),
                };
                let tags = TagCount::to_table(tags, software.clients);
                format!("{all}\n\n{}\n{tags}", software.to_table())
            }
        }
    }

    fn to_json(&self, head: Value) -> Value {
        let (name, answer) = match self {
            Self::WhatBreaks(breaks) => ("what_breaks", what_breaks(breaks)),
            Self::Overview(tags, software) => ("overview", overview(tags, software)),
        };
        json!({"asked": head, name: answer})
    }
}

fn what_breaks(breaks: &WhatBreaks) -> Value {
    let programs = breaks.programs.iter().map(|program| {
        let versions = program.versions.iter().map(|version| {
            json!({
                "version": version.version,
                "clients": version.clients,
                "of": version.of,
                "failing": version.failing,
                "last_seen": time(version.last_seen),
                "last_failure": version.last_failure.map(time),
            })
        });
        json!({
            "name": program.name,
            "clients": program.clients,
            "of": program.of,
            "failing": program.failing,
            "last_seen": time(program.last_seen),
            "last_failure": program.last_failure.map(time),
            "versions": versions.collect::<Vec<_>>(),
            "versions_left_off": program.versions_left_off,
        })
    });
    json!({
        "tag": breaks.tag.as_str(),
        "clients": breaks.clients,
        "of": breaks.of,
        "failing": breaks.failing,
        "programs": programs.collect::<Vec<_>>(),
        "programs_left_off": breaks.programs_left_off,
    })
}

fn overview(tags: &[TagCount], software: &SoftwareCounts) -> Value {
    let tags = tags.iter().map(|tag| {
        json!({
            "tag": tag.tag.as_str(),
            "latched": tag.latched,
            "not_latched": tag.not_latched,
            "failing": tag.failing,
            "failures": tag.failures,
            "last_failure": tag.last_failure.map(time),
        })
    });
    let programs = software.programs.iter().map(|program| {
        let versions = program.versions.iter().map(|version| {
            json!({
                "version": version.version,
                "clients": version.clients,
                "last_seen": time(version.last_seen),
            })
        });
        json!({
            "name": program.name,
            "clients": program.clients,
            "last_seen": time(program.last_seen),
            "versions": versions.collect::<Vec<_>>(),
            "versions_left_off": program.versions_left_off,
        })
    });
    json!({
        "clients": software.clients,
        "tags": tags.collect::<Vec<_>>(),
        "programs": programs.collect::<Vec<_>>(),
        "programs_left_off": software.programs_left_off,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_those_that_are_spelt_most_alike() {
        let known = ["tls10", "tls12", "tls-cert", "tls-dane-tlsa"];
        assert_eq!(nearest("tls-crt", &known), "; did you mean tls-cert?");
        assert_eq!(nearest("TLS_CERT", &known), "; did you mean tls-cert?");
        assert_eq!(nearest("tls13", &known), "; did you mean tls10, tls12?");
        let all = "; there are tls10, tls12, tls-cert, tls-dane-tlsa";
        assert_eq!(nearest("starttls-required", &known), all);
        assert_eq!(nearest("x", &[]), "");
    }

    #[test]
    fn times_without_a_calendar_date_are_seconds() {
        assert_eq!(time(SystemTime::UNIX_EPOCH), "1970-01-01T00:00:00Z");
        let far = SystemTime::UNIX_EPOCH + Duration::from_secs(253_402_300_800);
        assert_eq!(time(far), "253402300800");
    }
}
