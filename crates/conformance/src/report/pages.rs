//! The files of a report: its page, those of the suites, JSON for programs, and JUnit XML for servers that build.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::{Report, difference, html, junit};
use crate::part::{page, replace};

impl Report {
    /// Writes the page to [`page`], the pages of the suites, `report.json` and `junit.xml`, and returns the path of the page
    /// below `root`. The difference is that to the report that was there.
    ///
    /// # Errors
    /// Returns an error if a file cannot be written.
    pub fn write(&mut self, root: &Path) -> io::Result<PathBuf> {
        let page = page(self.part);
        let name = |full: &str, extension: &str| match self.part {
            None => root.join(page.with_file_name(format!("{full}.{extension}"))),
            Some(_) => root.join(page.with_extension(extension)),
        };
        let (json, junit) = (name("report", "json"), name("junit", "xml"));
        self.difference = difference::since(&json, self);
        html::write(self, root, &page)?;
        replace(&junit, &junit::text(self))?;
        replace(&json, &(serde_json::to_string_pretty(self)? + "\n"))?;
        Ok(page)
    }
}
