//! `mail-tls gateway --check`: prints what the configuration leaves open, connects to the backends, and prints what clients
//! would be offered.

use std::{fmt, io};

use command_support::output;
use mail_implicit_tls::gateway::Probed;

use super::plan::{Plan, Process};

/// Prints the findings in a configuration that is valid.
///
/// # Errors
/// Returns the error of standard output.
pub(super) fn configuration(plan: &Plan) -> io::Result<()> {
    line("the configuration is valid")?;
    for fault in plan.certificates.health().0 {
        line(format_args!("warning: certificate: {fault}"))?;
    }
    for warning in &plan.warnings {
        line(format_args!("warning: {warning}"))?;
    }
    Ok(())
}

/// Prints the findings about the backends and the database of reports. Returns `true` if each of them can be used, and each
/// certificate.
///
/// # Errors
/// Returns the error of standard output.
pub(super) async fn backends(plan: &Plan, process: &Process) -> io::Result<bool> {
    let connector = plan.connector(process);
    let mut is_good = plan.certificates.health().0.is_empty();
    for planned in &plan.services {
        let service = planned.acceptor.service();
        let name = service.name();
        for backend in planned.backends.all() {
            let probed = backend
                .probe(&connector, &planned.options, service, plan.times.connect)
                .await;
            match probed {
                Ok(probed) => print(&format!("{name}: {backend}"), &probed)?,
                Err(failure) => {
                    is_good = false;
                    line(format_args!("{name}: {backend}: failed: {failure}"))?;
                }
            }
        }
    }
    if let Some(database) = &plan.reports
        && let Some(probed) = database.probe().await
    {
        match probed {
            Ok(()) => line("reports: the database can be used")?,
            Err(error) => {
                is_good = false;
                line(format_args!("reports: failed: {error}"))?;
            }
        }
    }
    Ok(is_good)
}

/// Prints a line at once: the next backend may take its time.
fn line(text: impl fmt::Display) -> io::Result<()> {
    output::print(format!("{text}\n"))
}

fn print(backend: &str, probed: &Probed) -> io::Result<()> {
    line(format_args!("{backend}: clients would be offered"))?;
    for offered in &probed.offered {
        line(format_args!("  {offered}"))?;
    }
    if !probed.plus.is_empty() {
        line(format_args!(
            "warning: {backend}: {} removed, since channel binding does not pass a gateway; turn it off at the backend: \
             a client that supports it refuses a server that supports it and does not offer it (RFC 5802 section 6)",
            probed.plus.join(" ")
        ))?;
    }
    if !probed.has_login {
        line(format_args!(
            "warning: {backend}: no way to log in is offered"
        ))?;
    }
    Ok(())
}
