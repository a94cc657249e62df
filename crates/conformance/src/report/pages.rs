//! The files of a report: its page, those of the suites, JSON for programs, and JUnit XML for servers that build.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::{Report, difference, html, junit};
use crate::part::{Files, replace};

impl Report {
    /// Writes the page to `index.html`, the pages of the suites, `report.json` and `junit.xml`, and returns the path of the page
    /// below `root`. The difference is that to the report that was there until [`unfinished`](crate::unfinished).
    ///
    /// # Errors
    /// Returns an error if a file cannot be written.
    pub fn write(&mut self, root: &Path) -> io::Result<PathBuf> {
        let files = Files::of(self.part);
        self.difference = difference::since(&root.join(files.before), self);
        html::write(self, root, &files.page)?;
        replace(&root.join(files.junit), &junit::text(self))?;
        let json = serde_json::to_string_pretty(self)? + "\n";
        replace(&root.join(files.json), &json)?;
        Ok(files.page)
    }
}
