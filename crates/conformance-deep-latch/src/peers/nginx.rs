//! nginx's mail proxy, which advertises any configured text: DEEP over IMAP (the capability alone), POP and SMTP.

use std::{fs, path::Path, process::Command};

use conformance::{
    outcome::{Checked, Failure},
    process::{Server, directory, installed, is_root, ports},
};

use super::certificates::{Authorities, Shown};

/// The configuration of an nginx.
pub(super) struct Setup {
    /// The certificate that it presents.
    pub(super) shown: Shown,
    /// The line of CAPA and EHLO, e.g. `DEEP tls12`; nothing without DEEP.
    pub(super) deep: Option<&'static str>,
    /// `ssl_protocols`.
    pub(super) protocols: &'static str,
    /// `starttls`: `on`, `off`, `only`.
    pub(super) starttls: &'static str,
}

/// An nginx that runs.
pub(super) struct Nginx {
    pub(super) server: Server,
    pub(super) imaps: u16,
    pub(super) pop3: u16,
    pub(super) pop3s: u16,
    pub(super) submission: u16,
    pub(super) submissions: u16,
}

/// Debian's path of the mail proxy, if it is not compiled into the program.
const MODULE: &str = "/usr/lib/nginx/modules/ngx_mail_module.so";

/// Returns the reason for which nginx cannot run, if there is one.
pub(super) fn missing() -> Option<String> {
    let install = "apt-get install nginx libnginx-mod-mail";
    let Some(program) = installed("nginx") else {
        return Some(format!("nginx is not installed: {install}"));
    };
    let said = Command::new(program).arg("-V").output().ok()?;
    let said = String::from_utf8_lossy(&said.stderr).into_owned();
    let compiled_in = said.split_whitespace().any(|part| part == "--with-mail");
    (!compiled_in && !Path::new(MODULE).exists())
        .then(|| format!("nginx has no mail proxy: {install}"))
}

/// Returns the lines that advertise this line of CAPA and EHLO, or the lines without DEEP.
fn capabilities(deep: Option<&str>) -> String {
    let imap = if deep.is_some() { " DEEP" } else { "" };
    let deep = match deep {
        Some(deep) => format!(" \"{deep}\""),
        None => String::new(),
    };
    format!(
        "imap_capabilities IMAP4rev1 ID{imap} UIDPLUS;\n\
         pop3_capabilities TOP USER UIDL RESP-CODES PIPELINING{deep};\n\
         smtp_capabilities 8BITMIME PIPELINING{deep} \"SIZE 0\";\n"
    )
}

impl Nginx {
    pub(super) async fn start(authorities: &Authorities, setup: &Setup) -> Checked<Self> {
        let program = installed("nginx").ok_or_else(|| Failure::new("no nginx"))?;
        let directory = directory()?;
        let path = directory.path();
        authorities.write(path, setup.shown)?;
        let [imaps, pop3, pop3s, submission, submissions, auth] = ports()?;
        let module = match Path::new(MODULE).exists() {
            true => format!("load_module {MODULE};\n"),
            false => String::new(),
        };
        // Root's nginx gives up its rights, to whom its builder said.
        let user = if is_root()? {
            "user nobody nogroup;\n"
        } else {
            ""
        };
        let capabilities = capabilities(setup.deep);
        let Setup {
            protocols,
            starttls,
            ..
        } = setup;
        // OpenSSL must be configured to negotiate versions that an attacker's server would accept.
        let ciphers = match protocols.contains("TLSv1.2") {
            true => "HIGH",
            false => "ALL:@SECLEVEL=0",
        };
        let path = path.display();
        let configuration = format!(
            r#"{module}{user}worker_processes 1;
daemon off;
pid {path}/pid;
error_log {path}/log info;
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path {path}/body;
  proxy_temp_path {path}/proxy;
  fastcgi_temp_path {path}/fastcgi;
  uwsgi_temp_path {path}/uwsgi;
  scgi_temp_path {path}/scgi;
  server {{
    listen 127.0.0.1:{auth};
    location / {{
      add_header Auth-Status "nobody logs in here";
      return 204;
    }}
  }}
}}
mail {{
  server_name mail.example.com;
  auth_http 127.0.0.1:{auth}/;
  ssl_certificate {path}/cert.pem;
  ssl_certificate_key {path}/key.pem;
  ssl_protocols {protocols};
  ssl_ciphers {ciphers};
{capabilities}  smtp_auth login plain;
  server {{ listen 127.0.0.1:{imaps} ssl; protocol imap; }}
  server {{ listen 127.0.0.1:{pop3}; protocol pop3; starttls {starttls}; }}
  server {{ listen 127.0.0.1:{pop3s} ssl; protocol pop3; }}
  server {{ listen 127.0.0.1:{submission}; protocol smtp; starttls {starttls}; }}
  server {{ listen 127.0.0.1:{submissions} ssl; protocol smtp; }}
}}
"#
        );
        let file = directory.path().join("nginx.conf");
        fs::write(&file, configuration)?;
        let mut command = Command::new(program);
        command.arg("-e").arg(directory.path().join("log"));
        command.arg("-p").arg(directory.path());
        command.arg("-c").arg(&file);
        let listening = [imaps, pop3, pop3s, submission, submissions];
        let server = Server::start(directory, "log", &mut command, &listening).await?;
        Ok(Self {
            server,
            imaps,
            pop3,
            pop3s,
            submission,
            submissions,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peers::{PROXY, readme};

    #[test]
    fn advertises_with_the_lines_of_the_readme() {
        let block = format!("```text\n{}```\n", capabilities(PROXY.deep));
        assert!(readme().contains(&block), "not in the README:\n{block}");
    }
}
