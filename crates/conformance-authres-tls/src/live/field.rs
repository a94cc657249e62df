//! The field of a message that arrived, and those of messages from clients of all kinds.

use conformance::outcome::{Checked, Failure};

use super::{
    certificates::{self, World},
    exchange::{self, Version},
};

/// A message without fields of others.
pub(super) const MESSAGE: &str = "From: a@example.com\r\nSubject: s\r\n\r\nbody\r\n";

/// The one `Authentication-Results` field of a message that arrived.
pub(super) fn the_field(message: &str) -> Checked<&str> {
    let fields: Vec<_> = authres_tls::message::fields(message.as_bytes())
        .filter(|field| field.name() == b"Authentication-Results")
        .collect();
    match fields.as_slice() {
        [field] => Ok(std::str::from_utf8(field.value())?),
        others => Err(Failure::new(format!("{} fields", others.len()))),
    }
}

/// The fields of all kinds, by name, for the peers to read.
pub(super) async fn written() -> Checked<Vec<(String, String)>> {
    let world = World::new()?;
    let mut written = Vec::new();
    for kind in certificates::kinds() {
        let sent = exchange::send(&world, &kind, Version::Tls13, MESSAGE).await?;
        written.push((
            format!("live/{}", kind.name),
            the_field(&sent.arrived)?.to_owned(),
        ));
    }
    let sent = exchange::send_in_clear(MESSAGE).await?;
    written.push((
        "live/in clear".to_owned(),
        the_field(&sent.arrived)?.to_owned(),
    ));
    Ok(written)
}
