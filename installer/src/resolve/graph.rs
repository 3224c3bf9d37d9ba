//! The packages of a resolution, each version once, and what each depends on; peers are not part of it yet.

use super::foreign::OpenedPackage;
use super::packument::VersionManifest;
use crate::lockfile::LockedPackage;
use deno_semver::Version;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A package's place in [`Graph::packages`].
pub(super) type PackageIndex = usize;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Graph {
    pub packages: Vec<GraphPackage>,
    by_key: BTreeMap<String, PackageIndex>,
    /// The versions of each package that are in the graph.
    pub versions: BTreeMap<String, BTreeSet<Version>>,
}

/// One version of a package.
#[derive(Debug)]
pub(super) struct GraphPackage {
    /// What the lockfile calls it: `name@version`, or `name@reference` where no registry has it.
    pub key: String,
    pub name: String,
    pub version: Version,
    pub manifest: Arc<VersionManifest>,
    /// What the lockfile says of it, where no registry has it.
    pub foreign: Option<LockedPackage>,
    /// Name under node_modules → package.
    pub dependencies: BTreeMap<String, PackageIndex>,
}

impl Graph {
    /// The place of a package, and whether it is new.
    pub fn add(&mut self, name: &str, version: &Version, manifest: Arc<VersionManifest>) -> (PackageIndex, bool) {
        self.insert(GraphPackage {
            key: format!("{name}@{version}"),
            name: name.to_owned(),
            version: version.clone(),
            manifest,
            foreign: None,
            dependencies: BTreeMap::new(),
        })
    }

    /// As [`add`](Self::add), for a package that no registry has.
    pub fn add_foreign(&mut self, package: &OpenedPackage, manifest: Arc<VersionManifest>) -> (PackageIndex, bool) {
        self.insert(GraphPackage {
            key: package.key.clone(),
            name: package.name.clone(),
            version: package.version.clone(),
            manifest,
            foreign: Some(package.locked.clone()),
            dependencies: BTreeMap::new(),
        })
    }

    fn insert(&mut self, package: GraphPackage) -> (PackageIndex, bool) {
        if let Some(known) = self.by_key.get(&package.key) {
            return (*known, false);
        }
        let index = self.packages.len();
        self.by_key.insert(package.key.clone(), index);
        self.versions.entry(package.name.clone()).or_default().insert(package.version.clone());
        self.packages.push(package);
        (index, true)
    }
}
