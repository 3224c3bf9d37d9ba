//! The peers of the solver's graph, counted as pnpm counts them.
//!
//! A package's dep path names the peers that it, or something below it, takes from above it. Below means over its own
//! dependencies: what a peer takes from above is the peer's affair. The solver counts that too, so the sets are computed
//! again here, as least fixed points (the graph has cycles).
//!
//! A child that was merged with a variant of it that has more peers brings them along only where its parent's own identity
//! has them; anywhere else they are as good as missing.

use super::packument::VersionManifest;
use deno_npm::{NpmPackageId, NpmResolutionPackage};
use deno_semver::package::PackageNv;
use std::collections::{BTreeMap, BTreeSet};

/// The packages of the graph by their ids.
pub(super) type Nodes<'a> = BTreeMap<&'a NpmPackageId, &'a NpmResolutionPackage>;

/// What the packuments say of the packages of the graph.
pub(super) type Manifests<'a> = BTreeMap<&'a PackageNv, VersionManifest>;

/// The peers of one package of the graph.
#[derive(Debug, Clone, Default)]
pub(super) struct Peers<'a> {
    /// Taken from above: name and package.
    pub from_above: BTreeSet<(&'a str, &'a NpmPackageId)>,
    /// Not there at all, its own and those of what lies below.
    missing: BTreeSet<&'a str>,
    /// `transitivePeerDependencies`: peers of what lies below, from above or missing, that are not its own.
    pub transitive: BTreeSet<String>,
}

/// The peers of every package.
pub(super) fn peers_of<'a>(nodes: &Nodes<'a>, manifests: &'a Manifests<'a>) -> BTreeMap<&'a NpmPackageId, Peers<'a>> {
    let mut parents: BTreeMap<&NpmPackageId, BTreeSet<&'a NpmPackageId>> = BTreeMap::new();
    let mut peers: BTreeMap<&'a NpmPackageId, Peers<'a>> = BTreeMap::new();
    for (id, node) in nodes {
        let own = &manifests[&id.nv].peer_dependencies;
        let mut of_node = Peers::default();
        for name in own.keys() {
            match node.dependencies.get(name.as_str()) {
                Some(peer) => drop(of_node.from_above.insert((name, peer))),
                None => drop(of_node.missing.insert(name)),
            }
        }
        peers.insert(id, of_node);
        for (_, child) in node.dependencies.iter().filter(|(alias, _)| !own.contains_key(alias.as_str())) {
            parents.entry(child).or_default().insert(id);
        }
    }
    let mut pending: BTreeSet<&NpmPackageId> = nodes.keys().copied().collect();
    while let Some(child) = pending.pop_first() {
        let of_child = peers[child].clone();
        for parent in parents.get(child).into_iter().flatten() {
            let (node, own) = (nodes[*parent], &manifests[&parent.nv].peer_dependencies);
            let provides = |name: &str| {
                parent.nv.name == name || (node.dependencies.contains_key(name) && !own.contains_key(name))
            };
            let of_parent = peers.get_mut(*parent).expect("every parent is a node");
            let before = (of_parent.from_above.len(), of_parent.missing.len(), of_parent.transitive.len());
            let mut missing = of_child.missing.clone();
            let mut transitive = missing.clone();
            for (name, peer) in of_child.from_above.iter().filter(|(name, _)| !provides(name)) {
                transitive.insert(name);
                if parent.peer_dependencies.iter().any(|known| known.nv == peer.nv) {
                    of_parent.from_above.insert((name, peer));
                } else {
                    missing.insert(name);
                }
            }
            of_parent.missing.extend(missing);
            let transitive = transitive.into_iter().filter(|name| !own.contains_key(*name));
            of_parent.transitive.extend(transitive.map(ToOwned::to_owned));
            if before != (of_parent.from_above.len(), of_parent.missing.len(), of_parent.transitive.len()) {
                pending.insert(parent);
            }
        }
    }
    peers
}
