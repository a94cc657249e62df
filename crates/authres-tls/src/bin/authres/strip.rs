//! `authres strip`

use std::{
    fmt::Write as _,
    io::{self, Write as _},
};

use authres_tls::{StripPolicy, StripReason, fields};
use serde::Serialize;

use crate::{
    Verdict,
    arguments::{Kind, MessageKind, Report, Strip},
    input::{File, Message, line_breaks, messages},
    lint::plural,
    visible,
};

/// A field that is removed.
#[derive(Serialize)]
struct Removed {
    /// Its message's place, counted from 0.
    message: usize,
    /// Its place among all fields of the message, counted from 0.
    field: usize,
    /// The line of the file it begins on, counted from 1.
    line: usize,
    reason: &'static str,
    #[serde(skip)]
    why: &'static str,
}

#[derive(Serialize)]
struct Removals<'a> {
    file: &'a str,
    messages: usize,
    removed: &'a [Removed],
}

pub(crate) fn run(arguments: &Strip) -> io::Result<Verdict> {
    let policy = StripPolicy {
        subdomains: !arguments.no_subdomains,
        from_trusted: arguments.from_trusted,
        all: arguments.all,
        ..StripPolicy::new(arguments.own.iter().cloned())
    };
    let file = File::read(&arguments.file)?;
    let is_mbox = match arguments.input {
        Some(kind) => kind == MessageKind::Mbox,
        None => file.kind() == Kind::Mbox,
    };
    let messages = if is_mbox {
        messages(&file.octets)
    } else {
        vec![Message {
            line: 1,
            octets: &file.octets,
        }]
    };
    let mut stripped = Vec::with_capacity(file.octets.len());
    let mut removed = Vec::new();
    for (place, message) in messages.iter().enumerate() {
        let (rest, removals) = policy.strip(message.octets);
        stripped.extend_from_slice(&rest);
        let mut fields = fields(message.octets).enumerate();
        for removal in removals {
            let field = fields.find(|(place, _)| *place == removal.index);
            let start = field.map_or(0, |(_, field)| field.span().start);
            let before = message.octets.get(..start);
            removed.push(Removed {
                message: place,
                field: removal.index,
                line: message.line.saturating_add(line_breaks(before)),
                reason: removal.reason.name(),
                why: why(removal.reason),
            });
        }
    }
    let report = match arguments.report {
        Report::None => String::new(),
        Report::Text => text(&file.name, messages.len(), &removed),
        Report::Json => {
            visible::json(&serde_json::to_string(&Removals {
                file: &file.name,
                messages: messages.len(),
                removed: &removed,
            })?) + "\n"
        }
    };
    if arguments.check {
        let mut out = io::stdout();
        out.write_all(report.as_bytes())?;
        out.flush()?;
        return Ok(Verdict::of(!removed.is_empty()));
    }
    let mut out = io::stdout().lock();
    out.write_all(&stripped)?;
    out.flush()?;
    io::stderr().write_all(report.as_bytes())?;
    Ok(Verdict::Fine)
}

fn text(file: &str, messages: usize, removed: &[Removed]) -> String {
    let mut out = String::new();
    for it in removed {
        let Removed {
            field,
            line,
            reason,
            why,
            ..
        } = it;
        let _ = write!(out, "{file}:{line}: field {field}");
        if messages > 1 {
            let _ = write!(out, " of message {}", it.message);
        }
        let _ = writeln!(out, " removed: {reason}: {why}");
    }
    let fields = plural(removed.len(), "field");
    let _ = write!(out, "{file}: {fields} removed");
    if messages > 1 {
        let _ = write!(out, " from {messages} messages");
    }
    out.push('\n');
    out
}

const fn why(reason: StripReason) -> &'static str {
    match reason {
        StripReason::OwnId => "it claims an id of one's own",
        StripReason::BelowOwnId => "it claims a name below an id of one's own",
        StripReason::MissingId => "it has no authserv-id, and might be taken for one's own",
        StripReason::UnreadableId => {
            "its authserv-id cannot be told, and might be taken for one's own"
        }
        StripReason::UnsupportedVersion => "its version is not known (RFC 8601 section 5)",
        StripReason::All => "all are removed",
        _ => "by the policy",
    }
}
