//! Feature `sqlx-sqlite`: how the tokens' SQLite database is opened.

use std::path::Path;

use durable_store::sql::{OpenMode, Schema, SqlStore, SqliteOptions};
use sqlx::sqlite::Sqlite;

use super::{SqlxOptions, SqlxTokenStore};
use crate::token_store::TokenStoreError;

const SCHEMA: Schema = Schema {
    migrations: super::MIGRATIONS,
    versions: &[(
        "tokens",
        include_str!("../../migrations/sqlite/1_tokens.sql"),
    )],
};

/// Tokens in an SQLite database, which one server, of one or more processes, has on its own disk. A
/// token, or its revocation, is in that one file and on the disk when the call returns; a token that was
/// purged is overwritten.
///
/// To back it up, use [`back_up`](Self::back_up), or `sqlite3 FILE '.backup COPY'`. A copy of the file is
/// good only while no process has it open; tokens that were revoked since are good again when a backup is
/// put back.
pub type SqliteTokenStore = SqlxTokenStore<Sqlite>;

impl SqliteTokenStore {
    /// Opens the database in this file, whose directory must exist. One that does not exist is made,
    /// for its owner alone to read. It may not be on a network file system. A symbolic link is resolved
    /// once.
    ///
    /// # Errors
    /// When the database cannot be used, is empty or damaged, is of a newer version of this crate, could
    /// lose tokens, or is open to other users than its owner and, to read, the owner's group.
    pub async fn open(
        path: impl AsRef<Path>,
        options: SqlxOptions,
    ) -> Result<Self, TokenStoreError> {
        let options = SqliteOptions {
            max_connections: options.max_connections,
            timeout: options.timeout,
            foreign_keys: false,
        };
        let store = SqlStore::open(path, SCHEMA, options, OpenMode::Create).await;
        let store = store.map_err(TokenStoreError::of_database)?;
        Ok(Self { store })
    }

    /// Writes the database anew, without the space of purged tokens. It takes as long as that needs, and
    /// as much space again.
    ///
    /// # Errors
    /// When it cannot be done; the database is as it was.
    pub async fn vacuum(&self) -> Result<(), TokenStoreError> {
        let vacuumed = self.store.vacuum().await;
        vacuumed.map_err(TokenStoreError::of_database)
    }

    /// Copies the database, as it is at one moment, into a new file, for its owner alone to read.
    ///
    /// # Errors
    /// When the file exists, or cannot be written.
    pub async fn back_up(&self, to: impl AsRef<Path>) -> Result<(), TokenStoreError> {
        let copied = self.store.back_up(to).await;
        copied.map_err(TokenStoreError::of_database)
    }
}
