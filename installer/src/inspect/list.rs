//! What a project depends on, level by level.

use super::{Installed, Package};
use crate::lockfile::{DirectDependency, IncludeKinds, dep_path_of};
use std::collections::{BTreeMap, BTreeSet};

/// What to list.
#[derive(Debug, Clone)]
pub struct ListRequest {
    /// How many levels below the direct dependencies; none is no limit.
    pub depth: Option<usize>,
    /// Which of package.json's maps.
    pub include: IncludeKinds,
    /// Only these packages, and who leads to them; everything if there is none.
    pub names: Vec<String>,
}

/// The dependencies of a project, by the map of package.json.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// The field of package.json, with what it asks for; empty maps are left out.
    pub kinds: Vec<(&'static str, Vec<Node>)>,
}

/// A dependency, and what it depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its name under node_modules.
    pub alias: String,
    /// What is there.
    pub package: Package,
    /// Whether its parent declares it as a peer.
    pub peer: bool,
    /// Whether what it depends on is shown elsewhere.
    pub deduped: bool,
    /// What it depends on, as far as was asked for.
    pub children: Vec<Node>,
}

impl Listing {
    /// How many packages are shown.
    pub fn packages(&self) -> usize {
        self.kinds.iter().flat_map(|(_, nodes)| nodes).map(Node::size).sum()
    }
}

impl Node {
    fn size(&self) -> usize {
        1 + self.children.iter().map(Node::size).sum::<usize>()
    }
}

/// Lists a project's dependencies. Pure.
pub fn list(installed: &Installed, request: &ListRequest) -> Listing {
    let importer = installed.lockfile.importers.get(&installed.importer).cloned().unwrap_or_default();
    let IncludeKinds { prod, dev, optional } = request.include;
    let kinds = [
        ("dependencies", prod, importer.dependencies),
        ("devDependencies", dev, importer.dev_dependencies),
        ("optionalDependencies", optional, importer.optional_dependencies),
    ];
    let mut walk = Walk { installed, request, shown: BTreeSet::new(), way: Vec::new() };
    let included = kinds.into_iter().filter(|(_, included, _)| *included);
    let kinds = included.map(|(field, _, map)| (field, walk.direct(&map))).filter(|(_, nodes)| !nodes.is_empty());
    Listing { kinds: kinds.collect() }
}

struct Walk<'a> {
    installed: &'a Installed,
    request: &'a ListRequest,
    /// Snapshots whose dependencies are shown already.
    shown: BTreeSet<String>,
    /// The snapshots from the project to here.
    way: Vec<String>,
}

impl Walk<'_> {
    fn direct(&mut self, map: &BTreeMap<String, DirectDependency>) -> Vec<Node> {
        let edges = map.iter().map(|(alias, direct)| (alias.clone(), dep_path_of(alias, &direct.version)));
        self.nodes(edges.collect(), &BTreeSet::new(), 0)
    }

    fn nodes(&mut self, edges: Vec<(String, String)>, peers: &BTreeSet<String>, level: usize) -> Vec<Node> {
        let mut edges: Vec<_> = edges.into_iter().map(|(alias, dep_path)| (Package::of(&dep_path), alias)).collect();
        edges.sort_by(|(a, a_alias), (b, b_alias)| (&a.name, a_alias).cmp(&(&b.name, b_alias)));
        let nodes = edges.into_iter().filter_map(|(package, alias)| {
            let peer = peers.contains(&alias);
            self.node(alias, package, peer, level)
        });
        nodes.collect()
    }

    /// None where nothing that was asked for is here or below.
    fn node(&mut self, alias: String, package: Package, peer: bool, level: usize) -> Option<Node> {
        let names = &self.request.names;
        let is_asked_for = names.is_empty() || names.contains(&alias) || names.contains(&package.name);
        let dep_path = package.dep_path.clone();
        let goes_on = self.request.depth.is_none_or(|depth| level < depth) && !self.way.contains(&dep_path);
        let edges = if goes_on { self.edges(&dep_path) } else { Vec::new() };
        let deduped = !edges.is_empty() && self.shown.contains(&dep_path);
        let mut children = Vec::new();
        if !edges.is_empty() && !deduped {
            self.shown.insert(dep_path.clone());
            let peers = self.peers(&dep_path);
            self.way.push(dep_path.clone());
            children = self.nodes(edges, &peers, level + 1);
            self.way.pop();
            if children.is_empty() {
                // Nothing of it is shown, so it need not be looked up elsewhere.
                self.shown.remove(&dep_path);
            }
        }
        let shown = is_asked_for || deduped || !children.is_empty();
        shown.then_some(Node { alias, package, peer, deduped, children })
    }

    fn edges(&self, dep_path: &str) -> Vec<(String, String)> {
        let edges = self.installed.lockfile.dependencies_of(dep_path).into_iter();
        edges.map(|(alias, dep_path)| (alias.to_owned(), dep_path)).collect()
    }

    fn peers(&self, dep_path: &str) -> BTreeSet<String> {
        let package = self.installed.lockfile.packages.get(crate::lockfile::package_key(dep_path));
        package.map(|package| package.peer_dependencies.keys().cloned().collect()).unwrap_or_default()
    }
}
