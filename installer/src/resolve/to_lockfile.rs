//! The solver's graph as a lockfile.

use super::ResolveError;
use super::graph_dep_paths::dep_paths;
use super::graph_peers::{Manifests, Nodes, peers_of};
use super::packument::VersionManifest;
use super::registry_view::Registry;
use super::roots::Roots;
use crate::lockfile::{
    DepPath, DirectDependency, Importer, LOCKFILE_VERSION, LockedPackage, Lockfile, LockfileSettings, Snapshot,
    dep_path_of, reference_to,
};
use crate::manifest::{DependencyKind, Manifest};
use crate::package::PackageId;
use deno_npm::resolution::NpmResolutionSnapshot;
use deno_npm::{NpmPackageId, NpmResolutionPackage};
use std::collections::{BTreeMap, BTreeSet};

/// Writes the graph down.
pub(super) fn to_lockfile(
    manifest: &Manifest,
    roots: &Roots,
    graph: &NpmResolutionSnapshot,
    registry: &Registry<'_>,
) -> Result<Lockfile, ResolveError> {
    let nodes: Nodes<'_> = graph.all_packages_for_every_system().map(|package| (&package.id, package)).collect();
    let manifests = manifests_of(&nodes, registry)?;
    let peers = peers_of(&nodes, &manifests);
    let dep_paths = dep_paths(&peers);
    let mut lockfile = Lockfile {
        lockfile_version: LOCKFILE_VERSION.to_owned(),
        settings: LockfileSettings::default(),
        overrides: manifest.overrides.clone(),
        importers: BTreeMap::from([(".".to_owned(), importer(roots, graph, &dep_paths)?)]),
        packages: BTreeMap::new(),
        snapshots: BTreeMap::new(),
    };
    for (id, node) in &nodes {
        let manifest = &manifests[&id.nv];
        let package = PackageId::new(id.nv.name.as_str(), id.nv.version.to_string());
        let locked = || -> LockedPackage { manifest.to_locked(&package, &registry.base_url(&package.name)) };
        lockfile.packages.entry(package.to_string()).or_insert_with(locked);
        let snapshot = || snapshot(node, manifest, &dep_paths, &peers[*id].transitive);
        lockfile.snapshots.entry(dep_paths[*id].clone()).or_insert_with(snapshot);
    }
    mark_optional(&mut lockfile);
    Ok(lockfile)
}

fn manifests_of<'a>(nodes: &Nodes<'a>, registry: &Registry<'_>) -> Result<Manifests<'a>, ResolveError> {
    let mut manifests = BTreeMap::new();
    for id in nodes.keys() {
        let manifest = registry.get(&id.nv.name).and_then(|packument| packument.version(&id.nv.version));
        let missing =
            || ResolveError::Solver { message: format!("{} is in the graph and not in its packument", id.nv) };
        manifests.insert(&id.nv, manifest.ok_or_else(missing)?);
    }
    Ok(manifests)
}

fn importer(
    roots: &Roots,
    graph: &NpmResolutionSnapshot,
    dep_paths: &BTreeMap<&NpmPackageId, DepPath>,
) -> Result<Importer, ResolveError> {
    let mut importer = Importer::default();
    for (alias, root) in &roots.wanted {
        let package = graph.resolve_pkg_from_pkg_req(&root.requirement);
        let package = package.map_err(|error| ResolveError::Solver { message: error.to_string() })?;
        let map = match root.kind {
            DependencyKind::Production => &mut importer.dependencies,
            DependencyKind::Development => &mut importer.dev_dependencies,
            DependencyKind::Optional => &mut importer.optional_dependencies,
        };
        let version = reference_to(alias, &dep_paths[&package.id]);
        map.insert(alias.clone(), DirectDependency { specifier: root.specifier.clone(), version });
    }
    Ok(importer)
}

fn snapshot(
    node: &NpmResolutionPackage,
    manifest: &VersionManifest,
    dep_paths: &BTreeMap<&NpmPackageId, DepPath>,
    transitive_peers: &BTreeSet<String>,
) -> Snapshot {
    let mut snapshot =
        Snapshot { transitive_peer_dependencies: transitive_peers.iter().cloned().collect(), ..Snapshot::default() };
    for (alias, id) in &node.dependencies {
        let reference = reference_to(alias, &dep_paths[id]);
        let optional = manifest.is_optional(alias);
        let map = if optional { &mut snapshot.optional_dependencies } else { &mut snapshot.dependencies };
        map.insert(alias.to_string(), reference);
    }
    snapshot
}

/// Sets `optional` where only optional edges lead, and drops what nothing reaches.
fn mark_optional(lockfile: &mut Lockfile) {
    let importers = lockfile.importers.values();
    let direct = |map: &BTreeMap<String, DirectDependency>| -> Vec<DepPath> {
        map.iter().map(|(alias, dependency)| dep_path_of(alias, &dependency.version)).collect()
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
        if !found.insert(dep_path.clone()) {
            continue;
        }
        let snapshot = &lockfile.snapshots[&dep_path];
        let optional = over_optional.then_some(&snapshot.optional_dependencies).into_iter().flatten();
        pending.extend(snapshot.dependencies.iter().chain(optional).map(|(alias, to)| dep_path_of(alias, to)));
    }
    found
}
