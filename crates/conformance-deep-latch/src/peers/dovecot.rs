//! Dovecot: IMAP with DEEP in its capabilities and the status in its ID response, and POP, over which it cannot be
//! configured to advertise DEEP.

use std::{fs, os::unix::fs::PermissionsExt, process::Command};

use conformance::{
    outcome::{Checked, Failure},
    process::{Server, at, directory, installed, is_root, ports},
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
pub(super) struct Dovecot {
    pub(super) server: Server,
    pub(super) imap: u16,
    pub(super) imaps: u16,
    pub(super) pop3s: u16,
}

/// Returns the reason for which Dovecot cannot run, if there is one.
pub(super) fn missing() -> Option<String> {
    let install = "apt-get install dovecot-imapd dovecot-pop3d";
    let Some(program) = installed("dovecot") else {
        return Some(format!("Dovecot is not installed: {install}"));
    };
    let version = Command::new(program).arg("--version").output().ok()?;
    let version = String::from_utf8_lossy(&version.stdout).trim().to_owned();
    // 2.4 has another syntax.
    (!version.starts_with("2.3.")).then(|| format!("Dovecot 2.3 is needed, this is {version}"))
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
        let program = installed("dovecot").ok_or_else(|| Failure::new("no Dovecot"))?;
        let directory = directory()?;
        let path = directory.path();
        authorities.write(path, setup.shown)?;
        let mail = path.join("mail");
        fs::create_dir(&mail)?;
        fs::set_permissions(&mail, fs::Permissions::from_mode(0o777))?;
        let [imap, imaps, pop3, pop3s] = ports()?;
        // Root's Dovecot gives up its rights; that of another has none to give up.
        let (inner, login) = match is_root()? {
            true => ("dovecot".to_owned(), "dovenull".to_owned()),
            false => {
                let user = Command::new("id").arg("-un").output()?.stdout;
                let user = String::from_utf8(user)?.trim().to_owned();
                (user.clone(), user)
            }
        };
        let group = Command::new("id").args(["-gn", &inner]).output()?.stdout;
        let group = String::from_utf8(group)?.trim().to_owned();
        let status = advertisement(setup.id);
        let ssl = if setup.tls { "yes" } else { "no" };
        let path = path.display();
        let configuration = format!(
            r#"base_dir = {path}/run
state_dir = {path}/state
instance_name = deep-latch
listen = 127.0.0.1
protocols = imap pop3
log_path = {path}/log
default_internal_user = {inner}
default_internal_group = {group}
default_login_user = {login}
mail_location = maildir:{path}/mail/%u
first_valid_uid = 1
first_valid_gid = 1
auth_mechanisms = plain login
ssl = {ssl}
ssl_min_protocol = TLSv1.2
ssl_cert = <{path}/cert.pem
ssl_key = <{path}/key.pem
{status}imap_id_log = *
passdb {{
  driver = static
  args = password=secret
}}
userdb {{
  driver = static
  args = uid={inner} gid={group} home={path}/mail/%u
}}
service anvil {{
  chroot =
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
}}
service pop3-login {{
  chroot =
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = {pop3s}
    ssl = yes
  }}
}}
"#
        );
        let file = directory.path().join("dovecot.conf");
        fs::write(&file, configuration)?;
        let mut command = Command::new(program);
        command.arg("-F").arg("-c").arg(&file);
        let listening = match setup.tls {
            true => vec![imap, imaps, pop3s],
            false => vec![imap],
        };
        let server = Server::start(directory, "log", &mut command, &listening).await?;
        Ok(Self {
            server,
            imap,
            imaps,
            pop3s,
        })
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
