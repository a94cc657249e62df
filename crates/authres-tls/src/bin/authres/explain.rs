//! `authres explain`

use std::{
    fmt::Write as _,
    io::{self, Write},
};

use anstyle::{AnsiColor, Style};
use authres_tls::{
    AuthenticationResults, ParseError, ResInfo, TlsResInfo,
    registry::Method,
    syntax::{Body, Comment, Element, Number, Property, Text},
};

use crate::{
    Verdict,
    analysis::Analysis,
    arguments::Shown,
    finding,
    input::{Ended, Found, Input, Kind, LineEnds},
    source::Source,
    tls_view::{View, tls_property},
    visible::Visible,
};

pub(crate) const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default();

pub(crate) fn run(
    arguments: &Shown,
    quiet: bool,
    source: &Source,
    out: &mut dyn Write,
) -> io::Result<Verdict> {
    let read = &arguments.read;
    let mut reader = source.open()?;
    let input = Input::new(&mut *reader, read.input)?;
    let kind = input.kind;
    let width = arguments.width();
    let mut fields = 0_usize;
    let mut refused = false;
    let ended = input.each(|found| {
        let mut text = String::new();
        preamble(&mut text, &source.name, found, fields);
        fields = fields.saturating_add(1);
        if fields > 1 {
            text.push('\n');
        }
        let analysis = Analysis::of(found, read);
        heading(&mut text, &source.name, found, kind);
        verdicts(&mut text, &analysis);
        match &analysis.tree {
            Ok(tree) => self::tree(&mut text, tree, arguments.columns()),
            Err(_) => refused = true,
        }
        let findings = analysis.findings_of_form();
        if !findings.is_empty() {
            text.push('\n');
            finding::show(&mut text, &source.name, found, &findings, width);
            // The last of them needs no line after it.
            text.pop();
        }
        out.write_all(text.as_bytes())
    })?;
    refused |= !ended.not_searched.is_empty();
    end(out, &source.name, fields, ended, quiet)?;
    Ok(Verdict::of(refused))
}

/// Reports the line ends of a file, before its first field, if they were changed for parsing.
pub(crate) fn preamble(out: &mut String, file: &str, found: &Found, fields: usize) {
    if fields == 0 && found.line_ends == LineEnds::Lf {
        let _ = writeln!(out, "{DIM}{file}: lines end in LF, read as CRLF{DIM:#}\n");
    }
}

/// Writes the end of the report on a file.
pub(crate) fn end(
    out: &mut dyn Write,
    file: &str,
    fields: usize,
    ended: Ended,
    quiet: bool,
) -> io::Result<()> {
    for field in &ended.not_searched {
        writeln!(out, "{BAD}error{BAD:#}: {}", field.text(file))?;
    }
    if fields == 0 && ended.not_searched.is_empty() {
        writeln!(out, "{file}: no Authentication-Results field")?;
    }
    if let Some(warning) = ended.warning.filter(|_| !quiet) {
        out.flush()?;
        crate::warn(&format!("{file}: {warning}"));
    }
    Ok(())
}

/// Writes the place of a field.
pub(crate) fn heading(out: &mut String, file: &str, found: &Found, kind: Kind) {
    let name = found.name.unwrap_or("a value");
    let line = found.line;
    let _ = write!(out, "{BOLD}{file}:{line}: {name}{BOLD:#}");
    if kind == Kind::Mbox {
        let _ = write!(out, " of message {}", found.message);
    }
    out.push('\n');
}

/// Writes the verdicts of the requested readings.
pub(crate) fn verdicts(out: &mut String, analysis: &Analysis<'_>) {
    let mut verdict =
        |reading, verdict: Option<Result<(), ParseError>>, accepted: usize| match verdict {
            None => {}
            Some(Err(error)) => {
                let _ = writeln!(out, "{reading}  {BAD}refused{BAD:#}: {error}");
            }
            Some(Ok(())) if accepted > 0 => {
                let warnings = plural(accepted, "warning");
                let _ = writeln!(out, "{reading}  {GOOD}accepted{GOOD:#} with {warnings}");
            }
            Some(Ok(())) => {
                let _ = writeln!(out, "{reading}  {GOOD}accepted{GOOD:#}");
            }
        };
    let diagnostics = analysis
        .tree
        .as_ref()
        .map(AuthenticationResults::diagnostics);
    verdict("strictly ", analysis.strict, 0);
    // A value that the strict reading accepts, the lenient one accepts without warnings.
    if !matches!(analysis.strict, Some(Ok(()))) {
        let accepted = diagnostics.map_or(0, <[_]>::len);
        verdict("leniently", analysis.lenient, accepted);
    }
}

