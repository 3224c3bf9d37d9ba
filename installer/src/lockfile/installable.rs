//! Which of a lockfile's packages one machine installs.

use super::{DepPath, DirectDependency, Lockfile, Platform, Snapshot, dep_path_of, package_key};
use std::collections::{BTreeMap, BTreeSet};

/// Which of package.json's maps to install.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IncludeKinds {
    /// `dependencies`.
    pub prod: bool,
    /// `devDependencies`.
    pub dev: bool,
    /// `optionalDependencies`, the project's and those of all packages.
    pub optional: bool,
}

impl IncludeKinds {
    /// Everything.
    pub const ALL: IncludeKinds = IncludeKinds { prod: true, dev: true, optional: true };
}

/// The snapshots that these importers reach. An optional edge to a package that does not run on `platform` is cut, with
/// everything that only it reaches. References to nothing in the lockfile (`link:…`) are passed over.
pub fn installable<'a>(
    lockfile: &Lockfile,
    importers: impl IntoIterator<Item = &'a String>,
    platform: &Platform,
    include: IncludeKinds,
) -> BTreeSet<DepPath> {
    let mut walk = Walk { lockfile, platform, found: BTreeSet::new(), pending: Vec::new() };
    for importer in importers.into_iter().filter_map(|id| lockfile.importers.get(id)) {
        for (wanted, map, optional) in [
            (include.prod, &importer.dependencies, false),
            (include.dev, &importer.dev_dependencies, false),
            (include.optional, &importer.optional_dependencies, true),
        ] {
            if wanted {
                walk.follow(map.iter().map(|(alias, DirectDependency { version, .. })| (alias, version)), optional);
            }
        }
    }
    while let Some(snapshot) = walk.pending.pop() {
        walk.follow(&snapshot.dependencies, false);
        if include.optional {
            walk.follow(&snapshot.optional_dependencies, true);
        }
    }
    walk.found.into_iter().cloned().collect()
}

struct Walk<'a> {
    lockfile: &'a Lockfile,
    platform: &'a Platform,
    found: BTreeSet<&'a DepPath>,
    pending: Vec<&'a Snapshot>,
}

impl Walk<'_> {
    fn follow<'e>(&mut self, edges: impl IntoIterator<Item = (&'e String, &'e String)>, optional: bool) {
        for (alias, reference) in edges {
            let dep_path = dep_path_of(alias, reference);
            // Most were found before.
            if self.found.contains(&dep_path) {
                continue;
            }
            let Some((dep_path, snapshot)) = self.lockfile.snapshots.get_key_value(&dep_path) else { continue };
            let is_elsewhere = |package| !self.platform.matches(package);
            if optional && self.lockfile.packages.get(package_key(dep_path)).is_some_and(is_elsewhere) {
                continue;
            }
            self.found.insert(dep_path);
            self.pending.push(snapshot);
        }
    }
}

impl Lockfile {
    /// The dependencies of a snapshot, both kinds: name under node_modules → dep path. Empty for an unknown one.
    pub fn dependencies_of(&self, dep_path: &str) -> BTreeMap<&str, DepPath> {
        let Some(snapshot) = self.snapshots.get(dep_path) else { return BTreeMap::new() };
        let edges = snapshot.dependencies.iter().chain(&snapshot.optional_dependencies);
        edges.map(|(alias, reference)| (alias.as_str(), dep_path_of(alias, reference))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn fixture() -> Lockfile {
        let text = include_str!("../../tests/fixtures/pnpm/pnpm-lock.yaml");
        Lockfile::parse(text, Path::new("pnpm-lock.yaml")).unwrap()
    }

    fn linux(libc: &str) -> Platform {
        Platform { os: vec!["linux".to_owned()], cpu: vec!["x64".to_owned()], libc: vec![libc.to_owned()] }
    }

    fn installable(lockfile: &Lockfile, platform: &Platform, include: IncludeKinds) -> BTreeSet<DepPath> {
        super::installable(lockfile, lockfile.importers.keys(), platform, include)
    }

    #[test]
    fn other_platforms_are_pruned_with_what_only_they_reach() {
        let lockfile = fixture();
        let found = installable(&lockfile, &linux("glibc"), IncludeKinds::ALL);
        let has = |name: &str| found.iter().any(|dep_path| dep_path.starts_with(name));
        assert!(has("@img/sharp-linux-x64@") && has("@img/sharp-libvips-linux-x64@"));
        assert!(!has("@img/sharp-linuxmusl-x64@") && !has("@img/sharp-win32-x64@") && !has("fsevents@"));
        // Only the WebAssembly build of sharp needs it.
        assert!(lockfile.packages.keys().any(|key| key.starts_with("@emnapi/runtime@")) && !has("@emnapi/runtime@"));
        assert!(has("eslint@") && has("react@"));
    }

    #[test]
    fn kinds_can_be_left_out() {
        let include = IncludeKinds { prod: true, dev: false, optional: false };
        let found = installable(&fixture(), &linux("musl"), include);
        let has = |name: &str| found.iter().any(|dep_path| dep_path.starts_with(name));
        assert!(has("express@") && !has("eslint@") && !has("sharp@"));
    }
}
