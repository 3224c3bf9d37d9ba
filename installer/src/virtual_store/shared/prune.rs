//! Removes what no project uses from the global virtual store: what no link leads to from a project that is written down,
//! neither at once nor by way of others.
//!
//! Nothing is removed while an install runs: what it needs has perhaps no link yet.

use super::Entry;
use super::usage::{self, InUse};
use crate::lockfile::Lockfile;
use crate::rt::{self, FileKind};
use crate::store::{StoreDir, StoreError};
use crate::virtual_store::Layout;
use crate::virtual_store::direct::links;
use crate::virtual_store::layout::normal;
use crate::virtual_store::modules_yaml::CURRENT_LOCKFILE;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// How far below `links` a directory is: scope, name, version and hash.
const ENTRY_DEPTH: usize = 4;

/// What was removed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PrunedLinks {
    /// `name/version` of every directory.
    pub packages: Vec<String>,
    /// Why nothing was: one sentence.
    pub left_alone: Option<String>,
}

/// Removes what no project uses.
///
/// # Errors
/// When the disk refuses.
pub async fn prune(store: &StoreDir) -> Result<PrunedLinks, StoreError> {
    let store = store.clone();
    rt::blocking("prune the store's links", move || {
        let left_alone = |why: String| Ok(PrunedLinks { left_alone: Some(why), ..PrunedLinks::default() });
        if !rt::fs::exists(&store.links_dir()) {
            return Ok(PrunedLinks::default());
        }
        let Some(_alone) = InUse::by_nobody_else(&store) else {
            return left_alone(
                "an install uses the packages that all projects share: none of them was removed".to_owned(),
            );
        };
        let mut used = Used { links_dir: store.links_dir(), entries: BTreeSet::new(), pending: Vec::new() };
        for (link, project_dir) in usage::registered(&store) {
            if !rt::fs::exists(&project_dir) {
                remove(&link)?;
            } else {
                used.follow_project(&project_dir);
            }
        }
        used.follow_all();
        let mut pruned = PrunedLinks::default();
        for (dir, label) in entries(&store.links_dir()) {
            if !used.entries.contains(&dir) {
                remove(&dir)?;
                pruned.packages.push(label);
            }
        }
        pruned.packages.sort();
        Ok(pruned)
    })
    .await
}

/// Takes back that these packages (`name@version`) are complete, for one of their files is not as it should be: the next install
/// that needs one makes it anew.
///
/// # Errors
/// When the disk refuses.
pub async fn distrust(store: &StoreDir, packages: &BTreeSet<String>) -> Result<(), StoreError> {
    let (links_dir, packages) = (store.links_dir(), packages.clone());
    rt::blocking("distrust packages", move || {
        let damaged = entries(&links_dir).into_iter().filter(|(_, label)| packages.contains(label));
        damaged
            .map(|(dir, _)| dir)
            .try_for_each(|dir| Entry::distrust(&dir).map_err(|source| StoreError::Remove { path: dir, source }))
    })
    .await
}

fn remove(path: &Path) -> Result<(), StoreError> {
    let removed = match rt::fs::kind(path) {
        Ok(FileKind::Directory) => rt::fs::remove_dir_all(path),
        _ => rt::fs::remove_file(path),
    };
    removed.map_err(|source| StoreError::Remove { path: path.to_owned(), source })
}

/// Every directory below `links`, and `name/version` of its package.
fn entries(links_dir: &Path) -> Vec<(PathBuf, String)> {
    let below = |dir: &Path| rt::fs::read_dir(dir).unwrap_or_default();
    let mut entries = Vec::new();
    for scope in below(links_dir) {
        for name in below(&links_dir.join(&scope)) {
            let dir = links_dir.join(&scope).join(&name);
            let whole_name = if scope == "@" { name } else { format!("{scope}/{name}") };
            for version in below(&dir) {
                let label = format!("{whole_name}@{version}");
                let hashes = below(&dir.join(&version)).into_iter();
                entries.extend(hashes.map(|hash| (dir.join(&version).join(hash), label.clone())));
            }
        }
    }
    entries
}

/// Every node_modules of a project and of the projects in it.
fn node_modules_below(project_dir: &Path) -> Vec<PathBuf> {
    let (mut found, mut pending) = (Vec::new(), vec![project_dir.to_owned()]);
    while let Some(dir) = pending.pop() {
        for name in rt::fs::read_dir(&dir).unwrap_or_default() {
            let path = dir.join(&name);
            if !rt::fs::kind(&path).is_ok_and(|kind| kind == FileKind::Directory) {
                continue;
            }
            if name == "node_modules" { &mut found } else { &mut pending }.push(path);
        }
    }
    found
}

/// Which directories are in use.
struct Used {
    links_dir: PathBuf,
    entries: BTreeSet<PathBuf>,
    /// Those whose own links are still to be followed.
    pending: Vec<PathBuf>,
}

impl Used {
    /// Follows the links of a project, or of all those of a workspace.
    fn follow_project(&mut self, project_dir: &Path) {
        let layout = Layout::new(project_dir);
        match Lockfile::read(&layout.virtual_store_dir.join(CURRENT_LOCKFILE)) {
            Ok(Some(current)) => {
                current.importers.keys().for_each(|importer| self.follow(&layout.importer_modules_dir(importer)));
            }
            // Its install did not end: wherever a node_modules is, it may be of this workspace.
            _ => node_modules_below(project_dir).iter().for_each(|modules_dir| self.follow(modules_dir)),
        }
        self.follow(&layout.modules_dir);
        for name in rt::fs::read_dir(&layout.virtual_store_dir).unwrap_or_default() {
            // `node_modules` itself has what is hoisted; every other directory has a node_modules.
            let dir = layout.virtual_store_dir.join(&name);
            self.follow(&if name == "node_modules" { dir } else { dir.join("node_modules") });
        }
    }

    /// Follows the links in one node_modules.
    fn follow(&mut self, modules_dir: &Path) {
        for (name, target) in links(modules_dir) {
            let path = modules_dir.join(name);
            let target = normal(&path.parent().unwrap_or(modules_dir).join(target));
            // The store may be reached by another way from there.
            let components: Vec<_> = target.components().collect();
            let Some(links) = components.iter().rposition(|component| component.as_os_str() == "links") else {
                continue;
            };
            let entry = self.links_dir.join(components[links + 1..].iter().take(ENTRY_DEPTH).collect::<PathBuf>());
            if self.entries.insert(entry.clone()) {
                self.pending.push(entry);
            }
        }
    }

    fn follow_all(&mut self) {
        while let Some(entry) = self.pending.pop() {
            self.follow(&entry.join("node_modules"));
        }
    }
}
