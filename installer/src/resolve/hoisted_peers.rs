//! Peers that are missing, and that a project gets without asking for them.

use super::ResolveError;
use super::peers::{AllPeers, Direct, Found, Missing, resolve_peers};
use super::specifier::target_of;
use super::version_pick::{allows_with_prereleases, intersection};
use super::walk::Walk;
use crate::range;
use crate::workspace::{ImporterId, Workspace};
use deno_semver::Version;
use std::collections::{BTreeMap, BTreeSet};

/// Finds everybody's peers, and gives the projects those that are missing, until nothing changes: what is needed in a version
/// that the graph has or the registry has, what is optional where the graph has it anyway.
pub(super) async fn with_missing_peers(
    walk: &mut Walk<'_>,
    workspace: &Workspace,
    mut direct: BTreeMap<ImporterId, Direct>,
) -> Result<AllPeers, ResolveError> {
    let from_registry = workspace.settings.auto_install_peers;
    loop {
        let all = resolve_peers(&walk.graph, &direct, &workspace.patches);
        let mut changed = false;
        for (id, found) in &all.found {
            let project = direct.get_mut(id).expect("peers are found for the projects");
            let missing: BTreeMap<_, _> =
                found.missing.iter().filter(|(name, _)| !project.dependencies.contains_key(*name)).collect();
            let needed = needed(&missing, &walk.graph.versions, from_registry);
            if from_registry {
                changed |= add_providers(project, found, &needed);
            }
            let wanted = if needed.is_empty() { optional(&missing, &walk.graph.versions, project) } else { needed };
            let given = walk.peers(&wanted, project).await?;
            changed |= !given.is_empty();
            project.dependencies.extend(given);
        }
        if !changed {
            return Ok(all);
        }
    }
}

/// What is a peer somewhere below counts as the project's own from then on. Whether there was any such.
fn add_providers(project: &mut Direct, found: &Found, needed: &BTreeMap<String, String>) -> bool {
    let mut changed = false;
    for (name, path) in &found.providers {
        let known = project.dependencies.contains_key(name) || project.providers.contains_key(name);
        if !known && !needed.contains_key(name) {
            project.providers.insert(name.clone(), path.clone());
            changed = true;
        }
    }
    changed
}

/// The peers that somebody does not work without: name → range.
fn needed(
    missing: &BTreeMap<&String, &BTreeSet<Missing>>,
    versions: &BTreeMap<String, BTreeSet<Version>>,
    from_registry: bool,
) -> BTreeMap<String, String> {
    let mut needed = BTreeMap::new();
    for (name, all) in missing {
        // What no registry has (`workspace:`, left in by mistake) stays missing.
        let needed_here = all.iter().filter(|missing| !missing.optional && target_of(name, &missing.range).is_some());
        let ranges: BTreeSet<&str> = needed_here.map(|missing| missing.range.as_str()).collect();
        if ranges.is_empty() || !go_together(&ranges) {
            continue;
        }
        let range = intersection(ranges.iter().copied());
        let in_graph = versions.get(*name).and_then(|versions| {
            let wanted = range::parse(&range)?;
            versions.iter().rev().find(|version| allows_with_prereleases(&wanted, version))
        });
        match in_graph {
            Some(version) => drop(needed.insert((*name).clone(), version.to_string())),
            None if from_registry => drop(needed.insert((*name).clone(), range)),
            None => {}
        }
    }
    needed
}

/// Whether there may be a version that all of these ranges allow. Where there is none, the peer stays missing.
fn go_together(ranges: &BTreeSet<&str>) -> bool {
    let ranges: Vec<_> = ranges.iter().filter_map(|range| range::parse(range)).collect();
    ranges.iter().enumerate().all(|(at, range)| ranges[..at].iter().all(|other| range.intersects(other)))
}

/// The peers that nobody needs and the graph has in a version that all accept: name → version.
fn optional(
    missing: &BTreeMap<&String, &BTreeSet<Missing>>,
    versions: &BTreeMap<String, BTreeSet<Version>>,
    project: &Direct,
) -> BTreeMap<String, String> {
    let mut optional = BTreeMap::new();
    for (name, all) in missing {
        let ranges: Vec<_> = all.iter().map(|missing| range::parse(&missing.range)).collect();
        let accepted =
            |version: &&Version| ranges.iter().all(|range| range.as_ref().is_some_and(|range| range.matches(version)));
        let in_graph = versions.get(*name).filter(|_| !project.providers.contains_key(*name));
        if let Some(version) = in_graph.and_then(|versions| versions.iter().rev().find(accepted)) {
            optional.insert((*name).clone(), version.to_string());
        }
    }
    optional
}
