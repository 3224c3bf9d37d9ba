//! The graph, unfolded into a tree: each place at which a package stands is a node, made when it is looked at.
//!
//! A cycle of packages is cut where it comes to a package that does not sort after the one that leads there, wherever it is
//! entered: as in pnpm, so that what is below a package is the same everywhere. The edges that are cut lead to one node of
//! their package, which stands in no place.

use super::cycles::components;
use crate::resolve::graph::{Graph, PackageIndex};
use std::collections::BTreeMap;
use std::rc::Rc;

/// A node's place in the tree.
pub type NodeId = usize;

/// Name under node_modules → node.
pub type Nodes = Rc<[(String, NodeId)]>;

/// What a package depends on.
#[derive(Clone)]
pub struct Below {
    /// What stands below it.
    pub children: Nodes,
    /// Where cycles are cut.
    pub back: Nodes,
}

/// See the module.
pub struct Tree<'g> {
    graph: &'g Graph,
    nodes: Vec<Node>,
    /// A package that has nothing below it and no peers is the same everywhere.
    leaves: BTreeMap<PackageIndex, NodeId>,
    /// The nodes that cut edges lead to.
    targets: BTreeMap<PackageIndex, NodeId>,
    /// Package → number: those that are on a cycle with each other have the same.
    components: Vec<usize>,
}

struct Node {
    package: PackageIndex,
    above: Option<NodeId>,
    depth: usize,
    below: Option<Below>,
}

impl<'g> Tree<'g> {
    pub fn new(graph: &'g Graph) -> Self {
        let edges = graph.packages.iter().enumerate();
        let edges = edges.flat_map(|(from, package)| package.dependencies.values().map(move |to| (from, *to)));
        Tree {
            graph,
            nodes: Vec::new(),
            leaves: BTreeMap::new(),
            targets: BTreeMap::new(),
            components: components(graph.packages.len(), edges),
        }
    }

    /// A node for a project's dependency.
    pub fn direct(&mut self, package: PackageIndex) -> NodeId {
        self.add(package, None)
    }

    pub fn package(&self, node: NodeId) -> PackageIndex {
        self.nodes[node].package
    }

    /// The packages from the project's dependency down to this node's.
    pub fn path(&self, node: NodeId) -> Rc<[PackageIndex]> {
        let mut path: Vec<_> = std::iter::successors(Some(node), |node| self.nodes[*node].above).collect();
        path.reverse();
        path.into_iter().map(|node| self.nodes[node].package).collect()
    }

    /// The package of each node, and how many packages are above it.
    pub fn into_places(self) -> Vec<(PackageIndex, usize)> {
        self.nodes.into_iter().map(|node| (node.package, node.depth)).collect()
    }

    /// How many packages are above a node.
    pub fn depth(&self, node: NodeId) -> usize {
        self.nodes[node].depth
    }

    /// What a node's package depends on.
    pub fn below(&mut self, node: NodeId) -> Below {
        if let Some(below) = &self.nodes[node].below {
            return below.clone();
        }
        let package = self.nodes[node].package;
        let (mut children, mut back) = (Vec::new(), Vec::new());
        let graph = self.graph;
        for (alias, dependency) in &graph.packages[package].dependencies {
            if self.is_cut(package, *dependency) {
                back.push((alias.clone(), self.target(*dependency)));
            } else {
                children.push((alias.clone(), self.add(*dependency, Some(node))));
            }
        }
        let below = Below { children: children.into(), back: back.into() };
        self.nodes[node].below = Some(below.clone());
        below
    }

    /// The node of a package at the end of this path below a project's dependencies, which are `direct`.
    pub fn at(&mut self, direct: &[(String, NodeId)], path: &[PackageIndex]) -> Option<NodeId> {
        let mut found: Option<NodeId> = None;
        for package in path {
            let below = found.map_or_else(|| direct.into(), |node| self.below(node).children);
            found = Some(below.iter().map(|(_, node)| *node).find(|node| self.package(*node) == *package)?);
        }
        found
    }

    fn is_cut(&self, from: PackageIndex, to: PackageIndex) -> bool {
        let packages = &self.graph.packages;
        self.components[from] == self.components[to] && packages[to].key <= packages[from].key
    }

    fn target(&mut self, package: PackageIndex) -> NodeId {
        if let Some(known) = self.targets.get(&package) {
            return *known;
        }
        let node = self.add(package, None);
        self.targets.insert(package, node);
        node
    }

    fn add(&mut self, package: PackageIndex, above: Option<NodeId>) -> NodeId {
        let is_leaf = self.graph.packages[package].manifest.is_leaf();
        if let Some(known) = self.leaves.get(&package).filter(|_| is_leaf) {
            return *known;
        }
        let (node, depth) = (self.nodes.len(), above.map_or(0, |above| self.nodes[above].depth + 1));
        self.nodes.push(Node { package, above, depth, below: None });
        if is_leaf {
            self.leaves.insert(package, node);
        }
        node
    }
}
