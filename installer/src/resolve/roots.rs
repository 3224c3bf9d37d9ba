//! What the projects ask for: what is resolved, and what leads to a directory.

use super::foreign::{ForeignSource, OpenedPackage};
use super::linked::{LinkedPackage, LinkedPackages, path_from_root};
use crate::manifest::DependencyKind;
use crate::workspace::{CatalogUse, ImporterId, Member, Target, Workspace};
use std::collections::BTreeMap;

/// One direct dependency that is resolved.
#[derive(Debug, Clone)]
pub(super) struct Root {
    /// What is asked for: a range, a tag or an alias.
    pub range: String,
    /// What is behind it, where no registry has it.
    pub foreign: Option<ForeignSource>,
    /// As the lockfile records it.
    pub specifier: String,
    pub kind: DependencyKind,
    /// Its place among all that the project asks for.
    pub place: usize,
    pub catalog: Option<CatalogUse>,
}

/// One direct dependency that leads to a directory.
#[derive(Debug, Clone)]
pub(super) struct LinkedRoot {
    pub specifier: String,
    pub kind: DependencyKind,
    /// The way there from the project.
    pub path: String,
    /// The way there from the lockfile.
    pub path_from_root: String,
    pub package: LinkedPackage,
    /// Whether its version was asked for, so that it counts as one that others may have as a peer.
    pub has_version: bool,
}

/// The direct dependencies of one project, by their names under node_modules.
#[derive(Debug, Default)]
pub(super) struct ImporterRoots {
    pub resolved: BTreeMap<String, Root>,
    pub linked: BTreeMap<String, LinkedRoot>,
}

/// What is behind the specifiers that no registry knows.
pub(super) type Opened = BTreeMap<ForeignSource, OpenedPackage>;

/// The direct dependencies of all projects.
pub(super) type Roots = BTreeMap<ImporterId, ImporterRoots>;

/// What the projects ask for.
pub(super) fn roots_of(workspace: &Workspace, opened: &Opened, linked: &LinkedPackages) -> Roots {
    workspace.members.iter().map(|(id, member)| (id.clone(), importer(id, member, opened, linked))).collect()
}

fn importer(id: &ImporterId, member: &Member, opened: &Opened, linked: &LinkedPackages) -> ImporterRoots {
    let mut importer = ImporterRoots::default();
    for (alias, wanted) in &member.wanted {
        let (specifier, kind) = (wanted.specifier.clone(), wanted.kind);
        match &wanted.target {
            Target::Link { path } => {
                let path_from_root = path_from_root(id, path);
                let package = linked.get(&path_from_root).cloned().unwrap_or_default();
                let range = specifier.strip_prefix("workspace:");
                let has_version = range.is_some_and(|range| !range.starts_with(['.', '/']));
                let path = path.clone();
                let root = LinkedRoot { specifier, kind, path, path_from_root, package, has_version };
                importer.linked.insert(alias.clone(), root);
            }
            Target::Resolved { specifier: range, catalog } => {
                let (range, catalog) = (range.clone(), catalog.clone());
                let foreign = ForeignSource::of(id, &range).filter(|source| opened.contains_key(source));
                importer
                    .resolved
                    .insert(alias.clone(), Root { range, foreign, specifier, kind, place: wanted.place, catalog });
            }
        }
    }
    importer
}
