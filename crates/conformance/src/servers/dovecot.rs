//! Dovecot on loopback: IMAP and POP, each on a port in clear and on a port with TLS.

use std::{fs, os::unix::fs::PermissionsExt, process::Command};

use tempfile::TempDir;

use crate::{
    outcome::{Checked, Failure},
    process::{Server, installed, is_root, ports},
};

/// The part of a Dovecot's configuration that differs between scenarios.
#[derive(Clone, Copy, Debug)]
pub struct Settings<'a> {
    /// `instance_name`.
    pub instance: &'a str,
    /// `true` if `lines` configure TLS. Without TLS, the two ports in clear are the only ones that listen.
    pub tls: bool,
    /// Lines of the configuration: TLS, mechanisms, `passdb`.
    pub lines: &'a str,
}

/// A Dovecot that runs. Any user may log in; the mail is in its directory.
#[derive(Debug)]
pub struct Dovecot {
    /// The process.
    pub server: Server,
    /// The port of IMAP in clear.
    pub imap: u16,
    /// The port of IMAP with TLS.
    pub imaps: u16,
    /// The port of POP in clear.
    pub pop3: u16,
    /// The port of POP with TLS.
    pub pop3s: u16,
    command: Command,
    listening: Vec<u16>,
}

/// Returns the reason for which Dovecot cannot run, if there is one.
#[must_use]
pub fn missing() -> Option<String> {
    let install = "apt-get install dovecot-imapd dovecot-pop3d";
    let Some(program) = installed("dovecot") else {
        return Some(format!("Dovecot is not installed: {install}"));
    };
    let version = Command::new(program).arg("--version").output().ok()?;
    let version = String::from_utf8_lossy(&version.stdout).trim().to_owned();
    // 2.4 has another syntax.
    (!version.starts_with("2.3.")).then(|| format!("Dovecot 2.3 is needed, this is {version}"))
}

/// The users of a Dovecot.
struct Users {
    inner: String,
    login: String,
    group: String,
}

impl Users {
    /// Returns Debian's users if the caller is root, whose Dovecot gives up its rights, and otherwise the caller.
    fn new() -> Checked<Self> {
        let (inner, login) = match is_root()? {
            true => ("dovecot".to_owned(), "dovenull".to_owned()),
            false => {
                let user = id(&["-un"])?;
                (user.clone(), user)
            }
        };
        let group = id(&["-gn", &inner])?;
        Ok(Self {
            inner,
            login,
            group,
        })
    }
}

/// Returns the output of the command `id`.
fn id(arguments: &[&str]) -> Checked<String> {
    let output = Command::new("id").args(arguments).output()?.stdout;
    Ok(String::from_utf8(output)?.trim().to_owned())
}

impl Dovecot {
    /// Starts a Dovecot in a directory, where the caller has written the certificates that its lines name.
    ///
    /// # Errors
    /// Returns an error if Dovecot is not installed, or if it does not listen in time.
    pub async fn start(directory: TempDir, settings: &Settings<'_>) -> Checked<Self> {
        let program = installed("dovecot").ok_or_else(|| Failure::new("no Dovecot"))?;
        let mail = directory.path().join("mail");
        fs::create_dir(&mail)?;
        fs::set_permissions(&mail, fs::Permissions::from_mode(0o777))?;
        let [imap, imaps, pop3, pop3s] = ports()?;
        let Users {
            inner,
            login,
            group,
        } = Users::new()?;
        let Settings {
            instance, lines, ..
        } = settings;
        let path = directory.path().display();
        let configuration = format!(
            r#"base_dir = {path}/run
state_dir = {path}/state
instance_name = {instance}
listen = 127.0.0.1
protocols = imap pop3
log_path = {path}/log
default_internal_user = {inner}
default_internal_group = {group}
default_login_user = {login}
mail_location = maildir:{path}/mail/%u
first_valid_uid = 1
first_valid_gid = 1
{lines}
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
        let listening = match settings.tls {
            true => vec![imap, imaps, pop3, pop3s],
            false => vec![imap, pop3],
        };
        let server = Server::start(directory, "log", &mut command, &listening).await?;
        Ok(Self {
            server,
            imap,
            imaps,
            pop3,
            pop3s,
            command,
            listening,
        })
    }

    /// Starts it again after [`Server::kill`], on the same ports.
    ///
    /// # Errors
    /// Returns an error if it does not listen in time.
    pub async fn start_again(&mut self) -> Checked<()> {
        self.server
            .start_again(&mut self.command, &self.listening)
            .await
    }
}
