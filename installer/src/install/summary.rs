//! What an install did.

use super::InstallOptions;
use crate::lockfile::Lockfile;
use crate::virtual_store::InstalledPackages;
use std::collections::BTreeSet;

/// What an install did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Direct dependencies under node_modules: name and version.
    pub direct: Vec<DirectSummary>,
    /// How many packages (not snapshots) are in node_modules.
    pub packages: usize,
    /// Packages that want to run a build script and were not allowed to, sorted.
    pub ignored_builds: Vec<String>,
    /// What was left over at the end.
    pub residue: Residue,
}

/// One direct dependency.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DirectSummary {
    /// The field of package.json that names it.
    pub kind: &'static str,
    /// Its name under node_modules.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// What an install left over; all zero unless there is a bug.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Residue {
    /// Slots of the coordination that are still in progress.
    pub slots_in_progress: usize,
    /// Network permits that did not come back.
    pub permits_in_use: usize,
}

impl Summary {
    pub(super) fn new(lockfile: &Lockfile, packages: &InstalledPackages, options: &InstallOptions) -> Self {
        let names: BTreeSet<&str> = packages.keys().map(|dep_path| crate::lockfile::package_key(dep_path)).collect();
        let mut ignored_builds = BTreeSet::new();
        if !options.ignore_scripts {
            let building = packages.iter().filter(|(_, row)| row.manifest.has_build_script);
            ignored_builds.extend(building.map(|(dep_path, _)| crate::lockfile::package_key(dep_path).to_owned()));
        }
        Summary {
            direct: direct(lockfile, packages, options),
            packages: names.len(),
            ignored_builds: ignored_builds.into_iter().collect(),
            residue: Residue::default(),
        }
    }
}

fn direct(lockfile: &Lockfile, packages: &InstalledPackages, options: &InstallOptions) -> Vec<DirectSummary> {
    let Some(importer) = lockfile.importers.get(".") else { return Vec::new() };
    let kinds = [
        ("dependencies", options.include.prod, &importer.dependencies),
        ("devDependencies", options.include.dev, &importer.dev_dependencies),
        ("optionalDependencies", options.include.optional, &importer.optional_dependencies),
    ];
    let mut direct = Vec::new();
    for (kind, included, dependencies) in kinds {
        for (name, dependency) in dependencies.iter().filter(|_| included) {
            let dep_path = crate::lockfile::dep_path_of(name, &dependency.version);
            if !packages.contains_key(&dep_path) {
                continue;
            }
            let version = crate::lockfile::name_and_version(&dep_path).map_or("", |(_, version)| version);
            direct.push(DirectSummary { kind, name: name.clone(), version: version.to_owned() });
        }
    }
    direct
}
