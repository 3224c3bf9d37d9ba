//! The peers that were found for a package and for what is below it, and those that were not.

use super::first_walks::MissingBelow;
use super::names::Names;
use super::scope::Scope;
use super::tree::{NodeId, Tree};
use crate::resolve::graph::PackageIndex;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// A peer that is not there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Missing {
    pub range: String,
    pub optional: bool,
}

/// Above a node: the peers that it and what is below it take from there, and those that are missing.
#[derive(Debug, Clone, Default)]
pub struct Peers {
    pub resolved: BTreeMap<String, NodeId>,
    pub missing: BTreeMap<String, Missing>,
    /// What is missing below which package, where there are several projects.
    pub below: Vec<Rc<MissingBelow>>,
}

impl Peers {
    pub fn is_empty(&self) -> bool {
        self.resolved.is_empty() && self.missing.is_empty()
    }
}

/// The peers that a project is missing.
pub type MissingPeers = BTreeMap<String, BTreeSet<Missing>>;

/// What the peers of one project's packages came to.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// Everything that a peer was missing for, and for each place where it was, the packages above it that another project came
    /// to first.
    pub missing: BTreeMap<String, BTreeMap<Missing, BTreeSet<Vec<PackageIndex>>>>,
    /// What is missing below which package, where there are several projects.
    pub below: Vec<Rc<MissingBelow>>,
    /// What is a peer somewhere, and where it stands.
    pub providers: BTreeMap<String, Rc<[PackageIndex]>>,
}

/// What was found for a package at one node, and holds where the same peers are.
#[derive(Debug)]
struct Entry {
    /// How many were found for the package before it.
    number: usize,
    peers: Rc<Peers>,
    node: NodeId,
}

/// What was found for a package, by the first peer that it took from above, if any, and the package which that is: among thousands of
/// variants few have to be looked at.
#[derive(Debug, Default)]
struct Entries {
    count: usize,
    by_first_peer: BTreeMap<Option<String>, BTreeMap<Option<PackageIndex>, Vec<Entry>>>,
}

/// What was found before, by package.
#[derive(Debug, Default)]
pub struct FoundBefore {
    /// Packages that have no peers, and nothing below them that takes any from above.
    pub pure: BTreeSet<PackageIndex>,
    entries: BTreeMap<PackageIndex, Entries>,
}

impl FoundBefore {
    /// Remembers what was found at a node.
    pub fn add(&mut self, package: PackageIndex, node: NodeId, peers: &Rc<Peers>, tree: &Tree<'_>) {
        if peers.is_empty() {
            self.pure.insert(package);
            return;
        }
        let entries = self.entries.entry(package).or_default();
        let (name, provider) =
            peers.resolved.first_key_value().map(|(name, node)| (name.clone(), tree.package(*node))).unzip();
        let alike = entries.by_first_peer.entry(name).or_default().entry(provider).or_default();
        alike.push(Entry { number: entries.count, peers: peers.clone(), node });
        entries.count += 1;
    }

    /// What would be found again in this scope, and at which node it was found first.
    pub fn find(
        &self,
        package: PackageIndex,
        scope: &Scope,
        tree: &Tree<'_>,
        names: &Names,
    ) -> Option<(Rc<Peers>, NodeId)> {
        let is_same = |name: &str, node: NodeId| {
            scope.get(name).is_some_and(|provider| {
                let same_name = || names.get(node).is_some() && names.get(node) == names.get(provider.node);
                let same_package = || tree.package(node) == provider.package && self.pure.contains(&provider.package);
                provider.node == node || same_name() || same_package()
            })
        };
        let holds = |entry: &&Entry| {
            entry.peers.resolved.iter().all(|(name, node)| is_same(name, *node))
                && entry.peers.missing.keys().all(|name| scope.get(name).is_none())
        };
        let groups = self.entries.get(&package)?.by_first_peer.iter();
        let alike = groups.filter_map(|(name, by_provider)| match name {
            Some(name) => by_provider.get(&Some(scope.get(name)?.package)),
            None => by_provider.get(&None),
        });
        let same = alike.filter_map(|entries| entries.iter().find(holds)).min_by_key(|entry| entry.number)?;
        Some((same.peers.clone(), same.node))
    }
}
