//! Dep paths for the solver's graph: `name@version(peer@version(nested@version))`, as pnpm writes them.
//!
//! The solver's own ids name a peer without its peers where that is unambiguous; pnpm always nests them, except in cycles.

use super::foreign::package_key;
use super::graph_peers::Peers;
use crate::lockfile::DepPath;
use crate::patch::{Patches, suffix};
use deno_npm::NpmPackageId;
use deno_semver::package::PackageNv;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// Longer peer suffixes are replaced by their hash, as pnpm does (`peersSuffixMaxLength`).
const PEERS_SUFFIX_BYTES_MAX: usize = 1000;

/// The dep path of every package in the graph. Two packages that differ only in the solver's eyes can share one.
pub(super) fn dep_paths<'a>(
    peers: &BTreeMap<&'a NpmPackageId, Peers<'a>>,
    patches: &Patches,
) -> BTreeMap<&'a NpmPackageId, DepPath> {
    let mut naming = Naming { peers, patches, done: BTreeMap::new() };
    for id in peers.keys() {
        naming.name(id);
    }
    naming.done
}

struct Naming<'p, 'a> {
    peers: &'p BTreeMap<&'a NpmPackageId, Peers<'a>>,
    patches: &'p Patches,
    done: BTreeMap<&'a NpmPackageId, DepPath>,
}

impl<'a> Naming<'_, 'a> {
    fn name(&mut self, id: &'a NpmPackageId) -> DepPath {
        if let Some(done) = self.done.get(id) {
            return done.clone();
        }
        let mut suffixes = BTreeSet::new();
        for (_, peer) in &self.peers[id].from_above {
            let in_cycle = self.leads_to(peer, &id.nv);
            suffixes.insert(if in_cycle { package_key(&peer.nv) } else { self.name(peer) });
        }
        let mut dep_path = package_key(&id.nv);
        if let Some(patch) = self.patches.find(&id.nv.name, &id.nv.version.to_string()) {
            dep_path.push_str(&suffix(&patch.hash));
        }
        if !suffixes.is_empty() {
            let suffixes: Vec<_> = suffixes.into_iter().collect();
            dep_path.push_str(&format!("({})", shortened(suffixes.join(")("))));
        }
        self.done.insert(id, dep_path.clone());
        dep_path
    }

    /// Whether the peers of `from`, and theirs, come back to a package of this version.
    fn leads_to(&self, from: &'a NpmPackageId, version: &PackageNv) -> bool {
        let (mut pending, mut seen) = (vec![from], BTreeSet::from([from]));
        while let Some(id) = pending.pop() {
            if id.nv == *version {
                return true;
            }
            pending.extend(self.peers[id].from_above.iter().map(|(_, peer)| *peer).filter(|peer| seen.insert(peer)));
        }
        false
    }
}

fn shortened(suffix: String) -> String {
    if suffix.len() <= PEERS_SUFFIX_BYTES_MAX {
        return suffix;
    }
    hex::encode(Sha256::digest(suffix.as_bytes()))[..32].to_owned()
}
