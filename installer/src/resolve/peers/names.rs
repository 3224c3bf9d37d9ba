//! Dep paths: `name@version(peer@version(nested@version))`, as pnpm writes them.
//!
//! A node's dep path has those of its peers in it, so it is known once theirs are. Where peers are each other's peers, one of
//! them is called by its `name@version` alone.

use super::cycles::cyclic;
use super::tree::NodeId;
use crate::lockfile::DepPath;
use crate::resolve::linked::peer_name;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// Longer peer suffixes are replaced by their hash, as pnpm does (`peersSuffixMaxLength`).
const PEERS_SUFFIX_BYTES_MAX: usize = 1000;

/// The dep paths of nodes.
#[derive(Debug, Default)]
pub struct Names {
    names: BTreeMap<NodeId, DepPath>,
    /// What those who wait for a node's dep path get instead: the node is on a cycle.
    broken: BTreeMap<NodeId, String>,
    waiting: Vec<Waiting>,
    /// Nodes that have the dep path of another.
    same: Vec<(NodeId, NodeId)>,
    /// Nodes in the order in which their dep paths became known.
    pub order: Vec<NodeId>,
}

/// A node whose dep path is not known yet.
#[derive(Debug)]
struct Waiting {
    node: NodeId,
    base: String,
    peers: Vec<String>,
    awaited: Vec<NodeId>,
}

/// A node's peers when the names of some are not known yet.
#[derive(Debug)]
pub struct Pending {
    pub node: NodeId,
    base: String,
    peers: Vec<String>,
    /// Peer name and node.
    pending: Vec<(String, NodeId)>,
}

impl Names {
    pub fn get(&self, node: NodeId) -> Option<&DepPath> {
        self.names.get(&node)
    }

    pub fn set(&mut self, node: NodeId, name: DepPath) {
        if self.names.insert(node, name).is_none() {
            self.order.push(node);
        }
    }

    /// A node has the dep path of `owner`.
    pub fn set_same(&mut self, node: NodeId, owner: NodeId) {
        match self.names.get(&owner).cloned() {
            Some(name) => self.set(node, name),
            None => self.same.push((node, owner)),
        }
    }

    /// Names a node by its peers where all of theirs are known.
    pub fn name(&mut self, node: NodeId, base: String, peers: &BTreeMap<String, NodeId>) -> Option<Pending> {
        let mut pending = Pending { node, base, peers: Vec::new(), pending: Vec::new() };
        for (name, peer) in peers {
            match self.names.get(peer) {
                Some(known) => pending.peers.push(peer_name(name, known).unwrap_or_else(|| known.clone())),
                None => pending.pending.push((name.clone(), *peer)),
            }
        }
        if !pending.pending.is_empty() {
            return Some(pending);
        }
        self.set(node, with_peers(&pending.base, pending.peers));
        None
    }

    /// Goes on with a node once it is known which names lead back to themselves among those that stand beside it.
    pub fn resume(&mut self, pending: Pending, cyclic: &BTreeSet<&str>, short: impl Fn(NodeId) -> String) {
        let Pending { node, base, mut peers, pending } = pending;
        let mut awaited = Vec::new();
        for (name, peer) in pending {
            if cyclic.contains(name.as_str()) {
                peers.push(short(peer));
                if !self.names.contains_key(&peer) {
                    self.broken.entry(peer).or_insert_with(|| short(peer));
                }
            } else {
                awaited.push(peer);
            }
        }
        self.waiting.push(Waiting { node, base, peers, awaited });
    }

    /// Names all that is left.
    pub fn finish(&mut self, short: impl Fn(NodeId) -> String) {
        while !self.waiting.is_empty() || !self.same.is_empty() {
            if self.settle() {
                continue;
            }
            // What is left waits for itself, over nodes that stand at different places.
            let mut edges: BTreeMap<NodeId, BTreeSet<NodeId>> = BTreeMap::new();
            for waiting in &self.waiting {
                edges.entry(waiting.node).or_default().extend(&waiting.awaited);
            }
            for (node, owner) in &self.same {
                edges.entry(*node).or_default().insert(*owner);
            }
            let awaited: BTreeSet<NodeId> = edges.values().flatten().copied().collect();
            let unknown = |node: &NodeId| !self.names.contains_key(node) && !self.broken.contains_key(node);
            let on_cycle: Vec<NodeId> = cyclic(&edges).into_iter().filter(unknown).collect();
            let never_reached: Vec<NodeId> =
                awaited.into_iter().filter(|node| unknown(node) && !edges.contains_key(node)).collect();
            debug_assert!(!on_cycle.is_empty() || !never_reached.is_empty(), "somebody waits for nothing");
            for node in on_cycle {
                self.broken.insert(node, short(node));
            }
            for node in never_reached {
                self.set(node, short(node));
            }
        }
    }

    /// Names what can be named now. Whether anything could.
    fn settle(&mut self) -> bool {
        let mut settled = false;
        for waiting in std::mem::take(&mut self.waiting) {
            let awaited: Option<Vec<String>> = waiting.awaited.iter().map(|node| self.promised(*node)).collect();
            match awaited {
                Some(awaited) => {
                    let peers = waiting.peers.into_iter().chain(awaited).collect();
                    self.set(waiting.node, with_peers(&waiting.base, peers));
                    settled = true;
                }
                None => self.waiting.push(waiting),
            }
        }
        for (node, owner) in std::mem::take(&mut self.same) {
            match self.names.get(&owner).cloned() {
                Some(name) => {
                    self.set(node, name);
                    settled = true;
                }
                None => self.same.push((node, owner)),
            }
        }
        settled
    }

    /// What those get who wait for a node's dep path.
    fn promised(&self, node: NodeId) -> Option<String> {
        self.broken.get(&node).or_else(|| self.names.get(&node)).cloned()
    }
}

/// `base(peer)(peer)`, or a hash of the peers where that is long.
fn with_peers(base: &str, mut peers: Vec<String>) -> DepPath {
    if peers.is_empty() {
        return base.to_owned();
    }
    peers.sort();
    peers.dedup();
    let suffix = peers.join(")(");
    if suffix.len() <= PEERS_SUFFIX_BYTES_MAX {
        return format!("{base}({suffix})");
    }
    format!("{base}({})", &hex::encode(Sha256::digest(suffix.as_bytes()))[..32])
}
