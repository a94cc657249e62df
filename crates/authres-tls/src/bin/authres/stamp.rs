//! `authres stamp`: the work of the milter on one message of a pipe, with facts from the Received field of the local
//! MTA.

use std::{
    io::{self, Read, Write},
    str,
};

use authres_tls::{
    AuthservId, Border, Session, StripPolicy, Stripper,
    border::{Client, Task},
    facts::postfix::{Received, received_by},
    message::fields,
    milter::{MAX_HEADER, OnFailure},
    strip::{AUTHENTICATION_RESULTS, StripScope},
};

use crate::{
    OUTPUT,
    arguments::Stamp,
    local_id::LocalId,
    out::Out,
    settings::{File, Parsed},
    source,
};

/// The end of a run that failed.
pub(crate) enum Failed {
    /// The arguments or the file cannot be used: exit code 2.
    Configuration(String),
    /// The message cannot be read, stamped or written: exit code 75, for which an MTA tries again.
    Message(String),
}

/// Stamps the message on standard input.
pub(crate) fn run(arguments: &Stamp, quiet: bool) -> Result<(), Failed> {
    let file = File::read(arguments.config.as_deref()).map_err(Failed::Configuration)?;
    let hosts = match &arguments.stamp.host {
        flags if flags.is_empty() => file.stamp.host.clone(),
        flags => flags.clone(),
    };
    let mut hosts: Vec<_> = hosts
        .into_iter()
        .map(|Parsed(LocalId(host))| host)
        .collect();
    if hosts.is_empty() {
        let id = arguments.message.authserv_id(&file.message);
        hosts.extend(id.and_then(|id| AuthservId::try_new(id).ok()));
    }
    let (border, on_failure) = arguments
        .message
        .clone()
        .border(&file.message)
        .map_err(Failed::Configuration)?;
    let of = |error: io::Error| Failed::Message(error.to_string());
    let mut input = source::stdin();
    let start = header(&mut input).map_err(of)?;
    let own = match own_field(&border, &hosts, &start) {
        Ok(own) => own,
        Err(why) if on_failure == OnFailure::TemporaryFailure => {
            return Err(Failed::Message(why));
        }
        Err(why) => {
            if !quiet {
                crate::warn(&format!("no field was added: {why}"));
            }
            Own {
                task: Task::Strip,
                field: String::new(),
            }
        }
    };
    let mut output = io::BufWriter::with_capacity(1 << 16, Out::new(OUTPUT, io::stdout().lock()));
    write(&border, &own, &start, &mut input, &mut output).map_err(of)
}

/// Reads the message up to the end of its header, and what came with it.
fn header(input: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut start = Vec::new();
    let mut piece = vec![0; 1 << 16];
    loop {
        let before = start.len();
        let length = read(input, &mut piece)?;
        start.extend_from_slice(piece.get(..length).unwrap_or_default());
        // The empty line may have begun in the piece before.
        let from = before.saturating_sub(3);
        if length == 0 || has_empty_line(&start, from) {
            return Ok(start);
        }
        if start.len() > MAX_HEADER {
            let text = format!("the header is longer than {MAX_HEADER} octets");
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
    }
}

/// Returns `true` if there is an empty line, from this place on or at the start of the message.
fn has_empty_line(text: &[u8], from: usize) -> bool {
    let rest = text.get(from..).unwrap_or_default();
    text.starts_with(b"\n")
        || text.starts_with(b"\r\n")
        || rest.windows(2).any(|two| two == b"\n\n")
        || rest.windows(3).any(|three| three == b"\n\r\n")
}

fn read(input: &mut impl Read, piece: &mut [u8]) -> io::Result<usize> {
    loop {
        match input.read(piece) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}

/// The work on the message, and the field that is added, without its line breaks' CR.
struct Own {
    task: Task,
    field: String,
}

/// Returns the local field, with facts from the topmost Received field that a local host added.
fn own_field(border: &Border, hosts: &[AuthservId], start: &[u8]) -> Result<Own, String> {
    let received = fields(start)
        .filter(|field| field.name().eq_ignore_ascii_case(b"Received"))
        .find_map(|field| {
            let value = str::from_utf8(field.value()).ok()?;
            let by = AuthservId::try_new(received_by(value)?).ok()?;
            hosts.contains(&by).then_some(value)
        });
    let value = received.ok_or("no Received field of a local host")?;
    // A message of a local user came by no SMTP session.
    if value.trim_start().starts_with("by ") {
        let task = if border.task.strips() {
            Task::Strip
        } else {
            Task::Nothing
        };
        return Ok(Own {
            task,
            field: String::new(),
        });
    }
    let mut received = Received::parse(value).map_err(|error| error.to_string())?;
    let client = Client {
        helo: Some(received.helo),
        verified_name: received.client_name,
        address: received.address,
        is_authenticated: received.is_authenticated,
        common_name: None,
    };
    let task = border.task_for(&client);
    let session: &mut Session = &mut received.session;
    border.judge(session, &client);
    let field = match task.adds() {
        true => border.field(session).map_err(|error| error.to_string())?.1,
        false => String::new(),
    };
    Ok(Own { task, field })
}

/// Writes the message: the line of an mbox if there is one, the local field, and the rest without what is forged.
fn write(
    border: &Border,
    own: &Own,
    start: &[u8],
    input: &mut impl Read,
    output: &mut impl Write,
) -> io::Result<()> {
    let first_end = start.iter().position(|octet| *octet == b'\n');
    let first_end = first_end.map_or(start.len(), |end| end.saturating_add(1));
    let (first, after) = start.split_at_checked(first_end).unwrap_or((start, &[]));
    let is_mbox = first.starts_with(b"From ");
    let message = if is_mbox { after } else { start };
    if is_mbox {
        output.write_all(first)?;
    }
    if own.task.adds() {
        let line_break = if first.ends_with(b"\r\n") {
            "\r\n"
        } else {
            "\n"
        };
        let field = own.field.replace("\r\n", line_break);
        write!(output, "{AUTHENTICATION_RESULTS}: {field}{line_break}")?;
    }
    let kept = StripPolicy::of(StripScope::None);
    let policy = if own.task.strips() {
        &border.strip
    } else {
        &kept
    };
    let mut stripper = Stripper::new(policy);
    let mut text = Vec::new();
    stripper.push(message, &mut text);
    output.write_all(&text)?;
    let mut piece = vec![0; 1 << 16];
    loop {
        text.clear();
        let length = read(input, &mut piece)?;
        if length == 0 {
            break;
        }
        stripper.push(piece.get(..length).unwrap_or_default(), &mut text);
        output.write_all(&text)?;
    }
    stripper.finish(&mut text);
    output.write_all(&text)?;
    output.flush()
}
