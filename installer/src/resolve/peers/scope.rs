//! What can be a peer at one place of the tree: everything that stands there or above, by name.

use super::tree::{NodeId, Tree};
use crate::resolve::graph::{Graph, PackageIndex};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// See the module.
#[derive(Debug, Clone, Default)]
pub struct Scope(BTreeMap<String, Provider>);

/// A package that can be a peer.
#[derive(Debug, Clone)]
pub struct Provider {
    pub node: NodeId,
    pub package: PackageIndex,
    /// Its name under node_modules.
    alias: String,
}

impl Scope {
    /// Of all these nodes, which stand side by side, those that somebody has as a peer, by their names under node_modules
    /// and by their own.
    pub fn of(graph: &Graph, tree: &Tree<'_>, nodes: &[(String, NodeId)], peer_names: &BTreeSet<&str>) -> Scope {
        let mut scope = Scope::default();
        for (alias, node) in nodes {
            let package = tree.package(*node);
            let name = &graph.packages[package].name;
            for name in BTreeSet::from([alias, name]).into_iter().filter(|name| peer_names.contains(name.as_str())) {
                scope.offer(graph, name, Provider { node: *node, package, alias: alias.clone() });
            }
        }
        scope
    }

    /// A package's name under node_modules counts before the names of packages behind aliases; of these, the highest
    /// version does.
    fn offer(&mut self, graph: &Graph, name: &str, new: Provider) {
        if let Some(known) = self.0.get(name) {
            let version = |provider: &Provider| graph.packages[provider.package].version.clone();
            if known.alias == name || (new.alias != name && version(known) >= version(&new)) {
                return;
            }
        }
        self.0.insert(name.to_owned(), new);
    }

    /// The scope of what stands below these. What is above under the same name and is the same version stays, where it `will_do`.
    pub fn with(self: &Rc<Scope>, below: &Scope, will_do: impl Fn(&Provider, &Provider) -> bool) -> Rc<Scope> {
        let same = |known: &Provider, new: &Provider| known.package == new.package && known.alias == new.alias;
        let stays = |known: &Provider, new: &Provider| same(known, new) && will_do(known, new);
        let new = below.0.iter().filter(|(name, new)| self.get(name).is_none_or(|known| !stays(known, new)));
        let new: Vec<_> = new.map(|(name, new)| (name.clone(), new.clone())).collect();
        if new.is_empty() {
            return self.clone();
        }
        let mut scope = Scope::clone(self);
        scope.0.extend(new);
        Rc::new(scope)
    }

    /// The scope of a project: its own dependencies before those of the root project.
    pub fn before(self, root: &Scope) -> Scope {
        let mut scope = root.clone();
        scope.0.extend(self.0);
        scope
    }

    pub fn get(&self, name: &str) -> Option<&Provider> {
        self.0.get(name)
    }
}
