//! Counts what the house's rules for plain English forbid, and fails when a count rises.
//!
//! - **Openers**: lines of documentation that open with a word of the list. Each line counts, as
//!   in the figures that set the target (under 0.5 % of the lines in each crate); `--list`
//!   calls it `opener` if a doc comment, paragraph or list item begins with the line, and `line`
//!   if a sentence merely happens to begin there. Headings, tables and code blocks do not count.
//! - **Words**: phrases of `words.toml` in documentation, also across line ends.
//! - **Messages**: openers and words in string literals outside of tests and in doc comments that clap shows.
//! - **Tests**: names of tests whose first word is not a verb.

use std::{
    collections::BTreeMap,
    error::Error,
    fmt, fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use comfy_table::{CellAlignment, Table, presets::NOTHING};
use serde::{Deserialize, Serialize};

pub use rules::{Finding, Findings, Rule, Text, Words};
pub use source::{Doc, Source};

pub mod markdown;
mod rules;
mod source;

/// The file with the counts, below the repository's root.
pub const COUNTS: &str = "xtask/prose.toml";

/// The arguments of the command.
#[derive(clap::Args, Default)]
pub struct Arguments {
    /// List the findings with their plain alternatives, of all areas or of this one
    #[arg(long, value_name = "AREA", num_args = 0..=1, default_missing_value = "")]
    pub list: Option<String>,

    /// Lower the kept counts to the present ones; a count never rises
    #[arg(long)]
    pub update: bool,
}

/// The number of findings in an area.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// Lines of documentation that open with a word of the list.
    pub openers: usize,
    /// Words of the list in documentation.
    pub words: usize,
    /// Openers and words in messages and help.
    pub messages: usize,
    /// Names of tests that do not begin with a verb.
    pub tests: usize,
}

/// The kept counts of each area.
type Kept = BTreeMap<String, Counts>;

/// A crate, or the documents.
#[derive(Debug, Default)]
pub struct Area {
    /// The lines of documentation.
    pub lines: usize,
    /// The findings, each with its file.
    pub findings: Vec<(PathBuf, Finding)>,
}

impl Area {
    /// Counts the findings.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for (_, finding) in &self.findings {
            match (finding.text, finding.rule) {
                (Text::Message, _) => counts.messages += 1,
                (Text::Test, _) => counts.tests += 1,
                (Text::Doc, Rule::Word) => counts.words += 1,
                (Text::Doc, _) => counts.openers += 1,
            }
        }
        counts
    }

    /// Reads a file of the area.
    fn read(&mut self, words: &Words, root: &Path, path: &Path) -> io::Result<()> {
        let text = fs::read_to_string(path)?;
        let name = path.strip_prefix(root).unwrap_or(path).to_owned();
        let findings = if path.extension().is_some_and(|extension| extension == "md") {
            words.check_markdown(&text)
        } else {
            let shown = !["tests", "benches", "fuzz_targets"]
                .iter()
                .any(|directory| name.components().any(|part| part.as_os_str() == *directory));
            words.check_rust(&Source::parse(&text, shown))
        };
        self.lines += findings.lines;
        self.findings.extend(
            findings
                .findings
                .into_iter()
                .map(|finding| (name.clone(), finding)),
        );
        Ok(())
    }
}

/// Reads the areas of a repository: each crate, `xtask`, `fuzz`, and `docs` with the README.
///
/// # Errors
///
/// Returns an error if a file cannot be read, or if the list of words is malformed.
pub fn areas(root: &Path) -> Result<BTreeMap<String, Area>, Box<dyn Error>> {
    let words = Words::built_in()?;
    let mut roots: Vec<PathBuf> = entries(&root.join("crates"))?;
    roots.extend([root.join("xtask"), root.join("fuzz"), root.join("docs")]);
    let mut areas = BTreeMap::new();
    for directory in roots.into_iter().filter(|directory| directory.is_dir()) {
        let name = directory
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let mut area = Area::default();
        for file in files(&directory)? {
            area.read(&words, root, &file)?;
        }
        if name == "docs" {
            area.read(&words, root, &root.join("README.md"))?;
        }
        areas.insert(name, area);
    }
    Ok(areas)
}

