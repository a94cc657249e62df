//! `mail-tls gateway --check`: prints what the configuration leaves open, connects to the backends, and prints what clients
//! would be offered.

use mail_implicit_tls::gateway::Probed;

use super::plan::{Plan, Process};

/// Prints the findings in a configuration that is valid. Returns `true` if each certificate can be served.
pub(super) fn configuration(plan: &Plan) -> bool {
    println!("the configuration is valid");
    let (faults, _) = plan.certificates.health();
    for fault in &faults {
        println!("certificate: failed: {fault}");
    }
    for warning in &plan.warnings {
        println!("warning: {warning}");
    }
    faults.is_empty()
}

/// Prints the findings about the backends and the database of reports. Returns `true` if each of them can be used.
pub(super) async fn backends(plan: &Plan, process: &Process) -> bool {
    let connector = plan.connector(process);
    let mut is_good = true;
    for planned in &plan.services {
        let service = planned.acceptor.service();
        let name = service.name();
        for backend in planned.backends.all() {
            let probed = backend
                .probe(&connector, &planned.options, service, plan.times.connect)
                .await;
            match probed {
                Ok(probed) => print(&format!("{name}: {backend}"), &probed),
                Err(failure) => {
                    is_good = false;
                    println!("{name}: {backend}: failed: {failure}");
                }
            }
        }
    }
    if let Some(database) = &plan.reports
        && let Some(probed) = database.probe().await
    {
        match probed {
            Ok(()) => println!("reports: the database can be used"),
            Err(error) => {
                is_good = false;
                println!("reports: failed: {error}");
            }
        }
    }
    is_good
}

fn print(backend: &str, probed: &Probed) {
    println!("{backend}: clients would be offered");
    for line in &probed.offered {
        println!("  {line}");
    }
    if !probed.plus.is_empty() {
        println!(
            "warning: {backend}: {} removed, since channel binding does not pass a gateway; turn it off at the backend: \
             a client that supports it refuses a server that supports it and does not offer it (RFC 5802 section 6)",
            probed.plus.join(" ")
        );
    }
    if !probed.has_login {
        println!("warning: {backend}: no way to log in is offered");
    }
}
