//! The current lockfile: the part of pnpm-lock.yaml that one node_modules is made from.

use super::{IncludeKinds, Lockfile, dep_path_of, package_key};
use std::collections::BTreeMap;

impl Lockfile {
    /// This lockfile without the kinds of dependencies that are left out, and without what only they reach: what pnpm
    /// keeps in node_modules/.pnpm/lock.yaml. Packages for other platforms stay.
    pub fn including(&self, include: IncludeKinds) -> Lockfile {
        let mut current = Lockfile {
            lockfile_version: self.lockfile_version.clone(),
            settings: self.settings.clone(),
            catalogs: self.catalogs.clone(),
            overrides: self.overrides.clone(),
            package_extensions_checksum: self.package_extensions_checksum.clone(),
            ignored_optional_dependencies: self.ignored_optional_dependencies.clone(),
            patched_dependencies: self.patched_dependencies.clone(),
            importers: self.importers.clone(),
            packages: BTreeMap::new(),
            snapshots: BTreeMap::new(),
        };
        let mut pending = Vec::new();
        for importer in current.importers.values_mut() {
            for (included, map) in [
                (include.prod, &mut importer.dependencies),
                (include.dev, &mut importer.dev_dependencies),
                (include.optional, &mut importer.optional_dependencies),
            ] {
                if !included {
                    map.clear();
                }
                pending.extend(map.iter().map(|(alias, direct)| dep_path_of(alias, &direct.version)));
            }
        }
        while let Some(dep_path) = pending.pop() {
            let Some(snapshot) = self.snapshots.get(&dep_path) else { continue };
            if current.snapshots.insert(dep_path.clone(), snapshot.clone()).is_some() {
                continue;
            }
            let key = package_key(&dep_path);
            if let Some(package) = self.packages.get(key) {
                current.packages.insert(key.to_owned(), package.clone());
            }
            let optional = snapshot.optional_dependencies.iter().filter(|_| include.optional);
            let edges = snapshot.dependencies.iter().chain(optional);
            pending.extend(edges.map(|(alias, reference)| dep_path_of(alias, reference)));
        }
        current
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn what_is_left_out_goes_with_what_only_it_reaches() {
        let text = include_str!("../../tests/fixtures/pnpm/pnpm-lock.yaml");
        let lockfile = Lockfile::parse(text, Path::new("pnpm-lock.yaml")).unwrap();
        assert_eq!(lockfile.including(IncludeKinds::ALL), lockfile);
        let current = lockfile.including(IncludeKinds { dev: false, ..IncludeKinds::ALL });
        let has = |name: &str| current.snapshots.keys().any(|dep_path| dep_path.starts_with(name));
        assert!(has("express@") && !has("eslint@"));
        assert!(has("@img/sharp-win32-x64@"), "packages for other platforms stay");
        assert!(current.importers["."].dev_dependencies.is_empty());
        let current = lockfile.including(IncludeKinds { optional: false, ..IncludeKinds::ALL });
        assert!(current.packages.keys().all(|key| !key.starts_with("@img/")));
        assert_eq!(current.packages.len(), {
            let keys = current.snapshots.keys().map(|dep_path| package_key(dep_path));
            keys.collect::<std::collections::BTreeSet<_>>().len()
        });
    }
}
