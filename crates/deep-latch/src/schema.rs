//! Features `sqlx-sqlite` and `sqlx-postgres`: a schema is brought up to this crate's version.

use alloc::boxed::Box;
use core::{future::Future, ops::Deref, pin::Pin};

use sqlx::{
    Acquire,
    migrate::{Migrate, MigrateError, Migration, MigrationType, Migrator},
};

/// A schema's versions, from the first: description and SQL.
pub(crate) type Versions = &'static [(&'static str, &'static str)];

/// Why a schema is not brought up to this crate's version.
pub(crate) enum NotMigrated {
    /// It is newer, or was changed.
    Version(MigrateError),
    /// The database does not answer.
    Failed(sqlx::Error),
}

/// Brings a schema up to this crate's version, and notes in `table` that it is. One that is newer, or was
/// changed, is refused.
///
/// Boxed, since the compiler cannot see otherwise that the future is `Send`.
pub(crate) fn migrate<'a, A>(
    connection: A,
    table: &'static str,
    versions: Versions,
) -> Pin<Box<dyn Future<Output = Result<(), NotMigrated>> + Send + 'a>>
where
    A: Acquire<'a> + Send + 'a,
    <A::Connection as Deref>::Target: Migrate + Send,
{
    let migrations = (1..).zip(versions).map(|(version, (description, sql))| {
        let sql = sqlx::SqlSafeStr::into_sql_str(*sql);
        let kind = MigrationType::Simple;
        Migration::new(version, (*description).into(), kind, sql, false)
    });
    let mut migrator = Migrator::with_migrations(migrations.collect());
    // The application may migrate tables of its own in the same database.
    migrator.dangerous_set_table_name(table);
    Box::pin(async move {
        migrator.run(connection).await.map_err(|error| match error {
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
                NotMigrated::Failed(error)
            }
            error => NotMigrated::Version(error),
        })
    })
}
