//! The errors of databases as those of token stores.

use durable_store_sqlx::ErrorKind;
use tokenbind_http::token_store::{TokenStoreError, TokenStoreErrorKind};

/// Returns the error of a token store for one of its database.
pub(crate) fn of_database(error: durable_store_sqlx::Error) -> TokenStoreError {
    let kind = match error.kind() {
        ErrorKind::Missing => TokenStoreErrorKind::Missing,
        ErrorKind::Damaged | ErrorKind::Foreign | ErrorKind::Unreadable => {
            TokenStoreErrorKind::Unreadable
        }
        ErrorKind::Version => TokenStoreErrorKind::Version,
        ErrorKind::NotDurable | ErrorKind::Linked => TokenStoreErrorKind::NotDurable,
        ErrorKind::Exposed => TokenStoreErrorKind::Exposed,
        ErrorKind::NotRegular => TokenStoreErrorKind::NotRegular,
        ErrorKind::UnverifiedServer => TokenStoreErrorKind::UnverifiedServer,
        _ => TokenStoreErrorKind::Unavailable,
    };
    let place = error.place();
    // Some kinds become the same kind: their source tells them apart.
    let source = match error.kind() {
        ErrorKind::Foreign | ErrorKind::Locked | ErrorKind::Linked => Some(Box::new(error).into()),
        _ => error.into_source(),
    };
    let failed = match source {
        Some(source) => TokenStoreError::new(kind, source),
        None => kind.into(),
    };
    match place {
        Some(place) => failed.at(place),
        None => failed,
    }
}
