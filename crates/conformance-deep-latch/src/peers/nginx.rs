//! nginx's mail proxy, which advertises any configured text: DEEP over IMAP (the capability alone), POP and SMTP.

pub(super) use conformance::servers::nginx::missing;
use conformance::{
    outcome::Checked,
    process::{Server, directory, ports},
    servers::nginx,
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
        let directory = directory()?;
        authorities.write(directory.path(), setup.shown)?;
        let [imaps, pop3, pop3s, submission, submissions, auth] = ports()?;
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
        let path = directory.path().display();
        let blocks = format!(
            r#"http {{
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
        let listening = [imaps, pop3, pop3s, submission, submissions];
        let server = nginx::start(directory, &blocks, &listening).await?;
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
