//! Which of a package's versions gets the place that only one can have: the one that most packages depend on.

use super::graph::{Graph, NameId, NodeId, PackageIndex};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Name → the packages that may lie under it, the one that is to lie there first.
pub(super) type Preferences = BTreeMap<NameId, VecDeque<PackageIndex>>;

#[derive(Default)]
struct Users {
    /// When it was come to: of two that are used equally the first goes before.
    order: usize,
    packages: BTreeSet<PackageIndex>,
    /// Packages that have it for a peer.
    as_peer: BTreeSet<PackageIndex>,
}

/// What is preferred below `root`. Whatever it depends on itself goes before everything else.
pub(super) fn preferences(graph: &Graph, root: NodeId) -> Preferences {
    let top = graph.node(root);
    let own: Vec<NodeId> =
        top.children.iter().copied().filter(|child| !top.peers.contains(&graph.node(*child).name)).collect();
    let mut preferences = Preferences::from([(top.name, VecDeque::from([top.package]))]);
    for child in own.iter().map(|child| graph.node(*child)) {
        preferences.insert(child.name, VecDeque::from([child.package]));
    }
    let users = users(graph, root, own);
    let mut ranked: Vec<_> = users.into_iter().filter(|((name, _), _)| !top.peers.contains(name)).collect();
    ranked.sort_by_key(|(_, users)| (Reverse(users.packages.len() + users.as_peer.len()), users.order));
    for ((name, package), _) in ranked {
        let packages = preferences.entry(name).or_default();
        if !packages.contains(&package) {
            packages.push_back(package);
        }
    }
    preferences
}

/// Who uses what, as far as it can be reached; depth first.
fn users(graph: &Graph, root: NodeId, own: Vec<NodeId>) -> BTreeMap<(NameId, PackageIndex), Users> {
    let mut users: BTreeMap<(NameId, PackageIndex), Users> = BTreeMap::new();
    let mut seen = BTreeSet::from([root]);
    let mut open = vec![(root, own.into_iter())];
    while let Some((user, children)) = open.last_mut() {
        let user = graph.node(*user);
        let Some(child) = children.next() else {
            open.pop();
            continue;
        };
        let node = graph.node(child);
        let order = users.len();
        let entry = users.entry((node.name, node.package)).or_insert_with(|| Users { order, ..Users::default() });
        if user.peers.contains(&node.name) {
            entry.as_peer.insert(user.package);
            continue;
        }
        entry.packages.insert(user.package);
        if seen.insert(child) {
            open.push((child, node.children.clone().into_iter()));
        }
    }
    users
}
