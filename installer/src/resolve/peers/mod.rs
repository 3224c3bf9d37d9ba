//! Peers: which variants of each package there are, as pnpm finds them.
//!
//! A package's peer is what stands nearest above it under that name: beside it, or beside what is above it. A package that has
//! peers, or has packages below it that find theirs above it, exists once for each set of them. The graph is unfolded
//! into a tree for that, as far as it makes a difference: a package without peers is one node, and where the same peers
//! would be found again, what was found before is taken.

mod cycles;
mod dedupe;
mod diamond;
mod first_walks;
mod found;
mod names;
mod scope;
mod tree;
mod variants;

pub(super) use self::first_walks::FirstWalks;
pub(super) use self::found::{Found, MissingPeers};
pub(super) use self::variants::{Variant, Variants};

use self::cycles::cyclic;
use self::first_walks::MissingBelow;
use self::found::{FoundBefore, Missing, Peers};
use self::names::{Names, Pending};
use self::scope::Scope;
use self::tree::{Below, NodeId, Nodes, Tree};
use self::variants::{AllNodes, Resolved};
use super::graph::{Graph, PackageIndex};
use super::packuments::ResolveWarning;
use super::specifier::target_of;
use super::version_pick::allows_with_prereleases;
use super::walk::Dependencies;
use crate::patch::{Patches, suffix};
use crate::range;
use crate::workspace::{ImporterId, ROOT};
use deno_semver::Version;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// What a project has for its packages to find their peers among.
#[derive(Debug, Clone, Default)]
pub(super) struct Direct {
    /// Its dependencies, and the peers that it was given.
    pub dependencies: Dependencies,
    /// Where what it asks for itself stands in package.json.
    pub places: BTreeMap<String, usize>,
    /// Its dependencies that are directories.
    pub linked: Dependencies,
    /// Packages further below that count as if they were its own: name, and the packages on the way there.
    pub providers: BTreeMap<String, Rc<[PackageIndex]>>,
}

impl Direct {
    /// Its dependencies in the order in which they are looked at: as package.json has them, then what it was given.
    fn in_order(&self) -> Vec<(&String, PackageIndex)> {
        let mut own: Vec<_> = self.dependencies.iter().map(|(alias, package)| (alias, *package)).collect();
        own.sort_by_key(|(alias, _)| self.places.get(*alias).copied().unwrap_or(usize::MAX));
        own
    }
}

/// What looking for all peers came to.
#[derive(Debug)]
pub(super) struct AllPeers {
    pub found: BTreeMap<ImporterId, Found>,
    /// Peers that are there in a version that is not accepted.
    pub warnings: BTreeSet<ResolveWarning>,
    nodes: AllNodes,
}

impl AllPeers {
    /// The variants of each package of the graph in which they were found.
    pub fn into_variants(self, graph: &Graph) -> Variants {
        self.nodes.variants(|package| short_name(graph, package))
    }
}

/// Finds the peers of everything that the projects have.
pub(super) fn resolve_peers(graph: &Graph, direct: &BTreeMap<ImporterId, Direct>, patches: &Patches) -> AllPeers {
    let mut search = Search::new(graph, direct, patches);
    let (mut found, mut own_nodes) = (BTreeMap::new(), BTreeMap::new());
    let mut root = Scope::default();
    // The root project is the first: its name sorts before all others.
    for (id, direct) in direct {
        let (own, scope) = search.project(id, direct, &root);
        if id == ROOT {
            root = Scope::clone(&scope);
        }
        own_nodes.insert(id.clone(), own);
        found.insert(id.clone(), std::mem::take(&mut search.found));
    }
    let Search { tree, names, resolved, warnings, .. } = search;
    let nodes = AllNodes { places: tree.into_places(), names, resolved, direct: own_nodes };
    AllPeers { found, warnings, nodes }
}

