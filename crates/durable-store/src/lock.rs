//! The lock of a store: a lock on a file beside it, since the store's own file is replaced.

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

/// The pause before a lock that another process holds is tried again.
pub(crate) const PAUSE: Duration = Duration::from_millis(2);

/// An exclusive lock among processes. Dropping the value releases the lock.
#[derive(Debug)]
#[must_use]
pub struct Lock(File);

impl Lock {
    /// Waits for the lock, at most for `wait`. If that is zero, the lock is tried once.
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

    /// Takes the lock. Returns `None` if another process holds it.
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
    /// Unlocks the file. Closing it would not suffice: a child process that is being started has the file open as well.
    fn drop(&mut self) {
        // If it fails, closing the file is the only way left.
        let _ = fs4::FileExt::unlock(&self.0);
    }
}

/// Opens the lock's file, or makes it with mode 0600: a user who can open it can hold the lock for ever.
fn open(path: &Path) -> Result<File, Error> {
    match check::create(path) {
        Ok(file) => return Ok(file),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) if is_read_only(&error) && check::inspect(path).is_ok() => {}
        Err(error) => return Err(Error::from_io(error, path)),
    }
    let write = check::open(path, File::options().read(true).write(true), Access::Owner);
    match write {
        // A file can be locked on a read-only file system as well.
        Err(error) if is_read_only_error(&error) => {
            check::open(path, File::options().read(true), Access::Owner)
        }
        write => write,
    }
}

/// Returns `true` if the error is that of a read-only file system.
pub(crate) fn is_read_only(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::ReadOnlyFilesystem
}

fn is_read_only_error(error: &Error) -> bool {
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref());
    source.is_some_and(is_read_only)
}

/// Returns `true` if no lock can be made: the file system is read-only, or this user may not write to the directory and
/// it contains no lock.
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
