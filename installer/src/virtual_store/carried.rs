//! Packages that come in another package's tarball, in its node_modules. They are files of that package: all that is made for
//! them are their commands, beside those of its dependencies, and as in pnpm only where the lockfile says that it bundles any.

use super::InstalledPackages;
use crate::lockfile::{DepPath, Lockfile, package_key};
use crate::package::BundledManifest;
use crate::rt;
use crate::store::PackageFiles;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Snapshot → the packages in the node_modules that its tarball brings: name there → manifest.
pub type CarriedPackages = BTreeMap<DepPath, BTreeMap<String, BundledManifest>>;

/// The snapshots that say that they carry packages, and a directory of each.
pub fn carriers(
    lockfile: &Lockfile,
    installed: &InstalledPackages,
    dir: impl Fn(&str) -> Option<PathBuf>,
) -> Vec<(DepPath, PathBuf)> {
    let carries = |dep_path: &str| {
        let locked = lockfile.packages.get(package_key(dep_path));
        locked.is_some_and(|locked| locked.bundled_dependencies.any())
    };
    let carriers = installed.keys().filter(|dep_path| carries(dep_path));
    carriers.filter_map(|dep_path| Some((dep_path.clone(), dir(dep_path)?))).collect()
}

/// Reads the manifests of what lies in the node_modules of a package with these files, in `dir`; blocks. What is not right in
/// them is passed over.
pub fn read(files: &PackageFiles, dir: &Path) -> BTreeMap<String, BundledManifest> {
    let names: BTreeSet<&str> = files.keys().filter_map(|path| carried_name(path)).collect();
    let manifests = names.into_iter().filter_map(|name| {
        let prefix = format!("node_modules/{name}/");
        let package_json = rt::fs::read(&dir.join(&prefix).join("package.json")).ok()?;
        let own = files.range(prefix.clone()..).take_while(|(path, _)| path.starts_with(&prefix));
        let own = own.map(|(path, file)| (path[prefix.len()..].to_owned(), file.clone())).collect();
        Some((name.to_owned(), BundledManifest::parse(&package_json, &own)))
    });
    manifests.collect()
}

/// The package that this file is the manifest of: its name in the node_modules of the one that carries it.
fn carried_name(path: &str) -> Option<&str> {
    let name = path.strip_prefix("node_modules/")?.strip_suffix("/package.json")?;
    let is_name = if name.starts_with('@') { name.split('/').count() == 2 } else { !name.contains('/') };
    (is_name && !name.starts_with('.')).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_deeper_is_carried_by_another() {
        let carried = |path| carried_name(&format!("node_modules/{path}/package.json")).map(ToOwned::to_owned);
        assert_eq!(carried("a"), Some("a".to_owned()));
        assert_eq!(carried("@s/a"), Some("@s/a".to_owned()));
        for path in ["a/node_modules/b", "@s/a/node_modules/b", "@s", "a/lib", ".store"] {
            assert_eq!(carried(path), None, "{path}");
        }
        assert_eq!(carried_name("package.json"), None);
    }
}
