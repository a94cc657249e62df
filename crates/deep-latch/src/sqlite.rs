//! Feature `sqlx-sqlite`: what an SQLite database has to be for nothing to be lost in it, whatever is kept
//! there.

use alloc::{format, string::String};
use core::error::Error;
use std::{fs, io, path::Path};

use sqlx::{SqliteConnection, query_scalar};

/// Before this version, two connections that write and checkpoint at once can corrupt a database
/// (SQLite's "WAL-reset bug").
const OLDEST: (u32, u32, u32) = (3, 51, 3);

/// Why a database is not used.
pub(crate) enum Unfit {
    /// It could be corrupted.
    NotDurable(String),
    /// It does not answer.
    Failed(sqlx::Error),
}

impl From<sqlx::Error> for Unfit {
    fn from(error: sqlx::Error) -> Self {
        Self::Failed(error)
    }
}

/// Makes a database one with a write-ahead log, if this SQLite is none that corrupts those.
pub(crate) async fn write_ahead(connection: &mut SqliteConnection) -> Result<(), Unfit> {
    let version: String = query_scalar("SELECT sqlite_version()")
        .fetch_one(&mut *connection)
        .await?;
    if parse(&version).is_none_or(|version| version < OLDEST) {
        let why = format!("SQLite {version} has the WAL-reset bug");
        return Err(Unfit::NotDurable(why));
    }
    let mode: String = query_scalar("PRAGMA journal_mode = WAL")
        .fetch_one(connection)
        .await?;
    match &*mode {
        "wal" => Ok(()),
        mode => Err(Unfit::NotDurable(format!(
            "SQLite's journal_mode stays {mode}"
        ))),
    }
}

/// Lets the owner alone read a file that is empty yet: SQLite's other files get the permissions of this
/// one. By name: to close the file a second time would undo SQLite's locks on it.
pub(crate) fn for_its_owner_alone(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))
    }
    #[cfg(not(unix))]
    fs::metadata(path).map(drop)
}

/// SQLite's result code.
pub(crate) fn code(error: &sqlx::Error) -> Option<u32> {
    error.as_database_error()?.code()?.parse().ok()
}

/// Whether what an error comes from is that another connection has the database.
pub(crate) fn is_busy(error: &dyn Error) -> bool {
    let error = error.source().and_then(|source| source.downcast_ref());
    // SQLITE_BUSY, SQLITE_BUSY_RECOVERY, SQLITE_BUSY_SNAPSHOT.
    matches!(error.and_then(code), Some(5 | 261 | 517))
}

fn parse(version: &str) -> Option<(u32, u32, u32)> {
    let mut numbers = version.split('.').map(str::parse);
    let mut next = || numbers.next()?.ok();
    Some((next()?, next()?, next()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_number() {
        assert_eq!(parse("3.51.3"), Some(OLDEST));
        assert_eq!(parse("3.9.0").map(|version| version < OLDEST), Some(true));
        assert_eq!(
            parse("3.51.10").map(|version| version < OLDEST),
            Some(false)
        );
        assert_eq!(parse("3.52"), None);
        assert_eq!(parse("3.52.x"), None);
    }
}