/// Returns a number of things.
pub(crate) fn plural(count: usize, what: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{count} {what}{s}")
}

/// Lines of names, with a text beside each name.
struct Table<'o> {
    out: &'o mut String,
    indent: &'static str,
    width: usize,
    /// The width of the whole, in which meanings are folded. Values are not: they are copied.
    columns: u16,
}

impl Table<'_> {
    fn row(&mut self, name: &str, text: impl std::fmt::Display) {
        let Self { indent, width, .. } = *self;
        let _ = writeln!(self.out, "{indent}{BOLD}{name:width$}{BOLD:#}  {text}");
    }

    /// Adds a line below the last one.
    fn more(&mut self, sign: &str, style: Style, text: &str) {
        let Self { indent, width, .. } = *self;
        let text = Visible(text).to_string();
        let lines = match sign {
            "" => folded(&text, self.room()),
            _ => vec![text.as_str()],
        };
        for line in lines {
            let _ = writeln!(
                self.out,
                "{indent}{:width$}  {style}{sign}{line}{style:#}",
                ""
            );
        }
    }

    /// Adds a row whose text is a sentence of the command.
    fn sentence(&mut self, name: &str, text: &str) {
        let mut lines = folded(text, self.room()).into_iter();
        self.row(name, lines.next().unwrap_or_default());
        for line in lines {
            let Self { indent, width, .. } = *self;
            let _ = writeln!(self.out, "{indent}{:width$}  {line}", "");
        }
    }

    fn room(&self) -> usize {
        let used = self
            .indent
            .len()
            .saturating_add(self.width)
            .saturating_add(2);
        usize::from(self.columns).saturating_sub(used).max(20)
    }
}

/// Folds text at its spaces.
fn folded(text: &str, room: usize) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut rest = text;
    while rest.chars().count() > room {
        let end = rest
            .char_indices()
            .nth(room)
            .map_or(rest.len(), |(at, _)| at);
        // The space may be the first character that has no room.
        let longest = rest.char_indices().nth(room.saturating_add(1));
        let head = rest.get(..longest.map_or(rest.len(), |(at, _)| at));
        let space = head.unwrap_or_default().rfind(' ').filter(|at| *at > 0);
        let (line, next) = match space {
            Some(at) => (rest.get(..at), rest.get(at.saturating_add(1)..)),
            None => (rest.get(..end), rest.get(end..)),
        };
        lines.push(line.unwrap_or_default());
        rest = next.unwrap_or_default();
    }
    lines.push(rest);
    lines
}

fn tree(out: &mut String, tree: &AuthenticationResults<'_>, columns: u16) {
    out.push('\n');
    let mut table = Table {
        out,
        indent: "",
        width: "authserv-id".len(),
        columns,
    };
    if let Some(instance) = tree.instance() {
        table.row("instance", number(tree, instance));
        table.more("", DIM, "the place of this field in the ARC chain");
    }
    let id = tree.authserv_id().unfolded();
    if id.is_empty() {
        table.row("authserv-id", "none");
    } else {
        table.row("authserv-id", Visible(&id));
    }
    table.more(
        "",
        DIM,
        "the server that made these checks; trust it only if the border MTA removes forged fields",
    );
    match tree.version() {
        Some(version) => table.row("version", number(tree, version)),
        None => table.row("version", "1, as none is given"),
    }
    for it in tree.comments() {
        comment(&mut table, it);
    }
    match tree.body() {
        Body::NoResult => table.row("none", "no authentication was done"),
        Body::UnsupportedVersion => table.more(
            "",
            BAD,
            "unknown version: the field must not be used, and the text after it was not parsed",
        ),
        _ if tree.results().len() == 0 => table.row("results", "no result could be parsed"),
        _ => {}
    }
    for it in tree.results() {
        result(out, tree, it, columns);
    }
}

fn number(tree: &AuthenticationResults<'_>, number: Number) -> String {
    let digits = tree.as_bytes().get(number.span().range());
    String::from_utf8_lossy(digits.unwrap_or_default()).into_owned()
}

fn comment(table: &mut Table<'_>, comment: Comment<'_>) {
    let text = comment.text().unfolded();
    let place = match comment.after() {
        Element::Start => "at the start".to_owned(),
        after => format!("after {}", element(after)),
    };
    table.row(
        "comment",
        format_args!("({}) {DIM}{place}{DIM:#}", Visible(&text)),
    );
}

