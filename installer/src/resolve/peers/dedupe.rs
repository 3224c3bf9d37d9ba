//! Fewer variants: one whose dependencies and peers are all among those of another of the same package gives way to it, as with
//! pnpm's `dedupePeerDependents`.

use super::variants::{Variant, Variants};
use crate::lockfile::DepPath;
use std::collections::{BTreeMap, BTreeSet};

impl Variants {
    /// Lets variants give way until none can.
    pub fn dedupe(&mut self) {
        let mut groups: Vec<Vec<DepPath>> = self.of_package.values().filter(|of| of.len() > 1).cloned().collect();
        loop {
            let (given_way, left) = self.given_way(&groups);
            if given_way.is_empty() {
                return;
            }
            let instead = |dep_path: &mut DepPath| {
                while let Some(other) = given_way.get(dep_path) {
                    *dep_path = other.clone();
                }
            };
            self.by_dep_path.values_mut().flat_map(|variant| variant.dependencies.values_mut()).for_each(instead);
            self.direct.values_mut().flat_map(BTreeMap::values_mut).for_each(instead);
            if left.len() == groups.len() {
                return;
            }
            groups = left;
        }
    }

    /// Which variants give way to which, and the groups in which some have no part in that.
    fn given_way(&self, groups: &[Vec<DepPath>]) -> (BTreeMap<DepPath, DepPath>, Vec<Vec<DepPath>>) {
        let mut given_way = BTreeMap::new();
        let mut left = Vec::new();
        for group in groups {
            let mut apart: BTreeSet<&DepPath> = group.iter().collect();
            let mut rest: Vec<&DepPath> = group.iter().collect();
            while !rest.is_empty() {
                rest.sort_by_key(|dep_path| self.by_dep_path[*dep_path].size());
                let Some(largest) = rest.pop() else { break };
                let mut others = Vec::new();
                while let Some(smaller) = rest.pop() {
                    if self.by_dep_path[largest].covers(&self.by_dep_path[smaller]) {
                        given_way.insert(smaller.clone(), largest.clone());
                        apart.remove(largest);
                        apart.remove(smaller);
                    } else {
                        others.push(smaller);
                    }
                }
                rest = others;
            }
            if !apart.is_empty() {
                left.push(group.iter().filter(|dep_path| apart.contains(dep_path)).cloned().collect());
            }
        }
        (given_way, left)
    }
}

impl Variant {
    fn size(&self) -> usize {
        self.dependencies.len() + self.peers.len()
    }

    /// Whether everything that `other` has is here too.
    fn covers(&self, other: &Variant) -> bool {
        let own: BTreeSet<&DepPath> = self.dependencies.values().collect();
        self.size() >= other.size()
            && other.dependencies.values().all(|dep_path| own.contains(dep_path))
            && other.peers.is_subset(&self.peers)
    }
}
