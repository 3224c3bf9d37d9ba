//! The packages of a resolution, each version once, and what each depends on; peers are not part of it yet.

use super::foreign::OpenedPackage;
use super::linked::{is_directory, reference_to_directory};
use super::packument::VersionManifest;
use super::roots::LinkedRoot;
use crate::lockfile::LockedPackage;
use crate::workspace::ImporterId;
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
    /// What the lockfile calls it: `name@version`, `name@reference` where no registry has it, `link:path` for a directory that
    /// is used where it is.
    pub key: String,
    pub name: String,
    pub version: Version,
    pub manifest: Arc<VersionManifest>,
    /// What the lockfile says of it, where no registry has it.
    pub foreign: Option<LockedPackage>,
    /// The project that it was first met below.
    pub owner: ImporterId,
    /// Name under node_modules → package.
    pub dependencies: BTreeMap<String, PackageIndex>,
}

impl GraphPackage {
    /// Whether it is a directory that is used where it is.
    pub fn is_linked(&self) -> bool {
        is_directory(&self.key)
    }
}

impl Graph {
    /// The place of a package, and whether it is new.
    pub fn add(
        &mut self,
        name: &str,
        version: &Version,
        manifest: Arc<VersionManifest>,
        importer: &str,
    ) -> (PackageIndex, bool) {
        self.insert(GraphPackage {
            key: format!("{name}@{version}"),
            name: name.to_owned(),
            version: version.clone(),
            manifest,
            foreign: None,
            owner: importer.to_owned(),
            dependencies: BTreeMap::new(),
        })
    }

    /// As [`add`](Self::add), for a package that no registry has.
    pub fn add_foreign(
        &mut self,
        package: &OpenedPackage,
        manifest: Arc<VersionManifest>,
        importer: &str,
    ) -> (PackageIndex, bool) {
        self.insert(GraphPackage {
            key: package.key.clone(),
            name: package.name.clone(),
            version: package.version.clone(),
            manifest,
            foreign: Some(package.locked.clone()),
            owner: importer.to_owned(),
            dependencies: BTreeMap::new(),
        })
    }

    /// The place of what a project uses where it is. Nothing is installed for it, so it needs nothing.
    pub fn add_linked(&mut self, alias: &str, root: &LinkedRoot) -> PackageIndex {
        let LinkedRoot { path_from_root, package, has_version, .. } = root;
        let name = package.name.clone().unwrap_or_else(|| alias.to_owned());
        let version = package.version.clone();
        if let Some(version) = version.clone().filter(|_| *has_version) {
            self.versions.entry(name.clone()).or_default().insert(version);
        }
        let key = reference_to_directory(path_from_root);
        let place = self.by_key.entry(key.clone()).or_insert_with(|| {
            self.packages.push(GraphPackage {
                key,
                name,
                version: version.unwrap_or_default(),
                manifest: Arc::default(),
                foreign: None,
                owner: ImporterId::new(),
                dependencies: BTreeMap::new(),
            });
            self.packages.len() - 1
        });
        *place
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
