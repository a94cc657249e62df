//! The text of the configuration. An error has the line and a caret under the value.

use std::{
    fmt,
    ops::Range,
    path::{Path, PathBuf},
};

use command_support::files::{FileKind, read_text};

use super::config::Config;

/// A file of the configuration, and its text for errors.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) path: PathBuf,
    text: String,
}

/// An error in the configuration, with the place in the file.
#[derive(Debug)]
pub(super) struct ConfigError(String);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ConfigError {}

impl Source {
    /// Reads a file.
    ///
    /// # Errors
    /// Returns a message with the path.
    pub(super) fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = read_text(path, FileKind::Configuration)
            .map_err(|error| ConfigError(error.to_string()))?;
        Ok(Self {
            path: path.to_owned(),
            text,
        })
    }

    /// Parses the text.
    ///
    /// # Errors
    /// Returns a message with the path, the line, and a caret under the value.
    pub(super) fn parse(&self) -> Result<Config, ConfigError> {
        toml::from_str(&self.text)
            .map_err(|error| ConfigError(format!("{}: {error}", self.path.display())))
    }

    /// Returns an error about the value at this place, as TOML's own errors are displayed.
    pub(super) fn error(&self, span: Range<usize>, message: impl fmt::Display) -> ConfigError {
        let before = self.text.get(..span.start).unwrap_or_default();
        let number = before.matches('\n').count().saturating_add(1);
        let begin = before.rfind('\n').map_or(0, |at| at.saturating_add(1));
        let line = self.text.get(begin..).unwrap_or_default();
        let line = line.lines().next().unwrap_or_default();
        let indent = before.get(begin..).unwrap_or_default().chars().count();
        let marked = self.text.get(span).unwrap_or_default();
        let marked = marked.lines().next().unwrap_or_default().chars().count();
        let margin = " ".repeat(number.to_string().len());
        let carets = "^".repeat(marked.max(1));
        ConfigError(format!(
            "{path}: error at line {number}, column {column}\n\
             {margin} |\n\
             {number} | {line}\n\
             {margin} | {space}{carets}\n\
             {message}\n",
            path = self.path.display(),
            column = indent.saturating_add(1),
            space = " ".repeat(indent),
        ))
    }

    /// Returns an error that has no place in the file.
    pub(super) fn message(&self, message: impl fmt::Display) -> ConfigError {
        ConfigError(format!("{}: {message}", self.path.display()))
    }

    /// Returns a path of the file, which is relative to the file's directory.
    pub(super) fn resolve(&self, path: &Path) -> PathBuf {
        let directory = self.path.parent().unwrap_or_else(|| Path::new(""));
        directory.join(path)
    }
}
