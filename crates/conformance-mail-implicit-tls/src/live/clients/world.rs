//! Servers of all services on loopback, which keep notes, and a client that runs to its end.

use std::{
    fs, net::Ipv4Addr, os::unix::fs::PermissionsExt, path::PathBuf, sync::Arc, time::Duration,
};

use accept_loop::AcceptLoop;
use conformance::outcome::{Checked, Failure};
use mail_implicit_tls::{
    server::{AcceptError, Acceptor, MapCertificate},
    service::Service,
};
use rustls::{pki_types::CertificateDer, server::WebPkiClientVerifier};
use tempfile::TempDir;
use tokio::{net::TcpListener, process::Command, time::timeout};

use crate::live::{
    mailbox::{self, Notes},
    site::Site,
};

/// The time that a client may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// The identity of a certificate is its common name.
struct ByCommonName;

impl MapCertificate for ByCommonName {
    fn identity(&self, chain: &[CertificateDer<'_>]) -> Option<String> {
        let octets = chain.first()?;
        let has = |name: &[u8]| octets.windows(name.len()).any(|window| window == name);
        has(b"alice").then(|| "alice".to_owned())
    }
}

/// Servers of all services on loopback, and a directory for a client.
pub(super) struct World {
    pub(super) site: Site,
    pub(super) notes: Notes,
    pub(super) directory: TempDir,
    ports: Vec<(Service, u16)>,
}

impl World {
    pub(super) async fn new() -> Checked<Self> {
        let site = Site::new()?;
        let notes = Notes::default();
        let directory = tempfile::tempdir()?;
        fs::write(directory.path().join("ca.pem"), site.root_pem())?;
        let roots = Arc::new(site.roots()?);
        let clients =
            WebPkiClientVerifier::builder_with_provider(roots, site.provider()).build()?;
        let mut ports = Vec::new();
        for service in Service::ALL
            .into_iter()
            .filter(|service| service.uses_tls())
        {
            let acceptor = Acceptor::new(service, site.certificates()?, site.provider())?
                .with_name("mail.example.test")
                .with_client_certificates(clients.clone(), Arc::new(ByCommonName))?;
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            ports.push((service, listener.local_addr()?.port()));
            let (sessions, refusals) = (notes.clone(), notes.clone());
            tokio::spawn(async move {
                let handler = move |session| mailbox::serve(session, sessions.clone());
                let refused =
                    move |_, error: &AcceptError| refusals.add(format!("refused: {error}"));
                let accept_loop = AcceptLoop::new();
                acceptor
                    .serve_until(
                        listener,
                        &accept_loop,
                        handler,
                        refused,
                        std::future::pending(),
                    )
                    .await
            });
        }
        Ok(Self {
            site,
            notes,
            directory,
            ports,
        })
    }

    pub(super) fn port(&self, service: Service) -> u16 {
        let known = self.ports.iter().find(|(known, _)| *known == service);
        known.map_or(0, |(_, port)| *port)
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(super) fn authority(&self) -> String {
        self.path("ca.pem").display().to_string()
    }

    /// Writes a file that only its owner can read.
    pub(super) fn write(&self, name: &str, text: &str) -> Checked<PathBuf> {
        let path = self.path(name);
        fs::write(&path, text)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        Ok(path)
    }

    /// Runs a client to its end, with these octets as input, and returns its output.
    pub(super) async fn client(&self, command: &mut Command, input: &str) -> Checked<String> {
        let file = self.write("input", input)?;
        let command = command
            .current_dir(self.directory.path())
            .env("HOME", self.directory.path());
        let command = command.stdin(fs::File::open(file)?).kill_on_drop(true);
        let output = timeout(PATIENCE, command.output()).await??;
        let text =
            String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        match output.status.success() {
            true => Ok(text.into_owned()),
            false => Err(Failure::new(format!(
                "{}: {text}; {:?}",
                output.status,
                self.notes.take()
            ))),
        }
    }

    /// Checks that a client was served on a service, logged in this way, and was not refused.
    pub(super) fn served(&self, service: Service, login: &str) -> Checked<String> {
        let notes = self.notes.take();
        let record = notes
            .iter()
            .find(|note| note.starts_with(&format!("service={service} ")));
        let record =
            record.ok_or_else(|| Failure::new(format!("no session of {service}: {notes:?}")))?;
        if !record.contains(" tls=TLSv1.") || !record.contains(" cipher=TLS_") {
            return Err(Failure::new(format!("no cipher in {record}")));
        }
        if !login.is_empty() && !notes.iter().any(|note| note == login) {
            return Err(Failure::new(format!("no {login:?} in {notes:?}")));
        }
        let cipher = record.split(" cipher=").nth(1).unwrap_or_default();
        Ok(format!(
            "{service} {}",
            cipher.split(' ').next().unwrap_or_default()
        ))
    }
}
