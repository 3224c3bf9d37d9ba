//! Choosing versions: package.json in, [`Lockfile`] out, for every platform at once.
//!
//! The `deno_npm` crate solves: ranges, tags, aliases, peers, overrides. This module gives it packuments, tells the
//! [`OnResolved`] hook of each package as soon as it is chosen, leaves out optional dependencies that do not exist, and
//! writes the graph down as pnpm would. The result is a function of the manifest, the packuments and the previous
//! lockfile: the order in which packuments arrive has no part in it.

mod adjustments;
mod error;
mod graph_dep_paths;
mod graph_peers;
mod packument;
mod packuments;
mod prefetching_resolver;
mod registry_packuments;
mod registry_view;
mod relay;
mod roots;
mod specifier;
#[cfg(test)]
mod tests;
mod to_lockfile;
mod version_chooser;

pub use self::error::{InvalidPackument, RequiredBy, ResolveError, SharedError};
pub use self::packuments::{NoHook, OnResolved, PackumentError, Packuments, ResolveWarning, ResolvedTarball};
pub use self::prefetching_resolver::PrefetchingResolver;
pub use self::registry_packuments::RegistryPackuments;
pub use self::version_chooser::{ChosenVersion, VersionChooser};

use self::adjustments::{Adjustments, Obstacle};
use self::packument::Packument;
use self::registry_view::Registry;
use self::relay::Relay;
use self::roots::{PROJECT, Roots, overrides_of};
pub(crate) use self::specifier::target_of;
use self::to_lockfile::to_lockfile;
use crate::lockfile::Lockfile;
use crate::manifest::Manifest;
use deno_npm::resolution::{AddPkgReqsOptions, NpmResolutionSnapshot, NpmVersionResolver, UnmetPeerDepDiagnostic};
use deno_semver::package::PackageNv;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What a resolution starts from.
pub struct ResolveRequest<'a> {
    /// The project.
    pub manifest: &'a Manifest,
    /// Where packuments come from.
    pub packuments: &'a dyn Packuments,
    /// The project's lockfile so far: its versions are kept where they still fit. `None` takes the newest of all.
    pub previous: Option<&'a Lockfile>,
    /// Hears of each package as soon as it is chosen.
    pub hook: &'a dyn OnResolved,
}

/// Chooses a version for everything that the project needs.
///
/// The future is not `Send`.
///
/// # Errors
/// [`ResolveError`]: a package or version that is needed does not exist, a dependency is not from a registry, or the
/// registry cannot be asked.
pub async fn resolve(request: ResolveRequest<'_>) -> Result<Lockfile, ResolveError> {
    let registry = Registry::new(request.packuments, Adjustments::new(request.previous));
    let relay = Relay::new(request.hook, registry.loaded());
    let overrides = Arc::new(overrides_of(request.manifest)?);
    let version_resolver = NpmVersionResolver {
        link_packages: Default::default(),
        newest_dependency_date_options: Default::default(),
        overrides,
        trust_policy: Default::default(),
    };
    loop {
        let adjustments = registry.adjustments();
        let roots = Roots::of(request.manifest, &adjustments)?;
        let options = AddPkgReqsOptions {
            package_reqs: &roots.requirements(),
            version_resolver: &version_resolver,
            should_dedup: false,
        };
        let solved = NpmResolutionSnapshot::default().add_pkg_reqs(&registry, options, Some(&relay)).await;
        if let Some(failure) = registry.take_failure() {
            return Err(failure);
        }
        let error = match solved.dep_graph_result {
            Ok(graph) => {
                let lockfile = to_lockfile(request.manifest, &roots, &graph, &registry)?;
                for warning in warnings(roots, &graph, &registry, &adjustments, &solved.unmet_peer_diagnostics) {
                    request.hook.on_warning(warning);
                }
                return Ok(lockfile);
            }
            Err(error) => error,
        };
        let Some(obstacle) = Obstacle::of(&error) else {
            return Err(ResolveError::Solver { message: error.to_string() });
        };
        let chosen = relay.chosen();
        if !registry.adjust(&obstacle, &chosen) {
            return Err(explain(obstacle, request.manifest, &registry, &chosen));
        }
    }
}

