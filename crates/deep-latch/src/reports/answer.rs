//! The answers of a sink, and the rows that they are summed up from.

use alloc::{collections::BTreeMap, string::String, vec::Vec};
use core::cmp::Reverse;
use std::time::SystemTime;

use super::{
    MAX_PROGRAMS, MAX_VERSIONS, ReportSinkError, ReportSinkErrorKind, from_seconds, number,
};
use crate::{host::Host, tag::SecurityTag};

/// The numbers of clients of a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagCount {
    /// The tag, in lower case.
    pub tag: SecurityTag<'static>,
    /// The number of clients that have the tag latched.
    pub latched: u64,
    /// The number of clients that support the tag and have not latched it.
    pub not_latched: u64,
    /// The number of clients that could not achieve the tag by their last report.
    pub failing: u64,
    /// The number of failures of clients that are kept, in all reports.
    pub failures: u64,
    /// The time of the last failure.
    pub last_failure: Option<SystemTime>,
}

/// The clients of a version of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionCount {
    /// The version, if clients report it. The text comes from clients: escape it for display.
    pub version: Option<String>,
    /// The number of clients with this version in their last report.
    pub clients: u64,
    /// The time of the last report.
    pub last_seen: SystemTime,
}

/// The clients of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramCount {
    /// The program's name, if clients report it. The text comes from clients: escape it for display.
    pub name: Option<String>,
    /// The number of clients.
    pub clients: u64,
    /// The time of the last report.
    pub last_seen: SystemTime,
    /// The versions, those with the most clients first, at most [`MAX_VERSIONS`].
    pub versions: Vec<VersionCount>,
    /// The number of versions that are omitted.
    pub versions_left_off: u64,
}

/// The numbers of clients of each program, and of its versions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SoftwareCounts {
    /// The programs, those with the most clients first, at most [`MAX_PROGRAMS`].
    pub programs: Vec<ProgramCount>,
    /// The number of all clients, including those of omitted programs.
    pub clients: u64,
    /// The number of programs that are omitted.
    pub programs_left_off: u64,
}

/// The clients of a version of a program that have a tag latched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokenVersion {
    /// The version, if clients report it. The text comes from clients: escape it for display.
    pub version: Option<String>,
    /// The number of clients with this version in their last report.
    pub clients: u64,
    /// The number of all clients of this version, whether or not they have the tag latched.
    pub of: u64,
    /// The time of the last report of a client that has the tag latched.
    pub last_seen: SystemTime,
    /// The number of these clients that could not achieve the tag by their last report: they are broken already.
    pub failing: u64,
    /// The time of their last failure.
    pub last_failure: Option<SystemTime>,
}

/// The clients of a program that have a tag latched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokenProgram {
    /// The program's name, if clients report it. The text comes from clients: escape it for display.
    pub name: Option<String>,
    /// The number of clients.
    pub clients: u64,
    /// The number of all clients of this program, whether or not they have the tag latched.
    pub of: u64,
    /// The time of the last report of a client that has the tag latched.
    pub last_seen: SystemTime,
    /// The number of these clients that could not achieve the tag by their last report: they are broken already.
    pub failing: u64,
    /// The time of their last failure.
    pub last_failure: Option<SystemTime>,
    /// The versions, those with the most clients first, at most [`MAX_VERSIONS`].
    pub versions: Vec<BrokenVersion>,
    /// The number of omitted versions with clients that have the tag latched.
    pub versions_left_off: u64,
}

/// The answer to "what breaks if I drop this tag?": the clients that have it latched, and would refuse to connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WhatBreaks {
    /// The tag, in lower case.
    pub tag: SecurityTag<'static>,
    /// The programs, those with the most clients first, at most [`MAX_PROGRAMS`].
    pub programs: Vec<BrokenProgram>,
    /// The number of all clients that have the tag latched, including those of omitted programs.
    pub clients: u64,
    /// The number of all clients, whether or not they have the tag latched.
    pub of: u64,
    /// The number of clients that could not achieve the tag by their last report.
    pub failing: u64,
    /// The number of programs that are omitted.
    pub programs_left_off: u64,
}

/// The names in a sink: a question about another name has no answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SinkNames {
    /// The number of clients, of all times.
    pub clients: u64,
    /// The time of the last report; `None` in a sink without reports.
    pub last_report: Option<SystemTime>,
    /// The tags in reports, in lower case, those with the most clients first, at most [`MAX_ROWS`](super::MAX_ROWS).
    pub tags: Vec<SecurityTag<'static>>,
    /// The hosts that reports were sent to, those with the most clients first, at most [`MAX_ROWS`](super::MAX_ROWS).
    pub hosts: Vec<Host>,
}

/// The clients of a version of a program, as a sink counts them. Times are seconds since 1970.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SoftwareRow {
    /// The program's name; empty if clients did not report it.
    pub name: String,
    /// The version; empty if clients did not report it.
    pub version: String,
    /// The number of clients that the question is about.
    pub clients: u64,
    /// The number of all clients.
    pub of: u64,
    /// The time of the last report of one of `clients`.
    pub last_seen: i64,
    /// The number of `clients` that failed to achieve the tag by their last report.
    pub failing: u64,
    /// The time at which one of `clients` failed last.
    pub failed_at: Option<i64>,
}

/// A program of rows, with the sum of its versions.
#[derive(Default)]
struct Program {
    sum: SoftwareRow,
    versions: Vec<SoftwareRow>,
}

