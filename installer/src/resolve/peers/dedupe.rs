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
            let variants: Vec<&Variant> = group.iter().map(|dep_path| &self.by_dep_path[dep_path]).collect();
            let covered = covered(&variants);
            let mut apart: BTreeSet<usize> = (0..group.len()).collect();
            let mut rest: Vec<usize> = (0..group.len()).collect();
            // As soon as none of those that are left covers another, nothing more happens.
            while rest.iter().any(|variant| !covered[*variant].is_empty()) {
                rest.sort_by_key(|variant| variants[*variant].size());
                let Some(largest) = rest.pop() else { break };
                let mut others = Vec::new();
                while let Some(smaller) = rest.pop() {
                    if covered[largest].contains(&smaller) {
                        given_way.insert(group[smaller].clone(), group[largest].clone());
                        apart.remove(&largest);
                        apart.remove(&smaller);
                    } else {
                        others.push(smaller);
                    }
                }
                rest = others;
            }
            if !apart.is_empty() {
                left.push(apart.into_iter().map(|variant| group[variant].clone()).collect());
            }
        }
        (given_way, left)
    }
}

/// Which others each variant of a package covers. Whatever covers one has the dependency of it that fewest have, so that among
/// thousands few have to be looked at.
fn covered(variants: &[&Variant]) -> Vec<BTreeSet<usize>> {
    let mut that_have: BTreeMap<&DepPath, Vec<usize>> = BTreeMap::new();
    for (number, variant) in variants.iter().enumerate() {
        for dep_path in variant.dependencies.values().collect::<BTreeSet<_>>() {
            that_have.entry(dep_path).or_default().push(number);
        }
    }
    let all: Vec<usize> = (0..variants.len()).collect();
    let mut covered = vec![BTreeSet::new(); variants.len()];
    for (smaller, variant) in variants.iter().enumerate() {
        let that_may = variant.dependencies.values().map(|dep_path| &that_have[dep_path]).min_by_key(|have| have.len());
        for larger in that_may.unwrap_or(&all).iter().filter(|larger| **larger != smaller) {
            if variants[*larger].covers(variant) {
                covered[*larger].insert(smaller);
            }
        }
    }
    covered
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
