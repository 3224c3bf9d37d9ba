//! What the previous lockfile chose for each dependency, where it still has that.

use super::specifier::target_of;
use crate::lockfile::{Lockfile, Snapshot, dep_path_of, name_and_version, package_key};
use deno_semver::{Version, VersionReq};
use std::collections::BTreeMap;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Locked<'a> {
    previous: Option<&'a Lockfile>,
    /// By their package keys.
    snapshots: BTreeMap<&'a str, &'a Snapshot>,
}

impl<'a> Locked<'a> {
    pub fn new(previous: Option<&'a Lockfile>) -> Self {
        let snapshots = previous.into_iter().flat_map(|lockfile| &lockfile.snapshots);
        Locked {
            previous,
            snapshots: snapshots.map(|(dep_path, snapshot)| (package_key(dep_path), snapshot)).collect(),
        }
    }

    /// The version that a project's dependency had, where what it asks for now allows it.
    pub fn of_project(&self, importer: &str, alias: &str, specifier: &str) -> Option<Version> {
        let importer = self.previous?.importers.get(importer)?;
        let maps = [&importer.dependencies, &importer.dev_dependencies, &importer.optional_dependencies];
        let locked = maps.into_iter().find_map(|map| map.get(alias))?;
        self.version(alias, &locked.version, specifier, locked.specifier == specifier)
    }

    /// The same for a package's dependency.
    pub fn of_package(&self, key: &str, alias: &str, specifier: &str) -> Option<Version> {
        let snapshot = self.snapshots.get(key)?;
        let reference = snapshot.dependencies.get(alias).or_else(|| snapshot.optional_dependencies.get(alias))?;
        self.version(alias, reference, specifier, true)
    }

    fn version(&self, alias: &str, reference: &str, specifier: &str, is_same: bool) -> Option<Version> {
        let dep_path = dep_path_of(alias, reference);
        let key = package_key(&dep_path);
        let (name, version) = name_and_version(key)?;
        let (wanted, range) = target_of(alias, specifier)?;
        let range = VersionReq::parse_from_npm(range).ok()?;
        let version = Version::parse_from_npm(version).ok()?;
        // A tag says nothing of a version, except that it was behind it.
        let fits = if range.tag().is_some() { is_same } else { range.matches(&version) };
        (name == wanted && fits && self.previous?.packages.contains_key(key)).then_some(version)
    }
}
