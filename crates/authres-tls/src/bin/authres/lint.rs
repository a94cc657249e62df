//! `authres lint`

use std::io;

use crate::{
    Verdict,
    analysis::Analysis,
    arguments::Shown,
    explain::{self, BOLD},
    finding::{self, Severity},
    input::File,
};

pub(crate) fn run(arguments: &Shown) -> io::Result<(String, Verdict)> {
    let read = &arguments.read;
    let file = File::read(&read.file)?;
    let kind = read.input.unwrap_or_else(|| file.kind());
    let fields = file.found(kind);
    let mut out = String::new();
    explain::preamble(&mut out, &file.name, &fields);
    let mut counts = [0_usize; 3];
    for found in &fields {
        let analysis = Analysis::of(found, read);
        let findings = analysis.findings();
        if findings.is_empty() {
            continue;
        }
        explain::heading(&mut out, &file.name, found, kind);
        explain::verdicts(&mut out, &analysis);
        out.push('\n');
        finding::show(&mut out, &file.name, found, &findings, arguments.width);
        let severities = [Severity::Error, Severity::Warning, Severity::Note];
        for (count, severity) in counts.iter_mut().zip(severities) {
            let of_it = findings.iter().filter(|it| it.severity == severity);
            *count = count.saturating_add(of_it.count());
        }
    }
    let [errors, warnings, notes] = counts;
    let any = counts.iter().any(|count| *count > 0);
    if any {
        let counts = [(errors, "error"), (warnings, "warning"), (notes, "note")];
        let counts: Vec<_> = counts
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| plural(count, what))
            .collect();
        let counts = counts.join(", ");
        out.push_str(&format!(
            "{BOLD}{counts}{BOLD:#} in {}\n",
            plural(fields.len(), "field")
        ));
    } else if !fields.is_empty() {
        out.push_str(&format!(
            "nothing to report in {}\n",
            plural(fields.len(), "field")
        ));
    }
    Ok((out, Verdict::of(any)))
}

pub(crate) fn plural(count: usize, what: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{count} {what}{s}")
}
