//! Why a dependency cannot be resolved. An optional one is left out then; any other ends the resolution.

use super::graph::Graph;
use super::loader::Loader;
use super::packument::Packument;
use super::specifier::target_of;
use super::{RequiredBy, ResolveError};
use crate::workspace::{Target, Workspace, shown};

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Obstacle {
    /// There is no such package.
    NoPackage { name: String },
    /// The package has no version in this range, or no such tag.
    NoVersion { name: String, range: String },
    /// It is not from a registry.
    Foreign { alias: String, specifier: String },
}

impl Obstacle {
    /// Whether this dependency runs into it.
    fn blocks(&self, alias: &str, specifier: &str) -> bool {
        match self {
            Obstacle::NoPackage { name } => target_of(alias, specifier).is_some_and(|(target, _)| target == name),
            Obstacle::NoVersion { name, range } => target_of(alias, specifier) == Some((name, range)),
            Obstacle::Foreign { alias: at, specifier: what } => at == alias && what == specifier,
        }
    }
}

/// The error for an obstacle that someone needs to pass, with all who are known to.
pub(super) fn explain(obstacle: Obstacle, workspace: &Workspace, graph: &Graph, loader: &Loader<'_>) -> ResolveError {
    let mut required_by = Vec::new();
    for (id, member) in &workspace.members {
        let blocked = member.wanted.iter().any(|(alias, wanted)| match &wanted.target {
            Target::Resolved { specifier, .. } => obstacle.blocks(alias, specifier),
            Target::Link { .. } => false,
        });
        required_by.extend(blocked.then(|| shown(id)));
    }
    let of_packages = graph.packages.iter().filter(|package| {
        let needed = package.manifest.edges().filter(|(.., optional)| !optional);
        let peers = package.manifest.peer_dependencies.iter().filter(|(name, _)| !package.manifest.is_optional(name));
        needed
            .map(|(alias, specifier, _)| (alias, specifier))
            .chain(peers.map(|(name, range)| (&**name, &**range)))
            .any(|(alias, specifier)| obstacle.blocks(alias, specifier))
    });
    let mut packages: Vec<_> = of_packages.map(|package| package.key.clone()).collect();
    packages.sort();
    required_by.extend(packages);
    let required_by = RequiredBy(required_by);
    match obstacle {
        Obstacle::NoPackage { name } => {
            ResolveError::NoPackage { registry: loader.base_url(&name), package: name, required_by }
        }
        Obstacle::NoVersion { name, range } => {
            let available = loader.get(&name).map_or_else(String::new, |packument| available(&packument));
            ResolveError::NoVersion { package: name, range, required_by, available }
        }
        Obstacle::Foreign { alias, specifier } => {
            ResolveError::Unsupported { dependency: alias, specifier, required_by }
        }
    }
}

/// The dist-tags and the newest versions of a package, for people.
pub(super) fn available(packument: &Packument) -> String {
    const VERSIONS_SHOWN_MAX: usize = 5;
    let name = &packument.name;
    let tags: Vec<_> = packument.dist_tags().iter().map(|(tag, version)| format!("{tag}: {version}")).collect();
    let newest: Vec<_> = packument.versions().rev().take(VERSIONS_SHOWN_MAX).map(ToString::to_string).collect();
    match (tags.is_empty(), newest.is_empty()) {
        (_, true) => format!("{name} has no versions"),
        (true, false) => format!("the newest versions are {}", newest.join(", ")),
        (false, false) => format!("its tags are {}; the newest versions are {}", tags.join(", "), newest.join(", ")),
    }
}
