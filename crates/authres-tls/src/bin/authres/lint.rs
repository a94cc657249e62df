//! `authres lint`

use std::io::{self, Write};

use crate::{
    Verdict,
    analysis::Analysis,
    arguments::Lint,
    explain::{self, BOLD, plural},
    finding::{self, Severity},
    input::Input,
    source::Source,
};

/// The findings of all files.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    errors: usize,
    warnings: usize,
    notes: usize,
    fields: usize,
}

pub(crate) fn run(
    arguments: &Lint,
    quiet: bool,
    source: &Source,
    counts: &mut Counts,
    out: &mut dyn Write,
) -> io::Result<()> {
    let read = &arguments.shown.read;
    let width = arguments.shown.width();
    let mut reader = source.open()?;
    let input = Input::new(&mut *reader, read.input)?;
    let kind = input.kind;
    let mut fields = 0_usize;
    let ended = input.each(|found| {
        let mut text = String::new();
        explain::preamble(&mut text, &source.name, found, fields);
        fields = fields.saturating_add(1);
        let analysis = Analysis::of(found, read);
        let mut findings = analysis.findings();
        findings.retain(|finding| finding.severity <= arguments.level.severity());
        if !findings.is_empty() && !quiet {
            explain::heading(&mut text, &source.name, found, kind);
            explain::verdicts(&mut text, &analysis);
            text.push('\n');
            finding::show(&mut text, &source.name, found, &findings, width);
        }
        for finding in &findings {
            let count = match finding.severity {
                Severity::Error => &mut counts.errors,
                Severity::Warning => &mut counts.warnings,
                Severity::Note => &mut counts.notes,
            };
            *count = count.saturating_add(1);
        }
        out.write_all(text.as_bytes())
    })?;
    counts.fields = counts.fields.saturating_add(fields);
    counts.errors = counts.errors.saturating_add(ended.not_searched.len());
    explain::end(out, &source.name, fields, ended, quiet)
}

impl Counts {
    /// Writes the numbers of findings. Notes do not change the exit code.
    pub(crate) fn end(&self, out: &mut dyn Write) -> io::Result<Verdict> {
        let counts = [
            (self.errors, "error"),
            (self.warnings, "warning"),
            (self.notes, "note"),
        ];
        let counts: Vec<_> = counts
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| plural(count, what))
            .collect();
        let fields = plural(self.fields, "field");
        if !counts.is_empty() {
            let counts = counts.join(", ");
            writeln!(out, "{BOLD}{counts}{BOLD:#} in {fields}")?;
        } else if self.fields > 0 {
            writeln!(out, "no problems in {fields}")?;
        }
        Ok(Verdict::of(self.errors > 0 || self.warnings > 0))
    }
}
