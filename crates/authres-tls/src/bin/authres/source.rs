//! The files that are named on the command line: files, the messages of maildirs, standard input.

use std::{
    ffi::OsStr,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use crate::visible::Visible;

/// A file to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    /// `None` is standard input.
    path: Option<PathBuf>,
    /// The name for people.
    pub(crate) name: String,
    /// The path below the directory that was named.
    pub(crate) below: PathBuf,
}

impl Source {
    fn stdin() -> Self {
        Self {
            path: None,
            name: "stdin".to_owned(),
            below: PathBuf::from("stdin"),
        }
    }

    fn file(path: PathBuf, root: &Path) -> Self {
        let below = path.strip_prefix(root).ok();
        let below = below.filter(|below| !below.as_os_str().is_empty());
        let below = below.map_or_else(
            || PathBuf::from(path.file_name().unwrap_or_default()),
            Path::to_path_buf,
        );
        Self {
            name: shown(&path),
            below,
            path: Some(path),
        }
    }

    pub(crate) fn open(&self) -> io::Result<Box<dyn Read>> {
        let Some(path) = &self.path else {
            return Ok(Box::new(stdin()));
        };
        let file = File::open(path).map_err(|error| of(&self.name, &error))?;
        Ok(Box::new(Named {
            name: self.name.clone(),
            file,
        }))
    }
}

/// A file whose errors name it.
struct Named<R> {
    name: String,
    file: R,
}

/// Returns standard input, whose errors name it.
pub(crate) fn stdin() -> impl Read {
    Named {
        name: "standard input".to_owned(),
        file: io::stdin().lock(),
    }
}

impl<R: Read> Read for Named<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.file.read(buffer) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => Err(of(&self.name, &error)),
            read => read,
        }
    }
}

pub(crate) fn shown(path: &Path) -> String {
    Visible(&path.display().to_string()).to_string()
}

pub(crate) fn of(name: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{name}: {error}"))
}

/// The files of the paths, in order; of a directory those below it, sorted. In a maildir, messages are in
/// `cur` and `new`, and its folders are maildirs whose names begin with a full stop.
pub(crate) fn sources(paths: &[PathBuf], mut each: impl FnMut(io::Result<Source>)) {
    if paths.is_empty() {
        each(Ok(Source::stdin()));
    }
    for path in paths {
        if path == Path::new("-") {
            each(Ok(Source::stdin()));
        } else if path.is_dir() {
            directory(path, path, &mut each);
        } else {
            each(Ok(Source::file(path.clone(), path)));
        }
    }
}

fn directory(path: &Path, root: &Path, each: &mut impl FnMut(io::Result<Source>)) {
    let entries = fs::read_dir(path).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let mut entries = match entries {
        Ok(entries) => entries,
        Err(error) => return each(Err(of(&shown(path), &error))),
    };
    entries.sort_by_key(fs::DirEntry::file_name);
    let has = |name: &str| {
        entries
            .iter()
            .any(|entry| entry.file_name() == OsStr::new(name))
    };
    let is_maildir = has("cur") && has("new");
    for entry in entries {
        let name = entry.file_name();
        let name = name.as_encoded_bytes();
        let is_hidden = name.starts_with(b".");
        let has_messages = if is_maildir {
            name == b"cur" || name == b"new" || is_hidden
        } else {
            !is_hidden
        };
        match entry.file_type() {
            Err(error) => each(Err(of(&shown(&entry.path()), &error))),
            Ok(kind) if kind.is_dir() => {
                if has_messages {
                    directory(&entry.path(), root, each);
                }
            }
            // No index of a mail server, no socket, no link that leads elsewhere.
            Ok(kind) if kind.is_file() && !is_maildir && !is_hidden => {
                each(Ok(Source::file(entry.path(), root)));
            }
            Ok(_) => {}
        }
    }
}

/// Gives a file to `sink`, piece by piece.
pub(crate) fn read(
    input: &mut dyn Read,
    mut sink: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        match input.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(length) => sink(buffer.get(..length).unwrap_or_default())?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