/// Finds the peers of everything that one of the projects has.
pub(super) fn resolve_peers_of(
    graph: &Graph,
    direct: &BTreeMap<ImporterId, Direct>,
    patches: &Patches,
    importer: &str,
) -> Found {
    let mut search = Search::new(graph, direct, patches);
    let root = direct.get(ROOT).filter(|_| importer != ROOT);
    let root = root.map_or_else(Scope::default, |root| Scope::clone(&search.stands(root, &Scope::default()).scope));
    search.project(importer, &direct[importer], &root);
    search.found
}

/// How many bytes of stack one step into the tree may need.
const STACK_LEFT_MIN: usize = 64 << 10;

/// How many bytes of stack are added where they are not left.
const STACK_GROWN: usize = 4 << 20;

struct Search<'g> {
    graph: &'g Graph,
    patches: &'g Patches,
    /// Every name that somebody has as a peer.
    peer_names: BTreeSet<&'g str>,
    /// Whether there are several projects.
    is_shared: bool,
    /// The project that is looked at.
    importer: String,
    tree: Tree<'g>,
    names: Names,
    before: FoundBefore,
    resolved: BTreeMap<NodeId, Resolved>,
    found: Found,
    /// What is above nodes that are peers and have some.
    stands_in: BTreeMap<NodeId, Rc<Scope>>,
    /// Nodes at which cycles were cut.
    cut_off: Vec<(String, NodeId)>,
    warnings: BTreeSet<ResolveWarning>,
}

/// What a project has, in the tree.
struct Stands {
    own: Vec<(String, NodeId)>,
    /// What counts as its own.
    providers: Vec<(String, NodeId)>,
    scope: Rc<Scope>,
}

impl<'g> Search<'g> {
    fn new(graph: &'g Graph, direct: &BTreeMap<ImporterId, Direct>, patches: &'g Patches) -> Self {
        let peer_names = graph.packages.iter().flat_map(|package| package.manifest.peer_dependencies.keys());
        Search {
            graph,
            patches,
            peer_names: peer_names.map(String::as_str).collect(),
            is_shared: direct.len() > 1,
            importer: String::new(),
            tree: Tree::new(graph),
            names: Names::default(),
            before: FoundBefore::default(),
            resolved: BTreeMap::new(),
            found: Found::default(),
            stands_in: BTreeMap::new(),
            cut_off: Vec::new(),
            warnings: BTreeSet::new(),
        }
    }

    /// Puts what a project has into the tree.
    fn stands(&mut self, direct: &Direct, root: &Scope) -> Stands {
        let own = direct.in_order().into_iter();
        let own: Vec<_> = own.map(|(alias, package)| (alias.clone(), self.tree.direct(package))).collect();
        let mut providers = Vec::new();
        for (alias, path) in &direct.providers {
            providers.extend(self.tree.at(&own, path).map(|node| (alias.clone(), node)));
        }
        let linked = direct.linked.iter().map(|(alias, package)| (alias.clone(), self.linked(*package)));
        let beside: Vec<_> = linked.chain(own.iter().chain(&providers).cloned()).collect();
        let scope = Rc::new(Scope::of(self.graph, &self.tree, &beside, &self.peer_names).before(root));
        Stands { own, providers, scope }
    }

    /// Finds the peers of all that a project has; its direct dependencies, and the scope that they are.
    fn project(&mut self, id: &str, direct: &Direct, root: &Scope) -> (Vec<(String, NodeId)>, Rc<Scope>) {
        id.clone_into(&mut self.importer);
        let Stands { own, providers, scope } = self.stands(direct, root);
        let Peers { below, .. } = self.children(&own.as_slice().into(), &scope);
        self.found.below.extend(below);
        // What counts as the project's own and was not come to on the way there is looked at from the project.
        for (alias, node) in providers {
            if self.names.get(node).is_none() && !self.resolved.contains_key(&node) {
                let Peers { below, .. } = self.children(&[(alias, node)].as_slice().into(), &scope);
                self.found.below.extend(below);
            }
        }
        self.cut_off(&scope);
        (own, scope)
    }

    /// The node of a directory, which is the same everywhere.
    fn linked(&mut self, package: PackageIndex) -> NodeId {
        let node = self.tree.direct(package);
        self.names.set(node, self.graph.packages[package].key.clone());
        node
    }

