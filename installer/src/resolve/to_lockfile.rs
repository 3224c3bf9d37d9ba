//! The variants of packages, as a lockfile.

use super::graph::{Graph, GraphPackage};
use super::loader::Loader;
use super::peers::{Variant, Variants};
use super::roots::{ImporterRoots, Roots};
use crate::lockfile::{
    CatalogEntry, DepPath, DirectDependency, Importer, LOCKFILE_VERSION, LockedPackage, Lockfile, LockfileSettings,
    Snapshot, dep_path_of, name_and_version, reference_to, settings_checksum,
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
    for (dep_path, variant) in &variants.by_dep_path {
        let package = &graph.packages[variant.package];
        lockfile.packages.entry(package.key.clone()).or_insert_with(|| locked(package, loader, with_url));
        lockfile.snapshots.insert(dep_path.clone(), snapshot(package, variant));
    }
    mark_optional(&mut lockfile);
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

/// Sets `optional` where only optional edges lead, and drops what nothing reaches.
fn mark_optional(lockfile: &mut Lockfile) {
    let importers = lockfile.importers.values();
    let direct = |map: &BTreeMap<String, DirectDependency>| -> Vec<DepPath> {
        let dep_paths = map.iter().map(|(alias, dependency)| dep_path_of(alias, &dependency.version));
        // What is left is a link to a directory.
        dep_paths.filter(|dep_path| lockfile.snapshots.contains_key(dep_path)).collect()
    };
    let (mut needed, mut optional) = (Vec::new(), Vec::new());
    for importer in importers {
        needed.extend(direct(&importer.dependencies));
        needed.extend(direct(&importer.dev_dependencies));
        optional.extend(direct(&importer.optional_dependencies));
    }
    let needed = reach(lockfile, needed, false);
    optional.extend(needed.iter().cloned());
    let all = reach(lockfile, optional, true);
    lockfile.snapshots.retain(|dep_path, _| all.contains(dep_path));
    for (dep_path, snapshot) in &mut lockfile.snapshots {
        snapshot.optional = !needed.contains(dep_path);
    }
    let keys: BTreeSet<&str> =
        lockfile.snapshots.keys().map(|dep_path| crate::lockfile::package_key(dep_path)).collect();
    lockfile.packages.retain(|key, _| keys.contains(key.as_str()));
}

fn reach(lockfile: &Lockfile, from: Vec<DepPath>, over_optional: bool) -> BTreeSet<DepPath> {
    let mut found: BTreeSet<DepPath> = BTreeSet::new();
    let mut pending = from;
    while let Some(dep_path) = pending.pop() {
        // What is no snapshot is a directory.
        let Some(snapshot) = lockfile.snapshots.get(&dep_path).filter(|_| !found.contains(&dep_path)) else { continue };
        found.insert(dep_path.clone());
        let optional = over_optional.then_some(&snapshot.optional_dependencies).into_iter().flatten();
        pending.extend(snapshot.dependencies.iter().chain(optional).map(|(alias, to)| dep_path_of(alias, to)));
    }
    found
}