/// Counts, prints, and compares with the kept counts; `false` if one rose.
///
/// # Errors
///
/// Returns an error if a file cannot be read or written, if the kept counts are malformed, or if
/// there is no area of the name in `--list`.
pub fn run(root: &Path, arguments: &Arguments) -> Result<bool, Box<dyn Error>> {
    let areas = areas(root)?;
    let mut out = String::new();
    if let Some(only) = &arguments.list {
        if !only.is_empty() && !areas.contains_key(only) {
            let names: Vec<_> = areas.keys().map(String::as_str).collect();
            return Err(format!("no area {only}; the areas are {}", names.join(", ")).into());
        }
        for (_, area) in areas
            .iter()
            .filter(|(name, _)| only.is_empty() || *name == only)
        {
            for (path, finding) in &area.findings {
                out += &format!("{}:{finding}\n", path.display());
            }
        }
    }
    let path = root.join(COUNTS);
    let kept = read_kept(&path)?;
    out += &format!("{}\n", table(&areas));
    let mut rose = false;
    for (name, area) in &areas {
        let (now, limit) = (area.counts(), limit(kept.as_ref(), name, area));
        for (kind, now, limit) in [
            ("openers", now.openers, limit.openers),
            ("words", now.words, limit.words),
            ("messages", now.messages, limit.messages),
            ("tests", now.tests, limit.tests),
        ] {
            if now > limit {
                rose = true;
                out += &format!(
                    "{name}: {now} {kind}, but {COUNTS} allows {limit}; find them with `cargo xtask prose --list {name}`\n"
                );
            }
        }
    }
    if arguments.update {
        let lowered: Kept = areas
            .iter()
            .map(|(name, area)| {
                (
                    name.clone(),
                    area.counts().min(limit(kept.as_ref(), name, area)),
                )
            })
            .collect();
        let text = toml::to_string(&lowered)?;
        fs::write(&path, format!("{HEADER}\n{text}"))?;
    }
    match io::stdout().lock().write_all(out.as_bytes()) {
        // A reader that has read enough, as `head` has, is no failure.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(format!("standard output: {error}").into())
        }
        _ => Ok(!rose),
    }
}

/// The first lines of the file with the counts.
const HEADER: &str = "\
# The counts of `cargo xtask prose`, which may only fall: `cargo xtask prose --update` lowers them.
# An area that is not listed has none.
";

/// The kept counts of an area. Without a file, the present ones are kept.
fn limit(kept: Option<&Kept>, name: &str, area: &Area) -> Counts {
    match kept {
        None => area.counts(),
        Some(kept) => kept.get(name).copied().unwrap_or_default(),
    }
}

impl Counts {
    /// The smaller of each count.
    fn min(self, other: Self) -> Self {
        Self {
            openers: self.openers.min(other.openers),
            words: self.words.min(other.words),
            messages: self.messages.min(other.messages),
            tests: self.tests.min(other.tests),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rule = match self.rule {
            Rule::Opener => "opener",
            Rule::Line => "line",
            Rule::Word => "word",
            Rule::Name => "name",
        };
        let (line, text, found, plain) = (self.line, self.text, &self.found, &self.plain);
        write!(
            f,
            "{line}: {text} {rule} \"{found}\" → {plain} | {}",
            self.context.trim()
        )
    }
}

/// The table of all areas.
fn table(areas: &BTreeMap<String, Area>) -> Table {
    let mut table = Table::new();
    table.load_preset(NOTHING);
    table.set_header([
        "area", "lines", "openers", "share", "words", "messages", "tests",
    ]);
    for (name, area) in areas {
        let counts = area.counts();
        // Tenths of a percent, rounded up, so that a share is never shown smaller than it is.
        let share = (counts.openers * 1000).div_ceil(area.lines.max(1));
        table.add_row([
            name.clone(),
            area.lines.to_string(),
            counts.openers.to_string(),
            format!("{}.{} %", share / 10, share % 10),
            counts.words.to_string(),
            counts.messages.to_string(),
            counts.tests.to_string(),
        ]);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// Reads the kept counts; `None` without a file.
fn read_kept(path: &Path) -> Result<Option<Kept>, Box<dyn Error>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(toml::from_str(&text)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The Rust and Markdown files below a directory, in order.
fn files(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in entries(directory)? {
        let name = path.file_name().unwrap_or_default();
        if path.is_dir() {
            if name != "target" {
                found.extend(files(&path)?);
            }
        } else if path
            .extension()
            .is_some_and(|extension| extension == "rs" || extension == "md")
        {
            found.push(path);
        }
    }
    Ok(found)
}

/// The entries of a directory, in order.
fn entries(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut entries = fs::read_dir(directory)?
        .map(|entry| Ok(entry?.path()))
        .collect::<io::Result<Vec<_>>>()?;
    entries.sort();
    Ok(entries)
}