/// Returns the name of a part of the grammar.
pub(crate) const fn element(element: Element) -> &'static str {
    match element {
        Element::Start => "start",
        Element::Instance => "instance",
        Element::AuthservId => "authserv-id",
        Element::Version => "authres-version",
        Element::Semicolon => "semicolon",
        Element::None => "none",
        Element::Method => "method",
        Element::Slash => "slash",
        Element::MethodVersion => "method-version",
        Element::MethodEquals => "method-equals",
        Element::Result => "result",
        Element::Reason => "reason",
        Element::ReasonEquals => "reason-equals",
        Element::ReasonValue => "reason-value",
        Element::Ptype => "ptype",
        Element::Dot => "dot",
        Element::Property => "property",
        Element::Equals => "equals",
        Element::LocalPart => "local-part",
        Element::Pvalue => "pvalue",
        _ => "other",
    }
}

/// A part of a result that has its own row.
enum Part<'a> {
    Comment(Comment<'a>),
    Reason(Text<'a>),
    Property(Property<'a>),
}

impl Part<'_> {
    fn start(&self) -> usize {
        match self {
            Self::Comment(it) => it.text().span().start(),
            Self::Reason(it) => it.span().start(),
            Self::Property(it) => it.span().start(),
        }
    }
}

fn property_name(property: Property<'_>) -> String {
    let name = property.property().unfolded();
    let name = match property.ptype() {
        Some(ptype) => format!("{}.{name}", ptype.unfolded()),
        None => name.into_owned(),
    };
    Visible(&name).to_string()
}

fn result(
    out: &mut String,
    tree: &AuthenticationResults<'_>,
    result: ResInfo<'_, '_>,
    columns: u16,
) {
    let (method_text, result_text) = (result.method().unfolded(), result.result().unfolded());
    let version = result.method_version();
    let version = version.map_or(String::new(), |it| format!("/{}", number(tree, it)));
    let style = match &*result_text.to_ascii_lowercase() {
        "pass" => GOOD,
        "fail" | "softfail" | "invalidhost" | "selfsigned" | "permerror" => BAD,
        _ => Style::new(),
    };
    let _ = writeln!(
        out,
        "\n{BOLD}{}{version}={style}{}{style:#}{BOLD:#}",
        Visible(&method_text),
        Visible(&result_text)
    );
    let names = result
        .all_properties()
        .map(|it| property_name(it).chars().count());
    let mut table = Table {
        out,
        indent: "  ",
        width: names.max().unwrap_or_default().clamp("comment".len(), 24),
        columns,
    };
    let method = Method::find(&method_text);
    match method {
        Some(method) => {
            let text = format!("{} ({})", method.meaning, method.defined);
            table.sentence("method", &text);
            let meaning = method.result(&result_text).map(|it| it.meaning);
            let tls = TlsResInfo::try_from(result)
                .ok()
                .and_then(TlsResInfo::result);
            let meaning = meaning.or_else(|| method.result(tls?.name()).map(|it| it.meaning));
            table.sentence("result", meaning.unwrap_or("not a result of this method"));
        }
        None => table.row("method", "not registered"),
    }
    if !version.is_empty() && result.method_version().and_then(Number::value) != Some(1) {
        table.more("", BAD, "unknown version: the result must be ignored");
    }
    let mut parts: Vec<_> = result.comments().map(Part::Comment).collect();
    parts.extend(result.reason().map(Part::Reason));
    parts.extend(result.all_properties().map(Part::Property));
    parts.sort_by_key(Part::start);
    for part in parts {
        match part {
            Part::Comment(it) => comment(&mut table, it),
            Part::Reason(it) => table.row("reason", Visible(&it.unfolded())),
            Part::Property(it) => property(&mut table, method, result, it),
        }
    }
}

fn property(
    table: &mut Table<'_>,
    method: Option<&Method>,
    result: ResInfo<'_, '_>,
    property: Property<'_>,
) {
    let value = property.value().unfolded();
    table.row(&property_name(property), Visible(&value));
    if let Some(method) = method {
        let ptype = property.ptype().map(|it| it.unfolded());
        let known = ptype.and_then(|it| method.property(&it, &property.property().unfolded()));
        let meaning = known.map_or("not registered for this method", |it| it.meaning);
        table.more("", DIM, meaning);
    }
    let tls = TlsResInfo::try_from(result).ok();
    let view = tls
        .zip(tls_property(property))
        .and_then(|(tls, property)| View::of(tls, property));
    for line in view.iter().flat_map(View::lines) {
        if line != value {
            table.more("= ", Style::new(), &line);
        }
    }
}