/// Returns the programs of some rows, those with the most clients first, each with its versions in the same order.
/// Programs and versions without clients are omitted.
fn programs(rows: impl Iterator<Item = SoftwareRow>) -> Vec<Program> {
    let mut programs: BTreeMap<String, Program> = BTreeMap::new();
    for row in rows {
        let program = programs.entry(row.name.clone()).or_default();
        let sum = &mut program.sum;
        sum.name.clone_from(&row.name);
        sum.clients = sum.clients.saturating_add(row.clients);
        sum.of = sum.of.saturating_add(row.of);
        sum.last_seen = sum.last_seen.max(row.last_seen);
        sum.failing = sum.failing.saturating_add(row.failing);
        sum.failed_at = sum.failed_at.max(row.failed_at);
        if row.clients > 0 {
            program.versions.push(row);
        }
    }
    let mut programs: Vec<_> = programs.into_values().collect();
    programs.retain(|program| program.sum.clients > 0);
    programs.sort_by_key(|program| Reverse(program.sum.clients));
    for program in &mut programs {
        let versions = &mut program.versions;
        versions.sort_by(|one, other| {
            let by_clients = other.clients.cmp(&one.clients);
            by_clients.then_with(|| one.version.cmp(&other.version))
        });
    }
    programs
}

/// Returns the part of a list that an answer has, and the number of omitted elements.
fn most<T>(mut all: Vec<T>, most: usize) -> (Vec<T>, u64) {
    let left_off = number(all.len().saturating_sub(most));
    all.truncate(most);
    (all, left_off)
}

impl SoftwareCounts {
    /// Sums up the rows of a sink.
    ///
    /// # Errors
    /// Returns [`ReportSinkErrorKind::Unreadable`](super::ReportSinkErrorKind::Unreadable) for a time that a sink
    /// cannot have kept.
    pub fn of_rows(rows: impl Iterator<Item = SoftwareRow>) -> Result<Self, ReportSinkError> {
        let programs = programs(rows);
        let clients = programs.iter().map(|program| program.sum.clients);
        let clients = clients.fold(0, u64::saturating_add);
        let (programs, programs_left_off) = most(programs, MAX_PROGRAMS);
        let programs = programs.into_iter().map(|Program { sum, versions }| {
            let (versions, versions_left_off) = most(versions, MAX_VERSIONS);
            let versions = versions.into_iter().map(|row| {
                Ok(VersionCount {
                    version: said(row.version),
                    clients: row.clients,
                    last_seen: from_seconds(row.last_seen)?,
                })
            });
            Ok(ProgramCount {
                name: said(sum.name),
                clients: sum.clients,
                last_seen: from_seconds(sum.last_seen)?,
                versions: versions.collect::<Result<_, ReportSinkErrorKind>>()?,
                versions_left_off,
            })
        });
        Ok(Self {
            programs: programs.collect::<Result<_, ReportSinkErrorKind>>()?,
            clients,
            programs_left_off,
        })
    }
}

impl WhatBreaks {
    /// Sums up the rows of a sink: `clients` of a row are those that have the tag latched.
    ///
    /// # Errors
    /// Returns [`ReportSinkErrorKind::Unreadable`](super::ReportSinkErrorKind::Unreadable) for a time that a sink
    /// cannot have kept.
    pub fn of_rows(
        tag: SecurityTag<'static>,
        rows: impl Iterator<Item = SoftwareRow>,
    ) -> Result<Self, ReportSinkError> {
        let mut of = 0_u64;
        let rows = rows.inspect(|row| of = of.saturating_add(row.of));
        let programs = programs(rows);
        let sum = |count: fn(&SoftwareRow) -> u64| {
            let counts = programs.iter().map(|program| count(&program.sum));
            counts.fold(0, u64::saturating_add)
        };
        let (clients, failing) = (sum(|sum| sum.clients), sum(|sum| sum.failing));
        let (programs, programs_left_off) = most(programs, MAX_PROGRAMS);
        let programs = programs.into_iter().map(|Program { sum, versions }| {
            let (versions, versions_left_off) = most(versions, MAX_VERSIONS);
            let versions = versions.into_iter().map(|row| {
                Ok(BrokenVersion {
                    version: said(row.version),
                    clients: row.clients,
                    of: row.of,
                    last_seen: from_seconds(row.last_seen)?,
                    failing: row.failing,
                    last_failure: row.failed_at.map(from_seconds).transpose()?,
                })
            });
            Ok(BrokenProgram {
                name: said(sum.name),
                clients: sum.clients,
                of: sum.of,
                last_seen: from_seconds(sum.last_seen)?,
                failing: sum.failing,
                last_failure: sum.failed_at.map(from_seconds).transpose()?,
                versions: versions.collect::<Result<_, ReportSinkErrorKind>>()?,
                versions_left_off,
            })
        });
        Ok(Self {
            tag,
            programs: programs.collect::<Result<_, ReportSinkErrorKind>>()?,
            clients,
            of,
            failing,
            programs_left_off,
        })
    }
}

impl TagCount {
    pub(super) const fn new(tag: SecurityTag<'static>) -> Self {
        Self {
            tag,
            latched: 0,
            not_latched: 0,
            failing: 0,
            failures: 0,
            last_failure: None,
        }
    }
}

/// Returns `None` for an empty name or version, which was not reported.
fn said(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}
