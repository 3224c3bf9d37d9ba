//! Peers: which variants of each package there are, as pnpm finds them.
//!
//! A package's peer is what stands nearest above it under that name: beside it, or beside what is above it. A package that has
//! peers, or has packages below it that find theirs above it, exists once for each set of them. The graph is unfolded
//! into a tree for that, as far as it makes a difference: a package without peers is one node, and where the same peers
//! would be found again, what was found before is taken.

mod cycles;
mod dedupe;
mod found;
mod names;
mod scope;
mod tree;
mod variants;

pub(super) use self::found::{Found, Missing};
pub(super) use self::variants::{Variant, Variants};

use self::cycles::cyclic;
use self::found::{FoundBefore, Peers};
use self::names::{Names, Pending};
use self::scope::Scope;
use self::tree::{Below, NodeId, Nodes, Tree};
use self::variants::Resolved;
use super::graph::{Graph, PackageIndex};
use super::packuments::ResolveWarning;
use super::specifier::target_of;
use super::version_pick::allows_with_prereleases;
use super::walk::Dependencies;
use crate::patch::{Patches, suffix};
use crate::range;
use crate::workspace::{ImporterId, ROOT};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// What a project has for its packages to find their peers among.
#[derive(Debug, Clone, Default)]
pub(super) struct Direct {
    /// Its dependencies, and the peers that it was given.
    pub dependencies: Dependencies,
    /// Packages further below that count as if they were its own: name, and the packages on the way there.
    pub providers: BTreeMap<String, Rc<[PackageIndex]>>,
}

/// What looking for all peers came to.
#[derive(Debug, Default)]
pub(super) struct AllPeers {
    pub variants: Variants,
    pub found: BTreeMap<ImporterId, Found>,
    /// Peers that are there in a version that is not accepted.
    pub warnings: BTreeSet<ResolveWarning>,
}

/// Finds the peers of everything that the projects have.
pub(super) fn resolve_peers(graph: &Graph, direct: &BTreeMap<ImporterId, Direct>, patches: &Patches) -> AllPeers {
    let peer_names = graph.packages.iter().flat_map(|package| package.manifest.peer_dependencies.keys());
    let mut search = Search {
        graph,
        patches,
        peer_names: peer_names.map(String::as_str).collect(),
        tree: Tree::new(graph),
        names: Names::default(),
        before: FoundBefore::default(),
        resolved: BTreeMap::new(),
        found: Found::default(),
        cut_off: Vec::new(),
        warnings: BTreeSet::new(),
    };
    let mut all = AllPeers::default();
    let mut nodes = BTreeMap::new();
    let mut root = Scope::default();
    // The root project is the first: its name sorts before all others.
    for (id, direct) in direct {
        let (own, scope) = search.project(direct, &root);
        if id == ROOT {
            root = Scope::clone(&scope);
        }
        nodes.insert(id.clone(), own);
        all.found.insert(id.clone(), std::mem::take(&mut search.found));
    }
    let Search { tree, mut names, resolved, warnings, .. } = search;
    names.finish(|node| short_name(graph, tree.package(node)));
    all.variants = Variants::of(&tree, &names, resolved, nodes);
    all.warnings = warnings;
    all
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
    tree: Tree<'g>,
    names: Names,
    before: FoundBefore,
    resolved: BTreeMap<NodeId, Resolved>,
    found: Found,
    /// Nodes at which cycles were cut.
    cut_off: Vec<(String, NodeId)>,
    warnings: BTreeSet<ResolveWarning>,
}

impl Search<'_> {
    /// Finds the peers of all that a project has; its direct dependencies, and the scope that they are.
    fn project(&mut self, direct: &Direct, root: &Scope) -> (Vec<(String, NodeId)>, Rc<Scope>) {
        let own: Vec<_> =
            direct.dependencies.iter().map(|(alias, package)| (alias.clone(), self.tree.direct(*package))).collect();
        let mut all = own.clone();
        for (alias, path) in &direct.providers {
            all.extend(self.tree.at(&own, path).map(|node| (alias.clone(), node)));
        }
        let scope = Rc::new(Scope::of(self.graph, &self.tree, &all, &self.peer_names).before(root));
        self.children(&own.as_slice().into(), &scope);
        // What counts as the project's own and was not come to on the way there is looked at from the project.
        for (alias, node) in all.iter().skip(own.len()) {
            if self.names.get(*node).is_none() && !self.resolved.contains_key(node) {
                self.children(&[(alias.clone(), *node)].as_slice().into(), &scope);
            }
        }
        self.cut_off(&scope);
        (own, scope)
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
        let (known, others): (Vec<_>, Vec<_>) =
            children.iter().cloned().partition(|(alias, _)| scope.get(alias).is_some());
        let mut all = Peers::default();
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
        let scope = scope.with(Scope::of(self.graph, &self.tree, &beside, &self.peer_names));
        if let Some((peers, owner)) = self.before.find(index, &scope, &self.tree, &self.names) {
            self.names.set_same(node, owner);
            self.report_missing(&peers.missing);
            return (peers, None);
        }
        let mut below = self.children(&children, &scope);
        below.resolved.retain(|name, _| !back.iter().any(|(alias, _)| alias == name));
        self.cut_off.extend(back.iter().cloned());
        let own = self.own_peers(index, &scope);
        self.report_missing(&own.missing);
        let from_above = below.resolved.keys().filter(|name| **name != package.name);
        let transitive = from_above.chain(below.missing.keys());
        let transitive = transitive.filter(|name| !manifest.peer_dependencies.contains_key(*name));
        let transitive_peers: BTreeSet<String> = transitive.cloned().collect();
        let mut peers = below;
        peers.resolved.extend(own.resolved.clone());
        peers.resolved.remove(&package.name);
        peers.missing.extend(own.missing);
        let peers = Rc::new(peers);
        self.before.add(index, node, &peers);
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
            if !wanted.is_some_and(|wanted| allows_with_prereleases(&wanted, &found.version)) {
                self.warnings.insert(ResolveWarning::UnmetPeer {
                    parent: package.key.clone(),
                    dependency: format!("{name}@{range}"),
                    found: found.version.to_string(),
                });
            }
            self.found.providers.insert(name.clone(), self.tree.path(provider.node));
            own.resolved.insert(name.clone(), provider.node);
        }
        own
    }

    fn report_missing(&mut self, missing: &BTreeMap<String, Missing>) {
        for (name, missing) in missing {
            self.found.missing.entry(name.clone()).or_default().insert(missing.clone());
        }
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
