//! Dep paths for the solver's graph: `name@version(peer@version(nested@version))`, as pnpm writes them.
//!
//! The solver names a peer without its own peers where that is unambiguous, and in cycles; pnpm always nests them, except
//! in cycles. So each peer is looked up in the graph again.

use crate::lockfile::DepPath;
use deno_npm::{NpmPackageId, NpmResolutionPackage};
use deno_semver::package::PackageNv;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// Longer peer suffixes are replaced by their hash, as pnpm does (`peersSuffixMaxLength`).
const PEERS_SUFFIX_BYTES_MAX: usize = 1000;

/// The packages of the graph by their ids.
pub(super) type Nodes<'a> = BTreeMap<&'a NpmPackageId, &'a NpmResolutionPackage>;

/// The dep path of every package in the graph. Two packages that differ only in the solver's eyes can share one.
pub(super) fn dep_paths<'a>(nodes: &Nodes<'a>) -> BTreeMap<&'a NpmPackageId, DepPath> {
    let mut by_version: BTreeMap<&PackageNv, Vec<&'a NpmPackageId>> = BTreeMap::new();
    for id in nodes.keys() {
        by_version.entry(&id.nv).or_default().push(id);
    }
    let peers = nodes.iter().map(|(id, package)| {
        let peers = id.peer_dependencies.iter();
        (*id, peers.map(|peer| find_peer(peer, package, nodes, &by_version)).collect())
    });
    let mut naming = Naming { peers: peers.collect(), done: BTreeMap::new() };
    for id in nodes.keys() {
        naming.name(id);
    }
    naming.done
}

/// A peer as a package of the graph, or as nothing but its name and version.
type Peer<'a> = Result<&'a NpmPackageId, &'a PackageNv>;

fn find_peer<'a>(
    peer: &'a NpmPackageId,
    of: &'a NpmResolutionPackage,
    nodes: &Nodes<'a>,
    by_version: &BTreeMap<&PackageNv, Vec<&'a NpmPackageId>>,
) -> Peer<'a> {
    let mut linked: Vec<_> = of.dependencies.values().filter(|id| id.nv == peer.nv).collect();
    linked.sort();
    let linked = linked.first().and_then(|id| nodes.get_key_value(id));
    let found = linked.or_else(|| nodes.get_key_value(peer)).map(|(id, _)| *id);
    let only = || by_version.get(&peer.nv).and_then(|ids| ids.first()).copied();
    found.or_else(only).ok_or(&peer.nv)
}

struct Naming<'a> {
    peers: BTreeMap<&'a NpmPackageId, Vec<Peer<'a>>>,
    done: BTreeMap<&'a NpmPackageId, DepPath>,
}

impl<'a> Naming<'a> {
    fn name(&mut self, id: &'a NpmPackageId) -> DepPath {
        if let Some(done) = self.done.get(id) {
            return done.clone();
        }
        let mut suffixes = BTreeSet::new();
        for peer in self.peers[id].clone() {
            suffixes.insert(match peer {
                Ok(peer) if !self.leads_to(peer, &id.nv) => self.name(peer),
                Ok(peer) => peer.nv.to_string(),
                Err(peer) => peer.to_string(),
            });
        }
        let mut dep_path = id.nv.to_string();
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
            pending.extend(self.peers[id].iter().filter_map(|peer| peer.ok()).filter(|peer| seen.insert(peer)));
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
