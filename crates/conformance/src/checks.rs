//! Checks of a protocol's evidence, which the tests of each protocol call.

#[cfg(feature = "schemas")]
mod schemas;

use crate::{
    generator::known_answers,
    protocol::Protocol,
    root::repository,
    run::{Options, run},
    scenario::{LiveRun, LiveVerdict},
};

#[cfg(feature = "schemas")]
pub use schemas::{report_schema, schemas};

/// Runs the vectors of a protocol. `files` are the names of its files, with the number of cases of each.
///
/// # Errors
/// Returns the table of the run if a case did not pass, or the files and their cases if they are not these.
pub fn cases(protocol: &Protocol, files: &[(&str, usize)]) -> Result<(), String> {
    let root = repository();
    let options = Options::own_vectors(root.clone());
    let report = run(&options, &[*protocol], |_| ()).map_err(|error| error.to_string())?;
    if !report.passed {
        return Err(report.table(80));
    }
    let folder = protocol.folder(&root);
    let folder = folder.strip_prefix(&root).unwrap_or(&folder);
    let file = |name: &str| folder.join("vectors").join(name).display().to_string();
    let expected: Vec<_> = files
        .iter()
        .map(|(name, cases)| (file(name), *cases))
        .collect();
    let ran = report.suites.iter();
    let ran: Vec<_> = ran.map(|it| (it.file.clone(), it.cases.len())).collect();
    if ran == expected {
        Ok(())
    } else {
        Err(format!("{ran:?}, not {expected:?}"))
    }
}

/// Generates the vectors of a protocol again, and compares them with the committed files.
///
/// # Errors
/// Returns the outcomes of the generators that differ or fail, or what is missing for them to run.
pub fn generators(protocol: &Protocol) -> Result<(), String> {
    let outcomes = known_answers(&repository(), protocol).map_err(|missing| missing.to_string())?;
    if outcomes.is_empty() {
        return Err("no generator".into());
    }
    let failed: Vec<_> = outcomes.iter().filter(|it| !it.status.success()).collect();
    if failed.is_empty() {
        Ok(())
    } else {
        Err(format!("{failed:?}"))
    }
}

/// Runs the live scenarios of a protocol with our own code on both sides.
///
/// # Errors
/// Returns the table of the run if a scenario did not pass.
pub fn scenarios(protocol: &Protocol) -> Result<(), String> {
    let root = repository();
    let ours = protocol.scenarios().filter(|it| it.peer.is_none());
    let run = LiveRun::new(ours.map(|it| it.report(&root)).collect(), None);
    match run.verdict {
        LiveVerdict::Passed => Ok(()),
        _ => Err(run.table(80)),
    }
}
