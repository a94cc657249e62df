//! The file of a store: where it is, how it is read, locked and replaced.

use std::{
    collections::hash_map::RandomState,
    ffi::{OsStr, OsString},
    fs::{self, File},
    hash::{BuildHasher, Hasher},
    io::{self, Read, Write},
    path::{Path, PathBuf, absolute},
    time::Duration,
};

use crate::{
    check::{self, Access, Identity},
    error::{Error, ErrorKind},
    lock::{self, Lock},
};

/// The maximum number of symbolic links that lead to a file: the limit of Linux.
const MAX_LINKS: usize = 40;

/// Follows the name of a store's file in the name of a temporary file.
const MARK: &[u8] = b".durable-store-";

/// The digits of a temporary file's name.
const DIGITS: usize = 16;

/// The file of a store, under its real name: symbolic links were resolved once, when this was made.
///
/// Its lock is `NAME.lock` beside it. A new version is written to `.NAME.durable-store-` and 16 hexadecimal
/// digits beside it, and renamed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreFile {
    directory: PathBuf,
    name: OsString,
    path: PathBuf,
}

impl StoreFile {
    /// Finds the real name of a file, which need not exist. Symbolic links are followed, in the path of the
    /// directory and of the file itself, also if they lead to no file yet.
    ///
    /// # Errors
    /// [`ErrorKind::Missing`] if its directory does not exist.
    pub fn resolve(path: impl AsRef<Path>) -> Result<Self, Error> {
        let given = path.as_ref();
        let failed = |error| Error::from_io(error, given);
        let mut path = absolute(given).map_err(failed)?;
        for _ in 0..MAX_LINKS {
            let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
                return Err(Error::new(ErrorKind::NotRegular).at(given));
            };
            let directory = fs::canonicalize(directory).map_err(failed)?;
            let name = name.to_owned();
            path = directory.join(&name);
            match fs::symlink_metadata(&path) {
                Ok(metadata) if metadata.is_symlink() => {
                    let target = fs::read_link(&path).map_err(failed)?;
                    path = directory.join(target);
                }
                Ok(_) => return Ok(Self::new(directory, name)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    return Ok(Self::new(directory, name));
                }
                Err(error) => return Err(failed(error)),
            }
        }
        Err(failed(io::Error::other("too many symbolic links")))
    }

    fn new(directory: PathBuf, name: OsString) -> Self {
        let path = directory.join(&name);
        Self {
            directory,
            name,
            path,
        }
    }

    /// Returns the file's real path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Waits for the lock, at most so long.
    ///
    /// # Errors
    /// [`ErrorKind::Locked`] if another process keeps it; [`ErrorKind::Exposed`] if other users can open the
    /// lock's file; [`ErrorKind::Missing`] if the directory is gone.
    pub fn lock(&self, wait: Duration) -> Result<Lock, Error> {
        Lock::wait_for(&self.beside(".lock").path, wait)
    }

    /// Tries to take the lock: `None` if another process has it.
    ///
    /// # Errors
    /// As [`lock`](Self::lock).
    pub fn try_lock(&self) -> Result<Option<Lock>, Error> {
        Lock::try_once(&self.beside(".lock").path)
    }

    /// Takes the lock to read: `None` where nothing can be written, on a read-only file system or in a
    /// directory that is not this user's to write and holds no lock.
    ///
    /// # Errors
    /// As [`lock`](Self::lock).
    pub fn lock_to_read(&self, wait: Duration) -> Result<Option<Lock>, Error> {
        match self.lock(wait) {
            Ok(lock) => Ok(Some(lock)),
            Err(error) if lock::cannot_be_made(&error, &self.beside(".lock").path) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns `true` if something has the file's name, whatever it is.
    ///
    /// # Errors
    /// [`ErrorKind::Missing`] if the directory is gone, and when the system does not tell.
    pub fn exists(&self) -> Result<bool, Error> {
        match fs::symlink_metadata(&self.path) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let directory = fs::metadata(&self.directory);
                directory.map_err(|error| Error::from_io(error, &self.path))?;
                Ok(false)
            }
            Err(error) => Err(Error::from_io(error, &self.path)),
        }
    }

    /// Checks that the file has one name only, by which all find it and its lock. A second one, which is made
    /// later as a backup, does no harm: the file is replaced and not changed.
    ///
    /// # Errors
    /// [`ErrorKind::Linked`] if it has another; [`ErrorKind::Missing`].
    pub fn check_single_name(&self) -> Result<(), Error> {
        check::check_links(&check::inspect(&self.path)?, &self.path)
    }

    /// Reads the file. It must be a regular one, of this user or root, which others cannot write.
    ///
    /// # Errors
    /// [`ErrorKind::Missing`], [`ErrorKind::NotRegular`], [`ErrorKind::Exposed`]; [`ErrorKind::TooLarge`] if
    /// it has more than `limit` bytes.
    pub fn read(&self, limit: u64) -> Result<(File, Vec<u8>), Error> {
        let failed = |error| Error::from_io(error, &self.path);
        let mut file = check::open(&self.path, File::options().read(true), Access::OthersRead)?;
        let mut bytes = Vec::new();
        let limited = &mut Read::by_ref(&mut file).take(limit.saturating_add(1));
        limited.read_to_end(&mut bytes).map_err(failed)?;
        if u64::try_from(bytes.len()).map_or(true, |length| length > limit) {
            return Err(Error::new(ErrorKind::TooLarge).at(&self.path));
        }
        Ok((file, bytes))
    }

    /// Replaces the file as a whole, with one that is its owner's alone; returns the new one. File and
    /// directory are on the disk when this returns. Only who holds the lock may do it.
    ///
    /// # Errors
    /// When it could not be done, or may not be on the disk. [`ErrorKind::NotRegular`] if something else than
    /// a file has the name.
    pub fn replace(&self, _: &Lock, bytes: &[u8]) -> Result<File, Error> {
        let failed = |error| Error::from_io(error, &self.path);
        if self.exists()? && !check::inspect(&self.path)?.is_file() {
            return Err(Error::new(ErrorKind::NotRegular).at(&self.path));
        }
        let (temporary, mut file) = self.temporary()?;
        let renamed = file
            .write_all(bytes)
            .and_then(|()| file.sync_all())
            .and_then(|()| fs::rename(&temporary, &self.path));
        if let Err(error) = renamed {
            // The next who opens the store removes it, if this fails.
            let _ = fs::remove_file(&temporary);
            return Err(failed(error));
        }
        self.sync_directory()?;
        Ok(file)
    }

    /// Creates the file, empty and its owner's alone.
    ///
    /// # Errors
    /// [`ErrorKind::Missing`] if the directory is gone; [`ErrorKind::Unavailable`] if something has the name, or
    /// nothing can be written there.
    pub fn create_new(&self) -> Result<File, Error> {
        check::create(&self.path).map_err(|error| Error::from_io(error, &self.path))
    }

    /// Makes an empty file beside this one, under a name that no other process knows: `.NAME.durable-store-` and 16
    /// hexadecimal digits. It is its owner's alone. Only who holds the lock may do it, since
    /// [`remove_leftovers`](Self::remove_leftovers) would remove the file.
    ///
    /// # Errors
    /// [`ErrorKind::Missing`] if the directory is gone; [`ErrorKind::Unavailable`] if nothing can be written there.
    pub fn temporary(&self) -> Result<(PathBuf, File), Error> {
        let mut tries = 0_u8;
        loop {
            let mut name = OsString::from(".");
            name.push(&self.name);
            name.push(OsStr::new(".durable-store-"));
            name.push(format!(
                "{:016x}",
                RandomState::new().build_hasher().finish()
            ));
            let path = self.directory.join(name);
            match check::create(&path) {
                Ok(file) => return Ok((path, file)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && tries < 8 => {
                    tries = tries.saturating_add(1);
                }
                Err(error) => return Err(Error::from_io(error, &self.path)),
            }
        }
    }

    /// Brings the directory to the disk, and with it the file's name.
    ///
    /// # Errors
    /// [`ErrorKind::Missing`] if the directory is gone; [`ErrorKind::Unavailable`] if it may not be on the disk.
    pub fn sync_directory(&self) -> Result<(), Error> {
        #[cfg(unix)]
        File::open(&self.directory)
            .and_then(|directory| directory.sync_all())
            .map_err(|error| Error::from_io(error, &self.path))?;
        Ok(())
    }

    /// Removes the temporary files that killed processes left: regular files of this user, with a name that
    /// [`replace`](Self::replace) gives. Only who holds the lock may do it, and best after the store was read:
    /// if that fails, they may be what is left of it. What cannot be removed stays.
    pub fn remove_leftovers(&self, _: &Lock) {
        let Ok(entries) = fs::read_dir(&self.directory) else {
            return;
        };
        for entry in entries.flatten() {
            if self.is_temporary(&entry.file_name()) && is_own_file(&entry.path()) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    fn is_temporary(&self, name: &OsStr) -> bool {
        let digits = name
            .as_encoded_bytes()
            .strip_prefix(b".")
            .and_then(|rest| rest.strip_prefix(self.name.as_encoded_bytes()))
            .and_then(|rest| rest.strip_prefix(MARK));
        digits.is_some_and(|digits| {
            let hexadecimal = |digit: &u8| matches!(digit, b'0'..=b'9' | b'a'..=b'f');
            digits.len() == DIGITS && digits.iter().all(hexadecimal)
        })
    }

    /// Returns the file beside this one under the name of this one followed by `suffix`, as a journal has. A symbolic
    /// link is not followed: [`check`](Self::check) refuses it.
    #[must_use]
    pub fn beside(&self, suffix: &str) -> Self {
        let mut name = self.name.clone();
        name.push(suffix);
        Self::new(self.directory.clone(), name)
    }

    /// Checks the file that has the name now, without opening it: it is a regular one, and no more users have access
    /// than `access` says; unless that is [`Access::Any`], it belongs to this user or root. Returns its metadata.
    ///
    /// # Errors
    /// [`ErrorKind::Missing`], [`ErrorKind::NotRegular`], [`ErrorKind::Exposed`].
    pub fn check(&self, access: Access) -> Result<fs::Metadata, Error> {
        let metadata = check::inspect(&self.path)?;
        check::check(&metadata, &self.path, access)?;
        Ok(metadata)
    }
}

fn is_own_file(path: &Path) -> bool {
    let Ok(metadata) = fs::symlink_metadata(path) else {
        return false;
    };
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        metadata.is_file() && metadata.uid() == check::user()
    }
    #[cfg(not(unix))]
    metadata.is_file()
}

/// Tells whether a file was replaced or changed since it was read.
///
/// A file that is kept open keeps its number, so that no other one can have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    identity: Identity,
    length: u64,
    modified: Option<std::time::SystemTime>,
}

impl Seen {
    /// Notes the state of an open file.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn of(file: &File) -> io::Result<Self> {
        Ok(Self::from(&file.metadata()?))
    }

    /// Notes the state of the file that has the name now.
    ///
    /// # Errors
    /// [`ErrorKind::Missing`].
    pub fn at(file: &StoreFile) -> Result<Self, Error> {
        Ok(Self::from(&check::inspect(&file.path)?))
    }

    /// Returns `true` if both are states of one file. On systems without file numbers, any two files are one.
    #[must_use]
    pub fn is_same_file(&self, other: &Self) -> bool {
        self.identity == other.identity
    }

    /// Returns `true` if equal values mean the same content: files have numbers here.
    #[must_use]
    pub const fn is_reliable() -> bool {
        cfg!(unix)
    }

    fn from(metadata: &fs::Metadata) -> Self {
        Self {
            identity: Identity::of(metadata),
            length: metadata.len(),
            modified: metadata.modified().ok(),
        }
    }
}
