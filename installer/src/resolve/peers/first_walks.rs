//! Which peers a package was missing where it was met first: below the project that has it nearest.
//!
//! What that project had is not given to the others for it, as in pnpm: there the first walk of a package's dependencies is
//! shared, and reports what is missing to its own project alone.

use super::found::{Found, MissingPeers};
use crate::resolve::graph::{Graph, PackageIndex};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// See the module.
#[derive(Debug, Default)]
pub struct FirstWalks(BTreeMap<PackageIndex, BTreeSet<String>>);

/// What is missing below the packages of one part of the tree.
#[derive(Debug)]
pub struct MissingBelow {
    own: Option<(PackageIndex, Vec<String>)>,
    children: Vec<Rc<MissingBelow>>,
}

impl MissingBelow {
    /// What `names` below a package and the parts that it is made of come to; nothing where nothing is missing.
    pub fn join(package: PackageIndex, names: Vec<String>, mut children: Vec<Rc<Self>>) -> Option<Rc<Self>> {
        if names.is_empty() && children.len() < 2 {
            return children.pop();
        }
        Some(Rc::new(MissingBelow { own: (!names.is_empty()).then_some((package, names)), children }))
    }
}

impl FirstWalks {
    /// Remembers what was missing below the packages that a project was the first to come to, once for each.
    pub fn record(&mut self, graph: &Graph, importer: &str, found: &Found) {
        let mut missing: BTreeMap<PackageIndex, BTreeSet<String>> = BTreeMap::new();
        let (mut seen, mut pending) = (BTreeSet::new(), found.below.clone());
        while let Some(below) = pending.pop() {
            if seen.insert(Rc::as_ptr(&below)) {
                if let Some((package, names)) = &below.own {
                    missing.entry(*package).or_default().extend(names.iter().cloned());
                }
                pending.extend(below.children.iter().cloned());
            }
        }
        let own = graph.packages.iter().enumerate().filter(|(_, package)| package.owner == importer);
        for (package, _) in own {
            self.0.entry(package).or_insert_with(|| missing.remove(&package).unwrap_or_default());
        }
    }

    /// What is missing for a project itself: not what it is missing below a package that another project came to first, and
    /// that was not missing there; that of what its lockfile has a peer for counts all the same.
    pub fn left(&self, found: &Found, locked: &BTreeSet<String>) -> MissingPeers {
        let mut left = MissingPeers::new();
        for (name, all) in &found.missing {
            let is_others = |above: &Vec<PackageIndex>| {
                above.iter().any(|package| self.0.get(package).is_some_and(|missing| !missing.contains(name)))
            };
            for (missing, places) in all {
                if locked.contains(name) || !places.iter().all(is_others) {
                    left.entry(name.clone()).or_default().insert(missing.clone());
                }
            }
        }
        left
    }
}
