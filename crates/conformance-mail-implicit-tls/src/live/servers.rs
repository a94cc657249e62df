//! Our client on foreign servers: Dovecot, Postfix, nginx, Cyrus and Courier.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

use conformance::{
    Live, Scenario,
    outcome::{Checked, Failure, passed, run, same},
    process::{Server as Process, directory, installed, is_root, ports},
};
use mail_implicit_tls::{
    account::{AccountSetup, HostSource, LowPrivacy},
    client::{Closed, Connection, Connector},
    external::External,
    failure::{Cause, Failure as ConnectFailure},
    identity::Rules,
    privacy::{PrivacyLevel, ProtocolVersion},
    service::{Protocol, Service},
    verdict::{ChainVerdict, IdentityVerdict},
};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::site::{Shown, Site, account, server, write};

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario::with_peer("Dovecot", "mail-implicit-tls/our-client-on-dovecot", |_| {
        Live::unless(dovecot_missing(), || run(dovecot()))
    }),
    Scenario::with_peer(
        "Dovecot",
        "mail-implicit-tls/our-client-on-dovecot-by-certificate",
        |_| Live::unless(dovecot_missing(), || run(dovecot_external())),
    ),
    Scenario::with_peer(
        "Dovecot",
        "mail-implicit-tls/our-client-judges-dovecot",
        |_| Live::unless(dovecot_missing(), || run(dovecot_judged())),
    ),
    Scenario::with_peer("Postfix", "mail-implicit-tls/our-client-on-postfix", |_| {
        Live::unless(postfix_missing(), || run(postfix()))
    }),
    Scenario::with_peer("nginx", "mail-implicit-tls/our-client-on-nginx", |_| {
        Live::unless(nginx_missing(), || run(nginx()))
    }),
    Scenario::with_peer("Cyrus", "mail-implicit-tls/our-client-on-cyrus", |_| {
        Live::unless(cyrus_missing(), || run(cyrus()))
    }),
    Scenario::with_peer("Courier", "mail-implicit-tls/our-client-on-courier", |_| {
        Live::unless(courier_missing(), || run(courier()))
    }),
];

/// Connects to a service at a port, by an account that `setup` changes.
async fn connect(
    connector: &Connector,
    service: Service,
    port: u16,
    setup: impl FnOnce(AccountSetup) -> AccountSetup,
) -> Checked<Result<Connection, ConnectFailure>> {
    let server = server(service, port)?;
    let account = account(setup, &server)?;
    Ok(connector.connect(&account, &server).await)
}

/// Connects, checks that the connection is private, and ends the session.
async fn private(connector: &Connector, service: Service, port: u16) -> Checked<String> {
    let connection = connect(connector, service, port, |setup| setup).await?;
    let connection = connection.map_err(|failure| Failure::new(failure.to_string()))?;
    let seen = seen(&connection)?;
    goodbye(connection).await?;
    Ok(seen)
}

fn seen(connection: &Connection) -> Checked<String> {
    same(
        "level",
        connection.indication().level(),
        Some(PrivacyLevel::High),
    )?;
    let suite = connection.cipher_suite().unwrap_or_default();
    let version = connection.version().unwrap_or(ProtocolVersion(0));
    let mechanisms = connection.capabilities().mechanisms().join(" ");
    Ok(format!(
        "{} {version} 0x{suite:04x} [{mechanisms}]",
        connection.service()
    ))
}

/// Ends a session, and checks that the server's last reply came.
async fn goodbye(connection: Connection) -> Checked<Option<Closed>> {
    let protocol = connection.service().protocol;
    let (command, reply): (&[u8], &str) = match protocol {
        Protocol::Imap => (b"x LOGOUT\r\n", "* BYE"),
        Protocol::Pop => (b"QUIT\r\n", "+OK"),
        Protocol::Submission => (b"QUIT\r\n", "221"),
    };
    let mut stream = connection.into_stream();
    stream.write_all(command).await?;
    stream.flush().await?;
    let mut all = Vec::new();
    // The end without a close alert is an error that `closed` reports.
    let _ = stream.read_to_end(&mut all).await;
    let all = String::from_utf8_lossy(&all);
    if !all.contains(reply) {
        return Err(Failure::new(format!("no {reply:?} in {all:?}")));
    }
    Ok(stream.closed())
}

// Dovecot

