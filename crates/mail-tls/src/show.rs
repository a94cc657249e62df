//! The findings as text for a person.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use mail_implicit_tls::privacy::PrivacyLevel;

use crate::{
    latches::HostLatches,
    report::{Attempt, AttemptResult, Report, name},
};

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default();
const DOUBTFUL: Style = AnsiColor::Yellow.on_default();
const TITLE: Style = Style::new().bold();

/// Prints a report.
pub(crate) fn show(report: &Report, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{TITLE}{}{TITLE:#}", report.domain)?;
    for part in &report.parts {
        match &part.none {
            Some(reason) => writeln!(out, "{}: {reason}", name(part.protocol))?,
            None => writeln!(out, "{}", name(part.protocol))?,
        }
        for attempt in &part.attempts {
            show_attempt(attempt, out)?;
        }
    }
    if let Some(asked) = report.asked {
        writeln!(
            out,
            "asked {asked}; if it does not pass DNSSEC records on, name another with --resolver ADDRESS"
        )?;
    }
    Ok(())
}

fn show_attempt(attempt: &Attempt, out: &mut impl Write) -> io::Result<()> {
    let server = &attempt.server;
    match &attempt.result {
        AttemptResult::Ready(facts) => {
            let (style, text) = match facts.indication.level() {
                Some(PrivacyLevel::High) => (GOOD, "private"),
                Some(_) => (DOUBTFUL, "encrypted, not verified"),
                None => (BAD, "not encrypted"),
            };
            writeln!(out, "  {server}: {style}{text}{style:#}")?;
            if let Some(tls) = &facts.tls {
                writeln!(out, "    {tls}")?;
            }
            if let Some(verdict) = &facts.verdict {
                writeln!(out, "    chain: {}", verdict.chain)?;
                writeln!(out, "    identity: {}", verdict.identity)?;
                writeln!(out, "    DANE: {}", verdict.dane)?;
            }
            if !facts.mechanisms.is_empty() {
                let mechanisms: Vec<_> = facts
                    .mechanisms
                    .iter()
                    .map(|it| it.escape_default().to_string())
                    .collect();
                writeln!(out, "    login: {}", mechanisms.join(" "))?;
            }
            if let Some(latches) = &facts.latches {
                show_latches(latches, out)?;
            }
        }
        AttemptResult::Failed { reason, actions } => {
            writeln!(out, "  {server}: {BAD}failed{BAD:#}: {reason}")?;
            writeln!(out, "    a mail program may offer: {}", actions.join(", "))?;
        }
        AttemptResult::NotTried(reason) => {
            writeln!(out, "  {server}: {DOUBTFUL}not tried{DOUBTFUL:#}: {reason}")?;
        }
    }
    for warning in &attempt.warnings {
        writeln!(out, "    {DOUBTFUL}warning{DOUBTFUL:#}: {warning}")?;
    }
    Ok(())
}

fn show_latches(latches: &HostLatches, out: &mut impl Write) -> io::Result<()> {
    let latched = match latches.latched.as_slice() {
        [] => "none".to_owned(),
        tags => tags.join(" "),
    };
    let advertised = latches.advertised.as_deref().unwrap_or("none");
    writeln!(out, "    latches: {latched}; advertised: {advertised}")?;
    if !latches.new.is_empty() {
        let new = latches.new.join(" ");
        writeln!(out, "    a mail program would latch: {new}")?;
    }
    for (tag, reason) in &latches.not_latched {
        writeln!(
            out,
            "    {DOUBTFUL}not latched{DOUBTFUL:#}: {tag}: {reason}"
        )?;
    }
    Ok(())
}