/// The error for an obstacle that someone needs to pass.
fn explain(obstacle: Obstacle, manifest: &Manifest, registry: &Registry<'_>, chosen: &[PackageNv]) -> ResolveError {
    let mut required_by = Vec::new();
    for (alias, wanted) in manifest.wanted() {
        if obstacle.blocks(PROJECT, &alias, &wanted.specifier) {
            required_by.push(PROJECT.to_owned());
        }
    }
    for package in chosen {
        let version = registry.get(&package.name).and_then(|packument| packument.version(&package.version));
        let Some(version) = version else { continue };
        let parent = package.to_string();
        let edges = version.dependencies.iter().filter(|(alias, _)| !version.is_optional(alias));
        if edges.chain(&version.peer_dependencies).any(|(alias, range)| obstacle.blocks(&parent, alias, range)) {
            required_by.push(parent);
        }
    }
    required_by.dedup();
    let required_by = RequiredBy(required_by);
    match obstacle {
        Obstacle::NoPackage { name } => {
            ResolveError::NoPackage { registry: registry.base_url(&name), package: name, required_by }
        }
        Obstacle::NoVersion { name, range } => {
            let available = registry.get(&name).map_or_else(String::new, |packument| available(&packument));
            ResolveError::NoVersion { package: name, range: range.version_text().to_owned(), required_by, available }
        }
        Obstacle::Foreign { parent, alias, specifier } => {
            let required_by = RequiredBy(vec![parent]);
            ResolveError::Unsupported { dependency: alias, specifier, required_by }
        }
    }
}

/// The dist-tags and the newest versions of a package, for people.
fn available(packument: &Packument) -> String {
    const VERSIONS_SHOWN_MAX: usize = 5;
    let name = &packument.name;
    let tags: Vec<_> = packument.dist_tags.iter().map(|(tag, version)| format!("{tag}: {version}")).collect();
    let newest: Vec<_> = packument.versions().rev().take(VERSIONS_SHOWN_MAX).map(ToString::to_string).collect();
    match (tags.is_empty(), newest.is_empty()) {
        (_, true) => format!("{name} has no versions"),
        (true, false) => format!("the newest versions are {}", newest.join(", ")),
        (false, false) => format!("its tags are {}; the newest versions are {}", tags.join(", "), newest.join(", ")),
    }
}

/// What people should know of a resolution that went well, sorted.
fn warnings(
    roots: Roots,
    graph: &NpmResolutionSnapshot,
    registry: &Registry<'_>,
    adjustments: &Adjustments,
    unmet_peers: &[UnmetPeerDepDiagnostic],
) -> BTreeSet<ResolveWarning> {
    let mut warnings: BTreeSet<_> = roots.skipped.into_iter().collect();
    for unmet in unmet_peers {
        warnings.insert(ResolveWarning::UnmetPeer {
            parent: unmet.ancestors.first().map_or_else(|| PROJECT.to_owned(), ToString::to_string),
            dependency: unmet.dependency.to_string(),
            found: unmet.resolved.to_string(),
        });
    }
    for package in graph.all_packages_for_every_system() {
        let version = registry.get(&package.id.nv.name).and_then(|packument| packument.version(&package.id.nv.version));
        let parent = package.id.nv.to_string();
        for (alias, range) in version.iter().flat_map(|version| &version.optional_dependencies) {
            let foreign = target_of(alias, range).is_none();
            let there = package.dependencies.contains_key(alias.as_str());
            if !there && (foreign || adjustments.blocks(&parent, alias, range)) {
                let dependency = format!("{alias}@{range}");
                warnings.insert(ResolveWarning::OptionalSkipped { parent: parent.clone(), dependency });
            }
        }
    }
    warnings
}
