//! Files that the arguments or the configuration of a command name. Each is read as a whole, and each kind has a limit: a
//! wrong name, such as that of a device or of a mailbox, costs no memory and no time.

use std::{
    error::Error,
    fmt,
    fs::{self, File, FileType, OpenOptions},
    io::{self, Read},
    path::{Path, PathBuf},
};

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

/// The kind of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileKind {
    /// Settings, such as TOML.
    Configuration,
    /// Certificates in PEM. All public authorities have a quarter of a MiB, and about 1 MiB with the text of OpenSSL.
    Certificates,
    /// A private key in PEM, which may follow the certificates of its chain.
    PrivateKey,
    /// Trust anchors of DNSSEC: a few records.
    TrustAnchors,
    /// A password, or a URL with one.
    Secret,
}

impl FileKind {
    /// Returns the greatest length, in bytes.
    #[must_use]
    pub const fn limit(self) -> u64 {
        match self {
            Self::Configuration | Self::PrivateKey => MIB,
            Self::Certificates => 4 * MIB,
            Self::TrustAnchors => 64 * KIB,
            Self::Secret => 4 * KIB,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Configuration => "a configuration",
            Self::Certificates => "a file of certificates",
            Self::PrivateKey => "a file of a private key",
            Self::TrustAnchors => "a file of trust anchors",
            Self::Secret => "a file of a password or URL",
        }
    }
}

/// A file that cannot be used. The message has the path and the cause, and nothing of the content.
#[derive(Debug)]
pub struct FileError {
    path: PathBuf,
    cause: Cause,
}

#[derive(Debug)]
enum Cause {
    System(io::Error),
    NotRegular(&'static str),
    TooLarge(FileKind),
    NotText(usize),
    #[cfg(feature = "pem")]
    Content(String),
}

impl FileError {
    const fn new(path: PathBuf, cause: Cause) -> Self {
        Self { path, cause }
    }

    /// Creates the error of a file that was read and has other content than expected.
    #[cfg(feature = "pem")]
    pub(crate) fn of_content(path: &Path, text: String) -> Self {
        Self::new(path.to_owned(), Cause::Content(text))
    }

    /// Returns the path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", Shown(&self.path))?;
        match &self.cause {
            Cause::System(error) => write!(f, "{error}"),
            Cause::NotRegular(found) => write!(f, "a regular file expected but {found} found"),
            Cause::TooLarge(kind) => {
                let limit = kind.limit();
                let (number, unit) = match limit % MIB {
                    0 => (limit / MIB, "MiB"),
                    _ => (limit / KIB, "KiB"),
                };
                let name = kind.name();
                write!(f, "larger than {number} {unit}, the limit of {name}")
            }
            Cause::NotText(offset) => write!(f, "UTF-8 expected at byte {offset}"),
            #[cfg(feature = "pem")]
            Cause::Content(text) => f.write_str(text),
        }
    }
}

impl Error for FileError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.cause {
            Cause::System(error) => Some(error),
            _ => None,
        }
    }
}

/// A path on a terminal: control characters are escaped.
struct Shown<'a>(&'a Path);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.display().to_string().chars() {
            match character.is_control() {
                true => write!(f, "{}", character.escape_default())?,
                false => write!(f, "{character}")?,
            }
        }
        Ok(())
    }
}

/// Reads a file. It must be a regular one, or a link to one; what would block, as a FIFO does, is refused.
///
/// # Errors
/// Returns an error if the file cannot be read, is not a regular one, or is larger than the [limit](FileKind::limit).
pub fn read(path: &Path, kind: FileKind) -> Result<Vec<u8>, FileError> {
    let failed = |cause| FileError::new(path.to_owned(), cause);
    let mut file = open(path).map_err(failed)?;
    let limit = kind.limit();
    let mut bytes = Vec::new();
    Read::by_ref(&mut file)
        .take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|error| failed(Cause::System(error)))?;
    match u64::try_from(bytes.len()).is_ok_and(|length| length <= limit) {
        true => Ok(bytes),
        false => Err(failed(Cause::TooLarge(kind))),
    }
}

/// Reads a file of text, as [`read`] does.
///
/// # Errors
/// Returns the errors of [`read`], and one if the text is not UTF-8.
pub fn read_text(path: &Path, kind: FileKind) -> Result<String, FileError> {
    let text = String::from_utf8(read(path, kind)?);
    text.map_err(|error| {
        let offset = error.utf8_error().valid_up_to();
        FileError::new(path.to_owned(), Cause::NotText(offset))
    })
}

/// Opens a regular file. Opening does not wait.
fn open(path: &Path) -> Result<File, Cause> {
    // Opening a device may have an effect, so its type is checked before, and again of what was opened.
    check(fs::metadata(path).map_err(Cause::System)?.file_type())?;
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;

        // A FIFO may have got the name meanwhile.
        let flags = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits());
        options.custom_flags(flags.unwrap_or_default());
    }
    let file = options.open(path).map_err(Cause::System)?;
    check(file.metadata().map_err(Cause::System)?.file_type())?;
    Ok(file)
}

fn check(kind: FileType) -> Result<(), Cause> {
    if kind.is_file() {
        return Ok(());
    }
    if kind.is_dir() {
        return Err(Cause::NotRegular("a directory"));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt as _;

        if kind.is_fifo() {
            return Err(Cause::NotRegular("a FIFO"));
        }
        if kind.is_socket() {
            return Err(Cause::NotRegular("a socket"));
        }
    }
    Err(Cause::NotRegular("a device"))
}
