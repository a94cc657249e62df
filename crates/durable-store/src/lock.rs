//! A lock on a file beside the store: the store's own file is replaced.

use std::{
    fs::File,
    io,
    path::Path,
    thread::sleep,
    time::{Duration, Instant},
};

use crate::{
    check::{self, Access, Identity},
    error::{Error, ErrorKind},
};

/// The pause before a lock that is held is tried again.
pub(crate) const PAUSE: Duration = Duration::from_millis(2);

/// A lock that no other process has. Dropping it releases it.
#[derive(Debug)]
#[must_use]
pub struct Lock(File);

impl Lock {
    /// Waits for the lock, for `wait` at most. Without a wait one attempt is made.
    pub(crate) fn wait_for(path: &Path, wait: Duration) -> Result<Self, Error> {
        let deadline = Instant::now().checked_add(wait);
        loop {
            match Self::try_once(path)? {
                Some(lock) => return Ok(lock),
                None if deadline.is_some_and(|deadline| deadline <= Instant::now()) => {
                    return Err(Error::new(ErrorKind::Locked).at(path));
                }
                None => sleep(PAUSE.min(wait)),
            }
        }
    }

    /// Takes the lock, unless another has it.
    pub(crate) fn try_once(path: &Path) -> Result<Option<Self>, Error> {
        Self::take(open(path)?, path)
    }

    fn take(file: File, path: &Path) -> Result<Option<Self>, Error> {
        let failed = |error| Error::from_io(error, path);
        match fs4::FileExt::try_lock(&file) {
            Ok(()) => {}
            Err(fs4::TryLockError::WouldBlock) => return Ok(None),
            Err(fs4::TryLockError::Error(error)) => return Err(failed(error)),
        }
        let lock = Self(file);
        // A lock on a file that was removed meanwhile excludes no other process.
        let mine = Identity::of(&lock.0.metadata().map_err(failed)?);
        let same = check::inspect(path).is_ok_and(|there| Identity::of(&there) == mine);
        Ok(same.then_some(lock))
    }
}

impl Drop for Lock {
    /// Closing is not enough: a process that this one is just starting has the file open, too.
    fn drop(&mut self) {
        // If it fails, closing has to do.
        let _ = fs4::FileExt::unlock(&self.0);
    }
}

/// Opens the lock's file, or makes it for its owner alone: who can open it can hold it for ever.
fn open(path: &Path) -> Result<File, Error> {
    match check::create(path) {
        Ok(file) => return Ok(file),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) if is_read_only(&error) && check::inspect(path).is_ok() => {}
        Err(error) => return Err(Error::from_io(error, path)),
    }
    let write = check::open(path, File::options().read(true).write(true), Access::Owner);
    match write {
        // A lock file on a read-only file system can be locked, too.
        Err(error) if is_read_only_error(&error) => {
            check::open(path, File::options().read(true), Access::Owner)
        }
        write => write,
    }
}

/// Returns `true` for an error that a read-only file system gives.
pub(crate) fn is_read_only(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::ReadOnlyFilesystem
}

fn is_read_only_error(error: &Error) -> bool {
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref());
    source.is_some_and(is_read_only)
}

/// Returns `true` if no process can make a lock here: the file system is read-only, or this user may not write to the
/// directory and it holds no lock.
pub(crate) fn cannot_be_made(error: &Error, path: &Path) -> bool {
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref());
    source.is_some_and(|error: &io::Error| {
        let denied = error.kind() == io::ErrorKind::PermissionDenied;
        is_read_only(error) || (denied && check::inspect(path).is_err())
    })
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::unwrap_used, reason = "test")]
    fn takes_no_lock_on_a_file_that_was_removed_or_replaced_since_it_was_opened() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        for other in [false, true] {
            let opened = open(&path).unwrap();
            std::fs::remove_file(&path).unwrap();
            if other {
                drop(open(&path).unwrap());
            }
            assert!(Lock::take(opened, &path).unwrap().is_none());
        }
        assert!(Lock::take(open(&path).unwrap(), &path).unwrap().is_some());
    }
}
