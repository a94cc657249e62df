//! The findings as a table for a person.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use mail_implicit_tls::monitor::{Finding, Report, State};

use super::{
    Observed,
    changes::{Change, ChangeKind},
};

const TITLE: Style = Style::new().bold();

const fn style(state: State) -> Style {
    match state {
        State::Good => AnsiColor::Green.on_default(),
        State::Advice => AnsiColor::Cyan.on_default(),
        State::Warning => AnsiColor::Yellow.on_default(),
        State::NotKnown => AnsiColor::Magenta.on_default(),
        State::Bad => AnsiColor::Red.on_default().bold(),
    }
}

/// The word that Nagios shows for a state.
const fn nagios(state: State) -> &'static str {
    match state {
        State::Good | State::Advice => "OK",
        State::Warning => "WARNING",
        State::NotKnown => "UNKNOWN",
        State::Bad => "CRITICAL",
    }
}

/// The width of the column of states.
const STATE_WIDTH: usize = 9;

/// Prints the findings of each domain, or their changes.
pub(super) fn show(
    observed: &[Observed],
    all: bool,
    is_first: bool,
    out: &mut impl Write,
) -> io::Result<()> {
    for domain in observed {
        match &domain.changes {
            None => {
                summary(&domain.report, out)?;
                findings(&domain.report, all, out)?;
            }
            Some(changes) => {
                // A round without a change is silent.
                if is_first || !changes.is_empty() {
                    summary(&domain.report, out)?;
                }
                for change in changes {
                    show_change(change, out)?;
                }
                if is_first && changes.is_empty() {
                    writeln!(out, "  no change")?;
                }
            }
        }
    }
    Ok(())
}

/// Prints the line that Nagios shows.
fn summary(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let state = report.state();
    let colour = style(state);
    let mut counts = Vec::new();
    for state in State::ALL.into_iter().rev() {
        let count = report
            .findings
            .iter()
            .filter(|it| it.state == state)
            .count();
        if count > 0 {
            counts.push(format!("{count} {state}"));
        }
    }
    writeln!(
        out,
        "{colour}{}{colour:#} {TITLE}{}{TITLE:#}: {}",
        nagios(state),
        report.domain,
        counts.join(", ")
    )
}

fn findings(report: &Report, all: bool, out: &mut impl Write) -> io::Result<()> {
    let shown: Vec<&Finding> = report
        .findings
        .iter()
        .filter(|it| all || it.state != State::Good)
        .collect();
    let width = shown.iter().map(|it| it.check.name().len()).max();
    let width = width.unwrap_or_default();
    for finding in shown {
        let colour = style(finding.state);
        let state = finding.state.to_string();
        writeln!(
            out,
            "  {colour}{state:STATE_WIDTH$}{colour:#}  {:width$}  {TITLE}{}{TITLE:#}",
            finding.check.name(),
            finding.subject,
        )?;
        writeln!(
            out,
            "  {:STATE_WIDTH$}  {:width$}  {}",
            "",
            "",
            finding.sentence()
        )?;
    }
    Ok(())
}

fn show_change(change: &Change, out: &mut impl Write) -> io::Result<()> {
    let colour = style(change.now.unwrap_or(State::Good));
    let now = change
        .now
        .map_or("gone".to_owned(), |state| state.to_string());
    let before = match change.kind {
        ChangeKind::New => "new".to_owned(),
        ChangeKind::Changed(before) | ChangeKind::Gone(before) => format!("was {before}"),
    };
    writeln!(
        out,
        "  {colour}{now:STATE_WIDTH$}{colour:#}  {before}  {}  {TITLE}{}{TITLE:#}",
        change.check, change.subject
    )?;
    writeln!(out, "  {:STATE_WIDTH$}  {}", "", change.sentence)
}
