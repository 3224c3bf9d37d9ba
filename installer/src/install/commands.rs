//! What has commands and is no package of the lockfile: directories that are used where they are, and what packages carry.

use super::project;
use super::stages::Filled;
use crate::lockfile::Lockfile;
use crate::rt;
use crate::virtual_store::Layout;
use crate::virtual_store::bins::LinkedManifests;
use crate::virtual_store::carried::{self, CarriedPackages};
use crate::virtual_store::link::{Direct, LinkPlan};
use std::collections::BTreeSet;

/// The manifests of what is linked where it is.
pub(super) async fn linked_manifests(links: &LinkPlan) -> LinkedManifests {
    let direct = links.direct.values().flat_map(|direct| direct.values()).filter_map(|direct| match direct {
        Direct::Directory(dir) => Some(dir.clone()),
        Direct::Snapshot(_) => None,
    });
    let directories: BTreeSet<_> = direct.chain(links.hoisted_projects.values().cloned()).collect();
    if directories.is_empty() {
        return LinkedManifests::default();
    }
    rt::blocking("read linked manifests", move || project::linked_manifests(directories)).await
}

/// What the tarballs of packages carry, where commands are still to be made of it.
pub(super) async fn carried_packages(lockfile: &Lockfile, filled: &Filled, layout: &Layout) -> CarriedPackages {
    let dir = |dep_path: &str| {
        let is_complete = layout.entry(dep_path).is_some_and(|entry| entry.complete.is_some());
        filled.places.dirs(dep_path).into_iter().next().filter(|_| !is_complete)
    };
    let carriers = carried::carriers(lockfile, &filled.installed, dir);
    let carriers: Vec<_> =
        carriers.into_iter().map(|(dep_path, dir)| (filled.installed[&dep_path].clone(), dep_path, dir)).collect();
    let read = rt::parallel("read carried manifests", carriers, |(row, dep_path, dir)| {
        (dep_path, carried::read(&row.files, &dir))
    });
    read.await.into_iter().collect()
}