pub(super) fn dovecot_missing() -> Option<String> {
    let install = "apt-get install dovecot-imapd dovecot-pop3d";
    let Some(program) = installed("dovecot") else {
        return Some(format!("Dovecot is not installed: {install}"));
    };
    let version = Command::new(program).arg("--version").output().ok()?;
    let version = String::from_utf8_lossy(&version.stdout).trim().to_owned();
    if !version.starts_with("2.3.") {
        return Some(format!("Dovecot 2.3 is needed, this is {version}"));
    }
    needs_root("Dovecot")
}

fn needs_root(what: &str) -> Option<String> {
    (!is_root().unwrap_or_default()).then(|| format!("{what} is started by root only"))
}

pub(super) struct Dovecot {
    process: Process,
    imap: u16,
    imaps: u16,
    pop3: u16,
    pop3s: u16,
}

impl Dovecot {
    pub(super) async fn start(site: &Site, shown: Shown) -> Checked<Self> {
        let program = installed("dovecot").ok_or_else(|| Failure::new("no Dovecot"))?;
        let directory = directory()?;
        let path = directory.path();
        write(&site.server(shown)?, path, "server");
        fs::write(
            path.join("ca.pem"),
            format!("{}{}", site.root_pem(), site.revocation_list()?),
        )?;
        let mail = path.join("mail");
        fs::create_dir(&mail)?;
        fs::set_permissions(&mail, fs::Permissions::from_mode(0o777))?;
        let [imap, imaps, pop3, pop3s] = ports()?;
        let group = Command::new("id").args(["-gn", "dovecot"]).output()?.stdout;
        let group = String::from_utf8(group)?.trim().to_owned();
        let path = path.display();
        let configuration = format!(
            r#"base_dir = {path}/run
state_dir = {path}/state
instance_name = mail-implicit-tls
listen = 127.0.0.1
protocols = imap pop3
log_path = {path}/log
default_internal_user = dovecot
default_internal_group = {group}
default_login_user = dovenull
mail_location = maildir:{path}/mail/%u
first_valid_uid = 1
first_valid_gid = 1
auth_mechanisms = plain external
disable_plaintext_auth = yes
ssl = required
ssl_min_protocol = TLSv1.2
ssl_cert = <{path}/server.pem
ssl_key = <{path}/server.key
ssl_ca = <{path}/ca.pem
ssl_verify_client_cert = yes
auth_ssl_username_from_cert = yes
ssl_cert_username_field = commonName
ssl_require_crl = no
passdb {{
  driver = static
  mechanisms = plain
  args = password=secret
}}
passdb {{
  driver = static
  mechanisms = external
  args = nopassword=y
}}
userdb {{
  driver = static
  args = uid=dovecot gid={group} home={path}/mail/%u
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
        let process =
            Process::start(directory, "log", &mut command, &[imap, imaps, pop3, pop3s]).await?;
        Ok(Self {
            process,
            imap,
            imaps,
            pop3,
            pop3s,
        })
    }

    pub(super) fn path(&self) -> &Path {
        self.process.path()
    }

    pub(super) fn port(&self, service: Service) -> u16 {
        match service {
            Service::IMAPS => self.imaps,
            Service::POP3S => self.pop3s,
            Service::POP3_STARTTLS => self.pop3,
            _ => self.imap,
        }
    }
}

pub(super) const DOVECOTS: [Service; 4] = [
    Service::IMAPS,
    Service::POP3S,
    Service::IMAP_STARTTLS,
    Service::POP3_STARTTLS,
];

async fn dovecot() -> Checked {
    let site = Site::new()?;
    let mut all = Vec::new();
    let dovecot = Dovecot::start(&site, Shown::Good).await?;
    let connector = site.connector()?;
    for service in DOVECOTS {
        all.push(private(&connector, service, dovecot.port(service)).await?);
    }
    passed(all.join(", "))
}

async fn dovecot_external() -> Checked {
    let site = Site::new()?;
    let dovecot = Dovecot::start(&site, Shown::Good).await?;
    let mut all = Vec::new();
    for service in [Service::IMAPS, Service::POP3S] {
        let server = server(service, dovecot.port(service))?;
        let account = account(|setup| setup, &server)?;
        let key = site.client_key("alice")?;
        let connector = site.connector()?.with_client_certificate(
            account.id().clone(),
            server.host.clone(),
            key,
        );
        let connection = connector.connect(&account, &server).await;
        let connection = connection.map_err(|failure| Failure::new(failure.to_string()))?;
        let external = External::new(service.protocol, "a", "", connection.capabilities())?;
        let mut stream = connection.into_stream();
        stream.write_all(external.command().as_bytes()).await?;
        if let Some(response) = external.response() {
            stream.write_all(response.as_bytes()).await?;
        }
        stream.flush().await?;
        let mut reply = vec![0; 512];
        let count = stream.read(&mut reply).await?;
        let reply = String::from_utf8_lossy(reply.get(..count).unwrap_or_default()).into_owned();
        if !reply.contains("Logged in") {
            return Err(Failure::new(format!("{service}: {reply:?}")));
        }
        stream.shutdown().await?;
        all.push(format!("{service} logged in"));
    }
    passed(all.join(", "))
}

async fn dovecot_judged() -> Checked {
    let site = Site::new()?;
    for (shown, chain, named) in [
        (Shown::OtherName, true, false),
        (Shown::Expired, false, true),
        (Shown::OtherAuthority, false, true),
        (Shown::CnOnly, true, false),
        (Shown::SrvOnly, true, false),
    ] {
        let dovecot = Dovecot::start(&site, shown).await?;
        let connector = site.connector()?;
        for service in DOVECOTS {
            let failure =
                connect(&connector, service, dovecot.port(service), |setup| setup).await?;
            let Err(failure) = failure else {
                return Err(Failure::new(format!("{shown:?} accepted on {service}")));
            };
            let Cause::NotVerified(verdict) = failure.cause() else {
                return Err(Failure::new(format!("{shown:?} on {service}: {failure}")));
            };
            same("chain", verdict.chain == ChainVerdict::Trusted, chain)?;
            same(
                "name",
                matches!(verdict.identity, IdentityVerdict::Matches { .. }),
                named,
            )?;
        }
        // The low level may ignore it, and shows no high level.
        let low = LowPrivacy {
            ignore_certificate: true,
            clear_text_fallback: false,
        };
        let connection = connect(&connector, Service::IMAPS, dovecot.imaps, |setup| {
            setup.low(low)
        })
        .await?;
        let connection = connection.map_err(|failure| Failure::new(failure.to_string()))?;
        same(
            "level",
            connection.indication().level(),
            Some(PrivacyLevel::Low),
        )?;
        let closed = goodbye(connection).await?;
        same("closed", closed.is_some(), true)?;
    }
    // A common name counts under rules that say so, a wildcard always.
    let dovecot = Dovecot::start(&site, Shown::CnOnly).await?;
    let connector = site.connector()?;
    let connection = connect(&connector, Service::IMAPS, dovecot.imaps, |setup| {
        setup.rules(Rules::Rfc6125)
    })
    .await?;
    same(
        "common name",
        connection
            .map_err(|failure| Failure::new(failure.to_string()))
            .is_ok(),
        true,
    )?;
    let dovecot = Dovecot::start(&site, Shown::Wildcard).await?;
    private(&site.connector()?, Service::IMAPS, dovecot.imaps).await?;
    // An SRV-ID counts where the host was found by SRV.
    let dovecot = Dovecot::start(&site, Shown::SrvOnly).await?;
    for service in [Service::IMAPS, Service::POP3S] {
        let server = server(service, dovecot.port(service))?.with_source(HostSource::InsecureSrv);
        let account = account(|setup| setup, &server)?;
        let connection = site.connector()?.connect(&account, &server).await;
        let connection = connection.map_err(|failure| Failure::new(failure.to_string()))?;
        same(
            "level",
            connection.indication().level(),
            Some(PrivacyLevel::High),
        )?;
    }
    passed("name, date, authority, common name, wildcard and SRV-ID judged on four services")
}

// Postfix

pub(super) fn postfix_missing() -> Option<String> {
    match installed("postfix") {
        None => Some("Postfix is not installed: apt-get install postfix".to_owned()),
        Some(_) => needs_root("Postfix"),
    }
}

/// A Postfix, stopped by its own command.
pub(super) struct Postfix {
    directory: TempDir,
    pub(super) ports: [(Service, u16); 2],
}

impl Postfix {
    pub(super) async fn start(site: &Site, shown: Shown, protocols: &str) -> Checked<Self> {
        let directory = directory()?;
        let path = directory.path();
        for name in ["etc", "spool", "data"] {
            fs::create_dir(path.join(name))?;
            fs::set_permissions(path.join(name), fs::Permissions::from_mode(0o755))?;
        }
        Command::new("chown")
            .arg("postfix")
            .arg(path.join("data"))
            .status()?;
        write(&site.server(shown)?, path, "server");
        let [submissions, submission] = ports()?;
        let shown = path.display();
        let main = format!(
            "compatibility_level = 3.6\nqueue_directory = {shown}/spool\ndata_directory = {shown}/data\n\
             command_directory = /usr/sbin\ndaemon_directory = /usr/lib/postfix/sbin\nmail_owner = postfix\n\
             setgid_group = postdrop\ninet_interfaces = 127.0.0.1\ninet_protocols = ipv4\n\
             myhostname = mail.example.test\nmydestination =\nalias_maps =\nmaillog_file = {shown}/data/maillog\n\
             maillog_file_prefixes = {shown}\nsmtpd_tls_cert_file = {shown}/server.pem\n\
             smtpd_tls_key_file = {shown}/server.key\nsmtpd_tls_mandatory_protocols = {protocols}\n\
             smtpd_tls_loglevel = 1\nsmtpd_relay_restrictions = reject\n"
        );
        fs::write(path.join("etc/main.cf"), main)?;
        let master = format!(
            "127.0.0.1:{submissions} inet n - n - - smtpd\n  -o smtpd_tls_wrappermode=yes\n  \
             -o smtpd_tls_security_level=encrypt\n127.0.0.1:{submission} inet n - n - - smtpd\n  \
             -o smtpd_tls_security_level=encrypt\nproxymap unix - - n - - proxymap\npostlog unix-dgram n - n - 1 postlogd\n\
             anvil unix - - n - 1 anvil\ntlsmgr unix - - n 1000? 1 tlsmgr\nrewrite unix - - n - - trivial-rewrite\n"
        );
        fs::write(path.join("etc/master.cf"), master)?;
        let postfix = Self {
            directory,
            ports: [
                (Service::SUBMISSIONS, submissions),
                (Service::SUBMISSION_STARTTLS, submission),
            ],
        };
        let started = postfix.command("start")?;
        if !started.status.success() {
            return Err(Failure::new(
                String::from_utf8_lossy(&started.stderr).into_owned(),
            ));
        }
        for (_, port) in postfix.ports {
            listening(port).await?;
        }
        Ok(postfix)
    }

    pub(super) fn path(&self) -> &Path {
        self.directory.path()
    }

    fn command(&self, word: &str) -> Checked<std::process::Output> {
        let mut command = Command::new("postfix");
        Ok(command
            .arg("-c")
            .arg(self.directory.path().join("etc"))
            .arg(word)
            .output()?)
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        let _ = self.command("stop");
    }
}

async fn postfix() -> Checked {
    let site = Site::new()?;
    let mut all = Vec::new();
    for protocols in [">=TLSv1.2", "TLSv1.2"] {
        let postfix = Postfix::start(&site, Shown::Good, protocols).await?;
        for (service, port) in postfix.ports {
            let failure = connect(&site.connector()?, service, port, |setup| setup).await?;
            // This Postfix has no authentication server, which a submission server must have.
            let Err(failure) = failure else {
                return Err(Failure::new(
                    "a submission server without authentication was accepted",
                ));
            };
            same(
                "no authentication",
                failure.to_string().contains("offers no authentication"),
                true,
            )?;
            let connector = site.connector()?.accept_submission_without_authentication();
            all.push(private(&connector, service, port).await?);
        }
    }
    passed(all.join(", "))
}

/// Waits until a port listens.
async fn listening(port: u16) -> Checked<()> {
    for _ in 0..500 {
        if tokio::net::TcpStream::connect(("127.0.0.1", port))
            .await
            .is_ok()
        {
            return Ok(());
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    Err(Failure::new(format!("port {port} does not listen")))
}

// nginx

/// The place of Debian's mail proxy, where it is no part of the program.
const NGINX_MAIL: &str = "/usr/lib/nginx/modules/ngx_mail_module.so";

pub(super) fn nginx_missing() -> Option<String> {
    let install = "apt-get install nginx libnginx-mod-mail";
    if installed("nginx").is_none() {
        return Some(format!("nginx is not installed: {install}"));
    }
    if !Path::new(NGINX_MAIL).exists() {
        return Some(format!("nginx has no mail proxy: {install}"));
    }
    needs_root("nginx")
}

/// An nginx as mail proxy.
pub(super) struct Nginx {
    process: Process,
    pub(super) ports: [(Service, u16); 6],
}

impl Nginx {
    pub(super) async fn start(site: &Site, shown: Shown) -> Checked<Self> {
        let program = installed("nginx").ok_or_else(|| Failure::new("no nginx"))?;
        let directory = directory()?;
        let path = directory.path();
        write(&site.server(shown)?, path, "server");
        let [imaps, pop3s, submissions, imap, pop3, submission] = ports()?;
        let shown = path.display();
        let configuration = format!(
            "load_module {NGINX_MAIL};\nuser nobody nogroup;\nworker_processes 1;\ndaemon off;\npid {shown}/pid;\n\
         error_log {shown}/log info;\nevents {{ worker_connections 64; }}\nmail {{\n\
         server_name mail.example.test;\nauth_http 127.0.0.1:9/;\nssl_certificate {shown}/server.pem;\n\
         ssl_certificate_key {shown}/server.key;\nimap_auth plain;\npop3_auth plain;\nsmtp_auth plain;\n\
         imap_capabilities IMAP4rev1 UIDPLUS;\nstarttls on;\n\
         server {{ listen 127.0.0.1:{imaps} ssl; protocol imap; }}\n\
         server {{ listen 127.0.0.1:{pop3s} ssl; protocol pop3; }}\n\
         server {{ listen 127.0.0.1:{submissions} ssl; protocol smtp; }}\n\
         server {{ listen 127.0.0.1:{imap}; protocol imap; }}\n\
         server {{ listen 127.0.0.1:{pop3}; protocol pop3; }}\n\
         server {{ listen 127.0.0.1:{submission}; protocol smtp; }}\n}}\n"
        );
        let file = path.join("nginx.conf");
        fs::write(&file, configuration)?;
        let mut command = Command::new(program);
        command
            .arg("-e")
            .arg(path.join("log"))
            .arg("-p")
            .arg(path)
            .arg("-c")
            .arg(&file);
        let listening = [imaps, pop3s, submissions, imap, pop3, submission];
        Ok(Self {
            process: Process::start(directory, "log", &mut command, &listening).await?,
            ports: [
                (Service::IMAPS, imaps),
                (Service::POP3S, pop3s),
                (Service::SUBMISSIONS, submissions),
                (Service::IMAP_STARTTLS, imap),
                (Service::POP3_STARTTLS, pop3),
                (Service::SUBMISSION_STARTTLS, submission),
            ],
        })
    }

    pub(super) fn path(&self) -> &Path {
        self.process.path()
    }
}

async fn nginx() -> Checked {
    let site = Site::new()?;
    let nginx = Nginx::start(&site, Shown::Good).await?;
    let connector = site.connector()?;
    let mut all = Vec::new();
    for (service, port) in nginx.ports {
        all.push(private(&connector, service, port).await?);
    }
    let [_, _, _, (_, imap), ..] = nginx.ports;
    // A port in clear text and one with TLS, confused with each other.
    let wrong = connect(&connector, Service::IMAPS, imap, |setup| setup).await?;
    let cause = wrong.err().map(|failure| failure.cause().clone());
    same(
        "TLS to a port in clear text",
        cause,
        Some(Cause::SpeaksClearText),
    )?;
    passed(all.join(", "))
}

// Cyrus

/// The place of Debian's Cyrus.
const CYRUS: &str = "/usr/lib/cyrus/bin";

fn cyrus_missing() -> Option<String> {
    if !Path::new(CYRUS).join("master").exists() {
        return Some("Cyrus is not installed: apt-get install cyrus-imapd cyrus-pop3d".to_owned());
    }
    needs_root("Cyrus")
}

async fn cyrus() -> Checked {
    let site = Site::new()?;
    let directory = directory()?;
    let path = directory.path();
    for name in [
        "config",
        "config/socket",
        "config/proc",
        "config/db",
        "spool",
        "run",
    ] {
        fs::create_dir(path.join(name))?;
    }
    write(&site.server(Shown::Good)?, path, "server");
    let [imaps, imap, pop3s] = ports()?;
    let shown = path.display();
    fs::write(
        path.join("imapd.conf"),
        format!(
            "configdirectory: {shown}/config\ndefaultpartition: default\npartition-default: {shown}/spool\n\
             tls_server_cert: {shown}/server.pem\ntls_server_key: {shown}/server.key\ntls_session_timeout: 0\n\
             sasl_pwcheck_method: alwaystrue\nsasl_mech_list: PLAIN\nallowplaintext: no\nsyslog_prefix: cyrus\n\
             servername: mail.example.test\n"
        ),
    )?;
    fs::write(
        path.join("cyrus.conf"),
        format!(
            "START {{\n recover cmd=\"{CYRUS}/ctl_cyrusdb -C {shown}/imapd.conf -r\"\n}}\nSERVICES {{\n\
             imaps cmd=\"{CYRUS}/imapd -C {shown}/imapd.conf -s\" listen=\"127.0.0.1:{imaps}\" prefork=0\n\
             imap cmd=\"{CYRUS}/imapd -C {shown}/imapd.conf\" listen=\"127.0.0.1:{imap}\" prefork=0\n\
             pop3s cmd=\"{CYRUS}/pop3d -C {shown}/imapd.conf -s\" listen=\"127.0.0.1:{pop3s}\" prefork=0\n}}\n\
             EVENTS {{\n}}\n"
        ),
    )?;
    Command::new("chown")
        .args(["-R", "cyrus:mail"])
        .arg(path)
        .status()?;
    let mut command = Command::new(Path::new(CYRUS).join("master"));
    command
        .arg("-C")
        .arg(path.join("imapd.conf"))
        .arg("-M")
        .arg(path.join("cyrus.conf"));
    command.arg("-p").arg(path.join("run/master.pid")).arg("-D");
    let _process = Process::start(directory, "log", &mut command, &[imaps, imap, pop3s]).await?;
    let connector = site.connector()?;
    let mut all = Vec::new();
    for (service, port) in [
        (Service::IMAPS, imaps),
        (Service::IMAP_STARTTLS, imap),
        (Service::POP3S, pop3s),
    ] {
        all.push(private(&connector, service, port).await?);
    }
    passed(all.join(", "))
}

// Courier

/// The place of Debian's Courier.
const COURIER: &str = "/usr/lib/courier/courier";

fn courier_missing() -> Option<String> {
    let needed = [
        Path::new(COURIER).join("imaplogin"),
        "/usr/sbin/couriertcpd".into(),
        "/usr/bin/couriertls".into(),
    ];
    if !needed.iter().all(|program| program.exists()) {
        return Some(
            "Courier is not installed: apt-get install courier-imap courier-pop".to_owned(),
        );
    }
    needs_root("Courier")
}

async fn courier() -> Checked {
    let site = Site::new()?;
    let directory = directory()?;
    let path = directory.path();
    let identity = site.server(Shown::Good)?;
    fs::write(path.join("both.pem"), identity.key_pem() + identity.pem())?;
    fs::set_permissions(path.join("both.pem"), fs::Permissions::from_mode(0o644))?;
    let [imaps, pop3s] = ports()?;
    let mut all = Vec::new();
    let mut running = Vec::new();
    for (service, port, login) in [
        (Service::IMAPS, imaps, "imaplogin"),
        (Service::POP3S, pop3s, "courierpop3login"),
    ] {
        let program = Path::new(COURIER).join(login);
        if !program.exists() {
            continue;
        }
        let own = self::directory()?;
        let mut command = Command::new("/usr/sbin/couriertcpd");
        command.args(["-address=127.0.0.1", "-nodnslookup", "-noidentlookup"]);
        command
            .arg(format!("-pid={}", own.path().join("pid").display()))
            .arg(port.to_string());
        command
            .args(["/usr/bin/couriertls", "-server", "-tcpd", "-user=courier"])
            .arg(&program)
            .arg("/bin/false")
            .arg("Maildir");
        command
            .env_clear()
            .env("TLS_CERTFILE", path.join("both.pem"))
            .env("IMAP_CAPABILITY", "IMAP4rev1 UIDPLUS")
            .env("IMAP_TLS", "1")
            .env("POP3_TLS", "1");
        command
            .env("IMAP_CAPABILITY_TLS", "IMAP4rev1 UIDPLUS AUTH=PLAIN")
            .env("TLS_VERIFYPEER", "NONE");
        command
            .env("POP3AUTH", "PLAIN")
            .env("POP3AUTH_TLS", "PLAIN");
        running.push(Process::start(own, "log", &mut command, &[port]).await?);
        all.push(private(&site.connector()?, service, port).await?);
    }
    passed(all.join(", "))
}
