//! The Rust version that a crate of the workspace states is enough for every feature: no dependency that a feature
//! brings, directly or through others, states a higher one. Dependencies of tests do not count.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    path::Path,
};

use cargo_metadata::{
    Dependency, DependencyKind, Metadata, MetadataCommand, Package, PackageId, semver::Version,
};
use conformance::repository;

/// The name under which the dependencies of a crate without features are reported.
const NO_FEATURE: &str = "(none)";

#[test]
fn states_a_rust_version_that_is_enough_for_every_feature() {
    let metadata = metadata(&repository().join("Cargo.toml"));
    let graph = Graph::new(&metadata);
    let members = metadata.workspace_members.iter();
    let newer: Vec<_> = members.flat_map(|id| graph.newer(id)).collect();
    assert_eq!(newer, Vec::<String>::new());
}

/// One feature brings hickory. Did that need more than the crates state, the feature would be found, and no other.
#[test]
fn names_the_crate_feature_and_dependency_that_need_a_newer_rust() {
    let mut metadata = metadata(&repository().join("Cargo.toml"));
    let newer = Version::new(1, 999, 0);
    for package in &mut metadata.packages {
        if *package.name == "hickory-resolver" {
            package.rust_version = Some(newer.clone());
        }
    }
    let find = |name: &str| metadata.packages.iter().find(|it| *it.name == name);
    let expected = format!(
        "mail-implicit-tls 1.88.0, feature hickory: hickory-resolver {} needs Rust {newer}",
        find("hickory-resolver").unwrap().version
    );
    let id = &find("mail-implicit-tls").unwrap().id;
    assert_eq!(Graph::new(&metadata).newer(id), [expected]);
}

fn metadata(manifest: &Path) -> Metadata {
    let mut command = MetadataCommand::new();
    command.manifest_path(manifest);
    command.other_options(["--locked", "--all-features"].map(str::to_owned));
    if let Some(cargo) = env::var_os("CARGO") {
        command.cargo_path(cargo);
    }
    command.exec().unwrap()
}

/// Packages and the packages that their dependencies were resolved to, with all features.
struct Graph<'a> {
    packages: BTreeMap<&'a PackageId, &'a Package>,
    resolved: BTreeMap<&'a PackageId, Vec<&'a PackageId>>,
}

/// The packages and features that one feature of a crate brings.
#[derive(Default)]
struct Closure<'a> {
    packages: BTreeSet<&'a PackageId>,
    features: BTreeSet<(&'a PackageId, String)>,
}

impl<'a> Graph<'a> {
    fn new(metadata: &'a Metadata) -> Self {
        let nodes = &metadata.resolve.as_ref().unwrap().nodes;
        Self {
            packages: metadata.packages.iter().map(|it| (&it.id, it)).collect(),
            resolved: nodes
                .iter()
                .map(|node| (&node.id, node.deps.iter().map(|it| &it.pkg).collect()))
                .collect(),
        }
    }

    /// Returns the package of a dependency; `None` if it is resolved for no target.
    fn package_of(&self, package: &PackageId, dependency: &Dependency) -> Option<&'a PackageId> {
        let candidates = self.resolved.get(package)?;
        candidates.iter().copied().find(|id| {
            let found = self.packages[id];
            *found.name == dependency.name && dependency.req.matches(&found.version)
        })
    }

    /// Adds a package, and what it always depends on.
    fn add_package(&self, id: &'a PackageId, closure: &mut Closure<'a>) {
        if !closure.packages.insert(id) {
            return;
        }
        for dependency in normal_dependencies(self.packages[id]) {
            if !dependency.optional {
                self.add_dependency(id, dependency, closure);
            }
        }
    }

    fn add_dependency(
        &self,
        package: &PackageId,
        dependency: &Dependency,
        closure: &mut Closure<'a>,
    ) {
        let Some(id) = self.package_of(package, dependency) else {
            return;
        };
        self.add_package(id, closure);
        if dependency.uses_default_features {
            self.add_feature(id, "default", closure);
        }
        for feature in &dependency.features {
            self.add_feature(id, feature, closure);
        }
    }

    /// Adds a feature of a package. `a?/b` counts as `a/b`: in some combination of features `a` is there.
    fn add_feature(&self, id: &'a PackageId, feature: &str, closure: &mut Closure<'a>) {
        if !closure.features.insert((id, feature.to_owned())) {
            return;
        }
        let package = self.packages[id];
        for value in package.features.get(feature).into_iter().flatten() {
            if let Some(name) = value.strip_prefix("dep:") {
                for dependency in named(package, name) {
                    self.add_dependency(id, dependency, closure);
                }
            } else if let Some((name, feature)) = value.split_once('/') {
                for dependency in named(package, name.trim_end_matches('?')) {
                    self.add_dependency(id, dependency, closure);
                    if let Some(of) = self.package_of(id, dependency) {
                        self.add_feature(of, feature, closure);
                    }
                }
            } else {
                self.add_feature(id, value, closure);
            }
        }
    }

    /// Returns the dependencies of a crate that need a newer Rust than it states, as `CRATE FEATURE: DEPENDENCY`.
    fn newer(&self, id: &'a PackageId) -> Vec<String> {
        let package = self.packages[id];
        let stated = package.rust_version.as_ref().unwrap();
        let features = package.features.keys().map(|name| Some(name.as_str()));
        let mut newer = Vec::new();
        for feature in features.chain([None]) {
            let mut closure = Closure::default();
            self.add_package(id, &mut closure);
            if let Some(feature) = feature {
                self.add_feature(id, feature, &mut closure);
            }
            for dependency in closure.packages.iter().map(|id| self.packages[id]) {
                let needed = dependency.rust_version.as_ref();
                if let Some(needed) = needed.filter(|needed| is_newer(needed, stated)) {
                    newer.push(format!(
                        "{} {stated}, feature {}: {} {} needs Rust {needed}",
                        package.name,
                        feature.unwrap_or(NO_FEATURE),
                        dependency.name,
                        dependency.version,
                    ));
                }
            }
        }
        newer
    }
}

fn normal_dependencies(package: &Package) -> impl Iterator<Item = &Dependency> {
    let dependencies = package.dependencies.iter();
    dependencies.filter(|it| it.kind != DependencyKind::Development)
}

/// Returns the dependencies that a crate calls so: one, or one for each kind and target.
fn named<'p>(package: &'p Package, name: &str) -> impl Iterator<Item = &'p Dependency> {
    normal_dependencies(package)
        .filter(move |it| it.rename.as_deref().unwrap_or(it.name.as_str()) == name)
}

fn is_newer(needed: &Version, stated: &Version) -> bool {
    (needed.major, needed.minor) > (stated.major, stated.minor)
}