    /// Finds the peers of the packages at which cycles were cut, with what the project has. That says nothing about what is
    /// missing or not accepted: each of them stands somewhere in the tree as well.
    fn cut_off(&mut self, scope: &Rc<Scope>) {
        let (found, warnings) = (self.found.clone(), self.warnings.clone());
        while let Some((alias, node)) = self.cut_off.pop() {
            if !self.resolved.contains_key(&node) && self.names.get(node).is_none() {
                self.children(&[(alias, node)].as_slice().into(), scope);
            }
        }
        (self.found, self.warnings) = (found, warnings);
    }

    /// Finds the peers of packages that stand side by side; what they take from above.
    fn children(&mut self, children: &Nodes, scope: &Rc<Scope>) -> Peers {
        // What a project has stays in its order; below a package, what is known above comes first.
        let comes_first = |(alias, node): &(String, NodeId)| self.tree.depth(*node) == 0 || scope.get(alias).is_some();
        let (known, others): (Vec<_>, Vec<_>) = children.iter().cloned().partition(comes_first);
        let mut all = Peers::default();
        for (alias, node) in children.iter() {
            let package = &self.graph.packages[self.tree.package(*node)];
            let is_peer = [alias, &package.name].iter().any(|name| self.peer_names.contains(name.as_str()));
            if is_peer && !package.manifest.peer_dependencies.is_empty() {
                self.stands_in.insert(*node, scope.clone());
            }
        }
        let mut pending = Vec::new();
        let mut edges: Vec<(String, Rc<Peers>)> = Vec::new();
        let mut seen = BTreeSet::new();
        for (alias, node) in known.into_iter().chain(others) {
            if !seen.insert(node) {
                continue;
            }
            // A chain of packages may be longer than the stack allows.
            let (peers, left) = stacker::maybe_grow(STACK_LEFT_MIN, STACK_GROWN, || self.node(node, scope));
            pending.extend(left);
            all.resolved.extend(peers.resolved.iter().map(|(name, node)| (name.clone(), *node)));
            all.missing.extend(peers.missing.iter().map(|(name, missing)| (name.clone(), missing.clone())));
            all.below.extend(peers.below.iter().cloned());
            let name = self.graph.packages[self.tree.package(node)].name.clone();
            if name != alias {
                edges.push((name, peers.clone()));
            }
            edges.push((alias, peers));
        }
        if !pending.is_empty() {
            let mut graph: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
            for (name, peers) in &edges {
                graph.entry(name).or_default().extend(peers.resolved.keys().map(String::as_str));
            }
            let cyclic = cyclic(&graph);
            for pending in pending {
                self.names.resume(pending, &cyclic, |node| short_name(self.graph, self.tree.package(node)));
            }
        }
        all.resolved.retain(|name, _| !children.iter().any(|(alias, _)| alias == name));
        all
    }

