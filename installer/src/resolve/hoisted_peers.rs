//! Peers that are missing, and that a project gets without asking for them.
//!
//! What is needed comes first, project after project, each until it needs no more; then what is optional and in the graph
//! anyway, for all projects; and so on until nobody is given anything. As in pnpm.

use super::ResolveError;
use super::peers::{AllPeers, Direct, FirstWalks, Found, MissingPeers, resolve_peers, resolve_peers_of};
use super::walk::Walk;
use super::wanted_peers::{WantedPeer, needed, optional};
use crate::lockfile::{Importer, Lockfile};
use crate::workspace::{ImporterId, Workspace};
use std::collections::{BTreeMap, BTreeSet};

/// Finds everybody's peers, and gives the projects those that are missing: what is needed in a version that the graph has or
/// the registry has, what is optional where the graph has it anyway.
pub(super) async fn with_missing_peers(
    walk: &mut Walk<'_>,
    workspace: &Workspace,
    previous: Option<&Lockfile>,
    direct: BTreeMap<ImporterId, Direct>,
) -> Result<AllPeers, ResolveError> {
    let mut all = resolve_peers(&walk.graph, &direct, &workspace.patches);
    let found = std::mem::take(&mut all.found);
    let mut rounds = Rounds { walk, workspace, direct, first_walks: FirstWalks::default(), last: Some(all) };
    for (id, found) in &found {
        rounds.record(id, found);
    }
    // What others came to first is settled before anybody is given anything.
    let begin = |(id, found): (ImporterId, Found)| {
        let locked = locked_peers(previous, &id);
        let missing = rounds.first_walks.left(&found, &locked);
        (id, found, ProjectRounds { locked, missing, is_new: false })
    };
    let begun: Vec<_> = found.into_iter().map(begin).collect();
    let mut projects = BTreeMap::new();
    for (id, found, mut project) in begun {
        rounds.needed(&id, &mut project, found).await?;
        projects.insert(id, project);
    }
    loop {
        for (id, project) in &mut projects {
            rounds.optional(id, project).await?;
        }
        if projects.values().all(|project| !project.is_new) {
            break;
        }
        for (id, project) in projects.iter_mut().filter(|(_, project)| project.is_new) {
            let found = rounds.look(id, project);
            rounds.needed(id, project, found).await?;
        }
    }
    let Rounds { walk, direct, last, .. } = rounds;
    Ok(last.unwrap_or_else(|| resolve_peers(&walk.graph, &direct, &workspace.patches)))
}

/// What all projects share in the rounds.
struct Rounds<'w, 'l> {
    walk: &'w mut Walk<'l>,
    workspace: &'w Workspace,
    direct: BTreeMap<ImporterId, Direct>,
    first_walks: FirstWalks,
    /// The peers of everything, unless something was given since.
    last: Option<AllPeers>,
}

/// One project in the rounds.
struct ProjectRounds {
    /// Peers that the lockfile has for what it asks for.
    locked: BTreeSet<String>,
    /// What was missing when its peers were looked for.
    missing: MissingPeers,
    /// Whether it was given something since.
    is_new: bool,
}

impl Rounds<'_, '_> {
    /// Gives a project what it needs, until it needs no more.
    async fn needed(&mut self, id: &str, project: &mut ProjectRounds, found: Found) -> Result<(), ResolveError> {
        let from_registry = self.workspace.settings.auto_install_peers;
        let mut found = found;
        loop {
            self.leave_out_what_it_has(id, project);
            let needed = needed(&project.missing, &self.walk.graph.versions, from_registry);
            if from_registry && self.add_providers(id, &found, &needed) {
                self.changed(project);
            }
            if !self.give(id, project, &needed).await? {
                return Ok(());
            }
            found = self.look(id, project);
        }
    }

    /// Gives a project what others have and it can do with.
    async fn optional(&mut self, id: &str, project: &mut ProjectRounds) -> Result<(), ResolveError> {
        self.leave_out_what_it_has(id, project);
        let optional = optional(&project.missing, &self.walk.graph.versions, &self.direct[id]);
        self.give(id, project, &optional).await.map(drop)
    }

    /// Whether there was anything to give.
    async fn give(
        &mut self,
        id: &str,
        project: &mut ProjectRounds,
        peers: &BTreeMap<String, WantedPeer>,
    ) -> Result<bool, ResolveError> {
        let direct = self.direct.get_mut(id).expect("peers are found for the projects");
        let given = self.walk.peers(id, peers, direct).await?;
        if given.is_empty() {
            return Ok(false);
        }
        direct.dependencies.extend(given);
        self.changed(project);
        Ok(true)
    }

    fn changed(&mut self, project: &mut ProjectRounds) {
        project.is_new = true;
        self.last = None;
    }

    /// Looks for a project's peers once more.
    fn look(&mut self, id: &str, project: &mut ProjectRounds) -> Found {
        let (graph, patches) = (&self.walk.graph, &self.workspace.patches);
        let found = if self.direct.len() == 1 {
            let mut all = resolve_peers(graph, &self.direct, patches);
            let found = all.found.remove(id);
            self.last = Some(all);
            found.expect("peers are found for the projects")
        } else {
            resolve_peers_of(graph, &self.direct, patches, id)
        };
        self.record(id, &found);
        (project.missing, project.is_new) = (self.first_walks.left(&found, &project.locked), false);
        found
    }

    fn record(&mut self, id: &str, found: &Found) {
        if self.direct.len() > 1 {
            self.first_walks.record(&self.walk.graph, id, found);
        }
    }

    fn leave_out_what_it_has(&self, id: &str, project: &mut ProjectRounds) {
        let Direct { dependencies, linked, .. } = &self.direct[id];
        project.missing.retain(|name, _| !dependencies.contains_key(name) && !linked.contains_key(name));
    }

    /// What is a peer somewhere below counts as the project's own from then on. Whether there was any such.
    fn add_providers(&mut self, id: &str, found: &Found, needed: &BTreeMap<String, WantedPeer>) -> bool {
        let direct = self.direct.get_mut(id).expect("peers are found for the projects");
        let mut changed = false;
        for (name, path) in &found.providers {
            let Direct { dependencies, linked, providers, .. } = &*direct;
            let known = dependencies.contains_key(name) || linked.contains_key(name) || providers.contains_key(name);
            if !known && !needed.contains_key(name) {
                direct.providers.insert(name.clone(), path.clone());
                changed = true;
            }
        }
        changed
    }
}

/// The names of the peers that the lockfile has for what a project asks for.
fn locked_peers(previous: Option<&Lockfile>, id: &str) -> BTreeSet<String> {
    let importer = previous.and_then(|lockfile| lockfile.importers.get(id));
    let versions = importer.into_iter().flat_map(Importer::direct).map(|(_, direct)| direct.version.as_str());
    let peers = versions.flat_map(|version| version.split('(').skip(1));
    peers.filter_map(|peer| peer.get(1..)?.find('@').map(|at| peer[..=at].to_owned())).collect()
}
