//! nginx with its mail proxy on loopback.

use std::{fs, path::Path, process::Command};

use tempfile::TempDir;

use crate::{
    outcome::{Checked, Failure},
    process::{Server, installed, is_root},
};

/// Debian's path of the mail proxy, if it is not compiled into the program.
const MODULE: &str = "/usr/lib/nginx/modules/ngx_mail_module.so";

/// Returns the reason for which nginx cannot run, if there is one.
#[must_use]
pub fn missing() -> Option<String> {
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

/// Starts an nginx in a directory with these blocks of configuration (`mail`, `http`), and waits until it listens on
/// the ports.
///
/// # Errors
/// Returns an error if nginx is not installed, or if it does not listen in time.
pub async fn start(directory: TempDir, blocks: &str, ports: &[u16]) -> Checked<Server> {
    let program = installed("nginx").ok_or_else(|| Failure::new("no nginx"))?;
    let module = match Path::new(MODULE).exists() {
        true => format!("load_module {MODULE};\n"),
        false => String::new(),
    };
    // Root's nginx gives up its rights, to whom its builder said.
    let user = match is_root()? {
        true => "user nobody nogroup;\n",
        false => "",
    };
    let path = directory.path().display();
    let configuration = format!(
        "{module}{user}worker_processes 1;\ndaemon off;\npid {path}/pid;\nerror_log {path}/log info;\n\
         events {{ worker_connections 64; }}\n{blocks}"
    );
    let file = directory.path().join("nginx.conf");
    fs::write(&file, configuration)?;
    let mut command = Command::new(program);
    command.arg("-e").arg(directory.path().join("log"));
    command.arg("-p").arg(directory.path());
    command.arg("-c").arg(&file);
    Server::start(directory, "log", &mut command, ports).await
}
