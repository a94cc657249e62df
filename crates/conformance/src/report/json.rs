//! The report as JSON, for programs, and for the difference to the next one.

use std::io;

use super::Report;

/// Returns the report as JSON.
pub(super) fn text(report: &Report) -> io::Result<String> {
    Ok(serde_json::to_string_pretty(report)? + "\n")
}
