//! Checks of files that exist: their type, owner, mode and number of names.

use std::{
    fs::{self, File, Metadata},
    io,
    path::Path,
};

use crate::error::{Error, ErrorKind};

/// The users that may have access to a file, for [`StoreFile::check`](crate::StoreFile::check).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// The owner only. For locks: a user who may open a lock file may hold its lock.
    Owner,
    /// The owner; the group may read. For files that are changed in place and keep their mode.
    GroupReads,
    /// The owner; others may read. For files that are replaced by private ones.
    OthersRead,
    /// Anybody.
    Any,
}

impl Access {
    /// Returns the bits that a mode must not have.
    #[cfg(unix)]
    const fn forbidden(self) -> u32 {
        match self {
            Self::Owner => 0o077,
            Self::GroupReads => 0o027,
            Self::OthersRead => 0o022,
            Self::Any => 0,
        }
    }
}

/// Checks that a file is a regular one, belongs to this process's user or to root, and is closed to other users.
pub(crate) fn check(metadata: &Metadata, path: &Path, access: Access) -> Result<(), Error> {
    if !metadata.is_file() {
        return Err(Error::new(ErrorKind::NotRegular).at(path));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let exposed = |why: String| Err(Error::new(ErrorKind::Exposed).with_source(why).at(path));
        if access == Access::Any {
            return Ok(());
        }
        let (owner, me) = (metadata.uid(), user());
        if owner != me && owner != 0 {
            return exposed(format!("it belongs to user {owner}, not to user {me}"));
        }
        let mode = metadata.mode() & 0o777;
        if mode & access.forbidden() != 0 {
            let allowed = 0o700 | (0o077 & !access.forbidden());
            return exposed(format!(
                "its mode is {mode:04o}, at most {allowed:04o} is accepted"
            ));
        }
    }
    #[cfg(not(unix))]
    let _ = access;
    Ok(())
}

/// Checks that a file has one name.
pub(crate) fn check_links(metadata: &Metadata, path: &Path) -> Result<(), Error> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        if metadata.nlink() > 1 {
            return Err(Error::new(ErrorKind::Linked).at(path));
        }
    }
    #[cfg(not(unix))]
    let _ = (metadata, path);
    Ok(())
}

/// Returns the user that this process acts as.
#[cfg(unix)]
pub(crate) fn user() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Returns the metadata of a file, not of what a link leads to.
pub(crate) fn inspect(path: &Path) -> Result<Metadata, Error> {
    fs::symlink_metadata(path).map_err(|error| Error::from_io(error, path))
}

/// Opens a file that exists and passes [`check`]. Opening does not block: a FIFO is refused.
pub(crate) fn open(
    path: &Path,
    options: &mut fs::OpenOptions,
    access: Access,
) -> Result<File, Error> {
    // Opening a device may have an effect, so its type is checked first.
    check(&inspect(path)?, path, access)?;
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        use std::os::unix::fs::OpenOptionsExt;
        // No link that came meanwhile, and no wait for a FIFO that did.
        let flags = OFlags::NOFOLLOW.union(OFlags::NONBLOCK).bits();
        let flags = i32::try_from(flags).map_err(|error| {
            let error = io::Error::other(error);
            Error::from_io(error, path)
        })?;
        options.custom_flags(flags);
    }
    let file = options
        .open(path)
        .map_err(|error| Error::from_io(error, path))?;
    let metadata = file
        .metadata()
        .map_err(|error| Error::from_io(error, path))?;
    check(&metadata, path, access)?;
    Ok(file)
}

/// Creates a file that does not exist, with the owner's permissions only.
pub(crate) fn create(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options.open(path)
}

/// Tells a file from all others as long as it exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg(unix)]
pub(crate) struct Identity(u64, u64);

#[cfg(unix)]
impl Identity {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self(metadata.dev(), metadata.ino())
    }
}

/// The identity of a file on systems without file numbers: any two are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg(not(unix))]
pub(crate) struct Identity;

#[cfg(not(unix))]
impl Identity {
    pub(crate) fn of(_: &Metadata) -> Self {
        Self
    }
}
