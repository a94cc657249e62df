//! The answers of a sink as tables of 80 columns. Texts of clients are escaped: a client could otherwise send control
//! characters to the operator's terminal, or write a row of its own.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use std::time::SystemTime;

use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets::ASCII_MARKDOWN};

use super::{BrokenProgram, ProgramCount, SoftwareCounts, TagCount, WhatBreaks};

/// The widest line of a table.
const COLUMNS: u16 = 80;

impl WhatBreaks {
    /// Returns the table for a terminal: a sentence, and a row for each program, with its versions below.
    ///
    /// ```text
    /// 2 of 3 clients have tls-cert latched and would refuse to connect.
    /// 1 of them could not achieve it by its last report.
    ///
    /// | program   | clients | failing | last seen  | last failure |
    /// |-----------|---------|---------|------------|--------------|
    /// | Demo Mail |  2 of 3 |       1 | 2014-11-24 | 2014-11-24   |
    /// |   1.5     |  2 of 2 |       1 | 2014-11-24 | 2014-11-24   |
    /// ```
    #[must_use]
    pub fn to_table(&self) -> String {
        let (clients, of, failing, tag) = (self.clients, self.of, self.failing, &self.tag);
        let (have, all) = (if clients == 1 { "has" } else { "have" }, plural(of));
        let mut text =
            format!("{clients} of {of} {all} {have} {tag} latched and would refuse to connect.\n");
        match failing {
            0 => {}
            1 => text.push_str("1 of them could not achieve it by its last report.\n"),
            _ => {
                let line =
                    format!("{failing} of them could not achieve it by their last report.\n");
                text.push_str(&line);
            }
        }
        if self.programs.is_empty() {
            return text;
        }
        let header = ["program", "clients", "failing", "last seen", "last failure"];
        let rows = self.programs.iter().flat_map(BrokenProgram::rows);
        text.push('\n');
        text.extend([table(header, rows), left_off(self.programs_left_off)]);
        text
    }

    /// Keeps the first programs, and the first versions of each, and adds the others to the numbers of omitted ones.
    pub fn truncate(&mut self, programs: usize, versions: usize) {
        cut(&mut self.programs, programs, &mut self.programs_left_off);
        for program in &mut self.programs {
            cut(
                &mut program.versions,
                versions,
                &mut program.versions_left_off,
            );
        }
    }
}

impl BrokenProgram {
    fn rows(&self) -> Vec<[Cell; 5]> {
        let mut rows = Vec::from([[
            words(self.name.as_deref(), ""),
            part(self.clients, self.of),
            number(self.failing),
            date(Some(self.last_seen)),
            date(self.last_failure),
        ]]);
        rows.extend(self.versions.iter().map(|version| {
            [
                words(version.version.as_deref(), "  "),
                part(version.clients, version.of),
                number(version.failing),
                date(Some(version.last_seen)),
                date(version.last_failure),
            ]
        }));
        if self.versions_left_off > 0 {
            let rest = [(); 4].map(|()| Cell::new(""));
            let [one, two, three, four] = rest;
            rows.push([more(self.versions_left_off), one, two, three, four]);
        }
        rows
    }
}

impl SoftwareCounts {
    /// Returns the table for a terminal: a row for each program, with its versions below.
    #[must_use]
    pub fn to_table(&self) -> String {
        let rows = self.programs.iter().flat_map(ProgramCount::rows);
        let mut text = table(["program", "clients", "last seen"], rows);
        text.push_str(&left_off(self.programs_left_off));
        text
    }

    /// Keeps the first programs, and the first versions of each, and adds the others to the numbers of omitted ones.
    pub fn truncate(&mut self, programs: usize, versions: usize) {
        cut(&mut self.programs, programs, &mut self.programs_left_off);
        for program in &mut self.programs {
            cut(
                &mut program.versions,
                versions,
                &mut program.versions_left_off,
            );
        }
    }
}

impl ProgramCount {
    fn rows(&self) -> Vec<[Cell; 3]> {
        let mut rows = Vec::from([[
            words(self.name.as_deref(), ""),
            number(self.clients),
            date(Some(self.last_seen)),
        ]]);
        rows.extend(self.versions.iter().map(|version| {
            [
                words(version.version.as_deref(), "  "),
                number(version.clients),
                date(Some(version.last_seen)),
            ]
        }));
        if self.versions_left_off > 0 {
            let left_off = more(self.versions_left_off);
            rows.push([left_off, Cell::new(""), Cell::new("")]);
        }
        rows
    }
}

impl TagCount {
    /// Returns the table of many for a terminal. `of` is the number of clients in all
    /// ([`SoftwareCounts::clients`](super::SoftwareCounts)).
    #[must_use]
    pub fn to_table(counts: &[Self], of: u64) -> String {
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
                words(Some(row.tag.as_str()), ""),
                part(row.latched, of),
                number(row.not_latched),
                number(row.failing),
                number(row.failures),
                date(row.last_failure),
            ]
        });
        table(header, rows)
    }
}

fn cut<T>(rows: &mut Vec<T>, most: usize, left_off: &mut u64) {
    let more = rows.len().saturating_sub(most);
    *left_off = left_off.saturating_add(u64::try_from(more).unwrap_or(u64::MAX));
    rows.truncate(most);
}

const fn plural(clients: u64) -> &'static str {
    match clients {
        1 => "client",
        _ => "clients",
    }
}

fn table<const N: usize>(header: [&str; N], rows: impl Iterator<Item = [Cell; N]>) -> String {
    let mut table = Table::new();
    table.load_preset(ASCII_MARKDOWN);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(COLUMNS);
    table.set_header(header);
    table.add_rows(rows);
    format!("{table}\n")
}

/// Returns the cell of a client's text, after the indentation of its row, which no text of a client can begin with.
fn words(said: Option<&str>, before: &str) -> Cell {
    let mut text = String::from(before);
    let said = said.unwrap_or("(not said)");
    let last = said.chars().count().saturating_sub(1);
    for (at, word) in said.chars().enumerate() {
        match word {
            // A space that looks like indentation, or is invisible.
            ' ' if at == 0 || at == last => text.push_str("\\u{20}"),
            // Quotes need no escape in a cell; the character that ends a cell does.
            '"' | '\'' => text.push(word),
            '|' => text.push_str("\\|"),
            _ => text.extend(word.escape_debug()),
        }
    }
    Cell::new(text)
}

fn more(left_off: u64) -> Cell {
    Cell::new(format!("  ({left_off} more)"))
}

fn number(number: u64) -> Cell {
    Cell::new(number.to_string()).set_alignment(CellAlignment::Right)
}

fn part(number: u64, of: u64) -> Cell {
    Cell::new(format!("{number} of {of}")).set_alignment(CellAlignment::Right)
}

/// Returns the cell of a day.
fn date(time: Option<SystemTime>) -> Cell {
    // Times after the year 9999 have no such form.
    let date = |time| match time {
        time if time <= last_of_calendar() => {
            let text = humantime::format_rfc3339_seconds(time).to_string();
            text.split('T').next().unwrap_or_default().to_string()
        }
        _ => "after 9999".to_string(),
    };
    Cell::new(time.map(date).unwrap_or_default())
}

/// 9999-12-31T23:59:59Z.
fn last_of_calendar() -> SystemTime {
    super::from_seconds(253_402_300_799).unwrap_or(SystemTime::UNIX_EPOCH)
}

fn left_off(programs: u64) -> String {
    match programs {
        0 => String::new(),
        1 => String::from("1 program of fewer clients is not shown.\n"),
        more => format!("{more} programs of fewer clients are not shown.\n"),
    }
}
