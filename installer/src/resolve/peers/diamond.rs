//! Where a package has to have its own copy of a peer's provider although one of the same version stands above: the copy
//! above has other peers than it would have here, and something below needs it to go with what stands here (pnpm/pnpm#12079).

use super::Search;
use super::scope::{Provider, Scope};
use crate::resolve::graph::PackageIndex;
use std::collections::BTreeSet;

impl Search<'_> {
    /// Whether `known`, which stands above a package, does not do for what is below it in place of `new`, which stands beside:
    /// `scope` is what is above, `beside` what stands there with `new`.
    pub(super) fn breaks_diamond(
        &self,
        package: PackageIndex,
        (known, new): (&Provider, &Provider),
        scope: &Scope,
        beside: &Scope,
    ) -> bool {
        let Some(there) = self.stands_in.get(&known.node).filter(|_| known.node != new.node) else { return false };
        let provider = &self.graph.packages[new.package];
        let differs = |peer: &&String| {
            let here = beside.get(peer).or_else(|| scope.get(peer));
            there.get(peer).zip(here).is_some_and(|(there, here)| there.package != here.package)
        };
        let different: BTreeSet<&String> = provider.manifest.peer_dependencies.keys().filter(differs).collect();
        !different.is_empty() && self.is_taken_with(package, &provider.name, &different)
    }

    /// Whether something below a package has a peer of this name and one of the others; not below another package of that name.
    fn is_taken_with(&self, package: PackageIndex, name: &str, others: &BTreeSet<&String>) -> bool {
        let packages = &self.graph.packages;
        let (mut seen, mut pending) = (BTreeSet::new(), vec![package]);
        while let Some(above) = pending.pop() {
            for below in packages[above].dependencies.values().filter(|below| seen.insert(**below)) {
                let peers = &packages[*below].manifest.peer_dependencies;
                if peers.contains_key(name) && others.iter().any(|other| peers.contains_key(*other)) {
                    return true;
                }
                if !packages[*below].dependencies.contains_key(name) {
                    pending.push(*below);
                }
            }
        }
        false
    }
}
