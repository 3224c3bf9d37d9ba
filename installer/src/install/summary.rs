//! What an install did.

use crate::lockfile::{DepPath, Lockfile, name_and_version, package_key};
use crate::package::PackageId;
use crate::virtual_store::InstalledPackages;
use std::collections::{BTreeMap, BTreeSet};

/// What an install did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// What it changed in node_modules.
    pub changes: Changes,
    /// How many packages (not snapshots) are in node_modules.
    pub packages: usize,
    /// Packages that want to run a build script and were not allowed to, sorted.
    pub ignored_builds: Vec<String>,
    /// Whether only the lockfile was to be brought up to date, and node_modules left as it is.
    pub lockfile_only: bool,
    /// What was left over at the end.
    pub residue: Residue,
}

/// What an install changed in node_modules.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// How many snapshots are new under node_modules/.pnpm.
    pub added: usize,
    /// How many snapshots are gone from there.
    pub removed: usize,
    /// The direct dependencies that came, went or changed their version; sorted.
    pub direct: Vec<DirectChange>,
}

/// A direct dependency that came or went. One whose version changed did both.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DirectChange {
    /// The field of package.json that names it, or did.
    pub kind: &'static str,
    /// Its name under node_modules.
    pub name: String,
    /// Whether it came or went.
    pub change: Change,
    /// Its version.
    pub version: String,
}

/// Whether something came or went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// It is gone.
    Removed,
    /// It is new.
    Added,
}

/// What an install left over; all zero unless there is a bug.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Residue {
    /// Slots of the coordination that are still in progress.
    pub slots_in_progress: usize,
    /// Network permits that did not come back.
    pub permits_in_use: usize,
}

impl Changes {
    /// Whether node_modules is as it was.
    pub fn is_empty(&self) -> bool {
        self.added == 0 && self.removed == 0 && self.direct.is_empty()
    }
}

impl DirectChange {
    /// Compares what node_modules offered to the project with what it offers now; `lockfiles` say which field of
    /// package.json a name belongs to, the first that knows it decides.
    pub(super) fn between(
        before: &BTreeMap<String, PackageId>,
        now: &BTreeMap<String, DepPath>,
        lockfiles: &[Option<&Lockfile>],
    ) -> Vec<Self> {
        let package = |(name, dep_path): (&String, &DepPath)| {
            let (real_name, version) = name_and_version(dep_path)?;
            Some((name.clone(), PackageId::new(real_name, version)))
        };
        let now: BTreeMap<String, PackageId> = now.iter().filter_map(package).collect();
        let kind_of = |name: &str| lockfiles.iter().flatten().find_map(|lockfile| kind_in(lockfile, name));
        let only_in = |these: &BTreeMap<String, PackageId>, others: &BTreeMap<String, PackageId>, change| -> Vec<_> {
            let is_same = |package: &PackageId, other: &PackageId| {
                package.name == other.name && in_directory(&package.version) == in_directory(&other.version)
            };
            let different =
                these.iter().filter(|(name, package)| !others.get(*name).is_some_and(|other| is_same(package, other)));
            let direct_change = |(name, package): (&String, &PackageId)| DirectChange {
                kind: kind_of(name).unwrap_or("dependencies"),
                name: name.clone(),
                change,
                version: package.version.clone(),
            };
            different.map(direct_change).collect()
        };
        let mut changes = only_in(before, &now, Change::Removed);
        changes.extend(only_in(&now, before, Change::Added));
        changes.sort();
        changes
    }
}

/// A version as it is in the name of a directory, see `dep_path_to_filename`: no other is known of what was there.
fn in_directory(version: &str) -> String {
    version.replace([':', '/'], "+")
}

/// The field of package.json that a lockfile has this name from.
fn kind_in(lockfile: &Lockfile, name: &str) -> Option<&'static str> {
    let importer = lockfile.importers.get(".")?;
    let kinds = [
        ("dependencies", &importer.dependencies),
        ("devDependencies", &importer.dev_dependencies),
        ("optionalDependencies", &importer.optional_dependencies),
    ];
    kinds.into_iter().find(|(_, dependencies)| dependencies.contains_key(name)).map(|(kind, _)| kind)
}

impl Summary {
    pub(super) fn new(packages: &InstalledPackages, changes: Changes, ignored_builds: &BTreeSet<DepPath>) -> Self {
        let names: BTreeSet<&str> = packages.keys().map(|dep_path| package_key(dep_path)).collect();
        let ignored_builds: BTreeSet<String> =
            ignored_builds.iter().map(|dep_path| package_key(dep_path).to_owned()).collect();
        Summary {
            changes,
            packages: names.len(),
            ignored_builds: ignored_builds.into_iter().collect(),
            ..Summary::default()
        }
    }

    pub(super) fn of_lockfile(lockfile: &Lockfile) -> Self {
        Summary { packages: lockfile.packages.len(), lockfile_only: true, ..Summary::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_version_goes_and_comes() {
        let before = [("a", "1.0.0"), ("b", "1.0.0"), ("dir", "file+..+dir"), ("gone", "1.0.0")];
        let before = before.map(|(name, version)| (name.to_owned(), PackageId::new(name, version))).into();
        let now = [("a", "a@1.0.0"), ("b", "b@2.0.0(a@1.0.0)"), ("dir", "dir@file:../dir"), ("new", "real@3.0.0")];
        let now = now.map(|(name, dep_path)| (name.to_owned(), dep_path.to_owned())).into();
        let changes = DirectChange::between(&before, &now, &[None]);
        let shown =
            changes.iter().map(|DirectChange { name, change, version, .. }| (name.as_str(), *change, version.as_str()));
        assert_eq!(
            shown.collect::<Vec<_>>(),
            [
                ("b", Change::Removed, "1.0.0"),
                ("b", Change::Added, "2.0.0"),
                ("gone", Change::Removed, "1.0.0"),
                ("new", Change::Added, "3.0.0"),
            ]
        );
    }
}
