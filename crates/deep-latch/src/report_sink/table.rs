//! Feature `comfy-table`: what a sink answers, as tables on a terminal. The clients' words are escaped:
//! they could send control characters to the operator's terminal, or write a row of their own.

use alloc::{
    format,
    string::{String, ToString},
};
use std::time::SystemTime;

use comfy_table::{Cell, CellAlignment, Table, presets::ASCII_MARKDOWN};

use super::{SoftwareCounts, TagCount, WhatBreaks};

impl WhatBreaks {
    /// The table for a terminal: a sentence, and a row for each version of software.
    ///
    /// ```text
    /// 2 clients have tls-cert latched and would refuse to connect; 1 of them cannot achieve it now.
    /// | client    | version | clients | last seen            | failing | last failure         |
    /// |-----------|---------|---------|----------------------|---------|----------------------|
    /// | Demo Mail | 1.5     | 2       | 2014-11-24T01:00:00Z | 1       | 2014-11-24T00:30:00Z |
    /// ```
    #[must_use]
    pub fn to_table(&self) -> String {
        let (clients, failing, tag) = (self.clients, self.failing, &self.tag);
        let have = if clients == 1 {
            "client has"
        } else {
            "clients have"
        };
        let mut text = format!(
            "{clients} {have} {tag} latched and would refuse to connect; \
             {failing} of them cannot achieve it now.\n"
        );
        let header = [
            "client",
            "version",
            "clients",
            "last seen",
            "failing",
            "last failure",
        ];
        let rows = self.rows.iter().map(|row| {
            [
                words(row.name.as_deref()),
                words(row.version.as_deref()),
                number(row.clients),
                date(Some(row.last_seen)),
                number(row.failing),
                date(row.last_failure),
            ]
        });
        text.extend([table(header, rows), left_off(self.rows_left_off)]);
        text
    }
}

impl SoftwareCounts {
    /// The table for a terminal.
    #[must_use]
    pub fn to_table(&self) -> String {
        let rows = self.rows.iter().map(|row| {
            [
                words(row.name.as_deref()),
                words(row.version.as_deref()),
                number(row.clients),
                date(Some(row.last_seen)),
            ]
        });
        let mut text = table(["client", "version", "clients", "last seen"], rows);
        text.push_str(&left_off(self.rows_left_off));
        text
    }
}

impl TagCount {
    /// The table of many for a terminal.
    #[must_use]
    pub fn to_table(counts: &[Self]) -> String {
        let header = [
            "tag",
            "latched",
            "not latched",
            "failing",
            "failures",
            "last failure",
        ];
        let rows = counts.iter().map(|row| {
            [
                words(Some(row.tag.as_str())),
                number(row.latched),
                number(row.not_latched),
                number(row.failing),
                number(row.failures),
                date(row.last_failure),
            ]
        });
        table(header, rows)
    }
}

fn table<const N: usize>(header: [&str; N], rows: impl Iterator<Item = [Cell; N]>) -> String {
    let mut table = Table::new();
    table.load_preset(ASCII_MARKDOWN);
    table.set_header(header);
    table.add_rows(rows);
    format!("{table}\n")
}

/// What a client said. An empty cell is what it did not say.
fn words(said: Option<&str>) -> Cell {
    let mut text = String::new();
    for word in said.unwrap_or_default().chars() {
        match word {
            // Quotes need no escape here, and the one that ends a cell does.
            '"' | '\'' => text.push(word),
            '|' => text.push_str("\\|"),
            _ => text.extend(word.escape_debug()),
        }
    }
    Cell::new(text)
}

fn number(number: u64) -> Cell {
    Cell::new(number.to_string()).set_alignment(CellAlignment::Right)
}

fn date(time: Option<SystemTime>) -> Cell {
    // Times after the year 9999 have no such form.
    let date = |time| match time {
        time if time <= last_of_calendar() => humantime::format_rfc3339_seconds(time).to_string(),
        _ => "after 9999".to_string(),
    };
    Cell::new(time.map(date).unwrap_or_default())
}

/// 9999-12-31T23:59:59Z.
fn last_of_calendar() -> SystemTime {
    super::from_seconds(253_402_300_799).unwrap_or(SystemTime::UNIX_EPOCH)
}

fn left_off(rows: u64) -> String {
    match rows {
        0 => String::new(),
        rows => format!("{rows} rows of fewer clients are left off.\n"),
    }
}
