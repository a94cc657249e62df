//! Opens the tokens' SQLite database.

use std::path::Path;

use durable_store_sqlx::{OpenMode, Schema, SqlStore, SqliteOptions};
use sqlx::sqlite::Sqlite;

use tokenbind_http::token_store::TokenStoreError;
#[cfg(doc)]
use tokenbind_http::token_store::TokenStoreErrorKind;

use crate::{
    error::of_database,
    store::{MIGRATIONS, SqlxOptions, SqlxTokenStore},
};

const SCHEMA: Schema = Schema {
    migrations: MIGRATIONS,
    versions: &[("tokens", include_str!("../migrations/sqlite/1_tokens.sql"))],
    application_id: *b"TBnd",
};

/// A store of tokens in an SQLite database on a server's local disk. One or more processes of the server can
/// use it. A token, or its revocation, is in that one file and on the disk when the call returns; a token that
/// was purged is overwritten.
///
/// To back it up, use [`back_up`](Self::back_up), or `sqlite3 FILE '.backup COPY'`. A copy of the file is
/// complete only if no process has it open. A backup that is restored accepts tokens that were revoked later.
pub type SqliteTokenStore = SqlxTokenStore<Sqlite>;

impl SqliteTokenStore {
    /// Opens the database in this file, whose directory must exist. If the file does not exist, it is made, and
    /// only its owner can read it. It must not be on a network file system. A symbolic link is resolved once.
    ///
    /// # Errors
    /// [`Unreadable`](TokenStoreErrorKind::Unreadable) if the database is empty or damaged;
    /// [`Version`](TokenStoreErrorKind::Version) if it is of a newer version of this crate;
    /// [`NotDurable`](TokenStoreErrorKind::NotDurable) if it could lose tokens;
    /// [`Exposed`](TokenStoreErrorKind::Exposed) if other users than its owner can write it, or other users than
    /// the owner and the owner's group can read it; other kinds if it cannot be used.
    pub async fn open(
        path: impl AsRef<Path>,
        options: SqlxOptions,
    ) -> Result<Self, TokenStoreError> {
        let options = SqliteOptions {
            max_connections: options.max_connections,
            timeout: options.timeout,
            foreign_keys: false,
        };
        let store = SqlStore::open(path, SCHEMA, options, OpenMode::Join).await;
        let store = store.map_err(of_database)?;
        Ok(Self { store })
    }

    /// Rewrites the database without the space of purged tokens. Needs the same space again, and has no time
    /// limit.
    ///
    /// # Errors
    /// A [`TokenStoreError`] if the database could not be rewritten. It is then unchanged.
    pub async fn vacuum(&self) -> Result<(), TokenStoreError> {
        let vacuumed = self.store.vacuum().await;
        vacuumed.map_err(of_database)
    }

    /// Copies the database, as it is at one moment, into a new file that only its owner can read.
    ///
    /// # Errors
    /// A [`TokenStoreError`] if the file exists, or cannot be written.
    pub async fn back_up(&self, to: impl AsRef<Path>) -> Result<(), TokenStoreError> {
        let copied = self.store.back_up(to).await;
        copied.map_err(of_database)
    }
}
