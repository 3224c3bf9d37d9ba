//! Which versions of the peers that are missing a project is to have.

use super::peers::{Direct, MissingPeers};
use super::specifier::target_of;
use super::version_pick::{allows_with_prereleases, intersection};
use crate::range;
use deno_semver::Version;
use std::collections::{BTreeMap, BTreeSet};

/// The versions of each package that the graph has.
type Versions = BTreeMap<String, BTreeSet<Version>>;

/// A peer that a project is to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WantedPeer {
    /// The version that the graph has. Of a package of the workspace the registry may not have it; pnpm ends with an error there.
    pub version: Option<String>,
    /// What is asked for otherwise; nothing where it is optional.
    pub range: Option<String>,
}

impl WantedPeer {
    /// What to ask for, one after the other.
    pub fn specifiers(&self) -> impl Iterator<Item = &str> {
        self.version.iter().chain(&self.range).map(String::as_str)
    }
}

/// The peers that somebody does not work without.
pub(super) fn needed(missing: &MissingPeers, versions: &Versions, from_registry: bool) -> BTreeMap<String, WantedPeer> {
    let mut needed = BTreeMap::new();
    for (name, all) in missing {
        // What no registry has (`workspace:`, left in by mistake) stays missing.
        let needed_here = all.iter().filter(|missing| !missing.optional && target_of(name, &missing.range).is_some());
        let ranges: BTreeSet<&str> = needed_here.map(|missing| missing.range.as_str()).collect();
        if ranges.is_empty() || !go_together(&ranges) {
            continue;
        }
        let range = intersection(ranges.iter().copied());
        let in_graph = versions.get(name).and_then(|versions| {
            let wanted = range::parse(&range)?;
            versions.iter().rev().find(|version| allows_with_prereleases(&wanted, version))
        });
        let version = in_graph.map(ToString::to_string);
        if version.is_some() || from_registry {
            needed.insert(name.clone(), WantedPeer { version, range: from_registry.then_some(range) });
        }
    }
    needed
}

/// Whether there may be a version that all of these ranges allow. Where there is none, the peer stays missing.
fn go_together(ranges: &BTreeSet<&str>) -> bool {
    let ranges: Vec<_> = ranges.iter().filter_map(|range| range::parse(range)).collect();
    ranges.iter().enumerate().all(|(at, range)| ranges[..at].iter().all(|other| range.intersects(other)))
}

/// The peers that nobody needs and the graph has in a version that all accept.
pub(super) fn optional(missing: &MissingPeers, versions: &Versions, project: &Direct) -> BTreeMap<String, WantedPeer> {
    let mut optional = BTreeMap::new();
    for (name, all) in missing {
        let ranges: Vec<_> = all.iter().map(|missing| range::parse(&missing.range)).collect();
        let accepted =
            |version: &&Version| ranges.iter().all(|range| range.as_ref().is_some_and(|range| range.matches(version)));
        let in_graph = versions.get(name).filter(|_| !project.providers.contains_key(name));
        if let Some(version) = in_graph.and_then(|versions| versions.iter().rev().find(accepted)) {
            optional.insert(name.clone(), WantedPeer { version: Some(version.to_string()), range: None });
        }
    }
    optional
}
