//! A lockfile as the stages of an install hand it around: read or made once, and put into text once.

use super::{Importer, IncludeKinds, Lockfile, LockfileError, dep_path_of, package_key};
use crate::rt;
use std::collections::BTreeSet;
use std::ops::Deref;
use std::path::Path;
use std::sync::{Arc, OnceLock};

/// See the module.
#[derive(Debug, Default)]
pub struct LockfileDocument {
    lockfile: Lockfile,
    text: OnceLock<String>,
}

impl From<Lockfile> for LockfileDocument {
    fn from(lockfile: Lockfile) -> Self {
        LockfileDocument::new(lockfile, None)
    }
}

impl Deref for LockfileDocument {
    type Target = Lockfile;

    fn deref(&self) -> &Lockfile {
        &self.lockfile
    }
}

impl LockfileDocument {
    /// One that has this text already.
    pub(super) fn new(lockfile: Lockfile, text: Option<String>) -> Self {
        LockfileDocument { lockfile, text: text.map(OnceLock::from).unwrap_or_default() }
    }

    /// What it says.
    pub(super) fn into_lockfile(self) -> Lockfile {
        self.lockfile
    }

    /// The lockfile as it is written, or as it was read; made when it is asked for the first time.
    pub fn text(&self) -> &str {
        self.text.get_or_init(|| self.lockfile.to_yaml())
    }

    /// Writes the file, whole or not at all; blocks. A file that has these bytes already is left alone.
    ///
    /// # Errors
    /// [`LockfileError::Disk`].
    pub fn write(&self, path: &Path) -> Result<(), LockfileError> {
        let disk = |source| LockfileError::Disk { path: path.to_owned(), verb: "write", source };
        rt::write_whole(path, self.text().as_bytes(), &path.with_file_name("node_modules")).map_err(disk)
    }

    /// The current lockfile: the part of this one that one node_modules is made from, and that pnpm keeps in
    /// node_modules/.pnpm/lock.yaml. The other importers go, the kinds of dependencies that are left out, and what only
    /// they reach; packages for other platforms stay. Where nothing goes it is this one.
    pub fn including(
        self: &Arc<Self>,
        include: IncludeKinds,
        is_selected: impl Fn(&str) -> bool,
    ) -> Arc<LockfileDocument> {
        let mut importers = self.importers.clone();
        importers.retain(|id, _| is_selected(id));
        for importer in importers.values_mut() {
            for (included, map) in [
                (include.prod, &mut importer.dependencies),
                (include.dev, &mut importer.dev_dependencies),
                (include.optional, &mut importer.optional_dependencies),
            ] {
                if !included {
                    map.clear();
                }
            }
        }
        let direct = importers.values().flat_map(Importer::direct);
        let mut pending: Vec<_> = direct.map(|(alias, direct)| dep_path_of(alias, &direct.version)).collect();
        let (mut snapshots, mut packages) = (BTreeSet::new(), BTreeSet::new());
        while let Some(dep_path) = pending.pop() {
            let Some((dep_path, snapshot)) = self.snapshots.get_key_value(&dep_path) else { continue };
            if !snapshots.insert(dep_path) {
                continue;
            }
            packages.insert(package_key(dep_path));
            let optional = snapshot.optional_dependencies.iter().filter(|_| include.optional);
            let edges = snapshot.dependencies.iter().chain(optional);
            pending.extend(edges.map(|(alias, reference)| dep_path_of(alias, reference)));
        }
        let is_whole = importers == self.importers
            && snapshots.len() == self.snapshots.len()
            && self.packages.keys().all(|key| packages.contains(key.as_str()));
        if is_whole {
            return self.clone();
        }
        let snapshots = snapshots.into_iter().map(|dep_path| (dep_path.clone(), self.snapshots[dep_path].clone()));
        let packages = packages.into_iter().filter_map(|key| Some((key.to_owned(), self.packages.get(key)?.clone())));
        Arc::new(LockfileDocument::from(Lockfile {
            lockfile_version: self.lockfile_version.clone(),
            settings: self.settings.clone(),
            catalogs: self.catalogs.clone(),
            overrides: self.overrides.clone(),
            package_extensions_checksum: self.package_extensions_checksum.clone(),
            ignored_optional_dependencies: self.ignored_optional_dependencies.clone(),
            patched_dependencies: self.patched_dependencies.clone(),
            importers,
            packages: packages.collect(),
            snapshots: snapshots.collect(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixture() -> Arc<LockfileDocument> {
        let text = include_str!("../../tests/fixtures/pnpm/pnpm-lock.yaml");
        Arc::new(Lockfile::parse(text, Path::new("pnpm-lock.yaml")).unwrap().into())
    }

    #[test]
    fn what_is_left_out_goes_with_what_only_it_reaches() {
        let lockfile = fixture();
        let current = lockfile.including(IncludeKinds { dev: false, ..IncludeKinds::ALL }, |_| true);
        let has = |name: &str| current.snapshots.keys().any(|dep_path| dep_path.starts_with(name));
        assert!(has("express@") && !has("eslint@"));
        assert!(has("@img/sharp-win32-x64@"), "packages for other platforms stay");
        assert!(current.importers["."].dev_dependencies.is_empty());
        let current = lockfile.including(IncludeKinds { optional: false, ..IncludeKinds::ALL }, |_| true);
        assert!(current.packages.keys().all(|key| !key.starts_with("@img/")));
        assert_eq!(current.packages.len(), {
            let keys = current.snapshots.keys().map(|dep_path| package_key(dep_path));
            keys.collect::<BTreeSet<_>>().len()
        });
    }

    #[test]
    fn where_nothing_goes_it_is_the_same() {
        let lockfile = fixture();
        assert!(Arc::ptr_eq(&lockfile, &lockfile.including(IncludeKinds::ALL, |_| true)));
        // What nothing reaches goes, and an importer that is not selected with all that it alone needs.
        let mut changed = Lockfile::clone(&lockfile);
        changed.packages.insert("nobodys@1.0.0".to_owned(), super::super::LockedPackage::default());
        let changed = Arc::new(LockfileDocument::from(changed));
        assert_eq!(**changed.including(IncludeKinds::ALL, |_| true), **lockfile);
        let none = lockfile.including(IncludeKinds::ALL, |_| false);
        assert!(none.importers.is_empty() && none.packages.is_empty() && none.snapshots.is_empty());
        assert_eq!(none.text(), Lockfile::to_yaml(&none));
    }
}
