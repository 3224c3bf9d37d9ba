//! Hoisting: everything moves to the root as far as it can, then to the directories below the root, and so on.
//!
//! The places are those that pnpm chooses, whose rules are Yarn's (`@yarnpkg/nm`): a package moves up into a root unless
//! another one is preferred under its name there, or somebody on the way, or below the root, would come to see another
//! version by that. What moved can make room for others, so a root is gone through until nothing moves.

use super::graph::{Graph, NameId, NodeId, PackageIndex, TOP};
use super::preferences::{Preferences, preferences};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// A lockfile asks for more directories than any real project has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error, miette::Diagnostic)]
#[error(
    "the packages of this lockfile do not fit into node_modules: there would be hundreds of thousands of directories"
)]
#[diagnostic(
    code(lockstep::hoist::too_many),
    help("set `nodeLinker: isolated` in pnpm-workspace.yaml: there every package has one directory")
)]
pub struct TooManyCopies;

/// Turns the graph into a tree, in place: what can be reached from the top is the layout.
///
/// # Errors
/// When the tree would be larger than any that a real project needs.
pub(super) fn hoist(graph: &mut Graph) -> Result<(), TooManyCopies> {
    hoist_into(graph, TOP, &BTreeMap::new())?;
    let mut roots = BTreeSet::from([graph.node(TOP).package]);
    let mut open = vec![(TOP, graph.node(TOP).children.clone().into_iter())];
    while let Some((root, children)) = open.last_mut() {
        let root = *root;
        let Some(child) = children.next() else {
            open.pop();
            roots.remove(&graph.node(root).package);
            continue;
        };
        let is_peer = graph.node(root).peers.contains(&graph.node(child).name);
        if is_peer || !roots.insert(graph.node(child).package) {
            continue;
        }
        let child = graph.own_copy(root, child)?;
        let used = found_above(graph, child);
        hoist_into(graph, child, &used)?;
        open.push((child, graph.node(child).children.clone().into_iter()));
    }
    Ok(())
}

/// What `root` and everything below it find above it: name → package.
fn found_above(graph: &Graph, root: NodeId) -> BTreeMap<NameId, PackageIndex> {
    let (mut found, mut seen, mut pending) = (BTreeMap::new(), BTreeSet::new(), vec![root]);
    while let Some(node) = pending.pop() {
        if seen.insert(node) {
            let node = graph.node(node);
            found.extend(node.hoisted.iter().copied());
            pending.extend(node.children.iter().filter(|child| !node.peers.contains(&graph.node(**child).name)));
        }
    }
    found
}

/// Moves what is below `root` into it, until nothing moves.
fn hoist_into(
    graph: &mut Graph,
    root: NodeId,
    found_above: &BTreeMap<NameId, PackageIndex>,
) -> Result<(), TooManyCopies> {
    let names = graph.node(root).children.iter().map(|child| (graph.node(*child).name, *child)).collect();
    let preferences = preferences(graph, root);
    let mut round = Round { graph, root, found_above, taken: names, preferences };
    loop {
        let moved = round.run()?;
        let gave_way = round.give_way();
        if !moved && !gave_way {
            return Ok(());
        }
    }
}

/// One way through all that is below a root.
struct Round<'a> {
    graph: &'a mut Graph,
    root: NodeId,
    found_above: &'a BTreeMap<NameId, PackageIndex>,
    /// The names in the root's node_modules.
    taken: BTreeMap<NameId, NodeId>,
    preferences: Preferences,
}

/// What becomes of a package below the root.
enum Move {
    /// It moves into the root.
    Up,
    /// It is there already: in the root, or above.
    Merge,
    /// It stays where it is, for now.
    Stay,
}

/// The nodes from the root down to one, each with the index of the one above it.
type Trail = Vec<(Option<usize>, NodeId)>;

