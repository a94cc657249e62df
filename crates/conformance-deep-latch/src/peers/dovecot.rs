//! Dovecot: IMAP with DEEP in its capabilities and the status in its ID response, and POP, over which it cannot be
//! configured to advertise DEEP.

use std::ops::Deref;

pub(super) use conformance::servers::dovecot::missing;
use conformance::{
    outcome::{Checked, Failure},
    process::{at, directory},
    servers::dovecot::{self, Settings},
};

use super::certificates::{Authorities, Shown};

/// The configuration of a Dovecot.
pub(super) struct Setup {
    /// The certificate that it presents.
    pub(super) shown: Shown,
    /// The fields of its ID response, e.g. `deep-status "tls12"`; `None` without DEEP.
    pub(super) id: Option<&'static str>,
    /// `true` if it offers STARTTLS.
    pub(super) tls: bool,
}

/// A Dovecot that runs.
pub(super) struct Dovecot(dovecot::Dovecot);

impl Deref for Dovecot {
    type Target = dovecot::Dovecot;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

/// Returns the lines that advertise DEEP with these fields of the ID response, or the lines without DEEP.
fn advertisement(id: Option<&str>) -> String {
    match id {
        Some(id) => format!(
            "imap_capability = +DEEP\nimap_id_send = name \"Demo Server\" version 1.7 {id}\n"
        ),
        None => "imap_id_send = name \"Demo Server\"\n".to_owned(),
    }
}

impl Dovecot {
    pub(super) async fn start(authorities: &Authorities, setup: &Setup) -> Checked<Self> {
        let directory = directory()?;
        authorities.write(directory.path(), setup.shown)?;
        let status = advertisement(setup.id);
        let ssl = if setup.tls { "yes" } else { "no" };
        let path = directory.path().display();
        let lines = format!(
            r#"auth_mechanisms = plain login
ssl = {ssl}
ssl_min_protocol = TLSv1.2
ssl_cert = <{path}/cert.pem
ssl_key = <{path}/key.pem
{status}imap_id_log = *
passdb {{
  driver = static
  args = password=secret
}}"#
        );
        let settings = Settings {
            instance: "deep-latch",
            tls: setup.tls,
            lines: &lines,
        };
        Ok(Self(dovecot::Dovecot::start(directory, &settings).await?))
    }

    /// Waits until the log has the fields of an ID command that contain this part, and returns the fields.
    pub(super) async fn was_told(&self, part: &str) -> Checked<String> {
        let line = self.server.line_with(&["ID sent: ", part]).await?;
        let (_, fields) = (line.split_once("ID sent: ")).ok_or_else(|| Failure::new("no ID"))?;
        // Before login, who and where follows.
        let fields = fields.split(": user=").next().unwrap_or_default();
        Ok(fields.to_owned())
    }

    pub(super) fn address(&self, port: u16) -> std::net::SocketAddr {
        at(port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peers::{ID, readme};

    #[test]
    fn advertises_with_the_lines_of_the_readme() {
        let lines = format!("{}imap_id_log = *\n", advertisement(Some(ID)));
        let block = format!("```text\n{lines}```\n");
        assert!(readme().contains(&block), "not in the README:\n{block}");
    }
}
