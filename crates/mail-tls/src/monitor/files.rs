//! Files that other programs read while they are replaced.

use std::{fs, io::Write, path::Path, time::Duration};

use durable_store::{Error, StoreFile};

/// The time to wait for another process that writes the file.
const WAIT: Duration = Duration::from_secs(10);

/// Replaces a file as a whole with one that all users may read, and removes what a killed process left beside it.
pub(super) fn replace(path: &Path, octets: &[u8]) -> Result<(), Error> {
    let file = StoreFile::resolve(path)?;
    let lock = file.lock(WAIT)?;
    file.remove_leftovers(&lock);
    let (temporary, mut written) = file.temporary()?;
    let renamed = written
        .write_all(octets)
        .and_then(|()| readable(&written))
        .and_then(|()| written.sync_all())
        .and_then(|()| fs::rename(&temporary, file.path()));
    if let Err(error) = renamed {
        let _ = fs::remove_file(&temporary);
        return Err(Error::from_io(error, file.path()));
    }
    file.sync_directory()
}

/// Lets all users read a file: the node exporter and web servers have a user of their own.
fn readable(file: &fs::File) -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;

        file.set_permissions(fs::Permissions::from_mode(0o644))?;
    }
    #[cfg(not(unix))]
    let _ = file;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn replaces_a_file_as_a_whole_and_removes_what_a_killed_process_left() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("mail.prom");
        replace(&path, b"old and longer").unwrap();
        let open = fs::File::open(&path).unwrap();
        // A process that was killed leaves a part of the text beside the file.
        let left = directory
            .path()
            .join(".mail.prom.durable-store-0123456789abcdef");
        fs::write(&left, "half").unwrap();
        // Files of others stay, and so do those that no process of this kind writes.
        let other = directory.path().join(".mail.prom.durable-store-x");
        fs::write(&other, "other").unwrap();
        replace(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(
            names(directory.path()),
            [".mail.prom.durable-store-x", "mail.prom", "mail.prom.lock"]
        );
        // A reader that opened the file before has the whole old text.
        assert_eq!(std::io::read_to_string(open).unwrap(), "old and longer");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;

            let mode = fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o644);
        }
    }

    #[test]
    fn leaves_the_old_file_if_the_directory_cannot_be_written() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("missing").join("mail.prom");
        assert!(replace(&path, b"new").is_err());
        assert_eq!(names(directory.path()), Vec::<String>::new());
    }
}