impl Round<'_> {
    /// Says whether anything moved. What moved is gone through when everything that was in the root before it has been.
    fn run(&mut self) -> Result<bool, TooManyCopies> {
        let mut moved = false;
        let mut trail: Trail = vec![(None, self.root)];
        let mut arrived = VecDeque::from([0]);
        while let Some(start) = arrived.pop_front() {
            let mut open = vec![start];
            while let Some(at) = open.pop() {
                let mut staying = Vec::new();
                for child in self.graph.node(trail[at].1).children.clone() {
                    let below = match self.decide(child, &trail, at) {
                        Move::Merge => {
                            moved = true;
                            continue;
                        }
                        Move::Stay => at,
                        Move::Up => {
                            moved = true;
                            self.graph.nodes[self.root].children.push(child);
                            0
                        }
                    };
                    let child = self.graph.own_copy(trail[below].1, child)?;
                    if below == 0 {
                        self.taken.insert(self.graph.node(child).name, child);
                    }
                    trail.push((Some(below), child));
                    if below == at {
                        staying.push(trail.len() - 1);
                    } else {
                        arrived.push_back(trail.len() - 1);
                    }
                }
                open.extend(staying.into_iter().rev());
            }
        }
        Ok(moved)
    }

    /// Decides about one child of the node at `at`, and takes it away from there unless it stays.
    fn decide(&mut self, child: NodeId, trail: &Trail, at: usize) -> Move {
        let node = trail[at].1;
        if self.closes_a_cycle(child, trail, at) {
            self.graph.nodes[node].children.retain(|id| *id != child);
            return Move::Merge;
        }
        let chosen = if node == self.root { Move::Stay } else { self.choose(child, trail, at) };
        if matches!(chosen, Move::Up | Move::Merge) {
            let found = (self.graph.node(child).name, self.graph.node(child).package);
            self.graph.nodes[node].children.retain(|id| *id != child);
            self.graph.nodes[node].hoisted.push(found);
        }
        chosen
    }

    /// Names that nobody has by now: whoever is next may have them. Says whether there was one.
    fn give_way(&mut self) -> bool {
        let taken = &self.taken;
        let mut waiting: Vec<_> =
            self.preferences.iter_mut().filter(|(name, all)| all.len() > 1 && !taken.contains_key(name)).collect();
        for (_, all) in &mut waiting {
            all.pop_front();
        }
        !waiting.is_empty()
    }

    /// Whether a package is what it would lie below: then it is found there.
    fn closes_a_cycle(&self, child: NodeId, trail: &Trail, at: usize) -> bool {
        let child = self.graph.node(child);
        upwards(trail, at).any(|above| {
            let above = self.graph.node(above);
            above.name == child.name && above.package == child.package
        })
    }

    fn choose(&self, child: NodeId, trail: &Trail, at: usize) -> Move {
        let node = self.graph.node(child);
        let preferred = self.preferences.get(&node.name).and_then(|packages| packages.front());
        let chosen = match self.taken.get(&node.name) {
            None if preferred.is_none_or(|package| *package == node.package) => Move::Up,
            Some(there) if self.graph.node(*there).package == node.package => Move::Merge,
            _ => Move::Stay,
        };
        let found_above = self.found_above.get(&node.name);
        let hides_another = found_above.is_some_and(|there| !self.graph.is_same_version(*there, node.package));
        if self.graph.is_fixed(child) || hides_another || self.is_hidden(child, trail, at) {
            return Move::Stay;
        }
        match chosen {
            Move::Up if self.loses_a_peer(child, trail, at) => Move::Stay,
            chosen => chosen,
        }
    }

    /// Whether another version of it lies between here and the root: from here that one would be found.
    fn is_hidden(&self, child: NodeId, trail: &Trail, at: usize) -> bool {
        let child = self.graph.node(child);
        let below_root = upwards(trail, at).filter(|above| *above != self.root);
        below_root.flat_map(|above| &self.graph.node(above).children).any(|other| {
            let other = self.graph.node(*other);
            other.name == child.name && !self.graph.is_same_version(other.package, child.package)
        })
    }

    /// Whether a peer that it finds on the way to the root is another one in the root.
    fn loses_a_peer(&self, child: NodeId, trail: &Trail, at: usize) -> bool {
        let child = self.graph.node(child);
        let package_under = |node: NodeId, name: NameId| {
            let mut children = self.graph.node(node).children.iter().map(|child| self.graph.node(*child));
            children.find(|child| child.name == name).map(|child| child.package)
        };
        let is_lost = |peer: &NameId| {
            let nearest = upwards(trail, at).find_map(|above| package_under(above, *peer));
            let in_root = self.taken.get(peer).map(|there| self.graph.node(*there).package);
            nearest.is_some() && nearest != in_root
        };
        self.graph.node(self.root).peers.contains(&child.name) || child.peers.iter().any(is_lost)
    }
}

/// The nodes from `at` up to the root.
fn upwards(trail: &Trail, at: usize) -> impl Iterator<Item = NodeId> + '_ {
    std::iter::successors(Some(at), |at| trail[*at].0).map(|at| trail[at].1)
}
