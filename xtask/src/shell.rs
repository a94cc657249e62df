//! Running commands: announced, timed, in the repository's root.

use std::{
    borrow::Cow,
    env,
    error::Error,
    io::{self, Write as _},
    path::PathBuf,
    process::{Command, ExitCode, Stdio},
    time::Instant,
};

use cargo_metadata::Message;
use comfy_table::Table;
use serde::Serialize;

use crate::choice::choose;

/// The end of a task: its exit code, or the reason for which it could not run.
pub type Outcome = Result<ExitCode, Box<dyn Error>>;

/// The repository's root.
pub fn root() -> PathBuf {
    conformance::repository()
}

/// Cargo, run in the root.
pub fn cargo(arguments: &[&str]) -> Command {
    let mut command = conformance::cargo(&root());
    command.args(arguments);
    command
}

/// Runs this task again, with the same arguments, by an executable that is built with all features, as the tests are.
pub fn with_all_features() -> Outcome {
    let arguments = ["--bin", "xtask", "--message-format=json-render-diagnostics"];
    let built = conformance::build(&root(), &arguments)
        .stderr(Stdio::inherit())
        .output()?;
    if !built.status.success() {
        return Ok(exit(false));
    }
    let mut executable = None;
    for message in Message::parse_stream(built.stdout.as_slice()) {
        if let Message::CompilerArtifact(artifact) = message?
            && artifact.target.name == "xtask"
        {
            executable = artifact.executable.or(executable);
        }
    }
    let mut command = Command::new(executable.ok_or("cargo names no executable")?);
    let status = command.args(env::args_os().skip(1)).status()?;
    Ok(ExitCode::from(passed_on(status.code())))
}

/// Returns the exit code for that of a task which another executable ran, and which a signal may have ended.
const fn passed_on(code: Option<i32>) -> u8 {
    match code {
        Some(0) => 0,
        Some(2) => 2,
        _ => 1,
    }
}

/// Runs a step, shows what is run and how long it took; whether it succeeded.
pub fn step(command: &mut Command) -> Result<bool, Box<dyn Error>> {
    let line: Vec<_> = command
        .get_args()
        .map(|argument| argument.to_string_lossy())
        .collect();
    let program = PathBuf::from(command.get_program());
    let program = program.file_name().unwrap_or_default().to_string_lossy();
    let line = format!("{program} {}", line.join(" "));
    eprintln!("» {line}");
    let start = Instant::now();
    let succeeded = command.status()?.success();
    let verdict = if succeeded { "ok" } else { "FAILED" };
    eprintln!(
        "» {line}: {verdict} in {:.1} s",
        start.elapsed().as_secs_f64()
    );
    Ok(succeeded)
}

/// Returns a text with the control characters escaped that would change a terminal: names and messages may be those of
/// others.
pub fn escaped(text: &str) -> Cow<'_, str> {
    let changes = |character: char| character.is_control() && character != '\n';
    if !text.contains(changes) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match changes(character) {
            true => escaped.extend(character.escape_default()),
            false => escaped.push(character),
        }
    }
    Cow::Owned(escaped)
}

/// Prints a result. A reader that has read enough, as `head` has, is no failure.
///
/// # Errors
/// Returns an error if it cannot be printed.
pub fn print(text: &str) -> io::Result<()> {
    let text = escaped(text);
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            let what = format!("standard output: {error}");
            Err(io::Error::new(error.kind(), what))
        }
        _ => Ok(()),
    }
}

/// Prints a result as JSON.
///
/// # Errors
/// Returns an error if it cannot be printed.
pub fn print_json(value: &impl Serialize) -> io::Result<()> {
    print(&(serde_json::to_string_pretty(value)? + "\n"))
}

/// Returns the width of the terminal, or that of tables where there is none.
pub fn width() -> u16 {
    let size = console::Term::stdout().size_checked();
    size.map_or(conformance::text::WIDTH, |(_, columns)| columns.max(40))
}

/// Returns a table that fits the terminal.
pub fn table(header: &[&str]) -> Table {
    conformance::text::table(width(), header)
}

/// The exit code of a task that succeeded or failed.
pub fn exit(succeeded: bool) -> ExitCode {
    if succeeded {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// A workspace package that is published, with its features.
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its features, without `default`.
    pub features: Vec<String>,
}

/// The packages that users can depend on, or the one asked for.
pub fn packages(only: Option<&str>) -> Result<Vec<Package>, Box<dyn Error>> {
    let metadata = cargo_metadata::MetadataCommand::new()
        .current_dir(root())
        .no_deps()
        .exec()?;
    let published = metadata
        .packages
        .into_iter()
        .filter(|package| package.publish != Some(Vec::new()));
    let published: Vec<_> = published.collect();
    let names: Vec<_> = published.iter().map(|it| it.name.as_str()).collect();
    let only = only.map(str::to_owned);
    let names = choose("published crate", &names, only.as_slice())?;
    let mut packages: Vec<_> = published
        .iter()
        .filter(|package| names.contains(&package.name.as_str()))
        .map(|package| Package {
            name: package.name.to_string(),
            features: package
                .features
                .keys()
                .filter(|name| *name != "default")
                .cloned()
                .collect(),
        })
        .collect();
    packages.sort_by(|left, right| left.name.cmp(&right.name));
    Ok(packages)
}

#[cfg(test)]
mod tests {
    use super::{escaped, passed_on};

    #[test]
    fn escapes_control_characters_but_line_feeds() {
        assert_eq!(escaped("a é\n"), "a é\n");
        assert_eq!(escaped("\u{1b}[31m\r\n\u{9b}é"), "\\u{1b}[31m\\r\n\\u{9b}é");
    }

    #[test]
    fn passes_the_exit_code_of_a_task_on_and_takes_those_of_cargo_for_a_failure() {
        let codes = [Some(0), Some(1), Some(2), Some(101), None];
        assert_eq!(codes.map(passed_on), [0, 1, 2, 1, 1]);
    }
}
