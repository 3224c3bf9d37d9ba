//! The variants of packages, as a lockfile.

use super::graph::{Graph, GraphPackage};
use super::loader::Loader;
use super::peers::{Variant, Variants};
use super::roots::{ImporterRoots, Roots};
use crate::lockfile::{
    CatalogEntry, DepPath, DirectDependency, Importer, LOCKFILE_VERSION, LockedPackage, Lockfile, LockfileSettings,
    Snapshot, name_and_version, reference_to, settings_checksum,
};
use crate::manifest::DependencyKind;
use crate::package::PackageId;
use crate::workspace::Workspace;
use std::collections::{BTreeMap, BTreeSet};

/// Writes them down.
pub(super) fn to_lockfile(
    workspace: &Workspace,
    roots: &Roots,
    graph: &Graph,
    variants: &Variants,
    loader: &Loader<'_>,
) -> Lockfile {
    let settings =
        LockfileSettings { auto_install_peers: workspace.settings.auto_install_peers, ..LockfileSettings::default() };
    let mut lockfile = Lockfile {
        lockfile_version: LOCKFILE_VERSION.to_owned(),
        settings,
        overrides: workspace.overrides.texts.clone(),
        patched_dependencies: workspace.patches.hashes(),
        package_extensions_checksum: settings_checksum(&workspace.settings.package_extensions_value),
        ignored_optional_dependencies: workspace.settings.ignored_optional_dependencies_texts.clone(),
        ..Lockfile::default()
    };
    for (id, roots) in roots {
        let direct = &variants.direct[id];
        add_catalog_entries(roots, direct, &mut lockfile);
        lockfile.importers.insert(id.clone(), importer(roots, direct));
    }
    let with_url = workspace.settings.lockfile_include_tarball_url;
    let reached = Reached::of(roots, graph, variants);
    for (dep_path, variant) in variants.by_dep_path.iter().filter(|(dep_path, _)| reached.all.contains(dep_path)) {
        let package = &graph.packages[variant.package];
        lockfile.packages.entry(package.key.clone()).or_insert_with(|| locked(package, loader, with_url));
        let snapshot = Snapshot { optional: !reached.needed.contains(dep_path), ..snapshot(package, variant) };
        lockfile.snapshots.insert(dep_path.clone(), snapshot);
    }
    lockfile
}

fn locked(package: &GraphPackage, loader: &Loader<'_>, with_url: bool) -> LockedPackage {
    if let Some(foreign) = &package.foreign {
        return foreign.clone();
    }
    let id = PackageId::new(&package.name, package.version.to_string());
    package.manifest.to_locked(&id, &loader.base_url(&package.name), with_url)
}

fn importer(roots: &ImporterRoots, direct: &BTreeMap<String, DepPath>) -> Importer {
    let mut importer = Importer::default();
    // An optional one may have been left out.
    let resolved = roots.resolved.iter().filter_map(|(alias, root)| Some((alias, root, direct.get(alias)?)));
    let resolved =
        resolved.map(|(alias, root, dep_path)| (alias, root.kind, &root.specifier, reference_to(alias, dep_path)));
    let linked =
        roots.linked.iter().map(|(alias, root)| (alias, root.kind, &root.specifier, format!("link:{}", root.path)));
    for (alias, kind, specifier, version) in resolved.chain(linked) {
        let map = match kind {
            DependencyKind::Production => &mut importer.dependencies,
            DependencyKind::Development => &mut importer.dev_dependencies,
            DependencyKind::Optional => &mut importer.optional_dependencies,
        };
        map.insert(alias.clone(), DirectDependency { specifier: specifier.clone(), version });
    }
    importer
}

/// Records what the catalogs' entries came to that a project uses.
fn add_catalog_entries(roots: &ImporterRoots, direct: &BTreeMap<String, DepPath>, lockfile: &mut Lockfile) {
    for (alias, root) in &roots.resolved {
        let Some((used, dep_path)) = root.catalog.as_ref().zip(direct.get(alias)) else { continue };
        let version = name_and_version(dep_path).map_or("", |(_, version)| version).to_owned();
        let entry = CatalogEntry { specifier: used.specifier.clone(), version };
        lockfile.catalogs.entry(used.catalog.clone()).or_default().insert(alias.clone(), entry);
    }
}

fn snapshot(package: &GraphPackage, variant: &Variant) -> Snapshot {
    let mut snapshot = Snapshot {
        transitive_peer_dependencies: variant.transitive_peers.iter().cloned().collect(),
        ..Snapshot::default()
    };
    for (alias, dep_path) in &variant.dependencies {
        let optional = package.manifest.is_optional(alias);
        let map = if optional { &mut snapshot.optional_dependencies } else { &mut snapshot.dependencies };
        map.insert(alias.clone(), reference_to(alias, dep_path));
    }
    snapshot
}

/// What the projects lead to.
struct Reached<'a> {
    graph: &'a Graph,
    variants: &'a Variants,
    /// What is installed.
    all: BTreeSet<&'a DepPath>,
    /// What is needed: not only optional edges lead there.
    needed: BTreeSet<&'a DepPath>,
}

impl<'a> Reached<'a> {
    fn of(roots: &Roots, graph: &'a Graph, variants: &'a Variants) -> Self {
        let mut reached = Reached { graph, variants, all: BTreeSet::new(), needed: BTreeSet::new() };
        let (mut needed, mut optional) = (Vec::new(), Vec::new());
        for (id, roots) in roots {
            for (alias, root) in &roots.resolved {
                let from = if root.kind == DependencyKind::Optional { &mut optional } else { &mut needed };
                from.extend(variants.direct[id].get(alias));
            }
        }
        reached.needed = reached.from(needed, false);
        optional.extend(&reached.needed);
        reached.all = reached.from(optional, true);
        reached
    }

    fn from(&self, mut pending: Vec<&'a DepPath>, over_optional: bool) -> BTreeSet<&'a DepPath> {
        let mut found = BTreeSet::new();
        while let Some(dep_path) = pending.pop() {
            // What is no variant is a directory.
            let Some(variant) = self.variants.by_dep_path.get(dep_path).filter(|_| found.insert(dep_path)) else {
                continue;
            };
            let manifest = &self.graph.packages[variant.package].manifest;
            let follow = |(alias, _): &(&String, _)| over_optional || !manifest.is_optional(alias);
            pending.extend(variant.dependencies.iter().filter(follow).map(|(_, to)| to));
        }
        found
    }
}
