//! The solver's graph as a lockfile.

use super::ResolveError;
use super::foreign::{OpenedPackage, package_key};
use super::graph_dep_paths::dep_paths;
use super::graph_peers::{Manifests, Nodes, peers_of};
use super::importer_packages::{self, is_importer};
use super::packument::VersionManifest;
use super::registry_view::Registry;
use super::roots::{ImporterRoots, Opened, Root, Roots};
use crate::lockfile::{
    CatalogEntry, DepPath, DirectDependency, Importer, LOCKFILE_VERSION, LockedPackage, Lockfile, LockfileSettings,
    Snapshot, dep_path_of, name_and_version, reference_to, settings_checksum,
};
use crate::manifest::DependencyKind;
use crate::package::PackageId;
use crate::workspace::{ROOT, Workspace};
use deno_npm::resolution::NpmResolutionSnapshot;
use deno_npm::{NpmPackageId, NpmResolutionPackage};
use deno_semver::package::PackageReq;
use std::collections::{BTreeMap, BTreeSet};

/// Writes the graph down.
pub(super) fn to_lockfile(
    workspace: &Workspace,
    roots: &Roots,
    opened: &Opened,
    graph: &NpmResolutionSnapshot,
    registry: &Registry<'_>,
) -> Result<Lockfile, ResolveError> {
    let nodes: Nodes<'_> = graph.all_packages_for_every_system().map(|package| (&package.id, package)).collect();
    let foreign: BTreeMap<String, &OpenedPackage> =
        opened.values().map(|package| (package.solver_name(), package)).collect();
    let manifests = manifests_of(&nodes, &foreign, registry)?;
    let peers = peers_of(&nodes, &manifests);
    let dep_paths = dep_paths(&peers, &workspace.patches);
    let settings =
        LockfileSettings { auto_install_peers: workspace.settings.auto_install_peers, ..LockfileSettings::default() };
    let with_url = workspace.settings.lockfile_include_tarball_url;
    let mut lockfile = Lockfile {
        lockfile_version: LOCKFILE_VERSION.to_owned(),
        settings,
        overrides: workspace.overrides.texts.clone(),
        patched_dependencies: workspace.patches.hashes(),
        package_extensions_checksum: settings_checksum(&workspace.settings.package_extensions_value),
        ignored_optional_dependencies: workspace.settings.ignored_optional_dependencies_texts.clone(),
        ..Lockfile::default()
    };
    for (id, roots) in &roots.importers {
        let direct = direct_dependencies(id, roots, graph, &dep_paths)?;
        add_catalog_entries(roots, &direct, &mut lockfile);
        lockfile.importers.insert(id.clone(), importer(roots, &direct));
    }
    for (id, node) in nodes.iter().filter(|(id, _)| !is_importer(&id.nv.name)) {
        let manifest = &manifests[&id.nv];
        let package = PackageId::new(id.nv.name.as_str(), id.nv.version.to_string());
        if let Some(foreign) = foreign.get(id.nv.name.as_str()) {
            lockfile.packages.insert(foreign.key.clone(), foreign.locked());
        }
        let locked = || -> LockedPackage { manifest.to_locked(&package, &registry.base_url(&package.name), with_url) };
        lockfile.packages.entry(package_key(&id.nv)).or_insert_with(locked);
        let snapshot = || snapshot(node, manifest, &dep_paths, &peers[*id].transitive);
        lockfile.snapshots.entry(dep_paths[*id].clone()).or_insert_with(snapshot);
    }
    mark_optional(&mut lockfile);
    Ok(lockfile)
}

fn manifests_of<'a>(
    nodes: &Nodes<'a>,
    foreign: &BTreeMap<String, &OpenedPackage>,
    registry: &Registry<'_>,
) -> Result<Manifests<'a>, ResolveError> {
    let mut manifests = BTreeMap::new();
    for id in nodes.keys() {
        if is_importer(&id.nv.name) {
            manifests.insert(&id.nv, VersionManifest::default());
            continue;
        }
        if let Some(foreign) = foreign.get(id.nv.name.as_str()) {
            manifests.insert(&id.nv, foreign.manifest.clone());
            continue;
        }
        let manifest = registry.get(&id.nv.name).and_then(|packument| packument.version(&id.nv.version));
        let missing =
            || ResolveError::Solver { message: format!("{} is in the graph and not in its packument", id.nv) };
        manifests.insert(&id.nv, manifest.ok_or_else(missing)?);
    }
    Ok(manifests)
}

/// What a project's resolved dependencies came to: name under node_modules → dep path.
fn direct_dependencies(
    importer: &str,
    roots: &ImporterRoots,
    graph: &NpmResolutionSnapshot,
    dep_paths: &BTreeMap<&NpmPackageId, DepPath>,
) -> Result<BTreeMap<String, DepPath>, ResolveError> {
    let solver = |message: String| ResolveError::Solver { message };
    let of_requirement = |requirement: &PackageReq| {
        graph.resolve_pkg_from_pkg_req(requirement).map_err(|error| solver(error.to_string()))
    };
    if roots.resolved.is_empty() {
        return Ok(BTreeMap::new());
    }
    if importer == ROOT {
        let dep_path = |(alias, root): (&String, &Root)| {
            Ok((alias.clone(), dep_paths[&of_requirement(&root.requirement)?.id].clone()))
        };
        return roots.resolved.iter().map(dep_path).collect();
    }
    let project = of_requirement(&importer_packages::requirement(importer))?;
    let dep_path = |alias: &String| {
        let id = project.dependencies.get(alias.as_str());
        let id = id.ok_or_else(|| solver(format!("{alias} of {importer} is not in the graph")))?;
        Ok((alias.clone(), dep_paths[id].clone()))
    };
    roots.resolved.keys().map(dep_path).collect()
}

fn importer(roots: &ImporterRoots, direct: &BTreeMap<String, DepPath>) -> Importer {
    let mut importer = Importer::default();
    let resolved = roots
        .resolved
        .iter()
        .map(|(alias, root)| (alias, root.kind, &root.specifier, reference_to(alias, &direct[alias])));
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
        let Some(used) = &root.catalog else { continue };
        let version = name_and_version(&direct[alias]).map_or("", |(_, version)| version).to_owned();
        let entry = CatalogEntry { specifier: used.specifier.clone(), version };
        lockfile.catalogs.entry(used.catalog.clone()).or_default().insert(alias.clone(), entry);
    }
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
        if !found.insert(dep_path.clone()) {
            continue;
        }
        let snapshot = &lockfile.snapshots[&dep_path];
        let optional = over_optional.then_some(&snapshot.optional_dependencies).into_iter().flatten();
        pending.extend(snapshot.dependencies.iter().chain(optional).map(|(alias, to)| dep_path_of(alias, to)));
    }
    found
}
