//! `authres strip`

use std::{
    fmt::Write as _,
    fs::{self, OpenOptions},
    io::{self, BufWriter, Write},
    path::Path,
};

use authres_tls::{
    StripPolicy, Stripper,
    strip::{Removal, StripReason, StripScope},
};
use serde::Serialize;

use crate::{
    Verdict,
    arguments::{Report, Strip},
    explain::plural,
    mbox::{Part, Splitter},
    source::{self, Source},
    visible,
};

/// A field that is removed.
#[derive(Serialize)]
struct Removed {
    /// The message's place, counted from 0.
    message: usize,
    /// The field's place among all fields of the message, counted from 0.
    field: usize,
    /// The line of the file it begins on, counted from 1.
    line: usize,
    reason: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    hidden_by: Option<&'static str>,
    #[serde(skip)]
    why: &'static str,
}

pub(crate) fn policy(arguments: &Strip) -> StripPolicy {
    let scope = if arguments.from_trusted {
        StripScope::None
    } else if arguments.all {
        StripScope::All
    } else {
        StripScope::OwnIds(arguments.own.clone())
    };
    StripPolicy {
        subdomains: !arguments.no_subdomains,
        ..StripPolicy::of(scope)
    }
}

/// Strips a file. The report is written to `report`.
pub(crate) fn run(
    arguments: &Strip,
    quiet: bool,
    policy: &StripPolicy,
    source: &Source,
    out: &mut dyn Write,
    report: &mut dyn Write,
) -> io::Result<Verdict> {
    let mut reader = source.open()?;
    let mut reports = Reports::begin(arguments, quiet, &source.name, report)?;
    let mut file = File {
        policy,
        stripper: None,
        splitter: Splitter::new(arguments.format()),
    };
    let stripped = match &arguments.output {
        _ if arguments.check => file.strip(&mut *reader, &mut reports, &mut io::sink()),
        None => file.strip(&mut *reader, &mut reports, out),
        Some(directory) => create(directory, &source.below).and_then(|created| {
            let (created, name) = created;
            let mut out = BufWriter::new(Created {
                file: created,
                name,
            });
            file.strip(&mut *reader, &mut reports, &mut out)?;
            let Created { file, name } =
                out.into_inner().map_err(io::IntoInnerError::into_error)?;
            file.sync_all().map_err(|error| source::of(&name, &error))
        }),
    };
    stripped?;
    let verdict = Verdict::of(arguments.check && reports.removed > 0);
    reports.end()?;
    if let Some(warning) = file.splitter.warning()
        && !quiet
    {
        crate::warn(&format!("{}: {warning}", source.name));
    }
    Ok(verdict)
}

/// A file that is written. Its errors name it.
struct Created {
    file: fs::File,
    name: String,
}

impl Write for Created {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.file
            .write(octets)
            .map_err(|error| source::of(&self.name, &error))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file
            .flush()
            .map_err(|error| source::of(&self.name, &error))
    }
}

/// Creates a file, which must not exist, and the directories above it. Returns its name for messages, too.
fn create(directory: &Path, below: &Path) -> io::Result<(fs::File, String)> {
    let path = directory.join(below);
    let name = source::shown(&path);
    let named = |error: io::Error| source::of(&name, &error);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(named)?;
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(&path).map_err(named)?;
    Ok((file, name))
}

/// A file whose messages are stripped while it is read.
struct File<'p> {
    policy: &'p StripPolicy,
    stripper: Option<Message<'p>>,
    splitter: Splitter,
}

struct Message<'p> {
    line: usize,
    stripper: Stripper<'p>,
}

impl<'p> File<'p> {
    fn strip(
        &mut self,
        reader: &mut dyn io::Read,
        reports: &mut Reports<'_>,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let mut kept = Vec::new();
        let (policy, splitter, message) = (self.policy, &mut self.splitter, &mut self.stripper);
        let mut sink = |part: Part<'_>| {
            match (part, &mut *message) {
                (Part::Message(line, separator), message) => {
                    end(message.take(), &mut kept, reports)?;
                    kept.extend_from_slice(separator);
                    reports.is_mbox |= !separator.is_empty();
                    reports.messages = reports.messages.saturating_add(1);
                    let stripper = Stripper::new(policy);
                    *message = Some(Message { line, stripper });
                }
                (Part::Text(text), None) => kept.extend_from_slice(text),
                (Part::Text(text), Some(message)) => {
                    message.stripper.push(text, &mut kept);
                    reports.removed(message)?;
                }
            }
            out.write_all(&kept)?;
            kept.clear();
            Ok(())
        };
        source::read(reader, |piece| splitter.push(piece, &mut sink))?;
        splitter.finish(&mut sink)?;
        end(self.stripper.take(), &mut kept, reports)?;
        out.write_all(&kept)?;
        out.flush()
    }
}

