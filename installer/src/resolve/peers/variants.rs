//! The variants of packages that a lockfile has as snapshots.

use super::names::Names;
use super::tree::NodeId;
use crate::lockfile::DepPath;
use crate::resolve::graph::PackageIndex;
use crate::workspace::ImporterId;
use std::collections::{BTreeMap, BTreeSet};

/// A package with one set of peers.
#[derive(Debug, Clone)]
pub struct Variant {
    pub package: PackageIndex,
    /// Its dependencies and its peers: name under node_modules → dep path.
    pub dependencies: BTreeMap<String, DepPath>,
    /// Names of the peers that what is below it takes from above it, or misses.
    pub transitive_peers: BTreeSet<String>,
    /// Names of all peers that it or what is below it takes from above.
    pub peers: BTreeSet<String>,
}

/// All of them.
#[derive(Debug, Default)]
pub struct Variants {
    pub by_dep_path: BTreeMap<DepPath, Variant>,
    /// The projects' direct dependencies.
    pub direct: BTreeMap<ImporterId, BTreeMap<String, DepPath>>,
    /// The dep paths of each package, in the order in which they were found.
    pub of_package: BTreeMap<PackageIndex, Vec<DepPath>>,
}

/// A node whose peers are found.
#[derive(Debug)]
pub struct Resolved {
    pub dependencies: BTreeMap<String, NodeId>,
    pub transitive_peers: BTreeSet<String>,
    pub peers: BTreeSet<String>,
}

/// What a search has found, before anybody asks which variants that comes to: most searches are repeated with more peers.
#[derive(Debug)]
pub struct AllNodes {
    /// The package of each node, and how many packages are above it.
    pub places: Vec<(PackageIndex, usize)>,
    pub names: Names,
    pub resolved: BTreeMap<NodeId, Resolved>,
    pub direct: BTreeMap<ImporterId, Vec<(String, NodeId)>>,
}

impl AllNodes {
    /// What the nodes come to, each with its name; `short` is a package's without its peers. Of nodes with the same name the
    /// highest counts.
    pub fn variants(self, short: impl Fn(PackageIndex) -> String) -> Variants {
        let AllNodes { places, mut names, resolved, direct } = self;
        names.finish(|node| short(places[node].0));
        let name = |node: NodeId| names.get(node).cloned().unwrap_or_default();
        let named =
            |nodes: &[(String, NodeId)]| nodes.iter().map(|(alias, node)| (alias.clone(), name(*node))).collect();
        let mut variants = Variants::default();
        let mut depths: BTreeMap<DepPath, usize> = BTreeMap::new();
        for node in &names.order {
            let (dep_path, (package, depth)) = (name(*node), places[*node]);
            let Some(found) = resolved.get(node) else {
                // What was found elsewhere is here too.
                depths.entry(dep_path).and_modify(|known| *known = depth.min(*known));
                continue;
            };
            match depths.get(&dep_path) {
                Some(known) if *known <= depth => continue,
                Some(_) => {}
                None => variants.of_package.entry(package).or_default().push(dep_path.clone()),
            }
            depths.insert(dep_path.clone(), depth);
            let variant = Variant {
                package,
                dependencies: found.dependencies.iter().map(|(alias, node)| (alias.clone(), name(*node))).collect(),
                transitive_peers: found.transitive_peers.clone(),
                peers: found.peers.clone(),
            };
            variants.by_dep_path.insert(dep_path, variant);
        }
        variants.direct = direct.iter().map(|(id, nodes)| (id.clone(), named(nodes))).collect();
        variants
    }
}