    /// Finds the peers of one package and of what is below it; what it takes from above, and what is left of naming it.
    fn node(&mut self, node: NodeId, scope: &Rc<Scope>) -> (Rc<Peers>, Option<Pending>) {
        let index = self.tree.package(node);
        let package = &self.graph.packages[index];
        let manifest = package.manifest.clone();
        let base = self.base_name(index);
        if self.before.pure.contains(&index) && manifest.peer_dependencies.is_empty() {
            self.names.set(node, base);
            return (Rc::default(), None);
        }
        let Below { children, back } = self.tree.below(node);
        let beside: Vec<_> = children.iter().chain(&*back).cloned().collect();
        let new = Scope::of(self.graph, &self.tree, &beside, &self.peer_names);
        let scope = scope.with(&new, |known, here| !self.breaks_diamond(index, (known, here), scope, &new));
        if let Some((peers, owner)) = self.before.find(index, &scope, &self.tree, &self.names) {
            self.names.set_same(node, owner);
            self.report_missing(node, true, &peers.missing);
            return (peers, None);
        }
        let mut below = self.children(&children, &scope);
        below.resolved.retain(|name, _| !back.iter().any(|(alias, _)| alias == name));
        self.cut_off.extend(back.iter().cloned());
        let own = self.own_peers(index, &scope);
        self.report_missing(node, false, &own.missing);
        if self.is_shared {
            let names = below.missing.keys().cloned().collect();
            below.below = MissingBelow::join(index, names, std::mem::take(&mut below.below)).into_iter().collect();
        }
        let from_above = below.resolved.keys().filter(|name| **name != package.name);
        let transitive = from_above.chain(below.missing.keys());
        let transitive = transitive.filter(|name| !manifest.peer_dependencies.contains_key(*name));
        let transitive_peers: BTreeSet<String> = transitive.cloned().collect();
        let mut peers = below;
        peers.resolved.extend(own.resolved.clone());
        peers.resolved.remove(&package.name);
        peers.missing.extend(own.missing);
        let peers = Rc::new(peers);
        self.before.add(index, node, &peers, &self.tree);
        let mut dependencies: BTreeMap<_, _> = beside.into_iter().collect();
        dependencies.extend(own.resolved);
        let resolved = Resolved { dependencies, transitive_peers, peers: peers.resolved.keys().cloned().collect() };
        self.resolved.insert(node, resolved);
        let pending = self.names.name(node, base, &peers.resolved);
        (peers, pending)
    }

    /// The peers of a package itself.
    fn own_peers(&mut self, index: PackageIndex, scope: &Scope) -> Peers {
        let package = &self.graph.packages[index];
        let mut own = Peers::default();
        for (name, range) in &package.manifest.peer_dependencies {
            let Some(provider) = scope.get(name) else {
                let optional = package.manifest.is_optional(name);
                own.missing.insert(name.clone(), Missing { range: range.clone(), optional });
                continue;
            };
            let found = &self.graph.packages[provider.package];
            let wanted = target_of(name, range).and_then(|(_, range)| range::parse(range));
            // A directory without a version has the one that is wanted.
            let has_version = !(found.is_linked() && found.version == Version::default());
            if has_version && !wanted.is_some_and(|wanted| allows_with_prereleases(&wanted, &found.version)) {
                self.warnings.insert(ResolveWarning::UnmetPeer {
                    parent: package.key.clone(),
                    dependency: format!("{name}@{range}"),
                    found: found.version.to_string(),
                });
            }
            if !found.is_linked() {
                self.found.providers.insert(name.clone(), self.tree.path(provider.node));
            }
            own.resolved.insert(name.clone(), provider.node);
        }
        own
    }

    /// Says what is missing at a node; somewhere below it or at itself, where it was found before.
    fn report_missing(&mut self, node: NodeId, was_found: bool, missing: &BTreeMap<String, Missing>) {
        if missing.is_empty() {
            return;
        }
        let above = if self.is_shared { self.of_others(node, was_found) } else { Vec::new() };
        for (name, missing) in missing {
            let places = self.found.missing.entry(name.clone()).or_default().entry(missing.clone()).or_default();
            // Where no other project has a part in it, nothing else matters.
            if above.is_empty() {
                places.clear();
            }
            if !places.contains(&Vec::new()) {
                places.insert(above.clone());
            }
        }
    }

    /// The packages above a node that another project came to first; the node's own too, if that is asked.
    fn of_others(&self, node: NodeId, with_own: bool) -> Vec<PackageIndex> {
        let path = self.tree.path(node);
        let above = if with_own { &path[..] } else { &path[..path.len() - 1] };
        let is_others = |package: &&PackageIndex| self.graph.packages[**package].owner != self.importer;
        above.iter().filter(is_others).copied().collect()
    }

    /// The dep path of a package without peers.
    fn base_name(&self, package: PackageIndex) -> String {
        let package = &self.graph.packages[package];
        let patch = self.patches.find(&package.name, &package.version.to_string());
        package.key.clone() + &patch.map_or_else(String::new, |patch| suffix(&patch.hash))
    }
}

/// What a package is called where its peers are left out.
fn short_name(graph: &Graph, package: PackageIndex) -> String {
    let package = &graph.packages[package];
    format!("{}@{}", package.name, package.version)
}