fn end(
    message: Option<Message<'_>>,
    kept: &mut Vec<u8>,
    reports: &mut Reports<'_>,
) -> io::Result<()> {
    let Some(mut message) = message else {
        return Ok(());
    };
    message.stripper.finish(kept);
    reports.removed(&mut message)
}

/// The report of a file, written while the file is read.
struct Reports<'w> {
    form: Report,
    /// `true` if the fields are those that would be removed.
    is_check: bool,
    file: &'w str,
    out: &'w mut dyn Write,
    messages: usize,
    removed: usize,
    is_mbox: bool,
}

impl<'w> Reports<'w> {
    fn begin(
        arguments: &Strip,
        quiet: bool,
        file: &'w str,
        out: &'w mut dyn Write,
    ) -> io::Result<Self> {
        let (form, is_check) = (arguments.report(quiet), arguments.check);
        if form == Report::Json {
            let name = visible::json(&serde_json::to_string(file)?);
            let list = if is_check { "to_remove" } else { "removed" };
            write!(out, "{{\"file\":{name},\"{list}\":[")?;
        }
        Ok(Self {
            form,
            is_check,
            file,
            out,
            messages: 0,
            removed: 0,
            is_mbox: false,
        })
    }

    fn removed(&mut self, message: &mut Message<'_>) -> io::Result<()> {
        for removal in message.stripper.take_removals() {
            self.one(message.line, &removal)?;
            self.removed = self.removed.saturating_add(1);
        }
        Ok(())
    }

    fn one(&mut self, first_line: usize, removal: &Removal) -> io::Result<()> {
        let removed = Removed {
            message: self.messages.saturating_sub(1),
            field: removal.index,
            line: first_line.saturating_add(removal.line),
            reason: removal.reason.name(),
            hidden_by: removal.disguise.map(authres_tls::strip::Disguise::name),
            why: why(removal.reason),
        };
        match self.form {
            Report::None => Ok(()),
            Report::Json => {
                let comma = if self.removed > 0 { "," } else { "" };
                write!(self.out, "{comma}{}", serde_json::to_string(&removed)?)
            }
            Report::Text => self.text(&removed),
        }
    }

    fn text(&mut self, removed: &Removed) -> io::Result<()> {
        let Removed {
            field,
            line,
            reason,
            why,
            ..
        } = removed;
        let file = self.file;
        let mut text = format!("{file}:{line}: field {field}");
        if self.is_mbox {
            let _ = write!(text, " of message {}", removed.message);
        }
        let is_removed = match self.is_check {
            true => "would be removed",
            false => "removed",
        };
        let _ = write!(text, " {is_removed}: {reason}: {why}");
        if removed.hidden_by.is_some() {
            text.push_str(" (only some readers see it)");
        }
        writeln!(self.out, "{text}")
    }

    fn end(self) -> io::Result<()> {
        let (file, messages) = (self.file, self.messages);
        match self.form {
            Report::None => {}
            Report::Json => writeln!(self.out, "],\"messages\":{messages}}}")?,
            Report::Text => {
                let fields = plural(self.removed, "field");
                let removed = if self.is_check {
                    "to remove"
                } else {
                    "removed"
                };
                write!(self.out, "{file}: {fields} {removed}")?;
                if self.is_mbox {
                    let messages = plural(messages, "message");
                    write!(self.out, " from {messages}")?;
                }
                writeln!(self.out)?;
            }
        }
        self.out.flush()
    }
}

const fn why(reason: StripReason) -> &'static str {
    match reason {
        StripReason::OwnId => "it claims a local authserv-id",
        StripReason::BelowOwnId => "it claims a name below a local authserv-id",
        StripReason::MissingId => {
            "it has no authserv-id, and readers may treat it as a local field"
        }
        StripReason::UnreadableId => {
            "its authserv-id cannot be parsed, and readers may read it as a local one"
        }
        StripReason::UnsupportedVersion => "its version is not known (RFC 8601 section 5)",
        StripReason::All => "all are removed",
        _ => "by the policy",
    }
}
