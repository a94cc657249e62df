//! Runs tests, several executables at a time, and says which passed.

mod executables;
mod libtest;
mod outcomes;
mod record;
mod sources;

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::Path,
};

use cargo_metadata::{Metadata, MetadataCommand};

pub use self::outcomes::{Origin, TestFailure, TestOutcome, TestRun};
use self::{
    executables::{run_binaries, test_binaries},
    outcomes::PackageRun,
    record::{PackageRecord, Record},
    sources::Sources,
};
use crate::{
    cargo::cargo,
    selection::{Selection, arguments, examples, targets},
    step::Step,
};

/// Runs unit and integration tests with all features of their crates, and records the outcomes.
///
/// One call of cargo builds them, and the executables are run without cargo, several at a time, those first that took
/// longest when they were last recorded.
///
/// # Errors
/// Returns an error when a command cannot be started. A test that fails or does not compile is an outcome.
pub fn run_tests(
    root: &Path,
    selection: &Selection,
    mut progress: impl FnMut(Step<'_>),
) -> io::Result<TestRun> {
    progress(Step::Building("the tests"));
    let workspace = workspace(root)?;
    // A change while the tests are built or run is not recorded as tested.
    let sources = Sources::read(root, &workspace)?;
    let mut run = TestRun::default();
    let mut command = vec!["test".to_owned(), "--no-run".to_owned()];
    let chosen = match selection {
        Selection::All => {
            command.push("--workspace".to_owned());
            None
        }
        Selection::Named(named) => {
            let chosen = targets(&workspace, named)?;
            command.extend(arguments(&chosen));
            let packages = chosen.iter().map(|it| &it.package);
            run.left_out = without(&workspace, &packages.collect());
            let examples = examples(&workspace, &chosen);
            if !examples.is_empty()
                && test_binaries(root, &examples, &mut run, &mut progress)?.is_none()
            {
                return Ok(run);
            }
            Some(chosen)
        }
    };
    if chosen.as_ref().is_some_and(BTreeSet::is_empty) {
        return Ok(run);
    }
    command.push("--all-features".to_owned());
    let Some(mut binaries) = test_binaries(root, &command, &mut run, &mut progress)? else {
        return Ok(run);
    };
    binaries.retain(|it| chosen.as_ref().is_none_or(|them| them.contains(&it.target)));
    progress(Step::Executables(binaries.len()));
    run_binaries(
        &binaries,
        &Record::load(root).millis,
        &mut run,
        &mut progress,
    )?;
    Record::update(root, records(&run, &sources), run.millis.clone())?;
    Ok(run)
}

/// Returns the outcomes of these tests as they were last recorded. Those of crates that have changed do not count.
///
/// # Errors
/// Returns an error when cargo cannot be started or a file of a crate cannot be read.
pub fn recorded_tests(
    root: &Path,
    named: &BTreeMap<String, BTreeSet<String>>,
) -> io::Result<TestRun> {
    let workspace = workspace(root)?;
    let sources = Sources::read(root, &workspace)?;
    let record = Record::load(root);
    let mut run = TestRun {
        left_out: without(&workspace, &named.keys().collect()),
        recorded: true,
        ..TestRun::default()
    };
    for package in named.keys() {
        let origin = match record.packages.get(package) {
            None => Origin::NotRecorded,
            Some(known) if known.sources != sources.of(package) => {
                Origin::Changed(known.commit.clone())
            }
            Some(known) => {
                let known = PackageRun {
                    origin: Origin::Recorded(known.commit.clone()),
                    executables: known.executables,
                    tests: known.tests.clone(),
                    failures: known.failures.clone(),
                };
                run.packages.insert(package.clone(), known);
                continue;
            }
        };
        run.packages.insert(package.clone(), origin.into());
    }
    Ok(run)
}

/// Returns the packages of the workspace, without their dependencies.
fn workspace(root: &Path) -> io::Result<Metadata> {
    let mut metadata = MetadataCommand::new();
    metadata.no_deps();
    let mut command = cargo(root);
    command.args(metadata.cargo_command().get_args());
    let output = command.output()?;
    if !output.status.success() {
        return Err(io::Error::other(String::from_utf8_lossy(&output.stderr)));
    }
    MetadataCommand::parse(String::from_utf8_lossy(&output.stdout)).map_err(io::Error::other)
}

fn without(workspace: &Metadata, packages: &BTreeSet<&String>) -> BTreeSet<String> {
    let names = workspace.packages.iter().map(|it| it.name.to_string());
    names.filter(|name| !packages.contains(name)).collect()
}

/// Returns what is kept of a run.
fn records(run: &TestRun, sources: &Sources) -> BTreeMap<String, PackageRecord> {
    let record = |(package, run): (&String, &PackageRun)| {
        let record = PackageRecord {
            commit: sources.commit.clone(),
            sources: sources.of(package).to_owned(),
            executables: run.executables,
            tests: run.tests.clone(),
            failures: run.failures.clone(),
        };
        (package.clone(), record)
    };
    run.packages.iter().map(record).collect()
}
