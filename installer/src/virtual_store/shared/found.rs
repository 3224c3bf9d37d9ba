//! What a node_modules has of the global virtual store, by the links that are there: for those who look at an install and make
//! none.

use super::Entry;
use crate::lockfile::{DepPath, Lockfile, dep_path_of};
use crate::rt;
use crate::virtual_store::direct::package_at;
use crate::virtual_store::layout::normal;
use crate::virtual_store::{Layout, Shared};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Follows the links of a project, or of all those of a workspace; `lockfile` says which snapshots they mean. None where no link
/// leads to such a store. Blocks.
pub fn found(layout: &Layout, lockfile: &Lockfile) -> Option<Shared> {
    let mut entries: BTreeMap<DepPath, Entry> = BTreeMap::new();
    let mut pending: Vec<(PathBuf, DepPath)> = Vec::new();
    for (id, importer) in &lockfile.importers {
        let modules_dir = layout.importer_modules_dir(id);
        pending.extend(
            importer.direct().map(|(name, direct)| (modules_dir.join(name), dep_path_of(name, &direct.version))),
        );
    }
    let mut links_dir = None;
    while let Some((link, dep_path)) = pending.pop() {
        if entries.contains_key(&dep_path) {
            continue;
        }
        let Some(dir) = entry_at(&link) else { continue };
        let below = lockfile.dependencies_of(&dep_path).into_iter();
        pending.extend(below.map(|(alias, dep_path)| (dir.join("node_modules").join(alias), dep_path)));
        // Scope, name, version and hash.
        links_dir = dir.ancestors().nth(4).map(Path::to_owned);
        entries.insert(dep_path, Entry { dir, dependencies: BTreeMap::new(), builds: false, complete: None });
    }
    links_dir.map(|links_dir| Shared { links_dir, entries })
}

/// The directory that a link leads into.
fn entry_at(link: &Path) -> Option<PathBuf> {
    let target = normal(&link.parent()?.join(rt::fs::read_link(link).ok()?));
    package_at(&target).filter(|_| !target.components().any(|component| component.as_os_str() == ".pnpm"))?;
    target.ancestors().find(|dir| dir.ends_with("node_modules"))?.parent().map(Path::to_owned)
}
